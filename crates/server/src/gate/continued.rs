//! After a halt an operation goes on by a quorum of its own, which is verified again before every
//! dispatch, as the approval is (DESIGN §6.5).

use countersign_core::decision::{
    OperationDocument, OperationSubjects, Quorum, VerifiedDecision, operation_rule,
};
use countersign_core::operation::Operation;
use countersign_core::statement::{DecisionKind, SubjectName};
use countersign_wire::decision::About;

use crate::backend::Backend;
use crate::decide::operation::{excluded, subjects};
use crate::store::operations::Stored;
use crate::store::{Conn, StoreError, decisions, payloads};

/// Whether the decisions by which an operation went on hold, and are about its latest halt; why not.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn check(
    backend: &Backend,
    conn: &mut Conn,
    stored: &Stored,
    machine: &Operation,
) -> Result<Result<(), String>, StoreError> {
    let Some(sealed) = backend.sealed() else {
        return Ok(Err("there is no genesis".to_owned()));
    };
    let document: OperationDocument = payloads::value(conn, stored.document).await?;
    if let Err(reason) = super::revert::is_of(backend, conn, stored, machine, &document).await? {
        return Ok(Err(reason));
    }
    let trip = subjects(conn, stored).await?.trip;
    let about = About::Operation(stored.id.clone());
    let mut verified: Vec<VerifiedDecision> = Vec::new();
    let mut complete_at = stored.started_at;
    for recorded in decisions::about(conn, &about).await? {
        if !machine.continued_by().contains(&recorded.digest) || recorded.voided {
            continue;
        }
        let decision = match decisions::unverified(conn, recorded.digest)
            .await?
            .verify(&sealed.roster)
        {
            Ok(decision) => decision,
            Err(error) => return Ok(Err(format!("a decision does not hold: {error}"))),
        };
        // Touched and remaining are those of the halt, not those of now.
        let named = |name| decision.statement().subject(name);
        let (Some(touched), Some(remaining)) =
            (named(SubjectName::Touched), named(SubjectName::Remaining))
        else {
            return Ok(Err("a decision names no systems".to_owned()));
        };
        let at_the_halt = OperationSubjects {
            operation: stored.document,
            trip,
            touched: payloads::value(conn, touched).await?,
            remaining: payloads::value(conn, remaining).await?,
        };
        if decision.predicate().kind != DecisionKind::Continue {
            return Ok(Err("a decision is not to continue".to_owned()));
        }
        if let Err(error) = decision.confirm_operation(&at_the_halt, &decision.claimed_offer()) {
            return Ok(Err(format!("a decision is about something else: {error}")));
        }
        complete_at = complete_at.max(recorded.received_at);
        verified.push(decision);
    }
    let rule = match operation_rule(&document, DecisionKind::Continue) {
        Ok(rule) => rule,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let excluded = excluded(conn, stored).await?;
    Ok(
        match Quorum::form(&verified, &rule, &excluded, complete_at) {
            Ok(quorum) if quorum.digests() == *machine.continued_by() => Ok(()),
            Ok(_) => Err("the quorum is another one than it went on with".to_owned()),
            Err(error) => Err(error.to_string()),
        },
    )
}
