//! Genesis (DESIGN §6.7): the first people, their keys, and the first entry of the log.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use countersign_core::canonical;
use countersign_core::decision::Roster;
use countersign_core::genesis::{ADMINISTRATOR, Approver, Genesis, SCHEMA};
use countersign_core::identifier::{ApproverId, Digest};
use countersign_core::log::{EntryKind, tree};
use countersign_core::sshsig;
use countersign_core::statement::commitment;
use countersign_core::webauthn::{Bytes, Registration};
use countersign_wire::deployment::{BeginGenesis, BeginRegistration, RegistrationOptions, Sealed};
use serde_json::json;

use crate::auth::Operator;
use crate::backend::{Backend, SealedGenesis};
use crate::body::{self, Json, Path};
use crate::ceremony::{CeremonyError, Demonstration, attestation_list, registration_counter};
use crate::limits;
use crate::problem::{Refusal, codes};
use crate::secret;
use crate::store::genesis::{self as stored, Draft};
use crate::store::payloads::{ErasableKind, PayloadKind};
use crate::store::{StoreError, Tx, log};

/// `GET /v1/genesis`: the exact bytes; for anybody, since everybody pins them.
pub(super) async fn sealed(
    State(backend): State<Arc<Backend>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let mut conn = backend.store.read().await?;
    let Some((digest, bytes)) = stored::sealed(&mut conn).await? else {
        return Err(codes::NO_GENESIS.because("this backend has no genesis yet"));
    };
    Ok(body::document(&headers, digest, bytes))
}

/// Begins a change of a genesis that is not sealed.
async fn unsealed(backend: &Backend) -> Result<Tx, Refusal> {
    let mut tx = backend.store.begin().await?;
    if stored::sealed(&mut tx).await?.is_some() {
        return Err(codes::GENESIS_SEALED
            .because("the first people are in the log for good; later ones are enrolled by them"));
    }
    Ok(tx)
}

async fn draft(tx: &mut Tx) -> Result<Draft, Refusal> {
    stored::draft(tx)
        .await?
        .ok_or_else(|| codes::GENESIS_NOT_BEGUN.because("begin it with `POST /v1/genesis`"))
}

/// `POST /v1/genesis`.
pub(super) async fn begin(
    _: Operator,
    State(backend): State<Arc<Backend>>,
    Json(begin): Json<BeginGenesis>,
) -> Result<StatusCode, Refusal> {
    if begin.name.trim().is_empty() {
        return Err(codes::GENESIS_INVALID
            .because("the deployment has no name; give it one that people know"));
    }
    body::check_text("name", &begin.name)?;
    if begin.attestation.len() > limits::GENESIS_MODELS_MAX {
        return Err(codes::ATTESTATION_INVALID.because(format!(
            "more than {} key models; name fewer",
            limits::GENESIS_MODELS_MAX
        )));
    }
    if begin.demonstration && !backend.listen.ip().is_loopback() {
        return Err(codes::NOT_LOOPBACK.because(format!(
            "the backend listens on {}; a demonstration listens on a loopback address",
            backend.listen
        )));
    }
    attestation_list(&begin.attestation, Demonstration::of(begin.demonstration))
        .map_err(refused)?;
    let mut tx = unsealed(&backend).await?;
    tx.begin_genesis(&Draft {
        name: begin.name,
        demonstration: begin.demonstration,
        attestation: begin.attestation,
    })
    .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/genesis/registrations`.
pub(super) async fn begin_registration(
    _: Operator,
    State(backend): State<Arc<Backend>>,
    Json(begin): Json<BeginRegistration>,
) -> Result<axum::Json<RegistrationOptions>, Refusal> {
    body::check_text("name", &begin.name)?;
    if begin.name.trim().is_empty() {
        return Err(codes::GENESIS_INVALID.because(format!(
            "`{}` has no name for people; give one",
            begin.approver
        )));
    }
    if !sshsig::is_principal(&begin.approver) {
        return Err(codes::GENESIS_INVALID.because(format!(
            "`{}` cannot stand in an allowed_signers file; use letters, digits and `. _ @ + -`",
            begin.approver
        )));
    }
    if begin.roles.is_empty() {
        return Err(codes::GENESIS_INVALID.because(format!(
            "`{}` holds no role; name at least one",
            begin.approver
        )));
    }
    let mut tx = unsealed(&backend).await?;
    let draft = draft(&mut tx).await?;
    let others = stored::registrations(&mut tx).await?;
    let known = i64::try_from(
        others
            .iter()
            .filter(|other| other.approver != begin.approver)
            .count(),
    );
    if known.is_ok_and(|known| known >= limits::GENESIS_APPROVERS_MAX) {
        return Err(codes::GENESIS_INVALID.because(format!(
            "more than {} people; enrol the others later",
            limits::GENESIS_APPROVERS_MAX
        )));
    }
    let exclude: Vec<Bytes> = others
        .iter()
        .filter(|other| other.approver != begin.approver)
        .filter_map(|other| other.enrolled.as_ref())
        .map(|(credential, _)| credential.id.clone())
        .collect();
    let begun = backend
        .ceremonies
        .begin_registration(
            begin.approver.as_str(),
            &draft.attestation,
            Demonstration::of(draft.demonstration),
        )
        .map_err(refused)?;
    tx.begin_registration(&stored::Registration {
        approver: begin.approver,
        name: begin.name,
        salt: secret::random().map_err(|error| codes::INTERNAL.because(error.to_string()))?,
        roles: begin.roles,
        state: begun.state,
        challenge: begun.challenge.clone(),
        enrolled: None,
    })
    .await?;
    tx.commit().await?;
    Ok(axum::Json(RegistrationOptions {
        rp_id: backend.deployment.rp_id(),
        challenge: Bytes(begun.challenge),
        user_id: Bytes(begun.user_id),
        exclude,
    }))
}

/// `PUT /v1/genesis/registrations/{approver}`.
pub(super) async fn finish_registration(
    _: Operator,
    State(backend): State<Arc<Backend>>,
    Path(approver): Path<ApproverId>,
    Json(registration): Json<Registration>,
) -> Result<StatusCode, Refusal> {
    let mut tx = unsealed(&backend).await?;
    let draft = draft(&mut tx).await?;
    let registrations = stored::registrations(&mut tx).await?;
    let begun = registrations
        .iter()
        .find(|begun| begun.approver == approver)
        .ok_or_else(|| {
            codes::REGISTRATION_UNKNOWN
                .because(format!("begin the registration of `{approver}` first"))
        })?;
    let enrolled = backend
        .ceremonies
        .finish_registration(
            &begun.state,
            begun.challenge.clone(),
            registration,
            Demonstration::of(draft.demonstration),
        )
        .map_err(refused)?;
    let taken = registrations
        .iter()
        .filter(|other| other.approver != approver)
        .any(|other| {
            other.enrolled.as_ref().is_some_and(|(credential, _)| {
                credential.id == enrolled.credential.id
                    || credential.public_key == enrolled.credential.public_key
            })
        });
    if taken {
        return Err(
            codes::CREDENTIAL_TAKEN.because("one key cannot stand for two people; use another")
        );
    }
    tx.finish_registration(&approver, &enrolled.credential, &enrolled.passkey)
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/genesis/seal`.
pub(super) async fn seal(
    _: Operator,
    State(backend): State<Arc<Backend>>,
) -> Result<axum::Json<Sealed>, Refusal> {
    let mut tx = unsealed(&backend).await?;
    let draft = draft(&mut tx).await?;
    let now = backend.clock.now();
    let mut approvers = Vec::new();
    let mut passkeys = Vec::new();
    for registration in stored::registrations(&mut tx).await? {
        let Some((credential, passkey)) = registration.enrolled else {
            return Err(codes::REGISTRATION_UNFINISHED.because(format!(
                "the key of `{}` has not answered; finish its registration",
                registration.approver
            )));
        };
        let counter = registration_counter(&passkey).map_err(refused)?;
        approvers.push(Approver {
            id: registration.approver,
            name_commitment: commitment(&registration.salt, &registration.name),
            roles: registration.roles,
            credential,
        });
        passkeys.push((passkey, counter, registration.salt, registration.name));
    }
    let administrators = approvers
        .iter()
        .filter(|approver| {
            approver
                .roles
                .iter()
                .any(|role| role.as_str() == ADMINISTRATOR)
        })
        .count();
    if administrators < countersign_core::decision::roster::ADMINISTRATORS_MIN {
        return Err(codes::ADMINISTRATORS_MISSING.because(format!(
            "{administrators} of the people hold the role `{ADMINISTRATOR}`; at least two must"
        )));
    }
    let genesis = Genesis {
        schema: SCHEMA.to_owned(),
        name: draft.name,
        log_key: Bytes(backend.log_key.verifying_key().to_bytes().to_vec()),
        demonstration: draft.demonstration,
        attestation: draft.attestation,
        approvers,
        created_at: now,
    };
    let roster = Roster::from_genesis(&genesis)
        .map_err(|error| codes::GENESIS_INVALID.because(error.to_string()))?;
    let bytes = canonical::to_bytes(&genesis).map_err(StoreError::from)?;
    let digest = Digest::of(&bytes);
    match tx.record(now, &genesis).await {
        Ok(0) => {}
        Ok(_) => {
            return Err(
                StoreError::Damaged("the log has entries before its genesis".to_owned()).into(),
            );
        }
        Err(StoreError::Entry(error)) => {
            return Err(codes::GENESIS_INVALID.because(error.to_string()));
        }
        Err(error) => return Err(error.into()),
    }
    tx.seal_genesis(digest, &bytes).await?;
    tx.keep(PayloadKind::Genesis, &bytes).await?;
    for (approver, (passkey, counter, salt, name)) in genesis.approvers.iter().zip(&passkeys) {
        tx.enrol(approver, passkey, *counter).await?;
        tx.keep_erasable(ErasableKind::Name, salt, name).await?;
    }
    started(&backend, &mut tx).await?;
    let sealing = Arc::clone(&backend);
    tx.after_commit(move || {
        sealing.set_genesis(SealedGenesis {
            digest,
            genesis,
            roster,
        })
    });
    tx.commit().await?;
    tracing::info!(genesis = %digest, root = %tree::empty_root(), "the genesis is sealed");
    Ok(axum::Json(Sealed { genesis: digest }))
}

/// Writes that this program, with this configuration, serves from now on.
pub(crate) async fn started(backend: &Backend, tx: &mut Tx) -> Result<(), StoreError> {
    let configuration = backend.config.digest()?;
    tx.note(
        backend.clock.now(),
        EntryKind::BackendStarted,
        &log::About::nothing(),
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "configuration": configuration,
            "executors": backend.config.executors.iter().map(|executor| json!({
                "name": executor.name, "actions": executor.actions, "honesty": executor.honesty,
                "irreversible": executor.irreversible,
            })).collect::<Vec<_>>(),
        }),
    )
    .await?;
    Ok(())
}

fn refused(error: CeremonyError) -> Refusal {
    match error {
        CeremonyError::Attestation(detail) => codes::ATTESTATION_INVALID.because(detail),
        CeremonyError::DemonstrationKey(_) => {
            codes::DEMONSTRATION_KEY_REFUSED.because(error.to_string())
        }
        CeremonyError::Refused(_) | CeremonyError::Algorithm => {
            codes::REGISTRATION_REFUSED.because(error.to_string())
        }
        CeremonyError::State(_) => {
            tracing::error!(%error, "a ceremony failed");
            codes::INTERNAL.because("the ceremony could not be held; begin it again")
        }
    }
}
