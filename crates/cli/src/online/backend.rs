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

use crate::output::{Failure, complain, plain};

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
        self.trusted_for(client, Purpose::Any).await
    }

    /// As [`Self::trusted`], for `purpose`.
    pub(crate) async fn trusted_for(
        &self,
        client: &Client,
        purpose: Purpose,
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
        let followed = follow_log(client, &trusted, last).await;
        let (checkpoint, warning) = stand_on(followed, last, purpose)?;
        if let Some(warning) = warning {
            complain(&plain(&warning));
        }
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

/// What the log is followed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Anything that a log which cannot be followed stops, approving above all.
    Any,
    /// Rejecting, aborting, rolling back and suspending autonomy, which it never stops (DESIGN §7).
    Stopping,
}

/// The checkpoint to pin, and what must be told with it: where the log cannot be followed, the one
/// verified last stands for stopping something, and for nothing else.
fn stand_on(
    followed: Result<CheckpointReference, WitnessError>,
    last: Option<CheckpointReference>,
    purpose: Purpose,
) -> Result<(CheckpointReference, Option<String>), Failure> {
    match (followed, last, purpose) {
        (Ok(checkpoint), _, _) => Ok((checkpoint, None)),
        (Err(error), Some(last), Purpose::Stopping) => Ok((
            last,
            Some(format!(
                "{error}; going on with the {} entries verified last, since stopping something is never stopped",
                last.size
            )),
        )),
        (Err(WitnessError::Client(error)), _, _) => Err(Failure::from(error)),
        (Err(alarm @ WitnessError::Alarm(_)), _, _) => Err(Failure::refused("log_alarm", alarm)),
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let code = error.code().to_owned();
        Self::refused(&code, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_alarm_stops_approving_and_never_stopping() {
        let checkpoint = |size| CheckpointReference {
            size,
            root: Digest::of(b"root"),
        };
        let alarm = || {
            Err(WitnessError::Alarm(
                "it had 9 entries and now shows 7".to_owned(),
            ))
        };
        let (stood_on, warning) =
            stand_on(alarm(), Some(checkpoint(9)), Purpose::Stopping).unwrap();
        assert_eq!(stood_on, checkpoint(9));
        let warning = warning.unwrap();
        assert!(warning.contains("now shows 7"), "{warning}");
        for (last, purpose) in [
            (Some(checkpoint(9)), Purpose::Any),
            (None, Purpose::Any),
            (None, Purpose::Stopping),
        ] {
            let failure = stand_on(alarm(), last, purpose).unwrap_err();
            assert!(failure.to_string().contains("(log_alarm)"), "{failure}");
        }
        let (stood_on, warning) =
            stand_on(Ok(checkpoint(10)), Some(checkpoint(9)), Purpose::Stopping).unwrap();
        assert_eq!((stood_on, warning), (checkpoint(10), None));
    }
}
