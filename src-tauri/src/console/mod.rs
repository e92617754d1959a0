//! The console itself, without a window: what it is connected to, who is signed in, what it has
//! verified of the log. Commands delegate to it and it tells [`Sink`] what happens.
//!
//! It holds authority over nothing: the key decides, and the backend checks. What it must not do is
//! sign what was not shown, or show what it did not check.

mod deciding;
pub mod embedded;
mod home;
pub mod keeping;
pub mod keys;
mod live;
mod looking;
mod signing;
mod start;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use countersign_core::identifier::{ApproverId, Digest};
use countersign_core::statement::CheckpointReference;
use countersign_wire::client::Client;
use countersign_wire::client::trust::Trusted;
use countersign_wire::problem::Problem;
use countersign_wire::session::Session;
use countersign_wire::view::{
    ApproverView, BackendView, Changed, ConnectionView, FrameView, KeepingView, KeyStage,
    SessionView, WitnessView,
};
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;

pub use home::Home;
use keeping::Keeper;
use keys::KeySource;
use signing::Signing;

use crate::view::queue::Glance;

/// What happens, for the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something happened in the log.
    Changed(Changed),
    /// The backend answers again, or no longer.
    Connection(ConnectionView),
    /// The log was followed.
    Witness(WitnessView),
    /// What the key waits for.
    Key(KeyStage),
}

/// Who is told what happens.
pub trait Sink: Send + Sync + 'static {
    /// Tells it. It must not block.
    fn tell(&self, event: Event);
}

/// What a console is made of.
pub struct Parts {
    /// Its files.
    pub home: Home,
    /// Where sessions are kept.
    pub keeper: Box<dyn Keeper>,
    /// The keys that may be present.
    pub keys: Arc<dyn KeySource>,
    /// Whom it tells what happens.
    pub sink: Arc<dyn Sink>,
    /// A backend to use instead of the pinned one.
    pub backend: Option<BackendChoice>,
}

/// A backend, and the genesis it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendChoice {
    /// Its address.
    pub url: String,
    /// Its genesis digest, where it is known beforehand.
    pub genesis: Option<Digest>,
}

/// The console. Clones are the same one.
#[derive(Clone)]
pub struct Console {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    state: Mutex<State>,
    started: OnceCell<()>,
    /// One at a time follows the log, so that it is never compared with something older.
    following: tokio::sync::Mutex<()>,
    signing: Signing,
}

struct State {
    backend: Option<Known>,
    session: Option<Session>,
    keeping: KeepingView,
    glances: BTreeMap<Digest, Glance>,
    live: Option<AbortHandle>,
    /// Backend's clock minus this machine's.
    clock_offset_ms: i64,
    embedded: Option<embedded::Embedded>,
}

/// The backend, as far as it is known.
#[derive(Clone)]
struct Known {
    client: Client,
    /// The genesis that it must have.
    pinned: Option<Digest>,
    /// Absent until it has a genesis, or has never been reached.
    trusted: Option<Arc<Trusted>>,
    connection: ConnectionView,
    witness: Witness,
}

/// What this console, as a witness, knows of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Witness {
    /// The checkpoint verified last.
    last: Option<CheckpointReference>,
    /// When.
    at: Option<DateTime<Utc>>,
    /// What contradicted it. It stays: a log that lied once is not believed because it stops.
    alarm: Option<String>,
}

impl Witness {
    fn view(&self) -> WitnessView {
        match (&self.alarm, self.last, self.at) {
            (Some(reason), _, _) => WitnessView::Alarm {
                reason: reason.clone(),
            },
            (None, Some(last), Some(at)) => WitnessView::Consistent {
                size: last.size,
                at,
            },
            (None, _, _) => WitnessView::Never,
        }
    }
}

/// Somebody signed in at a trusted backend: what most commands need.
struct SignedIn {
    client: Client,
    trusted: Arc<Trusted>,
    approver: ApproverId,
    witness: Witness,
}

impl Console {
    /// A console that has done nothing yet; the first command starts it.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let state = State {
            backend: None,
            session: None,
            keeping: parts.keeper.place(),
            glances: BTreeMap::new(),
            live: None,
            clock_offset_ms: 0,
            embedded: None,
        };
        let inner = Inner {
            parts,
            state: Mutex::new(state),
            started: OnceCell::new(),
            following: tokio::sync::Mutex::new(()),
            signing: Signing::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves values that are whole: each is replaced, never edited in place.
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: Event) {
        self.inner.parts.sink.tell(event);
    }

    /// The frame around every screen.
    pub async fn frame(&self) -> FrameView {
        self.started().await;
        self.frame_now()
    }

    fn frame_now(&self) -> FrameView {
        let state = self.state();
        let trusted = state
            .backend
            .as_ref()
            .and_then(|known| known.trusted.as_ref());
        FrameView {
            backend: state.backend.as_ref().map(backend_view),
            session: state.session.as_ref().map(session_view),
            keeping: state.keeping.clone(),
            demonstration_build: cfg!(feature = "demonstration-key"),
            approvers: trusted
                .into_iter()
                .flat_map(|trusted| trusted.roster().approvers())
                .map(|approver| ApproverView {
                    id: approver.id.as_str().to_owned(),
                    roles: approver
                        .roles
                        .iter()
                        .map(|role| role.as_str().to_owned())
                        .collect(),
                })
                .collect(),
        }
    }

    /// The backend, where its genesis is known.
    fn trusted(&self) -> Result<(Client, Arc<Trusted>, Witness), Problem> {
        let state = self.state();
        let known = state.backend.as_ref().ok_or_else(|| {
            problem(
                "no_backend",
                "no backend",
                "this console is connected to no backend; connect to one",
            )
        })?;
        let trusted = known
            .trusted
            .clone()
            .ok_or_else(|| match &known.connection {
                ConnectionView::Lost { reason, .. } => {
                    problem("no_genesis", "the backend cannot be used yet", reason)
                }
                ConnectionView::Live => problem(
                    "no_genesis",
                    "no genesis yet",
                    "the backend has no genesis; enrol its first people",
                ),
            })?;
        Ok((known.client.clone(), trusted, known.witness.clone()))
    }

    async fn signed_in(&self) -> Result<SignedIn, Problem> {
        self.started().await;
        let (client, trusted, witness) = self.trusted()?;
        let session = self.state().session.clone().ok_or_else(|| {
            problem(
                "signed_out",
                "nobody is signed in",
                "sign in with your security key",
            )
        })?;
        let client = client.with_bearer(&session.token)?;
        Ok(SignedIn {
            client,
            trusted,
            approver: session.approver,
            witness,
        })
    }

    /// Looks whether an answer says that the session is void, and if so forgets it.
    fn noticing<T>(&self, result: Result<T, impl Into<Problem>>) -> Result<T, Problem> {
        result.map_err(|error| {
            let problem = error.into();
            if problem.status == 401 {
                self.forget_session();
            }
            problem
        })
    }
}

fn backend_view(known: &Known) -> BackendView {
    let name = known
        .trusted
        .as_ref()
        .map_or("a backend without a genesis", |trusted| {
            &trusted.genesis().name
        });
    BackendView {
        name: crate::view::quote::title(name),
        url: known.client.base_url().to_owned(),
        deployment: known
            .trusted
            .as_ref()
            .map_or_else(String::new, |t| t.roster().deployment().as_str().to_owned()),
        demonstration: known
            .trusted
            .as_ref()
            .is_some_and(|trusted| trusted.genesis().demonstration),
        connection: known.connection.clone(),
        witness: known.witness.view(),
    }
}

fn session_view(session: &Session) -> SessionView {
    SessionView {
        approver: session.approver.as_str().to_owned(),
        name: crate::view::quote::title(&session.name),
        roles: session
            .roles
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect(),
        expires_at: session.expires_at,
    }
}

/// A problem of this side of the network.
pub(crate) fn problem(code: &str, title: &str, detail: impl Into<String>) -> Problem {
    Problem::new(code, 0, title, detail)
}
