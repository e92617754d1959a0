//! What the backend knows besides the documents: the history that an assessment is handed.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use countersign_core::envelope::Envelope;
use countersign_core::history::{History, InFlight, Recent, StagingRun};
use countersign_core::identifier::SystemId;
use countersign_core::operation::SystemState;
use countersign_core::suspension::Extent;
use countersign_wire::operation::{AuthorityKind, OperationState};

use crate::authorised;
use crate::backend::Backend;
use crate::limits;
use crate::store::{Conn, StoreError, operations, registry};
use crate::suspended;

/// The label that marks a system of staging.
const STAGING: (&str, &str) = ("env", "staging");
/// How far back signals are handed out where no rule asks for corroboration.
const SIGNALS_WITHIN: TimeDelta = TimeDelta::hours(24);
/// How far back ended operations are handed out where no tier has a blast radius.
const RECENT_WITHIN: TimeDelta = TimeDelta::hours(24);

/// Everything known at `now` that an assessment under `envelope` could rest on.
///
/// # Errors
/// [`StoreError`].
pub async fn history(
    backend: &Backend,
    conn: &mut Conn,
    envelope: Option<&Envelope>,
    now: DateTime<Utc>,
) -> Result<History, StoreError> {
    let since = |span: TimeDelta| {
        now.checked_sub_signed(span)
            .unwrap_or(DateTime::<Utc>::MIN_UTC)
    };
    let in_flight = in_flight(conn).await?.in_flight;
    let recent = operations::finished_since(conn, since(recent_within(envelope)))
        .await?
        .into_iter()
        .filter(|operation| !operation.touched.is_empty())
        .map(|operation| Recent {
            operation: operation.id,
            systems: operation.touched,
            finished_at: operation.finished_at.unwrap_or(now),
        })
        .collect();
    let suspensions = suspended::facts(backend, conn).await?;
    Ok(History {
        envelope_authorised: Some(authorised::in_force(backend, conn).await?),
        autonomy_suspended: Some(
            suspensions
                .iter()
                .any(|suspended| suspended.suspends == Extent::Backend),
        ),
        suspensions,
        drills: Some(operations::drills(conn).await?),
        detections: Some(registry::detections(conn, since(limits::OUTCOMES_OVER)).await?),
        signals: Some(registry::signals(conn, since(signals_within(envelope))).await?),
        in_flight,
        recent: Some(recent),
        error_budgets: Some(registry::error_budgets(conn).await?),
        staging: staging(backend, conn, envelope, now).await?,
        irreversible: backend.config.irreversible(),
    })
}

/// What succeeded in staging: operations of our own that completed, drills excepted, on systems that
/// the topology in force labels `env: staging`, and there on nothing else. Absent where no rule asks.
async fn staging(
    backend: &Backend,
    conn: &mut Conn,
    envelope: Option<&Envelope>,
    now: DateTime<Utc>,
) -> Result<Option<Vec<StagingRun>>, StoreError> {
    let within = envelope
        .into_iter()
        .flat_map(|envelope| &envelope.rules)
        .filter_map(|rule| rule.conditions.validated_in_staging.as_ref())
        .map(|wanted| wanted.within.duration())
        .max();
    let (Some(within), Some((_, graph))) = (within, backend.graph(conn).await?) else {
        return Ok(None);
    };
    let since = now
        .checked_sub_signed(within)
        .unwrap_or(DateTime::<Utc>::MIN_UTC);
    let staged = |system: &SystemId| {
        graph
            .system(system.as_str())
            .filter(|system| system.labels.get(STAGING.0).map(String::as_str) == Some(STAGING.1))
    };
    let mut runs = BTreeSet::new();
    for operation in operations::finished_since(conn, since).await? {
        let (OperationState::Completed, AuthorityKind::Autonomous | AuthorityKind::Decided) =
            (operation.state, operation.authority)
        else {
            continue;
        };
        let (Some(succeeded_at), true) = (
            operation.finished_at,
            operation
                .targets
                .iter()
                .all(|system| staged(system).is_some()),
        ) else {
            continue;
        };
        let action_digest = operation.action.digest()?;
        let machine = operations::machine(conn, &operation.id).await?;
        let healthy = machine
            .systems()
            .iter()
            .filter(|system| system.state() == SystemState::Healthy)
            .filter_map(|system| staged(system.id()));
        runs.extend(healthy.map(|system| StagingRun {
            action_digest,
            class: system.class.clone(),
            succeeded_at,
        }));
    }
    Ok(Some(runs.into_iter().collect()))
}

/// What is in flight, and nothing else.
///
/// # Errors
/// [`StoreError`].
pub async fn in_flight(conn: &mut Conn) -> Result<History, StoreError> {
    let in_flight = operations::unfinished(conn)
        .await?
        .into_iter()
        .map(|operation| InFlight {
            operation: operation.id,
            systems: operation.targets,
        })
        .collect();
    Ok(History {
        in_flight: Some(in_flight),
        ..History::default()
    })
}

/// A detection may be `within` old, and a signal `within` older than it.
fn signals_within(envelope: Option<&Envelope>) -> TimeDelta {
    envelope
        .into_iter()
        .flat_map(|envelope| &envelope.rules)
        .filter_map(|rule| rule.conditions.corroboration.as_ref())
        .map(|corroboration| corroboration.within.duration())
        .filter_map(|within| within.checked_add(&within))
        .fold(SIGNALS_WITHIN, TimeDelta::max)
}

fn recent_within(envelope: Option<&Envelope>) -> TimeDelta {
    envelope
        .into_iter()
        .flat_map(|envelope| envelope.tiers.values())
        .filter_map(|tier| tier.blast_radius.as_ref())
        .map(|radius| radius.per.duration())
        .fold(RECENT_WITHIN, TimeDelta::max)
}
