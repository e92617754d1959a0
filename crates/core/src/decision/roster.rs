//! Who may decide, with which credential, in which roles: replayed from the genesis on.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::VerifyingKey;
use thiserror::Error;

use crate::genesis::{self, ADMINISTRATOR, Approver, DeploymentId, Genesis};
use crate::identifier::ApproverId;
use crate::sshsig;

/// Administrators that a genesis names at least.
pub const ADMINISTRATORS_MIN: usize = 2;

/// The people of a deployment, its key and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    deployment: DeploymentId,
    log_key: VerifyingKey,
    approvers: BTreeMap<ApproverId, Approver>,
}

/// Why a genesis gives no roster.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RosterError {
    /// It is not a genesis document of this version.
    #[error("the genesis is not of the schema `countersign/genesis/v1`")]
    Schema,
    /// The log key is not an Ed25519 public key.
    #[error("the genesis holds no Ed25519 log key")]
    LogKey,
    /// Two approvers have one id.
    #[error("approver `{0}` is named twice")]
    ApproverTwice(ApproverId),
    /// Two approvers have one credential.
    #[error("approver `{0}` shares a credential with another")]
    CredentialTwice(ApproverId),
    /// The id cannot stand in an `allowed_signers` file.
    #[error(
        "approver `{0}` cannot be named in an allowed_signers file; use letters, digits and `. _ @ + -`"
    )]
    Principal(ApproverId),
    /// A key that protects nothing stands for a person, or may.
    #[error(
        "the genesis is of no demonstration and accepts demonstration keys ({0}); do not trust it, make a new one with real keys"
    )]
    DemonstrationKey(String),
    /// One person alone could change everything.
    #[error("the genesis names {0} administrators; at least {ADMINISTRATORS_MIN} are needed")]
    Administrators(usize),
}

impl Roster {
    /// The roster as the genesis leaves it.
    ///
    /// # Errors
    /// [`RosterError`]. Attestation is the enrolling backend's to check; only that demonstration keys
    /// stay in demonstrations is checked again here.
    pub fn from_genesis(genesis: &Genesis) -> Result<Self, RosterError> {
        if genesis.schema != genesis::SCHEMA {
            return Err(RosterError::Schema);
        }
        let key: [u8; 32] = genesis
            .log_key
            .0
            .as_slice()
            .try_into()
            .map_err(|_| RosterError::LogKey)?;
        let log_key = VerifyingKey::from_bytes(&key).map_err(|_| RosterError::LogKey)?;
        if !genesis.demonstration {
            check_real(genesis)?;
        }
        let mut approvers = BTreeMap::new();
        let mut credentials = BTreeSet::new();
        for approver in &genesis.approvers {
            let id = || approver.id.clone();
            if !sshsig::is_principal(&approver.id) {
                return Err(RosterError::Principal(id()));
            }
            // The same public key under two ids would let one key stand for two people.
            if !credentials.insert(&approver.credential.id)
                || !credentials.insert(&approver.credential.public_key.0)
            {
                return Err(RosterError::CredentialTwice(id()));
            }
            if approvers.insert(id(), approver.clone()).is_some() {
                return Err(RosterError::ApproverTwice(id()));
            }
        }
        let administrators = genesis
            .approvers
            .iter()
            .filter(|approver| {
                approver
                    .roles
                    .iter()
                    .any(|role| role.as_str() == ADMINISTRATOR)
            })
            .count();
        if administrators < ADMINISTRATORS_MIN {
            return Err(RosterError::Administrators(administrators));
        }
        Ok(Self {
            deployment: DeploymentId::of_log_key(&key),
            log_key,
            approvers,
        })
    }

    /// The deployment that its log key names.
    #[must_use]
    pub const fn deployment(&self) -> &DeploymentId {
        &self.deployment
    }

    /// The log's key.
    #[must_use]
    pub const fn log_key(&self) -> &VerifyingKey {
        &self.log_key
    }

    /// The approver with this id.
    #[must_use]
    pub fn approver(&self, id: &ApproverId) -> Option<&Approver> {
        self.approvers.get(id)
    }

    /// Everybody, in the order of their ids.
    pub fn approvers(&self) -> impl Iterator<Item = &Approver> {
        self.approvers.values()
    }
}

/// That neither the list of key models nor a credential is a demonstration's.
fn check_real(genesis: &Genesis) -> Result<(), RosterError> {
    let model = genesis
        .attestation
        .iter()
        .find(|root| genesis::is_demonstration_model(&root.aaguid))
        .map(|root| format!("the model `{}`", root.model));
    let held = genesis
        .approvers
        .iter()
        .find(|approver| approver.credential.is_demonstration())
        .map(|approver| format!("the key of `{}`", approver.id));
    match held.or(model) {
        Some(what) => Err(RosterError::DemonstrationKey(what)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::fixture::Fixture;
    use crate::genesis::{AttestationRoot, DEMONSTRATION_AAGUID};
    use crate::webauthn::Bytes;

    #[test]
    fn demonstration_keys_stay_in_demonstrations() {
        const REAL: &str = "2fc0579f-8113-47ea-b116-bb5a8db9202a";
        let check = |change: &dyn Fn(&mut Genesis)| {
            let mut genesis = Fixture::new().genesis;
            genesis.demonstration = false;
            for approver in &mut genesis.approvers {
                approver.credential.aaguid = REAL.to_owned();
            }
            change(&mut genesis);
            Roster::from_genesis(&genesis).map(|_| ())
        };
        let refused = |what: &str| Err(RosterError::DemonstrationKey(what.to_owned()));
        assert_eq!(check(&|_| ()), Ok(()));
        assert_eq!(check(&|g| g.demonstration = true), Ok(()));
        assert_eq!(
            check(&|g| g.approvers[1].credential.aaguid = "BE772A5F617E5840AF9E7E628F5141D2".into()),
            refused("the key of `olga`")
        );
        // A genesis may name another model than the one that the key attested.
        let attested = [&[0x58, 0xa4][..], &DEMONSTRATION_AAGUID, &[0, 16]].concat();
        assert_eq!(
            check(&|g| {
                g.approvers[0].credential.registration.attestation_object = Bytes(attested.clone());
            }),
            refused("the key of `sam`")
        );
        assert_eq!(
            check(&|g| g.attestation.push(AttestationRoot {
                model: "key".to_owned(),
                aaguid: "be772a5f-617e-5840-af9e-7e628f5141d2".to_owned(),
                root: String::new(),
            })),
            refused("the model `key`")
        );
    }
}
