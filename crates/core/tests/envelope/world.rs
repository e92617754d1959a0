//! A small world in which a patch of two web servers runs alone.

use countersign_core::assessment::{self, Assessment, Outcome};
use countersign_core::document;
use countersign_core::scope::Graph;
use serde_json::{Value, json};

pub const NOW: &str = "2026-11-24T02:20:00Z";

/// The documents as JSON, which is YAML too, so that every case goes through the readers.
#[derive(Clone)]
pub struct World {
    pub envelope: Value,
    pub topology: Value,
    pub proposal: Value,
    pub history: Value,
}

pub fn world() -> World {
    let system = |id: &str, more: Value| {
        let mut system = json!({"id": id, "class": "linux-server", "tier": "non-critical"});
        for (name, value) in more.as_object().unwrap() {
            system[name] = value.clone();
        }
        system
    };
    World {
        envelope: json!({
            "schema": "countersign/envelope/v1", "name": "test", "version": 1,
            "authority": {"board": "board", "quorum": 3, "effective": "2026-11-01T00:00:00Z", "expires": "2027-01-30T00:00:00Z"},
            "agents": ["soc-agent"],
            "tiers": {
                "safety-critical": {"autonomy": "prohibited", "approval": {"quorum": 2, "roles": ["ot", "lead"]}},
                "production-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["lead"]},
                    "blast_radius": {"systems": 10, "services": 4, "segments": 1, "per": "24h"}},
                "non-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["oncall"]},
                    "blast_radius": {"systems": 20, "services": 4, "segments": 2, "per": "24h"}}
            },
            "calendars": {"market": {"zone": "Europe/London", "days": ["tue"], "from": "08:00", "to": "16:30"}},
            "checks": {"up": {"kind": "http", "path": "/healthz", "timeout": "2s"}},
            "rules": [{
                "id": "routine", "actions": ["patch"],
                "targets": {"classes": ["linux-server", "database"], "tiers": ["non-critical", "production-critical"]},
                "conditions": {"outside": ["market"]},
                "rollout": {"health": ["up"], "breaker": {"failures": 0, "attempts_per_system": 1}},
                "rollback": {"within": "15m", "drilled_within": "92d"}
            }]
        }),
        topology: json!({
            "schema": "countersign/topology/v1", "observed_at": "2026-11-24T01:30:00Z", "source": "cmdb",
            "services": [{"id": "shop", "tier": "production-critical"}, {"id": "intranet", "tier": "non-critical"}],
            "systems": [
                system("web-1", json!({"service": "intranet", "site": "london", "exposure": "internal"})),
                system("web-2", json!({"service": "intranet", "site": "leeds", "exposure": "public"})),
                system("web-3", json!({})),
                system("db-1", json!({"class": "database", "tier": "production-critical", "service": "shop"})),
            ],
        }),
        proposal: json!({
            "idempotency_key": "k", "agent": "soc-agent",
            "detection": {"id": "d", "rule": "vuln", "source": "scanner", "title": "t", "severity": "medium", "detected_at": "2026-11-24T02:14:00Z"},
            "action": {"type": "patch", "parameters": {"package": "openssl", "to_version": "3"}},
            "targets": {"systems": ["web-1", "web-2"]},
            "expires_at": "2026-11-25T02:14:00Z"
        }),
        history: json!({
            "envelope_authorised": true, "autonomy_suspended": false,
            "drills": [{"action": "patch", "class": "linux-server", "succeeded_at": "2026-10-20T10:00:00Z"},
                       {"action": "patch", "class": "database", "succeeded_at": "2026-10-20T10:00:00Z"}],
            "detections": [{"rule": "vuln", "source": "scanner", "upstream": "x", "agents": ["soc-agent"], "severity": "medium", "assessed": 100, "false_positives": 2}],
            "signals": [], "in_flight": [], "recent": []
        }),
    }
}

impl World {
    /// Sets the member at a JSON pointer; null removes it.
    pub fn set(&mut self, document: &str, pointer: &str, value: Value) {
        let document = match document {
            "envelope" => &mut self.envelope,
            "topology" => &mut self.topology,
            "proposal" => &mut self.proposal,
            "history" => &mut self.history,
            other => panic!("no document {other}"),
        };
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        let parent = document
            .pointer_mut(parent)
            .unwrap_or_else(|| panic!("nothing at {pointer}"));
        if let Some(list) = parent.as_array_mut() {
            list[member.parse::<usize>().unwrap()] = value;
        } else if value.is_null() {
            parent.as_object_mut().unwrap().remove(member);
        } else {
            parent[member] = value;
        }
    }

    /// The assessment, which the slice of history must give as well.
    pub fn assess(&self) -> Assessment {
        let envelope = document::envelope(self.envelope.to_string())
            .unwrap_or_else(|e| panic!("{e}"))
            .document;
        let topology = document::topology(self.topology.to_string())
            .unwrap_or_else(|e| panic!("{e}"))
            .document;
        let proposal = document::proposal(self.proposal.to_string())
            .unwrap_or_else(|e| panic!("{e}"))
            .document;
        let history = document::history(self.history.to_string())
            .unwrap_or_else(|e| panic!("{e}"))
            .document;
        let now = NOW.parse().unwrap();
        let graph = Graph::new(&topology);
        let assess =
            |history| assessment::assess(Some(&envelope), &graph, &proposal, Some(history), now);
        let slice =
            |history| assessment::history_slice(Some(&envelope), &graph, &proposal, history, now);
        let sliced = slice(&history);
        let assessed = assess(&history);
        assert_eq!(assess(&sliced), assessed);
        assert_eq!(slice(&sliced), sliced);
        assessed
    }
}

/// `outcome: message` of the check of 4.1.
pub fn grant(assessment: &Assessment) -> String {
    let finding = assessment
        .findings
        .iter()
        .find(|f| f.check == "envelope_grant")
        .unwrap();
    let outcome = match finding.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::NotEvaluable => "not evaluable",
    };
    let against = match (&finding.measured, &finding.limit) {
        (Some(measured), Some(limit)) => format!(" [{measured} against {limit}]"),
        _ => String::new(),
    };
    format!("{outcome}: {}{against}", finding.message)
}
