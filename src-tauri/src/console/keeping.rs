//! Where the session is kept between two starts: the operating system's keyring, or nowhere.

use std::sync::mpsc::channel;
use std::time::Duration;

use countersign_core::genesis::DeploymentId;
use countersign_wire::session::Session;
use countersign_wire::view::KeepingView;

/// The service under which the keyring lists our entries.
const SERVICE: &str = "io.countersign.console";
/// Longest wait for the keyring: one that asks for its own password must not hang the console.
const KEYRING_LIMIT: Duration = Duration::from_secs(5);

/// Where sessions are kept. Calls may block for some seconds.
pub trait Keeper: Send + Sync + 'static {
    /// Where that is, before anything was kept.
    fn place(&self) -> KeepingView;

    /// The session kept for a deployment.
    fn find(&self, deployment: &DeploymentId) -> Option<Session>;

    /// Keeps it; answers where it is kept now.
    fn keep(&self, deployment: &DeploymentId, session: &Session) -> KeepingView;

    /// Forgets it.
    fn forget(&self, deployment: &DeploymentId);
}

/// The operating system's keyring.
#[derive(Debug, Default)]
pub struct Keyring;

/// Nowhere: the session ends with the program.
#[derive(Debug)]
pub struct MemoryOnly {
    /// Why, for the person.
    pub reason: String,
}

impl Keeper for MemoryOnly {
    fn place(&self) -> KeepingView {
        KeepingView::Memory {
            reason: self.reason.clone(),
        }
    }
    fn find(&self, _: &DeploymentId) -> Option<Session> {
        None
    }
    fn keep(&self, _: &DeploymentId, _: &Session) -> KeepingView {
        self.place()
    }
    fn forget(&self, _: &DeploymentId) {}
}

impl Keeper for Keyring {
    fn place(&self) -> KeepingView {
        match in_time(|| keyring::v1::Entry::new(SERVICE, "probe").map(drop)) {
            Ok(()) => KeepingView::Keyring,
            Err(reason) => KeepingView::Memory { reason },
        }
    }

    fn find(&self, deployment: &DeploymentId) -> Option<Session> {
        let user = deployment.as_str().to_owned();
        let text = in_time(
            move || match keyring::v1::Entry::new(SERVICE, &user)?.get_password() {
                Ok(text) => Ok(Some(text)),
                Err(keyring::v1::Error::NoEntry) => Ok(None),
                Err(error) => Err(error),
            },
        );
        serde_json::from_str(&text.ok()??).ok()
    }

    fn keep(&self, deployment: &DeploymentId, session: &Session) -> KeepingView {
        let user = deployment.as_str().to_owned();
        let Ok(text) = serde_json::to_string(session) else {
            return KeepingView::Memory {
                reason: "the session cannot be written down".to_owned(),
            };
        };
        match in_time(move || keyring::v1::Entry::new(SERVICE, &user)?.set_password(&text)) {
            Ok(()) => KeepingView::Keyring,
            Err(reason) => KeepingView::Memory { reason },
        }
    }

    fn forget(&self, deployment: &DeploymentId) {
        let user = deployment.as_str().to_owned();
        // Nothing to forget is as good; a keyring that is gone holds it no longer for us.
        let _ = in_time(move || keyring::v1::Entry::new(SERVICE, &user)?.delete_credential());
    }
}

/// Asks the keyring on a thread of its own, which may hang in a prompt without harm.
fn in_time<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, keyring::v1::Error> + Send + 'static,
) -> Result<T, String> {
    let (send, answer) = channel();
    // Where the thread does not start, the channel is closed: told as no answer.
    let _ = std::thread::Builder::new()
        .name("keyring".to_owned())
        .spawn(move || send.send(ask()));
    match answer.recv_timeout(KEYRING_LIMIT) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(reason(&error)),
        Err(_) => Err(
            "the system's keyring does not answer; you will sign in again after a restart"
                .to_owned(),
        ),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the keyring's other errors all mean that it cannot be used"
)]
fn reason(error: &keyring::v1::Error) -> String {
    match error {
        keyring::v1::Error::NoDefaultStore => {
            "this system has no keyring running; start one (such as gnome-keyring), or sign in again after each restart".to_owned()
        }
        keyring::v1::Error::NoStorageAccess(_) => {
            "the system's keyring is locked; unlock it, or sign in again after each restart".to_owned()
        }
        other => format!("the system's keyring cannot be used ({other}); you will sign in again after a restart"),
    }
}
