//! The permit for one call of a guarded executor: the evidence as the store has it, and an order of the
//! log key. What it is worth is the executor's to judge (countersign_core::permit).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use countersign_core::identifier::{Digest, SystemId};
use countersign_core::operation::{Authority, Operation};
use countersign_core::permit::{CallVerb, Order, Permit, Reversal, SCHEMA};
use countersign_core::statement::{CheckpointReference, Statement, SubjectName};

use crate::backend::Backend;
use crate::executor::Call;
use crate::operate::waves_of;
use crate::store::operations::Stored;
use crate::store::{Conn, StoreError, decisions, items, log, payloads};

/// How long an order is valid.
const ORDER_LIFE: TimeDelta = TimeDelta::seconds(60);

/// The permit for `call` of an operation, where `reversal` is the decision that orders its undoing. There
/// is none for what nobody decided: a drill, or what the envelope lets run.
///
/// # Errors
/// [`StoreError`], also where a record that it needs is missing.
pub async fn assemble(
    backend: &Backend,
    conn: &mut Conn,
    stored: &Stored,
    machine: &Operation,
    call: &Call,
    reversal: Option<Digest>,
) -> Result<Option<Permit>, StoreError> {
    let (Some(sealed), Some(item), Authority::Decided(decided)) =
        (backend.sealed(), &stored.item, machine.authority())
    else {
        return Ok(None);
    };
    let damaged = |what: &str| StoreError::Damaged(format!("no permit can be made: {what}"));
    let item = items::find(conn, item)
        .await?
        .ok_or_else(|| damaged("the item is missing"))?;
    let wave = waves_of(machine)
        .get(&call.system)
        .copied()
        .ok_or_else(|| damaged("the system is none of the operation's"))?;
    let size = log::size(conn).await?;
    let now = backend.clock.now();
    let order = Order {
        schema: Order::SCHEMA.to_owned(),
        audience: backend.deployment.clone(),
        operation: call.operation.clone(),
        item: item.id.clone(),
        verb: call.verb.asked(),
        system: call.system.clone(),
        // Ours count from 1.
        wave: u64::from(wave).saturating_sub(1),
        sequence: call.sequence.number(),
        attempt: call.attempt,
        action: call.action.digest()?,
        // Keys are not suspended by this version: the roster is the genesis.
        suspended: BTreeSet::new(),
        log: CheckpointReference {
            size,
            root: log::root(conn, size).await?,
        },
        issued_at: now,
        expires_at: now.checked_add_signed(ORDER_LIFE).unwrap_or(now),
    };
    let (order, order_signature) = order.sign(&backend.log_key)?;
    let mut approvals = Vec::new();
    for digest in decided.decisions() {
        approvals.push(decisions::unverified(conn, *digest).await?.into());
    }
    let reversal = match (call.verb.asked(), reversal) {
        (CallVerb::Revert, Some(decision)) => Some(reversed(conn, stored, decision).await?),
        (CallVerb::Revert | CallVerb::Plan | CallVerb::Snapshot | CallVerb::Apply, _) => None,
    };
    Ok(Some(Permit {
        schema: SCHEMA.to_owned(),
        genesis: sealed.genesis.clone(),
        order,
        order_signature,
        briefing: text(payloads::get(conn, item.briefing).await?)?,
        decisions: approvals,
        reversal,
    }))
}

/// What a decision to roll back is about, as it names it.
async fn reversed(
    conn: &mut Conn,
    stored: &Stored,
    decision: Digest,
) -> Result<Reversal, StoreError> {
    let decision = decisions::unverified(conn, decision).await?;
    let damaged = |what: String| StoreError::Damaged(format!("a decision to roll back: {what}"));
    let statement: Statement =
        serde_json::from_slice(&decision.statement).map_err(|error| damaged(error.to_string()))?;
    let subject = |name: SubjectName| {
        statement
            .subject(name)
            .ok_or_else(|| damaged(format!("it names no {name}")))
    };
    let touched: BTreeSet<SystemId> = payloads::value(conn, subject(SubjectName::Touched)?).await?;
    let remaining: BTreeSet<SystemId> =
        payloads::value(conn, subject(SubjectName::Remaining)?).await?;
    Ok(Reversal {
        document: text(payloads::get(conn, stored.document).await?)?,
        trip: statement.subject(SubjectName::Trip),
        touched,
        remaining,
        decision: decision.into(),
    })
}

fn text(bytes: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| StoreError::Damaged("a document is not UTF-8".to_owned()))
}
