//! Which backend, whether it is the pinned one, and what of its log was verified before.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use countersign_core::identifier::Digest;
use countersign_core::statement::CheckpointReference;
use countersign_wire::client::trust::{Trusted, WitnessError, follow_log};
use countersign_wire::client::{Client, ClientError};
use serde::{Deserialize, Serialize};

use crate::output::Failure;

/// The backend and what is known of it.
#[derive(Debug, Args)]
pub(crate) struct BackendArguments {
    /// Address of the backend
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_BACKEND", global = true)]
    backend: Option<String>,
    /// Digest of its genesis; needed once, then kept
    #[arg(long, value_name = "DIGEST", env = "COUNTERSIGN_GENESIS")]
    genesis: Option<Digest>,
    /// Folder with what was pinned and verified
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_HOME")]
    home: Option<PathBuf>,
}

/// The token of the operator of this machine's backend; it imports and registers, and decides nothing.
#[derive(Debug, Args)]
pub(crate) struct OperatorArguments {
    /// The operator's token
    #[arg(
        long,
        value_name = "TOKEN",
        env = "COUNTERSIGN_OPERATOR_TOKEN",
        hide_env_values = true
    )]
    operator_token: String,
}

/// What is kept of each backend, by address.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Pinned {
    backends: BTreeMap<String, Record>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    genesis: Digest,
    #[serde(default)]
    checkpoint: Option<CheckpointReference>,
}

impl BackendArguments {
    /// A client without any secret.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let url = self.backend.as_deref().ok_or_else(|| {
            Failure::refused(
                "no_backend",
                "say which backend with --backend URL or COUNTERSIGN_BACKEND",
            )
        })?;
        Client::new(url).map_err(Failure::from)
    }

    /// A client with the operator's token.
    pub(crate) fn operator(&self, operator: &OperatorArguments) -> Result<Client, Failure> {
        Ok(self.client()?.with_bearer(&operator.operator_token)?)
    }

    fn file(&self) -> Result<PathBuf, Failure> {
        let home = match &self.home {
            Some(home) => home.clone(),
            None => std::env::home_dir()
                .map(|home| home.join(".config").join("countersign"))
                .ok_or_else(|| {
                    Failure::refused(
                        "no_home",
                        "say where to keep what is pinned with --home DIR",
                    )
                })?,
        };
        Ok(home.join("pinned.json"))
    }

    fn pinned(&self) -> Result<Pinned, Failure> {
        let file = self.file()?;
        match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Failure::refused(
                    "pinned_record",
                    format!(
                        "{} cannot be read: {error}; move it away and pin anew",
                        file.display()
                    ),
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Pinned::default()),
            Err(error) => Err(Failure::refused(
                "pinned_record",
                format!("{}: {error}", file.display()),
            )),
        }
    }

    fn keep(&self, url: &str, record: Record) -> Result<(), Failure> {
        let file = self.file()?;
        let mut pinned = self.pinned()?;
        pinned.backends.insert(url.to_owned(), record);
        let written = || -> std::io::Result<()> {
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder)?;
            }
            let beside = file.with_extension("json.new");
            fs::write(&beside, serde_json::to_vec_pretty(&pinned)?)?;
            fs::rename(&beside, &file)
        };
        written().map_err(|error| {
            Failure::refused("pinned_record", format!("{}: {error}", file.display()))
        })
    }

    /// Pins a genesis that was made here just now.
    pub(crate) fn pin(&self, client: &Client, genesis: Digest) -> Result<(), Failure> {
        self.keep(
            client.base_url(),
            Record {
                genesis,
                checkpoint: None,
            },
        )
    }

    /// The pinned deployment, and its log followed from the checkpoint that was verified last.
    pub(crate) async fn trusted(
        &self,
        client: &Client,
    ) -> Result<(Trusted, CheckpointReference), Failure> {
        let known = self.pinned()?.backends.get(client.base_url()).cloned();
        let genesis = match (self.genesis, &known) {
            (Some(given), Some(known)) if given != known.genesis => {
                return Err(Failure::refused(
                    "other_genesis",
                    format!(
                        "this backend was pinned with genesis {}, not {given}; find out why before you go on",
                        known.genesis
                    ),
                ));
            }
            (Some(given), _) => given,
            (None, Some(known)) => known.genesis,
            (None, None) => {
                return Err(Failure::refused(
                    "not_pinned",
                    "this backend is not pinned yet; give the digest of its genesis, which came with your enrolment, with --genesis",
                ));
            }
        };
        let trusted = Trusted::fetch(client, Some(genesis))
            .await
            .map_err(|error| Failure::refused("not_trusted", error))?;
        let last = known.and_then(|record| record.checkpoint);
        let checkpoint = follow_log(client, &trusted, last)
            .await
            .map_err(|error| match error {
                WitnessError::Client(error) => Failure::from(error),
                alarm @ WitnessError::Alarm(_) => Failure::refused("log_alarm", alarm),
            })?;
        self.keep(
            client.base_url(),
            Record {
                genesis,
                checkpoint: Some(checkpoint),
            },
        )?;
        Ok((trusted, checkpoint))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let code = error.code().to_owned();
        Self::refused(&code, error)
    }
}
