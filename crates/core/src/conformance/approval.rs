//! Test 8.2: what is just outside the envelope waits for people, and what people approved is recorded.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::TrialOutcome::{Fails, NotShown, Weak};
use super::log::Read;
use super::sample::{self, Inside, KINDS, SEVERITIES, Sample};
use super::{Engine, Inputs, Trial, Trying, trial};
use crate::assessment::{self, Clause, Outcome, Verdict, calendar};
use crate::envelope::{Envelope, Rule};
use crate::history::{History, InFlight};
use crate::identifier::{AgentId, OperationId, SystemId};
use crate::proposal::{Proposal, Targets};
use crate::scope::Graph;
use crate::topology::System;

/// Longest list made up for a limit on concurrency.
const CONCURRENT_MAX: u32 = 10_000;

pub(super) fn check(
    inputs: &Inputs<'_>,
    samples: &[Sample<'_>],
    folders: &[Read],
    engine: Engine<'_>,
) -> Vec<Trial> {
    let mut control =
        Trying::new("control: at least one proposal inside each rule runs alone (4.1)");
    let mut matrix = Trying::new(
        "just outside each bound of each rule nothing runs alone, and its clause says why (4.2)",
    );
    let mut topology = None;
    for sample in samples {
        match &sample.found {
            Err(why) => control.one(Some(format!("rule {}: {why}", sample.rule.id))),
            Ok(inside) => {
                control.one(None);
                // Most rules share a moment: the graph is built again only where it differs.
                let at = inside.now;
                if topology.as_ref().is_none_or(|(known, _)| *known != at) {
                    topology = Some((at, sample::observed(inputs.topology, at)));
                }
                if let Some((_, topology)) = &topology {
                    let graph = Graph::new(topology);
                    for outside in variants(inputs, sample.rule, inside, &graph) {
                        matrix.one(outside.wrong(inputs.envelope, sample.rule, &graph, engine));
                    }
                }
            }
        }
    }
    vec![
        control.end(Weak, "each rule lets something run"),
        matrix.end(Fails, "every one of them waits or is void"),
        recorded(folders),
    ]
}

/// A proposal that differs from one that runs alone in one thing.
struct Outside {
    name: String,
    proposal: Proposal,
    history: History,
    now: DateTime<Utc>,
    /// The clause that must not pass; `None` where the proposal must be refused.
    clause: Option<Clause>,
}

impl Outside {
    fn of(inside: &Inside, name: impl Into<String>, clause: Clause) -> Self {
        Self {
            name: name.into(),
            proposal: inside.proposal.clone(),
            history: inside.history.clone(),
            now: inside.now,
            clause: Some(clause),
        }
    }

    fn wrong(
        &self,
        envelope: &Envelope,
        rule: &Rule,
        graph: &Graph,
        engine: Engine<'_>,
    ) -> Option<String> {
        let assessment = (engine.assess)(
            envelope,
            graph,
            &self.proposal,
            Some(&self.history),
            self.now,
        );
        let place = format!("rule {}, {}", rule.id, self.name);
        let Some(clause) = self.clause else {
            return (assessment.verdict != Verdict::Refused)
                .then(|| format!("{place}: it is not refused"));
        };
        // Where another rule grants it, it is inside the envelope after all.
        if assessment.rule.as_ref().is_some_and(|id| *id != rule.id) {
            return None;
        }
        if assessment.verdict == Verdict::Autonomous {
            return Some(format!("{place}: it runs alone"));
        }
        assessment
            .findings
            .iter()
            .any(|finding| finding.clause == clause && finding.outcome == Outcome::Pass)
            .then(|| format!("{place}: it waits, but not for this"))
    }
}

fn variants(inputs: &Inputs<'_>, rule: &Rule, inside: &Inside, graph: &Graph) -> Vec<Outside> {
    let mut outside = Vec::new();
    grants(inputs.envelope, rule, inside, graph, &mut outside);
    severity_and_calendars(inputs.envelope, rule, inside, &mut outside);
    circumstances(rule, inside, &mut outside);
    measured_elsewhere(rule, inside, graph, &mut outside);
    detection(rule, inside, &mut outside);
    authority(inputs.envelope, inside, &mut outside);
    outside
}

/// Another agent, another kind of action, and a second target that the rule does not grant.
fn grants(
    envelope: &Envelope,
    rule: &Rule,
    inside: &Inside,
    graph: &Graph,
    all: &mut Vec<Outside>,
) {
    let Some(target) = graph.system(inside.target.as_str()) else {
        return;
    };
    if let Ok(stranger) = AgentId::new(
        format!("not-{}", inside.agent)
            .chars()
            .take(120)
            .collect::<String>(),
    ) {
        let mut other = Outside::of(inside, "another agent", Clause::C4_1);
        other.proposal.agent = stranger;
        if !envelope.agents.contains(&other.proposal.agent) {
            all.push(other);
        }
    }
    for kind in KINDS
        .into_iter()
        .filter(|kind| !rule.actions.contains(kind))
    {
        let mut other = Outside::of(inside, format!("action {}", kind.as_str()), Clause::C4_1);
        if let Ok(action) = sample::action(kind, target, graph) {
            other.proposal.action = action;
            all.push(other);
        }
    }
    let systems = || graph.topology().systems.iter();
    let classes = &rule.targets.classes;
    let tiers = &rule.targets.tiers;
    let second: [(&str, Option<&System>); 3] = [
        (
            "a target of another class",
            systems().find(|s| !classes.contains(&s.class)),
        ),
        (
            "a target of another tier",
            systems().find(|s| classes.contains(&s.class) && !tiers.contains(&s.effective_tier())),
        ),
        (
            "a target that the rule's other grants leave out",
            systems().find(|s| {
                classes.contains(&s.class)
                    && tiers.contains(&s.effective_tier())
                    && !assessment::grants_system(rule, s)
            }),
        ),
    ];
    for (name, system) in second {
        if let Some(system) = system {
            let mut other = Outside::of(inside, format!("{name} ({})", system.id), Clause::C4_1);
            other.proposal.targets =
                Targets::Systems(BTreeSet::from([inside.target.clone(), system.id.clone()]));
            all.push(other);
        }
    }
    if let Ok(unknown) = SystemId::new("conformance-no-such-system") {
        let mut other = Outside::of(inside, "a target that the topology lacks", Clause::C4_1);
        other.proposal.targets = Targets::Systems(BTreeSet::from([inside.target.clone(), unknown]));
        other.clause = None;
        all.push(other);
    }
}

fn severity_and_calendars(
    envelope: &Envelope,
    rule: &Rule,
    inside: &Inside,
    all: &mut Vec<Outside>,
) {
    for severity in SEVERITIES {
        let below = rule.severity.min.is_some_and(|min| severity < min);
        let above = rule.severity.max.is_some_and(|max| severity > max);
        if below || above {
            let mut other = Outside::of(
                inside,
                format!("severity {}", severity.as_str()),
                Clause::C4_1,
            );
            for registered in other.history.detections.iter_mut().flatten() {
                registered.severity = severity;
            }
            all.push(other);
        }
    }
    let is_in = |name, at| calendar::contains(&envelope.calendars, name, at) == Some(true);
    for name in &rule.conditions.outside {
        if let Some(at) = sample::instant(envelope, inside.now, |at| is_in(name, at)) {
            let mut other = Outside::of(inside, format!("inside {name}"), Clause::C4_1);
            other.now = at;
            other.proposal.expires_at = at + Duration::hours(1);
            all.push(other);
        }
    }
    let outside_all = |at| !rule.conditions.inside.iter().any(|name| is_in(name, at));
    if !rule.conditions.inside.is_empty()
        && let Some(at) = sample::instant(envelope, inside.now, outside_all)
    {
        let mut other = Outside::of(inside, "outside its calendars", Clause::C4_1);
        other.now = at;
        other.proposal.expires_at = at + Duration::hours(1);
        all.push(other);
    }
}

/// Too much at once, a topology too old, a rollback not rehearsed, a proposal expired.
fn circumstances(rule: &Rule, inside: &Inside, all: &mut Vec<Outside>) {
    if let Some(limit) = &rule.conditions.concurrent_operations
        && limit.max <= CONCURRENT_MAX
    {
        let mut other = Outside::of(
            inside,
            format!("{} operations under way", limit.max),
            Clause::C4_1,
        );
        other.history.in_flight = Some(
            (0..limit.max)
                .filter_map(|number| OperationId::new(format!("conformance-{number}")).ok())
                .map(|operation| InFlight {
                    operation,
                    systems: BTreeSet::new(),
                })
                .collect(),
        );
        all.push(other);
    }
    if let Some(limit) = &rule.conditions.topology_age {
        let mut other = Outside::of(inside, "a topology a second too old", Clause::C4_3);
        other.now = inside.now + limit.max.duration() + Duration::seconds(1);
        other.proposal.expires_at = other.now + Duration::hours(1);
        all.push(other);
    }
    let mut undrilled = Outside::of(inside, "a rollback never rehearsed", Clause::C4_6);
    undrilled.history.drills = Some(Vec::new());
    all.push(undrilled);
    let within = rule
        .rollback
        .drilled_within
        .map_or(Duration::days(92), |span| span.duration());
    let mut stale = Outside::of(inside, "a rollback rehearsed too long ago", Clause::C4_6);
    for drill in stale.history.drills.iter_mut().flatten() {
        drill.succeeded_at = inside.now - within - Duration::seconds(1);
    }
    all.push(stale);
    let mut expired = Outside::of(inside, "an expired proposal", Clause::C4_1);
    expired.proposal.expires_at = inside.now;
    expired.clause = None;
    all.push(expired);
}

/// Error budgets that are spent or unknown, actions that staging has not seen.
fn measured_elsewhere(rule: &Rule, inside: &Inside, graph: &Graph, all: &mut Vec<Outside>) {
    let of = |name: &str| Outside::of(inside, name, Clause::C4_1);
    let service = graph
        .system(inside.target.as_str())
        .and_then(|system| system.service.as_ref());
    if let Some(wanted) = &rule.conditions.error_budget
        && service.is_some_and(|id| wanted.services.is_empty() || wanted.services.contains(id))
    {
        let mut unknown = of("an error budget that nobody knows");
        unknown.history.error_budgets = Some(Vec::new());
        all.push(unknown);
        if let Ok(nothing) = "0".parse()
            && wanted.min_remaining > nothing
        {
            let mut spent = of("an error budget that is spent");
            for budget in spent.history.error_budgets.iter_mut().flatten() {
                budget.remaining = nothing;
            }
            all.push(spent);
        }
    }
    if let Some(wanted) = &rule.conditions.validated_in_staging {
        let mut never = of("an action that staging has not seen");
        never.history.staging = Some(Vec::new());
        all.push(never);
        let mut old = of("an action that staging saw too long ago");
        for run in old.history.staging.iter_mut().flatten() {
            run.succeeded_at = inside.now - wanted.within.duration() - Duration::seconds(1);
        }
        all.push(old);
    }
}

/// The detection: unregistered, uncorroborated, too old, from the future, too often wrong (4.11).
fn detection(rule: &Rule, inside: &Inside, all: &mut Vec<Outside>) {
    let of = |name: &str| Outside::of(inside, name, Clause::C4_11);
    let mut unregistered = of("a detection rule that nobody registered");
    unregistered.history.detections = Some(Vec::new());
    all.push(unregistered);
    let mut future = of("a detection from the future");
    future.proposal.detection.detected_at = inside.now + Duration::seconds(1);
    all.push(future);
    if let Some(wanted) = &rule.conditions.corroboration
        && wanted.independent_sources > 0
    {
        let mut fewer = of("one independent source too few");
        if let Some(signals) = &mut fewer.history.signals {
            signals.pop();
        }
        all.push(fewer);
        let mut old = of("a detection a second too old");
        old.proposal.detection.detected_at =
            inside.now - wanted.within.duration() - Duration::seconds(1);
        all.push(old);
    }
    if let Some(limit) = &rule.conditions.false_positive_rate {
        const ASSESSED: u64 = 1_000;
        if let Some(false_positives) = (0..=ASSESSED).find(|n| !limit.max.admits(*n, ASSESSED)) {
            let mut wrong = of("a detection rule wrong once too often");
            for registered in wrong.history.detections.iter_mut().flatten() {
                registered.assessed = ASSESSED;
                registered.false_positives = false_positives;
            }
            all.push(wrong);
        }
        let mut few = of("a detection rule with 19 recorded outcomes");
        for registered in few.history.detections.iter_mut().flatten() {
            registered.assessed = 19;
        }
        all.push(few);
    }
}

/// The authority: not yet, no longer, not authorised, nobody knows, suspended (4.10).
fn authority(envelope: &Envelope, inside: &Inside, all: &mut Vec<Outside>) {
    let of = |name: &str| Outside::of(inside, name, Clause::C4_10);
    for (name, now) in [
        (
            "at the end of the authority window",
            envelope.authority.expires,
        ),
        (
            "a second before the authority window",
            envelope.authority.effective - Duration::seconds(1),
        ),
    ] {
        let mut other = of(name);
        other.now = now;
        other.proposal.expires_at = now + Duration::hours(1);
        all.push(other);
    }
    for (name, authorised, suspended) in [
        (
            "an envelope that is not authorised",
            Some(false),
            Some(false),
        ),
        ("an envelope of which nobody knows", None, Some(false)),
        ("autonomy suspended", Some(true), Some(true)),
        (
            "nobody knows whether autonomy is suspended",
            Some(true),
            None,
        ),
    ] {
        let mut other = of(name);
        other.history.envelope_authorised = authorised;
        other.history.autonomy_suspended = suspended;
        all.push(other);
    }
}

/// «the approver's identity, timestamp, the specific action approved, and the risk assessment» (4.2).
fn recorded(folders: &[Read]) -> Trial {
    let what = "every approved operation rests on verified decisions with identity, time, action and risk (4.2)";
    if folders.is_empty() {
        return trial(
            what,
            NotShown,
            "no evidence was given; export some and name it",
        );
    }
    let mut recorded = Trying::new(what);
    for folder in folders {
        if let Some(failure) = &folder.failure {
            recorded.one(Some(format!("{}: {failure}", folder.name)));
        }
        for operation in folder
            .operations
            .iter()
            .filter(|operation| operation.decided)
        {
            recorded.one(
                operation
                    .approval
                    .clone()
                    .err()
                    .map(|why| format!("{}, operation {}: {why}", folder.name, operation.id)),
            );
        }
    }
    recorded.end(Fails, "each does")
}
