//! The story: AG-706's three scenarios, from the agent's proposal to verified evidence.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use chrono::Utc;
use countersign_core::assessment::Verdict;
use countersign_core::identifier::{OperationId, ProposalId};
use countersign_core::topology::Tier;
use countersign_wire::client::Client;
use countersign_wire::operation::{AuthorityKind, Operation, OperationState, SystemPhase};
use countersign_wire::proposal::{ItemState, ProposalAnswer};
use countersign_wire::registry::{EnvelopeState, StartDrill};
use serde_json::json;

use crate::hands::{Hands, Item};
use crate::organisation::{self, BREAKS, DRILL_SYSTEM, SMALL_PATCH_HOSTS};
use crate::people::{BOARD, ON_CALL, OT_OFFICER, SOC_LEAD};
use crate::session::sign_in;
use crate::setup::{Northwind, path};

/// What the story tells as it goes: one line a thing that was seen.
pub type Tell<'a> = dyn Fn(&str) + 'a;

/// What has happened, for the evidence.
#[derive(Debug, Clone)]
pub struct Happened {
    /// Items with decisions, and how many decisions each has.
    pub decided: Vec<(String, usize)>,
    /// The item of Scenario A.
    pub scenario_a: ProposalId,
    /// The operation of Scenario A.
    pub operation: OperationId,
}

/// The board authorises the envelope, a rollback is rehearsed, and one small patch runs alone.
///
/// # Errors
/// Where anything is not as the story says.
pub async fn first_authority(world: &Northwind, tell: &Tell<'_>) -> anyhow::Result<()> {
    for (signed, person) in (1..).zip(BOARD) {
        world
            .terminal
            .authorise_envelope(
                person,
                &world.envelope,
                "Reviewed with the change advisory board; unchanged limits.",
            )
            .await?;
        let envelopes = world.operator.envelopes().await?;
        let envelope = envelopes.first().context("the backend lists no envelope")?;
        let expected = if signed == BOARD.len() {
            EnvelopeState::Authorised
        } else {
            EnvelopeState::Draft
        };
        ensure!(
            envelope.state == expected,
            "after {signed} signatures the envelope is {:?}",
            envelope.state
        );
    }
    tell("three board members authorised the envelope with three keys");

    let action =
        json!({ "type": "patch", "parameters": { "package": "curl", "to_version": "8.9.1-2" } });
    let before = world.systems.state(DRILL_SYSTEM).await?;
    let drill = world
        .operator
        .start_drill(&StartDrill {
            action: serde_json::from_value(action)?,
            system: DRILL_SYSTEM.parse()?,
            checks: ["service-up".parse()?].into(),
            idempotency_key: None,
        })
        .await?;
    wait_for_operation(world, &drill.id, OperationState::RolledBack).await?;
    let counts = world.systems.counts(DRILL_SYSTEM).await?;
    ensure!(
        (counts.applied, counts.restored) == (1, 1),
        "the drill touched {DRILL_SYSTEM} {counts:?}"
    );
    ensure!(
        world.systems.state(DRILL_SYSTEM).await? == before,
        "{DRILL_SYSTEM} is not as it was"
    );
    tell("a rollback of patch on linux-server was rehearsed and logged");

    let answer = world
        .agent
        .propose(&organisation::small_patch(Utc::now()))
        .await?;
    ensure!(
        answer.assessment.verdict == Verdict::Autonomous,
        "the small patch waits: {:#?}",
        answer.assessment
    );
    let id = answer.id.context("an accepted proposal has an id")?;
    world.agent.wait_for(&id, ItemState::Done).await?;
    for host in SMALL_PATCH_HOSTS {
        let state = world.systems.state(host).await?;
        ensure!(
            state
                .packages
                .get("curl")
                .is_some_and(|version| version == "8.9.1-2"),
            "{host} was not patched"
        );
    }
    tell("one patch of three non-critical hosts ran alone, within the envelope");
    Ok(())
}

/// Scenario B, first half: the rotation that forgets everybody is rejected.
///
/// # Errors
/// Where anything is not as the story says.
pub async fn scenario_b_rejected(
    world: &Northwind,
    hands: &mut impl Hands,
    tell: &Tell<'_>,
) -> anyhow::Result<ProposalId> {
    let answer = world
        .agent
        .propose(&organisation::scenario_b(Utc::now(), None))
        .await?;
    let id = waits(&answer, Tier::SafetyCritical)?;
    let servers = organisation::record_servers();
    for server in &servers {
        ensure!(
            answer
                .assessment
                .impact
                .iter()
                .any(|entry| entry.id == *server),
            "{server} is not named"
        );
    }
    hands
        .reject(
            ON_CALL,
            &item(&id, "rotation", &answer, &servers),
            "All 14 record servers would lose the database: the new password is delivered to none.",
        )
        .await?;
    let answer = world.agent.ask(&id).await?;
    ensure!(
        answer.state == ItemState::Rejected,
        "the rotation is {:?}",
        answer.state
    );
    tell(
        "Scenario B: the rotation that forgets 14 servers was held with all of them named, and rejected",
    );
    Ok(id)
}

/// Scenario B, second half: the whole rotation needs two people, and runs.
///
/// # Errors
/// Where anything is not as the story says.
pub async fn scenario_b_approved(
    world: &Northwind,
    hands: &mut impl Hands,
    rejected: &ProposalId,
    tell: &Tell<'_>,
) -> anyhow::Result<ProposalId> {
    let proposal = organisation::scenario_b(Utc::now(), Some(rejected.as_str()));
    let answer = world.agent.propose(&proposal).await?;
    let id = waits(&answer, Tier::SafetyCritical)?;
    let item = item(&id, "whole-rotation", &answer, &[]);
    hands
        .approve(
            OT_OFFICER,
            &item,
            "Every record server gets the new password in the same step.",
        )
        .await?;
    let after_one = world.agent.ask(&id).await?;
    ensure!(
        after_one.state == ItemState::Waiting,
        "one signature was enough: {:?}",
        after_one.state
    );
    ensure!(
        after_one.operation.is_none(),
        "one signature started an operation"
    );
    tell("Scenario B: one of two signatures is not enough");
    hands
        .approve(
            SOC_LEAD,
            &item,
            "Agreed with the hospital's duty manager; rollback is ready.",
        )
        .await?;
    world.agent.wait_for(&id, ItemState::Done).await?;
    for server in organisation::record_servers() {
        ensure!(
            world.systems.is_healthy(&server).await?,
            "{server} lost the database"
        );
    }
    let database = world.systems.state("ehr-db-1").await?;
    ensure!(
        database
            .credentials
            .get("svc_ehr")
            .is_some_and(|secret| secret == "generation-2"),
        "the password was not rotated"
    );
    tell(
        "Scenario B: signed by two people, the rotation reached all 14 servers; none lost the database",
    );
    Ok(id)
}

/// Scenario C: two harmless-looking segments hold a chemical plant.
///
/// # Errors
/// Where anything is not as the story says.
pub async fn scenario_c(
    world: &Northwind,
    hands: &mut impl Hands,
    tell: &Tell<'_>,
) -> anyhow::Result<ProposalId> {
    let answer = world
        .agent
        .propose(&organisation::scenario_c(Utc::now()))
        .await?;
    let id = waits(&answer, Tier::SafetyCritical)?;
    let controllers: Vec<String> = (1..=organisation::CONTROLLERS)
        .map(|n| format!("plc-{n:02}"))
        .collect();
    for plc in &controllers {
        ensure!(
            answer
                .assessment
                .impact
                .iter()
                .any(|entry| entry.id == *plc),
            "{plc} is not named"
        );
    }
    hands
        .reject(
            OT_OFFICER,
            &item(&id, "block", &answer, &controllers),
            "The rule cuts SCADA off from twelve controllers; isolate backup-1 instead.",
        )
        .await?;
    ensure!(
        world.agent.ask(&id).await?.state == ItemState::Rejected,
        "the block was not rejected"
    );
    tell("Scenario C: two /16s were held as safety-critical for the 12 PLCs inside, and rejected");
    Ok(id)
}

/// Scenario A, until the breaker trips: 1,240 hosts are held, the canary is approved, host 3 breaks.
///
/// # Errors
/// Where anything is not as the story says.
pub async fn scenario_a_halted(
    world: &Northwind,
    hands: &mut impl Hands,
    tell: &Tell<'_>,
) -> anyhow::Result<(ProposalId, OperationId)> {
    let answer = world
        .agent
        .propose(&organisation::scenario_a(Utc::now()))
        .await?;
    let id = waits(&answer, Tier::ProductionCritical)?;
    ensure!(
        answer.assessment.scope.systems == 1_240,
        "{} systems in scope",
        answer.assessment.scope.systems
    );
    hands
        .approve_canary(
            ON_CALL,
            &item(&id, "patch", &answer, &[]),
            "Five hosts first; the rest after their handshake was seen.",
        )
        .await?;
    let operation = world
        .agent
        .ask(&id)
        .await?
        .operation
        .context("the approval started no operation")?;
    let halted = wait_for_operation(world, &operation, OperationState::Halted).await?;
    let trip = halted.trip.context("a halted operation says why")?;
    ensure!(
        trip.system
            .as_ref()
            .is_some_and(|system| system.as_str() == BREAKS),
        "{:?} tripped the breaker",
        trip.system
    );
    ensure!(
        halted.systems.len() == 5,
        "{} systems in the operation",
        halted.systems.len()
    );
    for (host, applied) in [
        ("pay-0001", 1),
        ("pay-0002", 1),
        (BREAKS, 1),
        ("pay-0004", 0),
        ("pay-0005", 0),
    ] {
        let counts = world.systems.counts(host).await?;
        ensure!(
            counts.applied == applied,
            "{host} was touched {} times",
            counts.applied
        );
    }
    tell(
        "Scenario A: 1,240 hosts were held; narrowed to the canary of 5, host 3 tripped the breaker, and 3 were touched",
    );
    Ok((id, operation))
}

/// Scenario A, undone: the touched hosts are back as they were, and no other was ever touched.
///
/// # Errors
/// Where anything is not as the story says.
pub async fn scenario_a_rolled_back(
    world: &Northwind,
    hands: &mut impl Hands,
    operation: &OperationId,
    tell: &Tell<'_>,
) -> anyhow::Result<()> {
    hands
        .roll_back(
            SOC_LEAD,
            operation,
            "The certificate library fails with the new OpenSSL; back to 3.0.9-1.",
        )
        .await?;
    let ended = wait_for_operation(world, operation, OperationState::RolledBack).await?;
    let reverted = ended
        .systems
        .iter()
        .filter(|system| system.phase == SystemPhase::Reverted)
        .count();
    ensure!(reverted == 3, "{reverted} systems were reverted");
    let untouched = world.systems.state("pay-0600").await?;
    for host in ["pay-0001", "pay-0002", BREAKS] {
        ensure!(
            world.systems.state(host).await? == untouched,
            "{host} is not as it was"
        );
        ensure!(
            world.systems.is_healthy(host).await?,
            "{host} is not healthy"
        );
    }
    let hosts = organisation::played_systems();
    for host in hosts.iter().filter(|host| host.starts_with("pay-")).skip(3) {
        let counts = world.systems.counts(host).await?;
        ensure!(
            (counts.applied, counts.restored) == (0, 0),
            "{host} was touched"
        );
    }
    tell(
        "Scenario A: rolled back; the 3 touched hosts are as they were, no other was ever touched",
    );
    Ok(())
}

/// A decision of which the evidence was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it is about: an item, operation or envelope.
    pub about: String,
    /// What was decided.
    pub kind: String,
    /// Who signed.
    pub approver: String,
}

/// Exports and verifies the evidence of everything that was decided.
///
/// # Errors
/// Where an export fails or anything in it does not verify.
pub async fn evidence(
    world: &Northwind,
    decided: &[(String, usize)],
    folder: &Path,
    tell: &Tell<'_>,
) -> anyhow::Result<Vec<Verified>> {
    let mut verified: Vec<Verified> = Vec::new();
    let mut statements: BTreeSet<Vec<u8>> = BTreeSet::new();
    for (id, expected) in decided {
        let into = folder.join(id);
        let reader = ["--as", SOC_LEAD, "--key", SOC_LEAD, "--pin-stdin"];
        world
            .terminal
            .run(&[&["evidence", "export", id, path(&into)?][..], &reader].concat())
            .await?;
        world
            .terminal
            .run(&["verify", path(&into)?, "--genesis", &world.genesis])
            .await?;
        let found = verify_with_openssh(id, &into).await?;
        ensure!(
            found.len() == *expected,
            "{id} has {} decisions, not {expected}",
            found.len()
        );
        verified.extend(found.into_iter().filter_map(|(statement, decision)| {
            // Twice exported is once decided.
            statements.insert(statement).then_some(decision)
        }));
    }
    tell(&format!(
        "evidence of {} things with {} decisions verified by countersignctl verify and by stock ssh-keygen -Y verify",
        decided.len(),
        verified.len()
    ));
    Ok(verified)
}

/// Runs `ssh-keygen -Y verify` on every decision of an evidence folder, as its README says.
/// Gives each with its statement.
async fn verify_with_openssh(
    about: &str,
    folder: &Path,
) -> anyhow::Result<Vec<(Vec<u8>, Verified)>> {
    let mut verified = Vec::new();
    let mut decisions: Vec<PathBuf> = std::fs::read_dir(folder.join("decisions"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    decisions.sort();
    for decision in decisions {
        let file = decision.join("statement.json");
        let statement = std::fs::read(&file)?;
        let signed: serde_json::Value = serde_json::from_slice(&statement)?;
        let said = |name: &str| {
            signed
                .pointer(&format!("/predicate/{name}"))
                .and_then(|said| said.as_str())
                .map(ToOwned::to_owned)
                .with_context(|| format!("a statement says its {name}"))
        };
        let approver = said("approver")?;
        let output = tokio::process::Command::new("ssh-keygen")
            .args([
                "-Y",
                "verify",
                "-f",
                "allowed_signers",
                "-n",
                "countersign-decision",
                "-s",
                "decision.sig",
            ])
            .args(["-I", &approver])
            .current_dir(&decision)
            .stdin(Stdio::from(std::fs::File::open(&file)?))
            .output()
            .await
            .context("ssh-keygen does not start; it comes with OpenSSH")?;
        if !output.status.success() {
            bail!(
                "ssh-keygen refuses {}: {}",
                decision.display(),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let found = Verified {
            about: about.to_owned(),
            kind: said("kind")?,
            approver,
        };
        verified.push((statement, found));
    }
    Ok(verified)
}

/// What a person finds when reading an item.
pub(crate) const fn item<'s>(
    id: &'s ProposalId,
    name: &'s str,
    answer: &ProposalAnswer,
    suffers: &'s [String],
) -> Item<'s> {
    Item {
        id,
        name,
        systems: answer.assessment.scope.systems,
        suffers,
    }
}

/// The id of an item that waits on a scope of this tier.
pub(crate) fn waits(answer: &ProposalAnswer, tier: Tier) -> anyhow::Result<ProposalId> {
    ensure!(
        answer.state == ItemState::Waiting,
        "it is {:?}: {}",
        answer.state,
        answer.message
    );
    ensure!(
        answer.assessment.verdict == Verdict::NeedsApproval,
        "it got {:?}",
        answer.assessment.verdict
    );
    ensure!(
        answer.assessment.scope.tier == tier,
        "its scope is {}",
        answer.assessment.scope.tier
    );
    answer.id.clone().context("an accepted proposal has an id")
}

async fn wait_for_operation(
    world: &Northwind,
    id: &OperationId,
    wanted: OperationState,
) -> anyhow::Result<Operation> {
    let reader = sign_in(&world.client, &world.keys, SOC_LEAD).await?;
    wait_until(&reader, id, wanted).await
}

/// Waits until an operation stands as `wanted`.
///
/// # Errors
/// Where it stands otherwise for good, or does not get there within three minutes.
pub(crate) async fn wait_until(
    reader: &Client,
    id: &OperationId,
    wanted: OperationState,
) -> anyhow::Result<Operation> {
    let mut last = None;
    for _ in 0..1_800 {
        let operation = reader.operation(id).await?;
        if operation.summary.state == wanted {
            return Ok(operation);
        }
        let (state, trip) = (operation.summary.state, operation.trip);
        let is_still = match state {
            OperationState::Running | OperationState::RollingBack => true,
            // A roll-back begins from here.
            OperationState::Halted => {
                wanted == OperationState::RolledBack
                    && operation.summary.authority != AuthorityKind::Drill
            }
            OperationState::Held
            | OperationState::Completed
            | OperationState::RolledBack
            | OperationState::Aborted
            | OperationState::RollbackFailed => false,
        };
        ensure!(
            is_still,
            "operation {id} is {state:?}, not {wanted:?}: {trip:?}"
        );
        last = Some((state, trip));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("operation {id} is {last:?} after three minutes, not {wanted:?}")
}

/// The whole story but for its evidence.
///
/// # Errors
/// Where anything is not as the story says.
pub async fn tell_all(
    world: &Northwind,
    hands: &mut impl Hands,
    tell: &Tell<'_>,
) -> anyhow::Result<Happened> {
    first_authority(world, tell).await?;
    let rejected = scenario_b_rejected(world, hands, tell).await?;
    let approved = scenario_b_approved(world, hands, &rejected, tell).await?;
    let blocked = scenario_c(world, hands, tell).await?;
    let (scenario_a, operation) = scenario_a_halted(world, hands, tell).await?;
    scenario_a_rolled_back(world, hands, &operation, tell).await?;
    Ok(Happened {
        decided: vec![
            (world.envelope.clone(), 3),
            (rejected.to_string(), 1),
            (approved.to_string(), 2),
            (blocked.to_string(), 1),
            (scenario_a.to_string(), 2),
            (operation.to_string(), 2),
        ],
        scenario_a,
        operation,
    })
}
