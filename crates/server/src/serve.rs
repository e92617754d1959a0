//! Serving: what runs from start to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::alerts;
use crate::backend::{Backend, BackendError, Parts};
use crate::clock::Clock;
use crate::config::Config;
use crate::folder::{Folder, FolderError};
use crate::limits;
use crate::operate::OperateError;
use crate::secret::SecretHash;
use crate::store::{Store, StoreError};
use crate::{routes, runner, sweeper};

/// What to serve.
#[derive(Debug)]
pub struct Options {
    /// The data folder.
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What the configuration file says.
    pub config: Config,
    /// The operator's token; the folder's own where none is given.
    pub operator_token: Option<String>,
    /// The clock.
    pub clock: Clock,
}

/// Why it does not serve.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backend cannot be made.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// An unfinished operation cannot be taken up.
    #[error("an unfinished operation cannot be taken up: {0}")]
    Recover(#[from] OperateError),
    /// The address cannot be listened on.
    #[error("`{address}` cannot be listened on: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// Serving failed.
    #[error("serving failed: {0}")]
    Serve(#[from] std::io::Error),
}

/// A backend that serves.
#[derive(Debug)]
pub struct Running {
    /// Where.
    pub address: SocketAddr,
    /// Its shared parts.
    pub backend: Arc<Backend>,
    server: JoinHandle<std::io::Result<()>>,
    tasks: Vec<JoinHandle<()>>,
    _folder: Folder,
}

/// Starts to serve.
///
/// # Errors
/// [`ServeError`].
pub async fn start(options: Options) -> Result<Running, ServeError> {
    let folder = Folder::take(&options.data)?;
    let log_key = folder.log_key()?;
    let operator_token = match options.operator_token {
        Some(token) => crate::folder::checked_token(&token)?,
        None => folder.operator_token()?,
    };
    let store = Store::open(folder.path()).await?;
    let unheard = |error| ServeError::Listen {
        address: options.listen,
        error,
    };
    let listener = TcpListener::bind(options.listen).await.map_err(unheard)?;
    let address = listener.local_addr().map_err(unheard)?;
    let backend = Backend::new(Parts {
        store,
        clock: options.clock,
        log_key,
        operator: SecretHash::of(&operator_token),
        config: options.config,
        listen: address,
    })
    .await?;
    if backend.sealed().is_some() {
        let mut tx = backend.store.begin().await?;
        routes::started(&backend, &mut tx).await?;
        tx.commit().await?;
    }
    runner::recover(&backend).await?;
    let tasks = vec![
        tokio::spawn(runner::run(Arc::clone(&backend))),
        tokio::spawn(sweeper::run(Arc::clone(&backend))),
        tokio::spawn(alerts::run(Arc::clone(&backend))),
    ];
    let mut stopping = backend.stopping.subscribe();
    let router =
        routes::router(Arc::clone(&backend)).into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(async move {
                // An error means that the backend is gone, which is a reason to stop as well.
                let _stopped = stopping.wait_for(|stopping| *stopping).await;
            })
            .await
    });
    tracing::info!(%address, deployment = %backend.deployment, "serving");
    Ok(Running {
        address,
        backend,
        server,
        tasks,
        _folder: folder,
    })
}

impl Running {
    /// Stops: no new requests, the writer finishes, then the folder is free.
    ///
    /// # Errors
    /// [`ServeError::Serve`] where serving had failed before.
    pub async fn stop(self) -> Result<(), ServeError> {
        self.backend.stopping.send_replace(true);
        let mut server = self.server;
        let served = match tokio::time::timeout(limits::STOP_WITHIN, &mut server).await {
            Ok(Ok(served)) => served,
            Ok(Err(_)) | Err(_) => {
                server.abort();
                Ok(())
            }
        };
        for task in self.tasks {
            let mut task = task;
            if tokio::time::timeout(limits::STOP_WITHIN, &mut task)
                .await
                .is_err()
            {
                task.abort();
            }
        }
        self.backend.store.close().await;
        Ok(served?)
    }
}
