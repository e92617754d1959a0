//! Items of the queue in a line each.

use countersign_core::assessment::blocking;
use countersign_core::scope::Graph;
use countersign_core::statement::DecisionKind;
use countersign_wire::client::review::Reviewed;
use countersign_wire::drill::{Notice, NoticeKind};
use countersign_wire::queue::QueueItem;
use countersign_wire::view::{NoticeView, QueueRow};

use super::{briefing, consequence, quote, tier, words};

/// What a line says of an item in our own words; computed once for each briefing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    title: String,
    targets: u64,
    consequence: String,
    why: Vec<String>,
}

impl Glance {
    /// What is proposed, in our own words.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Number of systems that are proposed to be acted on.
    #[must_use]
    pub const fn targets(&self) -> u64 {
        self.targets
    }

    /// From the documents themselves.
    #[must_use]
    pub fn of(reviewed: &Reviewed) -> Self {
        let graph = Graph::new(reviewed.topology());
        let evaluation = briefing::evaluate(reviewed, &graph);
        let action = &reviewed.briefing().proposal.action;
        let mut findings: Vec<_> = blocking(&evaluation.assessment.findings).collect();
        findings.sort_by_key(|finding| briefing::badness(finding.clause));
        Self {
            title: words::title(&graph, action, &evaluation.reach),
            targets: reviewed
                .briefing()
                .waves
                .iter()
                .map(|wave| wave.len() as u64)
                .sum(),
            consequence: consequence::short(&graph, action, &evaluation.reach),
            why: findings
                .into_iter()
                .map(|finding| finding.message.clone())
                .collect(),
        }
    }

    /// From the backend's own account, where the documents were not read.
    #[must_use]
    pub fn claimed(item: &QueueItem) -> Self {
        Self {
            title: format!("{}, in the backend's words", quote::quoted(&item.title)),
            targets: item.targets,
            consequence: match item.down {
                0 => format!(
                    "{} in scope",
                    words::count(item.scope.systems, "system", "systems")
                ),
                n => format!("{} down", words::number(n)),
            },
            why: item.why.iter().map(|why| quote::line(why)).collect(),
        }
    }
}

/// What people should know besides, in our own words.
#[must_use]
pub fn notice(of: &Notice) -> NoticeView {
    let pair = format!(
        "{} on {}",
        of.action.as_str(),
        quote::title(of.class.as_str())
    );
    NoticeView {
        text: match of.kind {
            NoticeKind::DrillFailed => format!(
                "The rollback drill of {pair} failed. Nothing of it runs alone until one passes."
            ),
            NoticeKind::DrillOverdue => format!("The rollback drill of {pair} is overdue."),
        },
        operation: of.operation.as_ref().map(|id| id.as_str().to_owned()),
        since: of.since,
    }
}

/// The line.
#[must_use]
pub fn row(item: &QueueItem, glance: &Glance) -> QueueRow {
    QueueRow {
        id: item.id.as_str().to_owned(),
        title: glance.title.clone(),
        tier: tier(item.scope.tier),
        agent: item.agent.as_str().to_owned(),
        state: item.state,
        consequence: glance.consequence.clone(),
        why: glance.why.clone(),
        systems: item.scope.systems,
        needed: item.quorum.as_ref().map_or(0, |rule| rule.needed),
        approvals: item
            .decisions
            .iter()
            .filter(|decision| decision.kind == DecisionKind::Approve)
            .map(|decision| &decision.approver)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
            .try_into()
            .unwrap_or(u32::MAX),
        received_at: item.received_at,
        expires_at: item.expires_at,
        operation: item.operation.as_ref().map(|id| id.as_str().to_owned()),
    }
}
