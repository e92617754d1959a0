//! README.md of an evidence folder: a function of what was signed, so that it is checked like the rest.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use crate::decision::{Roster, VerifiedDecision};
use crate::identifier::{ApproverId, Digest};
use crate::log::Checkpoint;
use crate::log::checkpoint::verifier_key;
use crate::statement::{DECISION_NAMESPACE, DecisionKind};

/// One decision, as the README lists it.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    number: usize,
    approver: ApproverId,
    kind: DecisionKind,
    decided_at: DateTime<Utc>,
    digest: Digest,
}

impl Signed {
    pub(super) fn of(number: usize, decision: &VerifiedDecision) -> Self {
        let predicate = decision.predicate();
        Self {
            number,
            approver: predicate.approver.clone(),
            kind: predicate.kind,
            decided_at: predicate.decided_at,
            digest: decision.digest(),
        }
    }
}

/// Which text: it belongs to the folder's format, so those of folders written before are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edition {
    /// Says nothing of the envelope's own authorisation.
    First,
    /// What is written now.
    Second,
}

/// What the second edition says besides.
const ENVELOPE: &str = "\
- That the envelope of the briefing was in force: the folder of an item has its text and not the
  board's decisions about it. Export the evidence of the envelope by its digest and check it too.
";

/// The README.
pub(super) fn render(
    edition: Edition,
    roster: &Roster,
    genesis: Digest,
    checkpoint: &Checkpoint,
    signed: &[Signed],
) -> String {
    let mut decisions = String::new();
    let mut commands = String::new();
    for decision in signed {
        let Signed {
            number,
            approver,
            kind,
            decided_at,
            digest,
        } = decision;
        // INVARIANT: writing to a String does not fail.
        let _ = writeln!(
            decisions,
            "| {number} | {approver} | {kind} | {} | `{digest}` |",
            decided_at.format("%Y-%m-%d %H:%M:%S UTC")
        );
        let _ = writeln!(
            commands,
            "(cd decisions/{number} && ssh-keygen -Y verify -f allowed_signers -I {approver} -n {DECISION_NAMESPACE} -s decision.sig < statement.json)"
        );
    }
    format!(
        "# Evidence

Format: countersign/evidence/v1

| | |
|---|---|
| deployment | `{deployment}` |
| genesis | `{genesis}` |
| log checkpoint | {size} entries, root `{root}` |
| log key | `{log_key}` |

| decision | approver | kind | decided at | SHA-256 of the statement |
|---|---|---|---|---|
{decisions}
## Check it all

```
countersignctl verify . --genesis {genesis}
```

Get the genesis digest from somewhere else than this folder: from the enrolment link, from a
console, from your own records. Whoever can replace the whole folder can replace the line above.

## Check the signatures with OpenSSH alone

```
{commands}```

### What that proves

- The credential in `allowed_signers` signed exactly the bytes of `statement.json`.
- It signed them as a decision (namespace `{DECISION_NAMESPACE}`), not as a sign-in or anything else.
- It was used for this deployment: the credential's application is the deployment's name.

### What that does not prove, and `countersignctl verify` does

- That the credential in `allowed_signers` is the approver's: the file comes with the folder. The
  roster in the genesis entry says so, and the genesis digest that you pin.
- That the key was touched and its user verified by PIN or fingerprint. OpenSSH shows the flags to
  nobody here.
- That the approver held a role that counts, was not the proposer and counted once, and that the
  quorum was complete before anything ran.
- That the statement is about the documents in this folder, that the assessment follows from
  them (it is made again), and that narrowing took away and added nothing.
- That the decision is in the log, and that the log goes on from the checkpoint that the approver
  had verified.

### What neither proves

- That the log is the same that everybody else sees: compare the checkpoint with a console's, which
  is a witness.
- That the facts in the briefing (history, the executor's plan) and the entries about systems are
  true: they are the backend's and the executors' word, fixed in time.
{envelope}- The model of the keys: it is attested at enrolment; the attestation is in the genesis entry.
- A rationale that is missing from `payloads/` was erased or not exported; its commitment is in the
  statement.
",
        envelope = match edition {
            Edition::First => "",
            Edition::Second => ENVELOPE,
        },
        deployment = roster.deployment(),
        size = checkpoint.size,
        root = checkpoint.root,
        log_key = verifier_key(&checkpoint.origin, roster.log_key()),
    )
}
