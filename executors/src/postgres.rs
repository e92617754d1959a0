//! Executor `postgres-role`: `credential-rotate` for a role of a PostgreSQL database, with its dependents.
//!
//! The new password is made here, delivered to the file of each dependent that the action names, set in
//! the database, and only then are the sessions of before ended, which the old password had opened. No
//! password leaves this machine: a snapshot has digests keyed with a secret of the state folder, and the
//! passwords of before stay in that folder, from which `revert` takes them.
//!
//! Its plan is `declared`: it reads in a read-only transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use countersign_core::identifier::{CredentialId, Digest, SystemId};
use countersign_core::permit::ExecutorCall;
use countersign_core::proposal::{Action, CredentialRotateParameters};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Failure;
use crate::call::{Executor, Order, config};
use crate::journal::{Journal, Locked, Stage, replace, tag};
use crate::program;

/// The configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Folder for what was done, and for the passwords of before.
    state: PathBuf,
    /// The databases: how `psql` reaches each as a superuser, such as `["psql", "service=ehr"]`.
    databases: BTreeMap<SystemId, Vec<String>>,
    /// Who uses which credential: where its password lies, and what makes the dependent read it.
    dependents: BTreeMap<SystemId, BTreeMap<CredentialId, Dependent>>,
    /// Whether the sessions that the old password opened are ended.
    end_sessions: bool,
}

/// How a dependent gets a password.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dependent {
    /// Its file, which holds nothing else.
    file: PathBuf,
    /// Program and arguments that make it read the file; absent means that it does so by itself.
    #[serde(default)]
    reload: Vec<String>,
}

/// What a rotation changes, written before it changes anything.
#[derive(Debug, Serialize, Deserialize)]
struct Rotation {
    /// What the database keeps of the password of before.
    verifier: Option<String>,
    /// The files of before.
    files: BTreeMap<SystemId, Option<String>>,
    /// The new password.
    password: String,
}

/// A database and those who use it.
#[derive(Debug)]
pub struct Database {
    config: Config,
    journal: Journal,
}

impl Database {
    /// The database of a configuration file.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn new(path: &Path) -> Result<Self, Failure> {
        let config: Config = config(path)?;
        let journal = Journal::open(&config.state)?;
        Ok(Self { config, journal })
    }

    /// Asks the database; `role` is a variable of psql's, quoted by psql.
    fn sql(&self, system: &SystemId, role: &CredentialId, script: &str) -> Result<String, Failure> {
        let mut words = self.config.databases.get(system).cloned().ok_or_else(|| {
            Failure::new(format!(
                "the configuration has no database `{system}`; add it under `databases`"
            ))
        })?;
        words.extend(
            [
                "--no-psqlrc",
                "--quiet",
                "--no-align",
                "--tuples-only",
                "--set=ON_ERROR_STOP=1",
            ]
            .map(ToOwned::to_owned),
        );
        words.push(format!("--set=role={role}"));
        words.push("--file=-".to_owned());
        let output = program::run(&words, script.as_bytes())?;
        Ok(String::from_utf8_lossy(&output).trim().to_owned())
    }

    fn verifier(&self, system: &SystemId, role: &CredentialId) -> Result<Option<String>, Failure> {
        const SCRIPT: &str = "BEGIN READ ONLY;\n\
            SELECT 'role', coalesce(rolpassword, '') FROM pg_authid WHERE rolname = :'role';\n\
            COMMIT;\n";
        let found = self.sql(system, role, SCRIPT)?;
        match found.strip_prefix("role|") {
            Some("") => Ok(None),
            Some(verifier) => Ok(Some(verifier.to_owned())),
            None => Err(Failure::new(format!(
                "the database `{system}` has no role `{role}`"
            ))),
        }
    }

    fn dependent(&self, id: &SystemId, credential: &CredentialId) -> Result<&Dependent, Failure> {
        self.config
            .dependents
            .get(id)
            .and_then(|credentials| credentials.get(credential))
            .ok_or_else(|| {
                Failure::new(format!(
                    "the configuration does not say how `{id}` gets `{credential}`; add it under `dependents`"
                ))
            })
    }

    /// Sets what the database keeps, which may be a password or a verifier, and gives it to everybody.
    fn set(
        &self,
        order: &Order<'_>,
        role: &CredentialId,
        secret: Option<&str>,
        files: &BTreeMap<SystemId, Option<String>>,
    ) -> Result<(), Failure> {
        for (id, text) in files {
            let file = &self.dependent(id, role)?.file;
            match text {
                Some(text) => replace(file, text.as_bytes(), 0o600)?,
                None => match std::fs::remove_file(file) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Failure::of(&format!("`{}`", file.display()))(error));
                    }
                    Ok(()) | Err(_) => {}
                },
            }
        }
        let mut script = match secret {
            Some(secret) if is_plain(secret) => {
                format!(
                    "\\set secret '{secret}'\nSET password_encryption = 'scram-sha-256';\n\
                     ALTER ROLE :\"role\" PASSWORD :'secret';\n"
                )
            }
            Some(_) => {
                return Err(Failure::new(
                    "what the database keeps of the password is of no known form",
                ));
            }
            None => "ALTER ROLE :\"role\" PASSWORD NULL;\n".to_owned(),
        };
        if self.config.end_sessions {
            script.push_str(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = :'role' AND pid <> pg_backend_pid();\n",
            );
        }
        self.sql(order.system, role, &script)?;
        for id in files.keys() {
            let reload = &self.dependent(id, role)?.reload;
            if !reload.is_empty() {
                program::run(reload, b"")?;
            }
        }
        Ok(())
    }

    fn rotation(&self, locked: &Locked<'_>, order: &Order<'_>) -> Result<Rotation, Failure> {
        let name = format!("{}.rotation", tag(order));
        let parameters = rotated(order.action)?;
        if let Some(rotation) = locked.read(&name)? {
            return Ok(rotation);
        }
        let files = self.files(&parameters.updates_dependents, &parameters.credential)?;
        let rotation = Rotation {
            verifier: self.verifier(order.system, &parameters.credential)?,
            files,
            password: format!(
                "{:032x}{:032x}",
                rand::random::<u128>(),
                rand::random::<u128>()
            ),
        };
        locked.write(&name, &rotation)?;
        Ok(rotation)
    }

    fn files(
        &self,
        dependents: &BTreeSet<SystemId>,
        credential: &CredentialId,
    ) -> Result<BTreeMap<SystemId, Option<String>>, Failure> {
        dependents
            .iter()
            .map(|id| {
                let file = &self.dependent(id, credential)?.file;
                match std::fs::read_to_string(file) {
                    Ok(text) => Ok((id.clone(), Some(text))),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        Ok((id.clone(), None))
                    }
                    Err(error) => Err(Failure::of(&format!("`{}`", file.display()))(error)),
                }
            })
            .collect()
    }

    /// The secret that keeps digests of passwords from saying anything about them.
    fn salt(&self, locked: &Locked<'_>) -> Result<String, Failure> {
        if let Some(salt) = locked.read("salt")? {
            return Ok(salt);
        }
        let salt = format!(
            "{:032x}{:032x}",
            rand::random::<u128>(),
            rand::random::<u128>()
        );
        locked.write("salt", &salt)?;
        Ok(salt)
    }
}

impl Executor for Database {
    fn plan(&self, call: &ExecutorCall) -> Result<Vec<String>, Failure> {
        let parameters = rotated(&call.action)?;
        let role = &parameters.credential;
        let mut steps = Vec::new();
        for system in call.systems.iter().flatten() {
            self.verifier(system, role)?;
            let sessions = self.sql(
                system,
                role,
                "BEGIN READ ONLY;\nSELECT count(*) FROM pg_stat_activity WHERE usename = :'role';\nCOMMIT;\n",
            )?;
            for id in &parameters.updates_dependents {
                let file = &self.dependent(id, role)?.file;
                steps.push(format!(
                    "write the new password of {role} for {id} to {}",
                    file.display()
                ));
            }
            let delivered = parameters.updates_dependents.len();
            steps.push(format!("set a new password for the role {role} of {system}, delivered to {delivered} dependents"));
            let ended = if self.config.end_sessions {
                "end"
            } else {
                "leave"
            };
            steps.push(format!(
                "{ended} the {sessions} sessions that {role} has open now"
            ));
        }
        Ok(steps)
    }

    fn snapshot(&self, order: &Order<'_>) -> Result<Value, Failure> {
        let locked = self.journal.lock()?;
        let parameters = rotated(order.action)?;
        let salt = self.salt(&locked)?;
        let digest = |text: &Option<String>| {
            text.as_ref()
                .map(|text| Digest::of(format!("{salt}{text}").as_bytes()).to_string())
        };
        let files = self.files(&parameters.updates_dependents, &parameters.credential)?;
        let files: BTreeMap<&str, Option<String>> = files
            .iter()
            .map(|(id, text)| (id.as_str(), digest(text)))
            .collect();
        Ok(json!({
            "role": parameters.credential,
            "password": digest(&self.verifier(order.system, &parameters.credential)?),
            "dependents": files,
        }))
    }

    fn apply(&self, order: &Order<'_>) -> Result<(), Failure> {
        let locked = self.journal.lock()?;
        match locked.stage(order)? {
            Stage::Done => return Ok(()),
            Stage::New | Stage::Begun => {}
        }
        let role = &rotated(order.action)?.credential;
        let rotation = self.rotation(&locked, order)?;
        locked.begin(order)?;
        let files = rotation
            .files
            .keys()
            .map(|id| (id.clone(), Some(rotation.password.clone())))
            .collect();
        self.set(order, role, Some(&rotation.password), &files)?;
        locked.done(order)
    }

    fn revert(&self, order: &Order<'_>, _snapshot: &Value) -> Result<(), Failure> {
        let locked = self.journal.lock()?;
        match locked.stage(order)? {
            Stage::Done => return Ok(()),
            Stage::New | Stage::Begun => {}
        }
        let role = &rotated(order.action)?.credential;
        let rotation: Option<Rotation> = locked.read(&format!("{}.rotation", tag(order)))?;
        locked.begin(order)?;
        // Without it nothing was ever changed here.
        if let Some(rotation) = rotation {
            self.set(order, role, rotation.verifier.as_deref(), &rotation.files)?;
        }
        locked.done(order)
    }
}

fn rotated(action: &Action) -> Result<&CredentialRotateParameters, Failure> {
    let Action::CredentialRotate(parameters) = action else {
        return Err(Failure::new(format!(
            "postgres-role does not carry `{}` out",
            action.kind().as_str()
        )));
    };
    Ok(parameters)
}

/// Whether a text stands for itself between psql's quotes: a password of ours, or a verifier.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '$' | ':' | '+' | '/' | '='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passwords_of_ours_and_verifiers_are_written() {
        assert!(is_plain("SCRAM-SHA-256$4096:c2FsdA==$a+b/c=:d="));
        for text in ["", "a'b", "a\\b", "a\nb", "é"] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
