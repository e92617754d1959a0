//! `genesis`: enrol the first people of a new backend and seal its first log entry (DESIGN §6.7).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use countersign_core::genesis::AttestationRoot;
use countersign_core::identifier::{ApproverId, Role};
use countersign_hardware_key::RegisterRequest;
use countersign_wire::deployment::{BeginGenesis, BeginRegistration};
use serde::Deserialize;
use serde_json::json;

use super::backend::{BackendArguments, OperatorArguments};
use super::key::KeyArguments;
use crate::output::{Failure, complain, print};

/// Enrol the first people of a new backend, each with a key, and seal its genesis
///
/// At least two of them hold the role `administrator`. The digest printed at the end is what every
/// console, executor and auditor pins.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    operator: OperatorArguments,
    #[command(flatten)]
    key: KeyArguments,
    /// Name of the deployment for people
    #[arg(long)]
    name: String,
    /// A demonstration: loopback only, demonstration keys allowed
    #[arg(long)]
    demonstration: bool,
    /// Attestation root (PEM) of the key model allowed
    #[arg(long, value_name = "FILE")]
    attestation_root: PathBuf,
    /// Id of the key model allowed (AAGUID); a demonstration has its own
    #[arg(long, value_name = "UUID", required_unless_present = "demonstration")]
    aaguid: Option<String>,
    /// The people (JSON): `[{"approver":"ada","name":"Ada L.","roles":["administrator"]}]`
    #[arg(long, value_name = "FILE")]
    people: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolment {
    approver: ApproverId,
    name: String,
    roles: BTreeSet<Role>,
    /// The key, where it is not the only one present.
    #[serde(default)]
    key: Option<String>,
}

const TOUCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the command.
///
/// # Errors
/// [`Failure`].
pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|cause| Failure::Unreadable {
            path: path.display().to_string(),
            cause,
        })
    };
    let people: Vec<Enrolment> = serde_json::from_slice(&read(&arguments.people)?)
        .map_err(|error| Failure::Invalid(format!("{}: {error}", arguments.people.display())))?;
    let root = String::from_utf8(read(&arguments.attestation_root)?).map_err(|_| {
        Failure::Invalid(format!(
            "{} is not PEM",
            arguments.attestation_root.display()
        ))
    })?;
    let demonstration_aaguid = hyphenated(countersign_core::genesis::DEMONSTRATION_AAGUID);
    let client = arguments.backend.operator(&arguments.operator)?;
    client
        .begin_genesis(&BeginGenesis {
            name: arguments.name.clone(),
            demonstration: arguments.demonstration,
            attestation: vec![AttestationRoot {
                model: if arguments.demonstration {
                    "demonstration key"
                } else {
                    "security key"
                }
                .to_owned(),
                aaguid: arguments.aaguid.clone().unwrap_or(demonstration_aaguid),
                root,
            }],
        })
        .await?;
    for person in people {
        let hand = arguments.key.hand(person.key.as_deref())?;
        let options = client
            .begin_registration(&BeginRegistration {
                approver: person.approver.clone(),
                name: person.name.clone(),
                roles: person.roles.clone(),
            })
            .await?;
        complain(&format!(
            "enrolling {} with {}",
            person.name,
            hand.key().label()
        ));
        let request = RegisterRequest {
            rp_id: options.rp_id,
            challenge: options.challenge.0,
            user_id: options.user_id.0,
            exclude: options.exclude,
            user_name: person.approver.to_string(),
            user_display_name: person.name,
            timeout: TOUCH_TIMEOUT,
        };
        let registration = hand
            .key()
            .register(&request, hand.interaction())
            .map_err(|error| Failure::refused(error.code(), error))?;
        client
            .finish_registration(&person.approver, &registration)
            .await?;
    }
    let sealed = client.seal_genesis().await?;
    arguments
        .backend
        .pin(&arguments.backend.client()?, sealed.genesis)?;
    if arguments.json {
        print(&json!({ "genesis": sealed.genesis }).to_string())
    } else {
        print(&format!(
            "genesis {}\nevery console, executor and auditor pins this digest",
            sealed.genesis
        ))
    }
}

/// A UUID as text.
fn hyphenated(bytes: [u8; 16]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
