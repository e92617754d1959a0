//! The backend: what every route and task shares.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use countersign_core::decision::Roster;
use countersign_core::envelope::Envelope;
use countersign_core::genesis::{DeploymentId, Genesis};
use countersign_core::identifier::Digest;
use countersign_core::scope::Graph;
use countersign_core::topology::Topology;
use ed25519_dalek::SigningKey;
use tokio::sync::{Semaphore, watch};

use crate::alerts::Calm;
use crate::ceremony::Ceremonies;
use crate::clock::Clock;
use crate::config::Config;
use crate::executor::Executors;
use crate::gate::Memory;
use crate::health::{Prober, ProberError};
use crate::limits;
use crate::problem::{Refusal, codes};
use crate::refusals::{Limiter, Refusals};
use crate::runner::Runner;
use crate::schedule::Waiting;
use crate::secret::SecretHash;
use crate::store::{Conn, Store, StoreError, documents, payloads};
use crate::suspended::{InForce, ReplayedTo};

/// A sealed genesis.
#[derive(Debug)]
pub struct SealedGenesis {
    /// What everybody pins.
    pub digest: Digest,
    /// The document.
    pub genesis: Genesis,
    /// The people in it.
    pub roster: Roster,
}

/// The shared parts of the backend.
#[derive(Debug)]
pub struct Backend {
    /// Where everything is kept.
    pub store: Store,
    /// The one clock.
    pub clock: Clock,
    /// The log key.
    pub log_key: SigningKey,
    /// Who we are.
    pub deployment: DeploymentId,
    /// The ceremonies with keys.
    pub ceremonies: Ceremonies,
    /// The hash of the operator's token.
    pub operator: SecretHash,
    /// What the configuration file says.
    pub config: Config,
    /// Who carries actions out.
    pub executors: Executors,
    /// Who asks for health.
    pub prober: Prober,
    /// Which operations were calm a moment ago.
    pub calm: Calm,
    /// Who does what operations ask for.
    pub runner: Runner,
    /// What gates have verified of running operations.
    pub verified: Memory,
    /// Why drills that are due do not begin.
    pub waiting: Waiting,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Unauthenticated refusals, to be logged.
    pub refusals: Refusals,
    /// Who asks too often without saying who.
    pub limiter: Limiter,
    /// Permits of live streams.
    pub streams: Arc<Semaphore>,
    /// Whether the backend is stopping.
    pub stopping: watch::Sender<bool>,
    genesis: RwLock<Option<Arc<SealedGenesis>>>,
    graph: Mutex<Option<(Digest, Arc<Graph>)>>,
    envelope: Mutex<Option<(Digest, Arc<Envelope>)>>,
    /// The envelope whose board's decisions were verified, and the log entry of its authorisation.
    proved: Mutex<Option<(Digest, u64)>>,
    /// The suspensions in force, as the log said up to these entries.
    suspensions: Mutex<Option<(ReplayedTo, Arc<Vec<InForce>>)>>,
}

/// What a backend is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where everything is kept.
    pub store: Store,
    /// The one clock.
    pub clock: Clock,
    /// The log key.
    pub log_key: SigningKey,
    /// The hash of the operator's token.
    pub operator: SecretHash,
    /// What the configuration file says.
    pub config: Config,
    /// Where it listens.
    pub listen: SocketAddr,
}

/// Why a backend cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ceremonies cannot be held.
    #[error(transparent)]
    Ceremony(#[from] crate::ceremony::CeremonyError),
    /// An executor cannot be made.
    #[error(transparent)]
    Executor(#[from] crate::executor::MeansError),
    /// Health cannot be asked for.
    #[error(transparent)]
    Prober(#[from] ProberError),
    /// The sealed genesis gives no roster.
    #[error("the stored genesis does not hold: {0}")]
    Genesis(#[from] countersign_core::decision::RosterError),
    /// The log key is another one than the genesis names.
    #[error("the log key in the data folder is not the one in the genesis; restore the right one")]
    OtherLogKey,
    /// A demonstration must not be reachable from elsewhere.
    #[error("`{0}` is not on this machine; a demonstration listens on a loopback address only")]
    NotLoopback(SocketAddr),
}

impl Backend {
    /// Makes a backend of its parts and reads the genesis, if there is one.
    ///
    /// # Errors
    /// [`BackendError`].
    pub async fn new(parts: Parts) -> Result<Arc<Self>, BackendError> {
        let deployment = DeploymentId::of_log_key(parts.log_key.verifying_key().as_bytes());
        let sealed = crate::store::genesis::sealed(&mut *parts.store.read().await?).await?;
        let backend = Self {
            ceremonies: Ceremonies::new(&deployment)?,
            executors: Executors::new(&parts.config)?,
            prober: Prober::new(parts.config.health.as_ref())?,
            store: parts.store,
            clock: parts.clock,
            log_key: parts.log_key,
            deployment,
            operator: parts.operator,
            config: parts.config,
            listen: parts.listen,
            calm: Calm::default(),
            runner: Runner::default(),
            verified: Memory::default(),
            waiting: Waiting::default(),
            refusals: Refusals::default(),
            limiter: Limiter::default(),
            streams: Arc::new(Semaphore::new(limits::EVENT_STREAMS_MAX)),
            stopping: watch::Sender::new(false),
            genesis: RwLock::new(None),
            graph: Mutex::new(None),
            envelope: Mutex::new(None),
            proved: Mutex::new(None),
            suspensions: Mutex::new(None),
        };
        if let Some((digest, bytes)) = sealed {
            let genesis: Genesis = serde_json::from_slice(&bytes)
                .map_err(|error| StoreError::Damaged(format!("the genesis: {error}")))?;
            if genesis.log_key.0 != backend.log_key.verifying_key().as_bytes() {
                return Err(BackendError::OtherLogKey);
            }
            if genesis.demonstration && !backend.listen.ip().is_loopback() {
                return Err(BackendError::NotLoopback(backend.listen));
            }
            let roster = Roster::from_genesis(&genesis)?;
            backend.set_genesis(SealedGenesis {
                digest,
                genesis,
                roster,
            });
        }
        Ok(Arc::new(backend))
    }

    /// The sealed genesis, if there is one.
    #[must_use]
    pub fn sealed(&self) -> Option<Arc<SealedGenesis>> {
        self.genesis
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The sealed genesis.
    ///
    /// # Errors
    /// `no_genesis`.
    pub fn genesis(&self) -> Result<Arc<SealedGenesis>, Refusal> {
        self.sealed().ok_or_else(|| {
            codes::NO_GENESIS.because(
                "nobody can do anything yet; seal a genesis with the first two administrators",
            )
        })
    }

    /// Keeps the genesis that was sealed.
    pub fn set_genesis(&self, sealed: SealedGenesis) {
        *self.genesis.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(sealed));
    }

    /// The topology in force as a graph, and its digest. It is built once for each topology.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn graph(&self, conn: &mut Conn) -> Result<Option<(Digest, Arc<Graph>)>, StoreError> {
        let Some(digest) = documents::topology(conn).await? else {
            return Ok(None);
        };
        let cached = self
            .graph
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((known, graph)) = cached
            && known == digest
        {
            return Ok(Some((digest, graph)));
        }
        let topology = payloads::value::<Topology>(conn, digest).await?;
        let graph = tokio::task::spawn_blocking(move || Arc::new(Graph::new(topology)))
            .await
            .map_err(|error| StoreError::Damaged(format!("the topology has no graph: {error}")))?;
        *self.graph.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((digest, Arc::clone(&graph)));
        Ok(Some((digest, graph)))
    }

    /// The envelope that was authorised last, in force or not, and its digest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn envelope(
        &self,
        conn: &mut Conn,
    ) -> Result<Option<(Digest, Arc<Envelope>)>, StoreError> {
        let Some(row) = documents::authorised(conn).await? else {
            return Ok(None);
        };
        let cached = self
            .envelope
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((known, envelope)) = cached
            && known == row.digest
        {
            return Ok(Some((known, envelope)));
        }
        let envelope = Arc::new(payloads::value::<Envelope>(conn, row.digest).await?);
        *self.envelope.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((row.digest, Arc::clone(&envelope)));
        Ok(Some((row.digest, envelope)))
    }

    /// Whether this process has verified that the board put this envelope in force, by the log entry
    /// with this index.
    #[must_use]
    pub fn is_proved(&self, envelope: Digest, index: u64) -> bool {
        *self.proved.lock().unwrap_or_else(PoisonError::into_inner) == Some((envelope, index))
    }

    /// Remembers that the board put this envelope in force, by the log entry with this index.
    pub fn set_proved(&self, envelope: Digest, index: u64) {
        *self.proved.lock().unwrap_or_else(PoisonError::into_inner) = Some((envelope, index));
    }

    /// The suspensions in force, where the log was replayed to these entries before.
    #[must_use]
    pub fn suspensions(&self, to: ReplayedTo) -> Option<Arc<Vec<InForce>>> {
        self.suspensions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .filter(|(known, _)| *known == to)
            .map(|(_, suspensions)| Arc::clone(suspensions))
    }

    /// Remembers the suspensions in force, as the log says up to these entries.
    pub fn set_suspensions(&self, to: ReplayedTo, suspensions: &Arc<Vec<InForce>>) {
        *self
            .suspensions
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((to, Arc::clone(suspensions)));
    }

    /// Begins a change of a backend that has a genesis: before it the log has no entry, and entry 0
    /// is the genesis.
    ///
    /// # Errors
    /// `no_genesis`, or that of the store.
    pub async fn change(&self) -> Result<crate::store::Tx, Refusal> {
        self.genesis()?;
        Ok(self.store.begin().await?)
    }
}
