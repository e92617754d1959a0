//! The world that a case changes, and what a case expects of it.

use countersign_core::assessment::{self, Assessment, ImpactState, Outcome, Verdict};
use countersign_core::document;
use countersign_core::scope::Graph;
use serde_json::{Value, json};

pub(crate) const NOW: &str = "2026-11-24T02:20:00Z";

/// Documents that are changed before they are read, so that every case goes through the readers.
struct World {
    envelope: Option<Value>,
    topology: Value,
    proposal: Value,
    history: Option<Value>,
    now: String,
}

/// Thirty hosts, three of them targets, everything in order: it runs alone.
fn world() -> World {
    let mut systems: Vec<Value> = (1..=30)
        .map(|n| {
            json!({"id": format!("web-{n:02}"), "class": "linux-server", "tier": "non-critical",
                        "addresses": [format!("10.31.0.{n}")], "labels": {"env": "prod"}})
        })
        .collect();
    systems.extend([
        json!({"id": "db-1", "class": "database", "tier": "production-critical", "service": "shop", "addresses": ["10.40.0.1"]}),
        json!({"id": "app-1", "class": "app-server", "tier": "production-critical", "service": "shop", "addresses": ["10.40.1.1"]}),
        json!({"id": "app-2", "class": "app-server", "tier": "production-critical", "service": "shop", "addresses": ["10.40.1.2"]}),
        json!({"id": "ws-1", "class": "workstation", "tier": "non-critical", "addresses": ["10.50.0.1"]}),
        json!({"id": "ws-2", "class": "workstation", "tier": "non-critical", "addresses": ["10.50.0.2"]}),
        json!({"id": "seg-a", "class": "network-segment", "tier": "non-critical", "cidr": "10.40.0.0/24"}),
        json!({"id": "seg-b", "class": "network-segment", "tier": "non-critical", "cidr": "10.40.1.0/24"}),
        json!({"id": "plc-1", "class": "plc", "tier": "safety-critical", "addresses": ["10.60.0.1"]}),
    ]);
    World {
        envelope: Some(json!({
            "schema": "countersign/envelope/v1", "name": "test", "version": 1,
            "authority": {"board": "board", "quorum": 3, "effective": "2026-11-01T00:00:00Z", "expires": "2027-01-30T00:00:00Z"},
            "agents": ["soc-agent"],
            "tiers": {
                "safety-critical": {"autonomy": "prohibited", "approval": {"quorum": 2, "roles": ["ot", "lead"]}},
                "production-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["oncall", "lead"]},
                    "blast_radius": {"systems": 10, "services": 1, "segments": 0, "fraction_of_class": "0.5", "per": "24h"}},
                "non-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["oncall"]},
                    "blast_radius": {"systems": 20, "services": 1, "segments": 2, "fraction_of_class": "0.5", "per": "24h"}}
            },
            "calendars": {"market": {"zone": "Europe/London", "days": ["tue"], "from": "08:00", "to": "16:30"}},
            "checks": {"up": {"kind": "http", "path": "/healthz", "expect": 200, "timeout": "2s"}},
            "rules": [rule()]
        })),
        topology: json!({
            "schema": "countersign/topology/v1", "observed_at": "2026-11-24T01:30:00Z", "source": "cmdb",
            "services": [{"id": "shop", "tier": "production-critical"}],
            "systems": systems,
            "dependencies": [
                {"from": "app-1", "to": "db-1", "kind": "credential", "credential": "svc", "strength": "hard"},
                {"from": "app-2", "to": "db-1", "kind": "credential", "credential": "svc", "strength": "soft"},
            ]
        }),
        proposal: json!({
            "idempotency_key": "k", "agent": "soc-agent",
            "detection": {"id": "d", "rule": "vuln", "source": "scanner", "title": "t", "severity": "medium", "detected_at": "2026-11-24T02:14:00Z"},
            "action": {"type": "patch", "parameters": {"package": "openssl", "to_version": "3"}},
            "targets": {"systems": ["web-01", "web-02", "web-03"]},
            "expires_at": "2026-11-25T02:14:00Z"
        }),
        history: Some(json!({
            "envelope_authorised": true, "autonomy_suspended": false,
            "drills": [{"action": "patch", "class": "linux-server", "succeeded_at": "2026-10-20T10:00:00Z"}],
            "detections": [{"rule": "vuln", "source": "scanner", "upstream": "x", "agents": ["soc-agent"], "severity": "medium", "assessed": 100, "false_positives": 2}],
            "signals": [{"source": "sbom", "upstream": "own", "systems": ["web-01", "web-02", "web-03"], "observed_at": "2026-11-24T02:05:00Z"}],
            "in_flight": [], "recent": []
        })),
        now: NOW.to_owned(),
    }
}

/// The rule that grants the patch.
pub(crate) fn rule() -> Value {
    json!({
        "id": "routine", "actions": ["patch"],
        "targets": {"classes": ["linux-server"], "tiers": ["non-critical", "production-critical"]},
        "severity": {"min": "low", "max": "high"},
        "conditions": {
            "outside": ["market"],
            "corroboration": {"independent_sources": 1, "within": "15m"},
            "false_positive_rate": {"max": "0.05", "over": "90d"},
            "topology_age": {"max": "24h"},
            "concurrent_operations": {"max": 3}
        },
        "rollout": {"canary": 2, "waves": ["50%", "100%"], "concurrency": 2, "health": ["up"], "breaker": {"failures": 0}},
        "rollback": {"within": "15m", "drilled_within": "92d"}
    })
}

/// The names `web-FROM` to `web-TO`.
pub(crate) fn webs(from: u32, to: u32) -> Vec<String> {
    (from..=to).map(|n| format!("web-{n:02}")).collect()
}

fn pointer<'v>(value: &'v mut Value, path: &str) -> &'v mut Value {
    value
        .pointer_mut(path)
        .unwrap_or_else(|| panic!("the world has no {path}"))
}

impl World {
    /// Sets `path` (`envelope/rules/0/severity`); `/-` appends, null removes.
    fn set(&mut self, path: &str, value: Value) {
        let (document, rest) = path.split_once('/').unwrap();
        let document = match document {
            "envelope" => self.envelope.as_mut().unwrap(),
            "topology" => &mut self.topology,
            "proposal" => &mut self.proposal,
            "history" => self.history.as_mut().unwrap(),
            other => panic!("there is no document {other}"),
        };
        let rest = format!("/{rest}");
        let (parent, member) = rest.rsplit_once('/').unwrap();
        match pointer(document, parent) {
            Value::Object(members) => {
                if value.is_null() {
                    assert!(members.remove(member).is_some(), "{path} is not there");
                } else {
                    members.insert(member.to_owned(), value);
                }
            }
            Value::Array(items) if member == "-" => items.push(value),
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)) => *pointer(other, &format!("/{member}")) = value,
        }
    }

    /// The assessment, and its explanation.
    fn assess(&self) -> (Assessment, String) {
        let envelope = self
            .envelope
            .as_ref()
            .map(|envelope| document::envelope(envelope.to_string()).unwrap().document);
        let topology = document::topology(self.topology.to_string())
            .unwrap()
            .document;
        let proposal = document::proposal(self.proposal.to_string())
            .unwrap()
            .document;
        let history = self
            .history
            .as_ref()
            .map(|history| document::history(history.to_string()).unwrap().document);
        let now = self.now.parse().unwrap();
        let graph = Graph::new(&topology);
        let assess =
            |history| assessment::assess(envelope.as_ref(), &graph, &proposal, history, now);
        let assessment = assess(history.as_ref());
        if let Some(history) = &history {
            let slice = |history| {
                assessment::history_slice(envelope.as_ref(), &graph, &proposal, history, now)
            };
            let sliced = slice(history);
            assert_eq!(assess(Some(&sliced)), assessment, "of the slice");
            assert_eq!(slice(&sliced), sliced, "the slice of the slice");
        }
        let explanation = assessment::explain(&assessment, &graph, &proposal, history.as_ref());
        (assessment, explanation)
    }
}

/// One assessment: what is changed in the world, and what must come of it.
pub(crate) struct Case {
    pub(crate) clause: &'static str,
    pub(crate) why: &'static str,
    world: World,
    blocks: String,
    refused: Option<&'static str>,
    rule: Option<Option<&'static str>>,
    scope: Option<(u64, u64, u64)>,
    tier: Option<&'static str>,
    quorum: Option<(u32, Vec<&'static str>)>,
    impact: Option<(Vec<&'static str>, Vec<&'static str>)>,
    says: Vec<(&'static str, &'static str)>,
    never_says: Vec<(&'static str, &'static str)>,
}

/// A case of `clause`; with nothing more said it runs alone.
pub(crate) fn case(clause: &'static str, why: &'static str) -> Case {
    Case {
        clause,
        why,
        world: world(),
        blocks: String::new(),
        refused: None,
        rule: None,
        scope: None,
        tier: None,
        quorum: None,
        impact: None,
        says: Vec::new(),
        never_says: Vec::new(),
    }
}

/// What a case changes.
impl Case {
    /// Sets `path` (`envelope/rules/0/severity`); `/-` appends, null removes.
    pub(crate) fn set(mut self, path: &str, value: Value) -> Self {
        self.world.set(path, value);
        self
    }

    pub(crate) fn remove(self, path: &str) -> Self {
        self.set(path, Value::Null)
    }

    /// The instant of the assessment alone.
    pub(crate) fn now(mut self, now: &str) -> Self {
        now.clone_into(&mut self.world.now);
        self
    }

    /// Moves the whole world to another instant: everything keeps its age.
    pub(crate) fn at(self, now: &str) -> Self {
        let instant: chrono::DateTime<chrono::Utc> = now.parse().unwrap();
        let from = |minutes: i64| json!(instant + chrono::Duration::minutes(minutes));
        const DAY: i64 = 24 * 60;
        self.now(now)
            .set("proposal/detection/detected_at", from(-6))
            .set("proposal/expires_at", from(DAY))
            .set("history/signals/0/observed_at", from(-15))
            .set("history/drills/0/succeeded_at", from(-30 * DAY))
            .set("topology/observed_at", from(-50))
            .set("envelope/authority/effective", from(-23 * DAY))
            .set("envelope/authority/expires", from(67 * DAY))
    }

    /// Another action, granted and drilled.
    pub(crate) fn does(self, kind: &str, parameters: Value) -> Self {
        let action = match parameters {
            Value::Null => json!({"type": kind}),
            parameters @ (Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_)) => json!({"type": kind, "parameters": parameters}),
        };
        self.set("proposal/action", action)
            .set("envelope/rules/0/actions", json!([kind]))
            .set("history/drills/0/action", json!(kind))
    }

    /// Other targets, all of one class, granted, drilled and seen by a second source.
    pub(crate) fn on(self, class: &str, targets: &[&str]) -> Self {
        self.set("proposal/targets", json!({"systems": targets}))
            .set("history/signals/0/systems", json!(targets))
            .set("envelope/rules/0/targets/classes", json!([class]))
            .set("history/drills/0/class", json!(class))
    }

    /// The hosts `web-FROM` to `web-TO` as targets.
    pub(crate) fn on_webs(self, from: u32, to: u32) -> Self {
        self.set("proposal/targets", json!({"systems": webs(from, to)}))
            .set("history/signals/0/systems", json!(webs(from, to)))
    }

    /// Without a limit on the share of a class.
    pub(crate) fn any_share(self) -> Self {
        self.remove("envelope/tiers/non-critical/blast_radius/fraction_of_class")
            .remove("envelope/tiers/production-critical/blast_radius/fraction_of_class")
    }

    /// `from` depends on `to`.
    pub(crate) fn depends(self, from: &str, to: &str, kind: &str, strength: &str) -> Self {
        self.set(
            "topology/dependencies/-",
            json!({"from": from, "to": to, "kind": kind, "strength": strength}),
        )
    }

    /// `from` authenticates to `to`.
    pub(crate) fn uses(self, from: &str, to: &str, credential: &str, strength: &str) -> Self {
        self.set(
            "topology/dependencies/-",
            json!({"from": from, "to": to, "kind": "credential", "credential": credential, "strength": strength}),
        )
    }

    pub(crate) fn without_envelope(mut self) -> Self {
        self.world.envelope = None;
        self
    }

    pub(crate) fn without_history(mut self) -> Self {
        self.world.history = None;
        self
    }
}

/// What a case expects.
impl Case {
    /// The clauses that block, `?` behind one that cannot be evaluated.
    pub(crate) fn blocks(mut self, clauses: &str) -> Self {
        clauses.clone_into(&mut self.blocks);
        self
    }

    pub(crate) fn refused(mut self, because: &'static str) -> Self {
        self.refused = Some(because);
        self
    }

    pub(crate) fn rule(mut self, rule: &'static str) -> Self {
        self.rule = Some(Some(rule));
        self
    }

    pub(crate) fn no_rule(mut self) -> Self {
        self.rule = Some(None);
        self
    }

    /// Systems, services and segments in scope.
    pub(crate) fn scope(mut self, systems: u64, services: u64, segments: u64) -> Self {
        self.scope = Some((systems, services, segments));
        self
    }

    pub(crate) fn tier(mut self, tier: &'static str) -> Self {
        self.tier = Some(tier);
        self
    }

    pub(crate) fn quorum(mut self, needed: u32, roles: &[&'static str]) -> Self {
        self.quorum = Some((needed, roles.to_vec()));
        self
    }

    /// Who goes down, and who is degraded.
    pub(crate) fn impact(mut self, down: &[&'static str], degraded: &[&'static str]) -> Self {
        self.impact = Some((down.to_vec(), degraded.to_vec()));
        self
    }

    /// The message of a clause contains this.
    pub(crate) fn says(mut self, clause: &'static str, text: &'static str) -> Self {
        self.says.push((clause, text));
        self
    }

    pub(crate) fn never_says(mut self, clause: &'static str, text: &'static str) -> Self {
        self.never_says.push((clause, text));
        self
    }

    pub(crate) fn runs_alone(&self) -> bool {
        self.blocks.is_empty() && self.refused.is_none()
    }

    /// The kind of action proposed.
    pub(crate) fn kind(&self) -> &str {
        self.world
            .proposal
            .pointer("/action/type")
            .and_then(Value::as_str)
            .unwrap()
    }

    /// # Errors
    /// What differs from what is expected.
    pub(crate) fn run(&self) -> Result<(), String> {
        let (assessment, explanation) = self.world.assess();
        let mut differs = self.differences(&assessment);
        differs.extend(unexplained(&assessment, &explanation));
        if differs.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{} {}:\n  {}\n{assessment:#?}",
            self.clause,
            self.why,
            differs.join("\n  ")
        ))
    }

    fn differences(&self, assessment: &Assessment) -> Vec<String> {
        let mut differs = Vec::new();
        let mut same = |what: &str, found: String, expected: String| {
            if found != expected {
                differs.push(format!("{what}: found `{found}`, expected `{expected}`"));
            }
        };
        let all: Vec<String> = assessment.findings.iter().map(clause_of).collect();
        same(
            "clauses",
            all.join(" "),
            "4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9 4.10 4.11 4.12".to_owned(),
        );
        if self.refused.is_none() {
            same("blocking", blocking(assessment), self.blocks.clone());
        }
        let verdict = match (self.refused, self.blocks.is_empty()) {
            (Some(_), _) => Verdict::Refused,
            (None, true) => Verdict::Autonomous,
            (None, false) => Verdict::NeedsApproval,
        };
        same(
            "verdict",
            format!("{:?}", assessment.verdict),
            format!("{verdict:?}"),
        );
        same(
            "a quorum",
            assessment.quorum.is_some().to_string(),
            (verdict == Verdict::NeedsApproval).to_string(),
        );
        let refusal = assessment.refusal.clone().unwrap_or_default();
        match self.refused {
            Some(because) if refusal.contains(because) => {}
            Some(because) => same("refusal", refusal, because.to_owned()),
            None => same("refusal", refusal, String::new()),
        }
        if let Some(rule) = self.rule {
            same(
                "rule",
                format!("{:?}", assessment.rule.as_ref().map(|rule| rule.as_str())),
                format!("{rule:?}"),
            );
        }
        let scope = &assessment.scope;
        if let Some(expected) = self.scope {
            same(
                "systems, services, segments",
                format!("{:?}", (scope.systems, scope.services, scope.segments)),
                format!("{expected:?}"),
            );
        }
        if let Some(tier) = self.tier {
            same("tier", scope.tier.to_string(), tier.to_owned());
        }
        if let Some((needed, roles)) = &self.quorum {
            let found = assessment.quorum.as_ref().map(|quorum| {
                let roles: Vec<&str> = quorum.roles.iter().map(|role| role.as_str()).collect();
                (quorum.needed, roles)
            });
            same(
                "quorum",
                format!("{found:?}"),
                format!("{:?}", Some((*needed, roles.clone()))),
            );
        }
        if let Some(expected) = &self.impact {
            let of = |state| {
                let entries = assessment.impact.iter();
                let ids = entries.filter(|entry| entry.state == state);
                ids.map(|entry| entry.id.as_str()).collect::<Vec<_>>()
            };
            let found = (of(ImpactState::Down), of(ImpactState::Degraded));
            same(
                "down, degraded",
                format!("{found:?}"),
                format!("{expected:?}"),
            );
        }
        let message = |clause: &str| {
            let mut findings = assessment.findings.iter();
            findings
                .find(|finding| clause_of(finding) == clause)
                .map(|finding| finding.message.clone())
                .unwrap_or_default()
        };
        for (clause, text) in &self.says {
            if !message(clause).contains(text) {
                same(clause, message(clause), format!("… {text} …"));
            }
        }
        for (clause, text) in &self.never_says {
            if message(clause).contains(text) {
                same(clause, message(clause), format!("nothing of {text}"));
            }
        }
        differs
    }
}

fn clause_of(finding: &assessment::Finding) -> String {
    let clause = serde_json::to_value(finding.clause).unwrap();
    clause.as_str().unwrap().to_owned()
}

/// What an explanation must have and lacks: every finding that blocks, by sentence and clause. The
/// three that only lack a rule share a sentence. It is short where at most three findings block.
fn unexplained(assessment: &Assessment, explanation: &str) -> Vec<String> {
    const WORDS_MAX: usize = 120;
    let mut lacking = Vec::new();
    let blocking: Vec<_> = assessment::blocking(&assessment.findings).collect();
    for finding in &blocking {
        let clause = clause_of(finding);
        let (told, _) = finding
            .message
            .split_once("; often benign: ")
            .unwrap_or((&finding.message, ""));
        let shares = assessment.rule.is_none() && ["4.4", "4.6", "4.9"].contains(&clause.as_str());
        let expected = if shares {
            clause
        } else {
            format!("{told} ({clause})")
        };
        if !explanation.contains(&expected) {
            lacking.push(format!("explanation lacks `{expected}`: {explanation}"));
        }
    }
    let words = explanation.split_whitespace().count();
    if blocking.len() <= 3 && words > WORDS_MAX {
        lacking.push(format!("explanation of {words} words: {explanation}"));
    }
    lacking
}

fn blocking(assessment: &Assessment) -> String {
    let marked: Vec<String> = assessment
        .findings
        .iter()
        .filter_map(|finding| match finding.outcome {
            Outcome::Pass => None,
            Outcome::Fail => Some(clause_of(finding)),
            Outcome::NotEvaluable => Some(format!("{}?", clause_of(finding))),
        })
        .collect();
    marked.join(" ")
}
