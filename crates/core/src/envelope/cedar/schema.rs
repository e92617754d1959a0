//! The schema: what a request carries.

use super::{NAMESPACE, literal, rule_key};
use crate::envelope::Envelope;
use crate::proposal::ActionKind;

/// Every kind of action; a test holds it against the enumeration.
pub(super) const KINDS: [ActionKind; 11] = [
    ActionKind::Patch,
    ActionKind::ConfigChange,
    ActionKind::ServiceRestart,
    ActionKind::ProcessKill,
    ActionKind::FirewallRule,
    ActionKind::NetworkIsolate,
    ActionKind::HostIsolate,
    ActionKind::CredentialRotate,
    ActionKind::AccountDisable,
    ActionKind::AclChange,
    ActionKind::FileQuarantine,
];

const SCOPE: &str = r#"  // Whom an action reaches, modelled under one rollout concurrency. Shares are parts per billion,
  // rounded up.
  entity Scope = {
    "concurrency"?: Long,              // systems worked on at once; absent: all of them
    "targets": Long,
    "unknown": Long,                   // names that the topology does not know
    "classes": Set<String>,            // of the targets
    "tiers": Set<String>,              // of the targets
    "labels": Set<{"name": String, "value": String}>, // that every target carries
    "sites"?: Set<String>,             // of the targets; absent where one's is unknown
    "exposures"?: Set<String>,         // of the targets; absent where one's is unknown
    "tier": String,                    // the highest in scope
    "systems": Long,                   // in scope
    "disrupted": Long,                 // hard dependents that 4.3 does not excuse
    "degraded_safety_critical": Long,
    "dependents_known": Bool,          // who uses the credential, and what else is in flight
    "counted"?: {                      // this and all within the period; absent where nobody knows
      "per": Long,                     // seconds
      "systems": Long,
      "services": Long,
      "segments": Long,
      "largest_share": Long            // of the systems of any one class in scope
    }
  };
"#;

const CONTEXT: &str = r#"      // Instants are microseconds since 1970, ages are seconds rounded up.
      "now": Long,
      "proposal_expires_at": Long,
      "detected_at": Long,
      "detected_ago": Long,
      "topology_observed_at": Long,    // of the newest part in scope
      "topology_age": Long,            // of the oldest part in scope
      "authorised"?: Bool,             // absent: nobody knows
      "suspended"?: Bool,              // absent: nobody knows
      "severity": Long,                // registered, or else claimed: low 0 to critical 3
      "registered": Bool,              // the detection rule, for this source and agent
      "false_positives"?: {"assessed": Long, "share": Long},
      "irreversible": Bool,            // the executor declares so
      "drilled_ago"?: Long,            // of the class least lately rehearsed; absent: never or unknown
      "staged_ago"?: Long,             // of the class least lately proven; absent: never or unknown
      "in_flight"?: Long,              // operations besides this one
      "calendars": Set<String>,        // that now lies in
      "calendars_undecided": Set<String>,
      // What single rules ask for; absent where nobody knows.
"#;

/// The Cedar schema of requests under `envelope`, in Cedar's own syntax. Every request must be checked
/// against it: the policies rest on what it says is always there.
#[must_use]
pub fn schema(envelope: &Envelope) -> String {
    let mut schema = format!(
        "// What a request under the envelope {}, version {}, carries.\n\
         namespace {NAMESPACE} {{\n  // Who proposes.\n  entity Agent;\n\n{SCOPE}\n  action\n",
        literal::text(&envelope.name),
        envelope.version
    );
    for (number, kind) in KINDS.iter().enumerate() {
        let comma = if number.saturating_add(1) < KINDS.len() {
            ","
        } else {
            ""
        };
        schema.push_str(&format!("    \"{}\"{comma}\n", kind.as_str()));
    }
    schema.push_str(
        "  appliesTo {\n    principal: [Agent],\n    resource: [Scope],\n    context: {\n",
    );
    schema.push_str(CONTEXT);
    let rules: Vec<String> = envelope.rules.iter().filter_map(rule_facts).collect();
    if rules.is_empty() {
        schema.push_str("      \"rules\": {}\n");
    } else {
        schema.push_str(&format!(
            "      \"rules\": {{\n{}\n      }}\n",
            rules.join(",\n")
        ));
    }
    schema.push_str("    }\n  };\n}\n");
    schema
}

/// The record of a rule that asks for facts of its own.
fn rule_facts(rule: &crate::envelope::Rule) -> Option<String> {
    let facts: Vec<&str> = [
        rule.conditions
            .corroboration
            .as_ref()
            .map(|_| "\"independent_sources\"?: Long"),
        rule.conditions
            .error_budget
            .as_ref()
            .map(|_| "\"error_budget\"?: {\"lowest\": Long, \"oldest\": Long}"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!facts.is_empty()).then(|| {
        format!(
            "        {}?: {{{}}}",
            literal::text(&rule_key(rule)),
            facts.join(", ")
        )
    })
}
