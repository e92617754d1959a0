//! The key at the terminal: which one, its PIN, its touch.

use std::io::{self, BufRead as _};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use clap::Args;
use countersign_core::identifier::ApproverId;
use countersign_core::webauthn::Assertion;
use countersign_hardware_key::{
    HardwareKey, Interaction, KeyError, PinPrompt, SignRequest, present_keys,
};
use countersign_wire::client::Client;
use countersign_wire::client::decide::{Challenge, SignIn};
use countersign_wire::client::trust::Trusted;

use crate::output::{Failure, complain};

/// How long a key may take to be touched.
const TOUCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Who, with which key.
#[derive(Debug, Args)]
pub(crate) struct Person {
    /// Your approver id
    #[arg(long = "as", value_name = "APPROVER", env = "COUNTERSIGN_APPROVER")]
    pub(crate) approver: ApproverId,
    #[command(flatten)]
    pub(crate) key: KeyArguments,
}

/// Which key, and where its PIN comes from.
#[derive(Debug, Args)]
pub(crate) struct KeyArguments {
    /// Which key, where several are present: its id or name
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Read the PIN from the first line of standard input instead of the terminal
    #[arg(long)]
    pin_stdin: bool,
    /// Folder with demonstration keys
    #[cfg(feature = "demonstration-key")]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_DEMONSTRATION_KEYS")]
    demonstration_keys: Option<std::path::PathBuf>,
}

/// A key, and the person at the terminal.
pub(crate) struct Hand {
    key: Box<dyn HardwareKey>,
    terminal: Terminal,
}

impl KeyArguments {
    /// The key that is meant: `named` where given, then `--key`, then the only one present.
    pub(crate) fn hand(&self, named: Option<&str>) -> Result<Hand, Failure> {
        let wanted = named.or(self.key.as_deref());
        let key = self.demonstration_key(wanted)?;
        let key = match (key, wanted) {
            (Some(key), _) => Ok(key),
            (None, Some(wanted)) => present_keys().by_id(wanted),
            (None, None) => present_keys().only(),
        }
        .map_err(|error| Failure::refused(error.code(), error))?;
        if key.demonstration() {
            complain(&format!("{}: it signs nothing real", key.label()));
        }
        let pin = if self.pin_stdin {
            Some(pin_from_stdin()?)
        } else {
            None
        };
        Ok(Hand {
            key,
            terminal: Terminal {
                pin,
                asked: Mutex::new(false),
            },
        })
    }

    #[cfg(feature = "demonstration-key")]
    fn demonstration_key(
        &self,
        wanted: Option<&str>,
    ) -> Result<Option<Box<dyn HardwareKey>>, Failure> {
        let Some(folder) = &self.demonstration_keys else {
            return Ok(None);
        };
        let refused = |error: countersign_virtual_key::RingError| {
            Failure::refused("demonstration_key", error)
        };
        let Some(name) = wanted else {
            return Err(Failure::refused(
                "no_key",
                "say which demonstration key with --key NAME",
            ));
        };
        let key = countersign_virtual_key::KeyRing::open(folder)
            .map_err(refused)?
            .key(name)
            .map_err(refused)?;
        key.set_presence(countersign_virtual_key::Presence::Approve);
        Ok(Some(Box::new(key)))
    }

    #[cfg(not(feature = "demonstration-key"))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "development builds look for keys here"
    )]
    fn demonstration_key(&self, _: Option<&str>) -> Result<Option<Box<dyn HardwareKey>>, Failure> {
        Ok(None)
    }
}

/// The first line of standard input, read once for every key of this run.
fn pin_from_stdin() -> Result<String, Failure> {
    static PIN: OnceLock<String> = OnceLock::new();
    if let Some(pin) = PIN.get() {
        return Ok(pin.clone());
    }
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::refused("no_pin", error))?;
    Ok(PIN
        .get_or_init(|| line.trim_end_matches(['\n', '\r']).to_owned())
        .clone())
}

impl Hand {
    /// The key itself, to enrol it.
    pub(crate) fn key(&self) -> &dyn HardwareKey {
        self.key.as_ref()
    }

    /// The person at it.
    pub(crate) fn interaction(&self) -> &dyn Interaction {
        &self.terminal
    }

    /// Has the key sign.
    pub(crate) fn sign(&self, challenge: &Challenge) -> Result<Assertion, Failure> {
        let request = SignRequest {
            rp_id: challenge.rp_id.clone(),
            credential_ids: vec![challenge.credential.clone()],
            challenge: challenge.challenge.clone(),
            timeout: TOUCH_TIMEOUT,
        };
        self.terminal.again();
        self.key
            .sign(&request, &self.terminal)
            .map_err(|error: KeyError| Failure::refused(error.code(), error))
    }

    /// Signs in: the session reads, and can decide nothing.
    pub(crate) async fn sign_in(
        &self,
        client: &Client,
        trusted: &Trusted,
        approver: &ApproverId,
    ) -> Result<Client, Failure> {
        let refused = |error| Failure::refused("sign_in", error);
        let unsigned = SignIn::begin(client, trusted, approver)
            .await
            .map_err(refused)?
            .statement(trusted, chrono::Utc::now())
            .map_err(refused)?;
        let assertion = self.sign(&unsigned.challenge().clone())?;
        let session = unsigned.open(client, assertion).await.map_err(refused)?;
        Ok(client.with_bearer(&session.token)?)
    }
}

/// The person at the terminal.
#[derive(Debug)]
struct Terminal {
    pin: Option<String>,
    asked: Mutex<bool>,
}

impl Terminal {
    fn again(&self) {
        if let Ok(mut asked) = self.asked.lock() {
            *asked = false;
        }
    }
}

impl Interaction for Terminal {
    fn pin(&self, prompt: PinPrompt) -> Option<String> {
        if self.pin.is_some() {
            return self.pin.clone();
        }
        if let Some(retries) = prompt.retries_left {
            complain(&format!("{retries} tries left"));
        }
        rpassword::prompt_password("PIN of your key (Ctrl-C cancels): ").ok()
    }

    fn touch(&self) {
        if let Ok(mut asked) = self.asked.lock()
            && !std::mem::replace(&mut *asked, true)
        {
            complain("touch your key");
        }
    }

    fn processing(&self) {}

    fn cancelled(&self) -> bool {
        false
    }
}
