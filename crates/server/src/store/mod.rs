//! The store: one SQLite database, one writer.
//!
//! **Consistency.** Every change goes through [`Store::begin`], which waits for the one writer and
//! opens a `BEGIN IMMEDIATE` transaction. A change and its log entries ([`Tx::append`]) are in the
//! same transaction, so that neither exists without the other; leaf indexes are dense because there
//! is one writer. What gates a dispatch is read inside such a transaction. Everything else reads
//! through [`Store::read`], which sees one committed state for as long as it is held and never waits
//! for the writer.
//!
//! **Durability.** WAL with `synchronous = FULL`: when [`Tx::commit`] returns, the change survives
//! the loss of power. When it fails, nobody knows whether it happened, so the store stops: every
//! later [`Store::begin`] is refused with [`StoreError::Stopped`] until a person has restarted the
//! backend, which then reads what is really there. A transaction that is dropped is rolled back.

pub mod approvers;
pub mod decisions;
pub mod documents;
pub mod drills;
pub mod genesis;
pub mod items;
mod lease;
pub mod log;
mod machines;
pub mod nonces;
pub mod operations;
pub mod payloads;
pub mod registry;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use countersign_core::identifier::OperationId;
use machines::{Machine, Machines};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use thiserror::Error;
use tokio::sync::watch;

/// A connection, reading or writing.
pub type Conn = SqliteConnection;

/// Readers at once.
const READERS: u32 = 8;

/// Why the store did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// An earlier commit failed; nothing more is written.
    #[error("the store stopped writing after a failure of durability; restart the backend")]
    Stopped,
    /// Another backend has taken the store since.
    #[error("another backend has taken this store; this one writes nothing more: stop it")]
    Superseded,
    /// The database refused.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The database's form could not be brought up to date.
    #[error("the database could not be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Something stored cannot be what was stored.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// A log entry could not be made.
    #[error("the log entry could not be made: {0}")]
    Entry(#[from] countersign_core::log::EntryError),
    /// The log's hashes could not be read.
    #[error(transparent)]
    Tree(#[from] countersign_core::log::TreeError),
    /// Something has no canonical form.
    #[error(transparent)]
    Canonical(#[from] countersign_core::canonical::CanonicalError),
}

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    epoch: lease::Epoch,
    stopped: Arc<AtomicBool>,
    size: Arc<watch::Sender<u64>>,
    machines: Arc<Machines>,
}

/// A change in the making; see the module's first lines.
#[derive(Debug)]
pub struct Tx {
    transaction: Transaction<'static, Sqlite>,
    stopped: Arc<AtomicBool>,
    announce: Arc<watch::Sender<u64>>,
    /// Entries in the log as this transaction sees it.
    size: u64,
    machines: Arc<Machines>,
    /// The machines that this change moved on.
    moved: BTreeMap<OperationId, Machine>,
    generation: u64,
    after: Vec<AfterCommit>,
}

/// What is done once a change is durable.
struct AfterCommit(Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for AfterCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AfterCommit")
    }
}

impl Store {
    /// Opens the database in `folder`, making it or bringing it up to date.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(folder.join("countersign.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let machines = Arc::new(Machines::default());
        let forgetful = Arc::clone(&machines);
        let writer = SqlitePoolOptions::new()
            .after_connect(move |_, _| {
                forgetful.forget();
                Box::pin(async { Ok(()) })
            })
            .max_connections(1)
            .min_connections(1)
            .acquire_timeout(Duration::from_secs(60))
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await?;
        sqlx::migrate!("./migrations").run(&writer).await?;
        let epoch = lease::take(&mut *writer.acquire().await?).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(Duration::from_secs(30))
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        let store = Self {
            writer,
            readers,
            epoch,
            stopped: Arc::new(AtomicBool::new(false)),
            size: Arc::new(watch::Sender::new(0)),
            machines,
        };
        let size = log::size(&mut *store.read().await?).await?;
        store.size.send_replace(size);
        Ok(store)
    }

    /// Waits for the writer and begins a change.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Stopped`] after a failure of durability, [`StoreError::Superseded`]
    /// where another backend has taken the store.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        // Checked once the writer is ours: the one before may have stopped it.
        if self.stopped.load(Ordering::SeqCst) {
            return Err(StoreError::Stopped);
        }
        if !lease::holds(&mut transaction, self.epoch).await? {
            tracing::error!("another backend has taken this store; nothing more is written");
            self.stopped.store(true, Ordering::SeqCst);
            return Err(StoreError::Superseded);
        }
        let version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut *transaction)
            .await?;
        let generation = self.machines.see(version);
        let size = log::size(&mut transaction).await?;
        Ok(Tx {
            transaction,
            stopped: Arc::clone(&self.stopped),
            announce: Arc::clone(&self.size),
            size,
            machines: Arc::clone(&self.machines),
            moved: BTreeMap::new(),
            generation,
            after: Vec::new(),
        })
    }

    /// One committed state, to read from.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn read(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.readers.begin().await?)
    }

    /// Told of every new size of the log, after its commit.
    #[must_use]
    pub fn sizes(&self) -> watch::Receiver<u64> {
        self.size.subscribe()
    }

    /// Whether it stopped writing.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Closes the database once nobody uses it any more.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

impl Tx {
    /// While this number stays the same, nobody but this process's one writer has changed the database.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Does `then` once this change is durable, and never otherwise.
    pub fn after_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        self.after.push(AfterCommit(Box::new(then)));
    }

    /// Makes the change durable, then does what waits for that. Runs to its end even when the caller
    /// is dropped, as the handler of a closed connection is.
    ///
    /// # Errors
    /// [`StoreError::Database`]; then the store has stopped.
    pub async fn commit(self) -> Result<(), StoreError> {
        let stopped = Arc::clone(&self.stopped);
        match tokio::spawn(self.finish()).await {
            Ok(result) => result,
            Err(_) => {
                stopped.store(true, Ordering::SeqCst);
                Err(StoreError::Stopped)
            }
        }
    }

    async fn finish(self) -> Result<(), StoreError> {
        // Before the commit, since the next change begins with it. Where it fails, the store stops and
        // no reader finds as many events in the database.
        for (id, machine) in self.moved {
            self.machines.put(id, machine);
        }
        if let Err(error) = self.transaction.commit().await {
            self.stopped.store(true, Ordering::SeqCst);
            tracing::error!(%error, "a commit failed; nothing more is written");
            return Err(error.into());
        }
        self.announce.send_if_modified(|known| {
            let news = self.size > *known;
            *known = self.size.max(*known);
            news
        });
        for AfterCommit(then) in self.after {
            then();
        }
        Ok(())
    }
}

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.transaction
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.transaction
    }
}

/// Reads a value that was stored as JSON.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(
    what: &str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(format!("{what}: {error}")))
}

/// A value as it is stored in JSON.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Damaged(format!("a value has no JSON form: {error}")))
}

/// Reads a value that was stored as text.
pub(crate) fn parse<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Damaged(format!("{what} is `{text}`")))
}

/// The name of a fieldless enum as serde writes it.
pub(crate) fn word<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(_) | Err(_) => Err(StoreError::Damaged("a value is no word".to_owned())),
    }
}

/// A fieldless enum from the name that serde writes.
pub(crate) fn from_word<T: serde::de::DeserializeOwned>(
    what: &str,
    word: &str,
) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|_| StoreError::Damaged(format!("{what} is `{word}`")))
}

/// A count as the database keeps it.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count from the database.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use countersign_core::log::EntryKind;
    use serde_json::json;

    use super::*;
    use crate::store::log::About;

    async fn note(tx: &mut Tx, text: &str) -> u64 {
        let at = "2026-11-22T16:00:00Z".parse().unwrap();
        let body = json!({"text": text});
        tx.note(at, EntryKind::LogRead, &About::nothing(), body)
            .await
            .unwrap()
    }

    /// A change that only the commit finds impossible.
    async fn spoil(tx: &mut Tx) {
        for query in [
            "PRAGMA defer_foreign_keys = ON",
            "INSERT INTO session (token_hash, approver, expires_ms) VALUES (x'00', 'nobody', 0)",
        ] {
            sqlx::query(query).execute(&mut **tx).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_change_and_its_entry_are_there_or_neither_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let sizes = store.sizes();
        let told = Arc::new(AtomicBool::new(false));
        let teller = || {
            let told = Arc::clone(&told);
            move || told.store(true, Ordering::SeqCst)
        };

        // Dropped: nothing of it, and the index is given again.
        let mut tx = store.begin().await.unwrap();
        assert_eq!(note(&mut tx, "dropped").await, 0);
        tx.after_commit(teller());
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(note(&mut tx, "kept").await, 0);
        assert_eq!(note(&mut tx, "kept as well").await, 1);
        assert!(!told.load(Ordering::SeqCst) && *sizes.borrow() == 0);
        tx.after_commit(teller());
        tx.commit().await.unwrap();
        assert!(told.swap(false, Ordering::SeqCst) && *sizes.borrow() == 2);

        // A commit that fails stops the writer, and readers go on.
        let mut tx = store.begin().await.unwrap();
        note(&mut tx, "lost").await;
        spoil(&mut tx).await;
        tx.after_commit(teller());
        assert!(matches!(tx.commit().await, Err(StoreError::Database(_))));
        assert!(store.is_stopped());
        assert!(matches!(store.begin().await, Err(StoreError::Stopped)));
        assert!(!told.load(Ordering::SeqCst));
        let root = {
            let mut conn = store.read().await.unwrap();
            assert_eq!(log::size(&mut conn).await.unwrap(), 2);
            log::root(&mut conn, 2).await.unwrap()
        };
        store.close().await;

        // What is really there after a restart.
        let store = Store::open(folder.path()).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert_eq!(note(&mut tx, "goes on").await, 2);
        tx.commit().await.unwrap();
        let mut conn = store.read().await.unwrap();
        assert_eq!(log::root(&mut conn, 2).await.unwrap(), root);
    }

    #[tokio::test]
    async fn who_was_superseded_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let before = Store::open(folder.path()).await.unwrap();
        let mut tx = before.begin().await.unwrap();
        note(&mut tx, "before").await;
        tx.commit().await.unwrap();
        let after = Store::open(folder.path()).await.unwrap();
        assert!(matches!(before.begin().await, Err(StoreError::Superseded)));
        assert!(matches!(before.begin().await, Err(StoreError::Stopped)));
        let mut tx = after.begin().await.unwrap();
        assert_eq!(note(&mut tx, "after").await, 1);
        tx.commit().await.unwrap();
        let mut conn = before.read().await.unwrap();
        assert_eq!(log::size(&mut conn).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn readers_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let mut conn = store.read().await.unwrap();
        let written = sqlx::query("DELETE FROM log_entry")
            .execute(&mut *conn)
            .await;
        assert!(written.is_err());
    }
}
