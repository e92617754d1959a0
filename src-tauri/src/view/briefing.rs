//! A briefing for the window: computed from the documents, never copied from the backend's account.

use countersign_core::assessment::{Clause, Evaluation, Finding, Outcome, evaluate as assess};
use countersign_core::briefing::{Briefing, HonestyGrade};
use countersign_core::canonical;
use countersign_core::identifier::Digest;
use countersign_core::impact::Circumstances;
use countersign_core::proposal::Detection;
use countersign_core::scope::{Graph, targets_digest};
use countersign_core::statement::DecisionKind;
use countersign_wire::client::review::{Logged, Reviewed};
use countersign_wire::queue::QueueItem;
use countersign_wire::view::{
    AgentSays, AgreementView, BriefingView, DigestRow, FindingView, LoggedView, PlanView, QueueRow,
    RollbackView, ScopeView, SystemView, WaveView,
};

use super::may::{self, Dispatch, Item, Viewer};
use super::{consequence, graph, impact, queue, quote, tier, words};

/// Lines of a plan that are shown.
const PLAN_STEPS_MAX: usize = 500;

/// Our own evaluation of what a briefing is about.
#[must_use]
pub fn evaluate<'t>(reviewed: &Reviewed, graph: &'t Graph) -> Evaluation<'t> {
    let briefing = reviewed.briefing();
    assess(
        reviewed.envelope(),
        graph,
        &briefing.proposal,
        Some(&briefing.history),
        briefing.assessed_at,
    )
}

/// The circumstances that consequences are told for: those of the assessment, where a rule grants it.
#[must_use]
pub fn circumstances(briefing: &Briefing) -> Circumstances<'_> {
    Circumstances {
        concurrency: briefing.rollout.concurrency,
        history: briefing.assessment.rule.as_ref().map(|_| &briefing.history),
    }
}

/// The whole view.
#[must_use]
pub fn view(
    reviewed: &Reviewed,
    item: &QueueItem,
    dispatch: Dispatch,
    viewer: &Viewer<'_>,
) -> BriefingView {
    let briefing = reviewed.briefing();
    let graph = Graph::new(reviewed.topology());
    let evaluation = evaluate(reviewed, &graph);
    let (assessment, reach) = (&evaluation.assessment, &evaluation.reach);
    let (mut blocking, passed): (Vec<&Finding>, Vec<&Finding>) = assessment
        .findings
        .iter()
        .partition(|finding| finding.outcome != Outcome::Pass);
    blocking.sort_by_key(|finding| badness(finding.clause));
    let mut proposers = countersign_core::decision::proposers(&briefing.proposal);
    proposers.extend(item.operated_by.iter().cloned());
    let quorum = assessment.quorum.as_ref();
    let deciding = Item {
        state: item.state,
        briefing,
        dispatch,
        decisions: &item.decisions,
        proposers: &proposers,
        expires_at: briefing.expires_at,
        differences: reviewed.differences(),
        logged: reviewed.logged(),
    };
    BriefingView {
        row: QueueRow {
            tier: tier(assessment.scope.tier),
            systems: assessment.scope.systems,
            needed: quorum.map_or(0, |rule| rule.needed),
            expires_at: briefing.expires_at,
            ..queue::row(item, &queue::Glance::of(reviewed))
        },
        consequence: consequence::sentences(
            &graph,
            &briefing.proposal.action,
            reach,
            circumstances(briefing),
        ),
        blocking: blocking.into_iter().map(finding).collect(),
        passed: passed.into_iter().map(finding).collect(),
        scope: ScopeView {
            systems: assessment.scope.systems,
            services: assessment.scope.services,
            segments: assessment.scope.segments,
            tier: tier(assessment.scope.tier),
        },
        targets: targets(&graph, briefing),
        impact: impact::rows(&graph, reach),
        graph: graph::view(&graph, reach),
        plan: PlanView {
            grade: grade(briefing.plan.grade).to_owned(),
            executor: briefing.plan.executor.as_deref().map(quote::line),
            steps: briefing
                .plan
                .steps
                .iter()
                .take(PLAN_STEPS_MAX)
                .map(|step| quote::line(step))
                .collect(),
        },
        waves: waves(briefing),
        rollback: rollback(briefing),
        agent_says: agent_says(briefing),
        often_benign: often_benign(briefing),
        digests: digests(reviewed, &graph, &evaluation),
        agreement: AgreementView {
            agrees: reviewed.differences().is_empty(),
            differences: reviewed
                .differences()
                .iter()
                .map(|line| quote::line(line))
                .collect(),
            logged: match reviewed.logged() {
                Logged::Proved { index } => LoggedView::Proved { index: *index },
                Logged::Unproved { reason } => LoggedView::Unproved {
                    reason: quote::line(reason),
                },
            },
        },
        quorum: may::quorum(viewer.roster, quorum, &item.decisions),
        may_approve: may::decide_item(viewer, &deciding, DecisionKind::Approve),
        may_reject: may::decide_item(viewer, &deciding, DecisionKind::Reject),
        raw: String::from_utf8_lossy(reviewed.bytes()).into_owned(),
        assessed_at: briefing.assessed_at,
    }
}

/// The order in which blocking findings are told: what can hurt people first.
#[must_use]
pub const fn badness(clause: Clause) -> u8 {
    match clause {
        Clause::C4_7 => 0,
        Clause::C4_3 => 1,
        Clause::C4_5 => 2,
        Clause::C4_1 => 3,
        Clause::C4_2 => 4,
        Clause::C4_4 => 5,
        Clause::C4_6 => 6,
        Clause::C4_8 => 7,
        Clause::C4_9 => 8,
        Clause::C4_10 => 9,
        Clause::C4_11 => 10,
        Clause::C4_12 => 11,
    }
}

/// A clause as documents write it.
#[must_use]
pub const fn clause(clause: Clause) -> &'static str {
    match clause {
        Clause::C4_1 => "4.1",
        Clause::C4_2 => "4.2",
        Clause::C4_3 => "4.3",
        Clause::C4_4 => "4.4",
        Clause::C4_5 => "4.5",
        Clause::C4_6 => "4.6",
        Clause::C4_7 => "4.7",
        Clause::C4_8 => "4.8",
        Clause::C4_9 => "4.9",
        Clause::C4_10 => "4.10",
        Clause::C4_11 => "4.11",
        Clause::C4_12 => "4.12",
    }
}

fn finding(finding: &Finding) -> FindingView {
    FindingView {
        clause: clause(finding.clause).to_owned(),
        check: finding.check.clone(),
        outcome: match finding.outcome {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::NotEvaluable => "not_evaluable",
        }
        .to_owned(),
        measured: finding.measured.clone(),
        limit: finding.limit.clone(),
        message: finding.message.clone(),
    }
}

fn targets(graph: &Graph, briefing: &Briefing) -> Vec<SystemView> {
    let resolved = countersign_core::scope::resolve(graph, &briefing.proposal.targets);
    let mut targets: Vec<SystemView> = resolved
        .systems
        .iter()
        .filter_map(|id| graph.system(id.as_str()))
        .map(|system| SystemView {
            id: system.id.as_str().to_owned(),
            class: system.class.as_str().to_owned(),
            tier: tier(system.effective_tier()),
            service: system
                .service
                .as_ref()
                .map(|id| words::service_title(graph, id.as_str())),
        })
        .collect();
    targets.sort_by_cached_key(|target| graph::natural(&target.id));
    targets
}

const fn grade(grade: HonestyGrade) -> &'static str {
    match grade {
        HonestyGrade::Enforced => "enforced",
        HonestyGrade::Declared => "declared",
        HonestyGrade::Modelled => "modelled",
        HonestyGrade::None => "none",
    }
}

fn waves(briefing: &Briefing) -> Vec<WaveView> {
    let canary = briefing.rollout.canary.is_some() && briefing.waves.len() > 1;
    briefing
        .waves
        .iter()
        .zip(1_u32..)
        .map(|(systems, number)| WaveView {
            label: if canary && number == 1 {
                "canary".to_owned()
            } else {
                format!("wave {number}")
            },
            systems: systems.iter().map(|id| id.as_str().to_owned()).collect(),
        })
        .collect()
}

fn rollback(briefing: &Briefing) -> RollbackView {
    let state = &briefing.rollback;
    let promise = state
        .promised
        .within
        .as_ref()
        .map(|span| format!("within {span}"));
    let message = match (state.reversible, promise, state.last_drilled.is_some()) {
        (false, _, _) => "It cannot be undone.".to_owned(),
        (true, Some(promise), true) => format!("It can be undone {promise}, and that was rehearsed."),
        (true, Some(promise), false) => {
            format!("It is said to be undone {promise}; that was never rehearsed on systems of this class.")
        }
        (true, None, true) => "It can be undone, and that was rehearsed; no rule says how soon.".to_owned(),
        (true, None, false) => {
            "It can be undone in principle; no rule says how soon, and it was never rehearsed on systems of this class.".to_owned()
        }
    };
    RollbackView {
        reversible: state.reversible,
        message,
        last_drilled: state.last_drilled,
    }
}

fn agent_says(briefing: &Briefing) -> AgentSays {
    let detection: &Detection = &briefing.proposal.detection;
    AgentSays {
        agent: briefing.proposal.agent.as_str().to_owned(),
        rationale: briefing
            .proposal
            .rationale
            .as_deref()
            .map(|text| quote::capped(text, quote::RATIONALE_CHARACTERS_MAX)),
        detection: quote::line(&detection.title),
        severity: detection.severity.as_str().to_owned(),
        source: detection.source.as_str().to_owned(),
        detected_at: detection.detected_at,
        signals: detection
            .signals
            .iter()
            .map(|signal| {
                quote::line(&format!(
                    "{} ({}): {}",
                    signal.source, signal.kind, signal.summary
                ))
            })
            .collect(),
    }
}

fn often_benign(briefing: &Briefing) -> Vec<String> {
    let detection = &briefing.proposal.detection;
    briefing
        .history
        .detections
        .iter()
        .flatten()
        .filter(|registered| {
            registered.rule == detection.rule && registered.source == detection.source
        })
        .flat_map(|registered| &registered.benign_patterns)
        .map(|pattern| quote::line(pattern))
        .collect()
}

/// Every digest that will be signed, each computed again from the document itself.
fn digests(reviewed: &Reviewed, graph: &Graph, evaluation: &Evaluation<'_>) -> Vec<DigestRow> {
    let briefing = reviewed.briefing();
    let theirs = &briefing.digests;
    let row = |name: &str, digest: Digest, own: Option<Digest>, claim: bool| DigestRow {
        name: name.to_owned(),
        sha256: digest.to_string(),
        recomputed: own == Some(digest),
        claim,
    };
    let mut rows = vec![
        // The digest of the bytes that came: there is nothing to compare it with but what is signed.
        row(
            "briefing",
            reviewed.digest(),
            Some(Digest::of(reviewed.bytes())),
            false,
        ),
        row(
            "proposal",
            theirs.proposal,
            canonical::digest(&briefing.proposal).ok(),
            false,
        ),
        row(
            "targets",
            theirs.targets,
            targets_digest(&evaluation.targets.systems).ok(),
            false,
        ),
    ];
    rows.extend(theirs.envelope.map(|digest| {
        row(
            "envelope",
            digest,
            reviewed
                .envelope()
                .and_then(|envelope| canonical::digest(envelope).ok()),
            false,
        )
    }));
    rows.extend([
        row(
            "topology",
            theirs.topology,
            canonical::digest(reviewed.topology()).ok(),
            false,
        ),
        row(
            "neighbourhood",
            theirs.neighbourhood,
            evaluation.reach.neighbourhood(graph).digest().ok(),
            false,
        ),
        row(
            "history",
            theirs.history,
            canonical::digest(&briefing.history).ok(),
            true,
        ),
        row(
            "plan",
            theirs.plan,
            canonical::digest(&briefing.plan).ok(),
            true,
        ),
    ]);
    rows
}
