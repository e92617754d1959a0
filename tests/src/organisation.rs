//! Northwind Group: the documents of AG-706's three scenarios at full size, with times relative to now.

use std::fmt::Write as _;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

/// Payment hosts (Scenario A touched 612 of 1,240 hosts before anybody noticed).
pub const PAYMENT_HOSTS: usize = 640;
/// Linux hosts in production, payments included.
pub const LINUX_HOSTS: usize = 1_240;
/// Application servers of the patient records (Scenario B).
pub const RECORD_SERVERS: usize = 14;
/// Hospitals that use the patient records.
pub const HOSPITALS: usize = 3;
/// Clinics that use them.
pub const CLINICS: usize = 26;
/// Controllers of the chemical plant (Scenario C).
pub const CONTROLLERS: usize = 12;
/// The host whose certificate library the new OpenSSL breaks: the third in the order of names.
pub const BREAKS: &str = "pay-0003";
/// The package that breaks it.
pub const PACKAGE: &str = "openssl";
/// The version that breaks it.
pub const BREAKING_VERSION: &str = "3.0.15-1";
/// The system on which rollbacks are rehearsed.
pub const DRILL_SYSTEM: &str = "drill-01";
/// The agent.
pub const AGENT: &str = "soc-agent";

fn utc(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The names of the application servers of the patient records.
#[must_use]
pub fn record_servers() -> Vec<String> {
    (1..=RECORD_SERVERS)
        .map(|n| format!("ehr-app-{n:02}"))
        .collect()
}

/// The envelope, in force from yesterday for 90 days.
#[must_use]
pub fn envelope(now: DateTime<Utc>) -> String {
    format!(
        r#"# Autonomous remediation authority of the SOC agent at Northwind Group (sample).
schema: countersign/envelope/v1
name: northwind-soc
version: 7
description: Autonomous remediation authority of the SOC agent at Northwind Group.

authority:
  board: governance-board
  quorum: 3
  effective: {effective}
  expires: {expires}

agents: [{AGENT}]

tiers:
  safety-critical:
    autonomy: prohibited
    approval: {{ quorum: 2, roles: [ot-safety-officer, soc-lead] }}
  production-critical:
    autonomy: bounded
    approval: {{ quorum: 1, roles: [on-call-engineer, soc-lead] }}
    blast_radius: {{ systems: 10, services: 1, segments: 0, fraction_of_class: "0.05", per: 24h }}
  non-critical:
    autonomy: bounded
    approval: {{ quorum: 1, roles: [on-call-engineer, soc-lead] }}
    blast_radius: {{ systems: 200, services: 5, segments: 1, fraction_of_class: "0.25", per: 24h }}

checks:
  service-up: {{ kind: http, path: /healthz, expect: 200, timeout: 5s }}

rules:
  - id: routine-patch
    actions: [patch]
    targets: {{ classes: [linux-server], tiers: [non-critical, production-critical] }}
    severity: {{ min: low, max: high }}
    conditions:
      corroboration: {{ independent_sources: 1, within: 30m }}
      false_positive_rate: {{ max: "0.05", over: 90d }}
      topology_age: {{ max: 24h }}
      concurrent_operations: {{ max: 3 }}
    rollout:
      canary: 5
      waves: ["5%", "25%", "100%"]
      concurrency: 1
      health: [service-up]
      breaker: {{ failures: 0, attempts_per_system: 1 }}
    rollback: {{ within: 15m, drilled_within: 92d }}
"#,
        effective = utc(now - Duration::days(1)),
        expires = utc(now + Duration::days(89)),
    )
}

/// The topology at full size.
#[must_use]
pub fn topology(now: DateTime<Utc>) -> String {
    let mut yaml = format!(
        "schema: countersign/topology/v1\nobserved_at: {}\nsource: northwind-cmdb\n\nservices:\n",
        utc(now - Duration::minutes(40))
    );
    let mut line = |text: String| {
        yaml.push_str(&text);
        yaml.push('\n');
    };
    line(
        "  - { id: patient-records, title: Electronic health records, tier: safety-critical }"
            .into(),
    );
    line("  - { id: payments, title: Payment processing, tier: production-critical }".into());
    for n in 1..=HOSPITALS {
        line(format!(
            "  - {{ id: hospital-{n}, title: Hospital {n}, tier: safety-critical }}"
        ));
    }
    for n in 1..=CLINICS {
        line(format!(
            "  - {{ id: clinic-{n:02}, title: Clinic {n}, tier: safety-critical }}"
        ));
    }
    line("\nsystems:".into());
    line("  # Scenario B: one database credential, fourteen dependent application servers".into());
    line("  - { id: ehr-db-1, class: database, tier: safety-critical, service: patient-records, addresses: [10.20.0.5], labels: { env: prod, regulated: phi } }".into());
    for (n, id) in (1..).zip(record_servers()) {
        line(format!(
            "  - {{ id: {id}, class: app-server, tier: safety-critical, service: patient-records, addresses: [10.20.1.{n}], labels: {{ env: prod, regulated: phi }} }}"
        ));
    }
    line("  # Scenario C: a segment that holds the control plane of a chemical process".into());
    line(
        "  - { id: seg-corp, class: network-segment, tier: non-critical, cidr: 10.4.0.0/16 }"
            .into(),
    );
    line(
        "  - { id: seg-plant, class: network-segment, tier: non-critical, cidr: 10.8.0.0/16 }"
            .into(),
    );
    line("  - { id: scada-1, class: scada-server, tier: safety-critical, addresses: [10.4.3.9], labels: { purdue: \"2\" } }".into());
    line(
        "  - { id: backup-1, class: backup-server, tier: non-critical, addresses: [10.4.9.20] }"
            .into(),
    );
    for n in 1..=CONTROLLERS {
        line(format!(
            "  - {{ id: plc-{n:02}, class: plc, tier: safety-critical, addresses: [10.8.7.{}], labels: {{ purdue: \"1\" }} }}",
            n + 10
        ));
    }
    line("  # Scenario A: 1,240 Linux hosts, 640 of which carry payments".into());
    for n in 1..=PAYMENT_HOSTS {
        let (site, net) = match n % 3 {
            0 => ("fra", 33),
            1 => ("ldn", 30),
            _ => ("man", 36),
        };
        line(format!(
            "  - {{ id: pay-{n:04}, class: linux-server, tier: production-critical, service: payments, addresses: [10.{net}.{}.{}], labels: {{ env: prod }}, redundancy: {{ group: pay-{site}, min_healthy: 150 }} }}",
            n / 250,
            n % 250 + 1
        ));
    }
    for n in 1..=(LINUX_HOSTS - PAYMENT_HOSTS) {
        line(format!(
            "  - {{ id: web-{n:04}, class: linux-server, tier: non-critical, addresses: [10.41.{}.{}], labels: {{ env: prod }} }}",
            n / 250,
            n % 250 + 1
        ));
    }
    line(format!(
        "  - {{ id: {DRILL_SYSTEM}, class: linux-server, tier: non-critical, addresses: [10.50.0.1], labels: {{ env: drill }} }}"
    ));
    line("\ndependencies:".into());
    for id in record_servers() {
        line(format!(
            "  - {{ from: {id}, to: ehr-db-1, kind: credential, credential: svc_ehr, strength: hard }}"
        ));
        line(format!(
            "  - {{ from: patient-records, to: {id}, kind: runtime, strength: soft }}"
        ));
    }
    for n in 1..=HOSPITALS {
        line(format!(
            "  - {{ from: hospital-{n}, to: {}, kind: runtime, strength: soft }}",
            record_server(n)
        ));
    }
    for n in 1..=CLINICS {
        line(format!(
            "  - {{ from: clinic-{n:02}, to: {}, kind: runtime, strength: soft }}",
            record_server(HOSPITALS + n)
        ));
    }
    for n in 1..=CONTROLLERS {
        line(format!(
            "  - {{ from: plc-{n:02}, to: scada-1, kind: control, strength: hard }}"
        ));
    }
    yaml
}

fn record_server(n: usize) -> String {
    format!("ehr-app-{:02}", (n - 1) % RECORD_SERVERS + 1)
}

/// A detection rule, who vouches for it, and how often it was right.
pub struct Detection {
    /// The rule.
    pub rule: &'static str,
    /// Its source.
    pub source: &'static str,
    /// What the source gets its knowledge from.
    pub upstream: &'static str,
    /// Its registered severity.
    pub severity: &'static str,
    /// Recorded outcomes.
    pub assessed: usize,
    /// Those of them that were false.
    pub false_positives: usize,
    /// What it is often mistaken for.
    pub benign: &'static [&'static str],
}

/// The registered detection rules.
pub const DETECTIONS: [Detection; 3] = [
    Detection {
        rule: "vulnerability-scan",
        source: "scanner-a",
        upstream: "vendor-x",
        severity: "medium",
        assessed: 24,
        false_positives: 1,
        benign: &[],
    },
    Detection {
        rule: "credential-stuffing",
        source: "waf",
        upstream: "vendor-z",
        severity: "high",
        assessed: 21,
        false_positives: 6,
        benign: &["scheduled batch login job"],
    },
    Detection {
        rule: "lateral-movement-smb",
        source: "ndr-sensor-4",
        upstream: "vendor-y",
        severity: "critical",
        assessed: 20,
        false_positives: 8,
        benign: &["nightly backup over SMB"],
    },
];

/// The source that corroborates vulnerabilities.
pub const INVENTORY: &str = "sbom-inventory";

fn detection(id: &str, rule: &Detection, title: &str, now: DateTime<Utc>, signals: Value) -> Value {
    json!({
        "id": id, "rule": rule.rule, "source": rule.source, "title": title,
        "severity": rule.severity, "detected_at": utc(now - Duration::seconds(30)), "signals": signals,
    })
}

/// The in-envelope patch of three non-critical hosts: the autonomous path.
#[must_use]
pub fn small_patch(now: DateTime<Utc>) -> Value {
    json!({
        "idempotency_key": "vuln-small-1",
        "agent": AGENT,
        "detection": detection("scan-77001", &DETECTIONS[0], "CVE-2025-31001 in curl on 3 web hosts", now, json!([])),
        "action": { "type": "patch", "parameters": { "package": "curl", "to_version": "8.9.1-2" } },
        "targets": { "systems": SMALL_PATCH_HOSTS },
        "rationale": "Vendor fix available, three stateless web hosts.",
        "expires_at": utc(now + Duration::hours(2)),
    })
}

/// The hosts of [`small_patch`].
pub const SMALL_PATCH_HOSTS: [&str; 3] = ["web-0010", "web-0011", "web-0012"];

/// Scenario A: 1,240 hosts at once.
#[must_use]
pub fn scenario_a(now: DateTime<Utc>) -> Value {
    json!({
        "idempotency_key": "vuln-CVE-2025-31847-wave",
        "agent": AGENT,
        "detection": detection("scan-2025-31847", &DETECTIONS[0], "CVE-2025-31847 in OpenSSL on 1,240 Linux hosts", now, json!([
            { "source": "scanner-a", "kind": "vulnerability", "observed_at": utc(now - Duration::minutes(4)), "summary": "openssl 3.0.9 found" },
        ])),
        "action": { "type": "patch", "parameters": { "package": PACKAGE, "to_version": BREAKING_VERSION } },
        "targets": { "selector": { "class": "linux-server", "labels": { "env": "prod" } } },
        "rationale": "Medium-severity vulnerability, vendor fix available.",
        "expires_at": utc(now + Duration::hours(23)),
    })
}

/// Scenario B: a rotation that forgets everybody who uses the password, or with `supersedes` the
/// same one that delivers it to all of them.
#[must_use]
pub fn scenario_b(now: DateTime<Utc>, supersedes: Option<&str>) -> Value {
    let mut proposal = json!({
        "idempotency_key": if supersedes.is_some() { "soar-19c2b7-2" } else { "soar-19c2b7" },
        "agent": AGENT,
        "detection": detection("det-90417", &DETECTIONS[1], "Credential stuffing against the patient records API", now, json!([
            { "source": "waf", "kind": "application", "observed_at": utc(now - Duration::minutes(1)), "summary": "3,100 sequential logins from one address range" },
        ])),
        "action": { "type": "credential-rotate", "parameters": {
            "credential": "svc_ehr",
            "updates_dependents": if supersedes.is_some() { record_servers() } else { Vec::new() },
        } },
        "targets": { "systems": ["ehr-db-1"] },
        "rationale": "Rotate the service account that the attack is aimed at.",
        "expires_at": utc(now + Duration::minutes(55)),
    });
    if let (Some(id), Some(members)) = (supersedes, proposal.as_object_mut()) {
        members.insert("supersedes".into(), json!(id));
    }
    proposal
}

/// Scenario C: two harmless-looking /16s.
#[must_use]
pub fn scenario_c(now: DateTime<Utc>) -> Value {
    json!({
        "idempotency_key": "soar-7f3e0c1a",
        "agent": AGENT,
        "detection": detection("det-88121", &DETECTIONS[2], "Anomalous SMB traffic between 10.4.0.0/16 and 10.8.0.0/16", now, json!([
            { "source": "ndr-sensor-4", "kind": "network", "observed_at": utc(now - Duration::seconds(50)), "summary": "SMB writes to 41 hosts in 90 s" },
        ])),
        "action": { "type": "firewall-rule", "parameters": { "verdict": "drop", "from": "10.4.0.0/16", "to": "10.8.0.0/16", "service": "any" } },
        "targets": { "systems": ["seg-corp", "seg-plant"] },
        "rationale": "Contain suspected lateral movement between the corporate and the plant segment.",
        "expires_at": utc(now + Duration::minutes(41)),
    })
}

/// The names of every system that the systems server plays.
#[must_use]
pub fn played_systems() -> Vec<String> {
    let mut names: Vec<String> = (1..=PAYMENT_HOSTS).map(|n| format!("pay-{n:04}")).collect();
    names.extend((1..=LINUX_HOSTS - PAYMENT_HOSTS).map(|n| format!("web-{n:04}")));
    names.extend(record_servers());
    names.extend(["ehr-db-1".to_owned(), DRILL_SYSTEM.to_owned()]);
    names
}

/// A short text of the organisation, for the beginning of the demonstration.
#[must_use]
pub fn summary() -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "Northwind Group: {LINUX_HOSTS} Linux hosts ({PAYMENT_HOSTS} carry payments), a records database with \
         {RECORD_SERVERS} servers of {HOSPITALS} hospitals and {CLINICS} clinics, {CONTROLLERS} plant controllers"
    );
    text
}

#[cfg(test)]
mod tests {
    use countersign_core::assessment::{Verdict, assess};
    use countersign_core::document;
    use countersign_core::scope::Graph;
    use countersign_core::topology::Tier;

    use super::*;

    fn check(proposal: &Value, tier: Tier, systems: u64, down: usize) {
        let now = Utc::now();
        let envelope = document::envelope(envelope(now)).unwrap();
        assert!(envelope.warnings.is_empty(), "{:?}", envelope.warnings);
        let topology = document::topology(topology(now)).unwrap().document;
        let proposal = document::proposal(proposal.to_string()).unwrap().document;
        let assessment = assess(
            Some(&envelope.document),
            &Graph::new(&topology),
            &proposal,
            None,
            now,
        );
        assert_eq!(assessment.verdict, Verdict::NeedsApproval);
        assert_eq!(
            (assessment.scope.tier, assessment.scope.systems),
            (tier, systems)
        );
        let is_down = |entry: &&countersign_core::assessment::ImpactEntry| {
            entry.state == countersign_core::assessment::ImpactState::Down
        };
        assert_eq!(assessment.impact.iter().filter(is_down).count(), down);
    }

    #[test]
    fn the_scenarios_are_at_full_size() {
        let now = Utc::now();
        check(&scenario_a(now), Tier::ProductionCritical, 1_240, 1_240);
        check(&scenario_b(now, None), Tier::SafetyCritical, 15, 14);
        check(&scenario_b(now, Some("item")), Tier::SafetyCritical, 1, 0);
        check(&scenario_c(now), Tier::SafetyCritical, 16, 12);
    }
}
