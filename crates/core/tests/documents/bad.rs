//! Bad input: each case changes one place of an example; `‸` marks where the error must point.

use countersign_core::diagnostic::{Checked, DocumentError, Level};
use countersign_core::document;

use crate::{ENVELOPE, FIREWALL, HISTORY, PATCH, ROTATION, TOPOLOGY};

/// A change to an example: the text replaced, what replaces it, and the code of the error there.
type Case = (&'static str, &'static str, &'static str);

fn check<T: std::fmt::Debug>(
    example: &str,
    read: impl Fn(&str) -> Result<Checked<T>, DocumentError>,
    cases: &[Case],
) {
    let mut wrong = Vec::new();
    for (from, to, code) in cases {
        assert_eq!(example.matches(from).count(), 1, "`{from}` must stand once");
        let marked = example.replace(from, to);
        let (before, after) = marked.split_once('‸').expect("a mark");
        let line = before.matches('\n').count() as u64 + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count() as u64
            + 1;
        match read(&format!("{before}{after}")) {
            Ok(_) => wrong.push(format!("`{to}` was accepted")),
            Err(error) => {
                let errors: Vec<_> = error
                    .diagnostics
                    .iter()
                    .filter(|d| d.level == Level::Error)
                    .collect();
                let expected = (line, column, *code);
                if !errors
                    .iter()
                    .any(|d| (d.line, d.column, d.code.as_str()) == expected)
                {
                    wrong.push(format!("`{to}`: expected {expected:?}, found {errors:#?}"));
                }
                for d in errors {
                    if (d.line, d.column) == (1, 1) && (line, column) != (1, 1) {
                        wrong.push(format!("`{to}`: without a place: {d:?}"));
                    }
                    if d.message.is_empty()
                        || d.mend.is_empty()
                        || d.message.ends_with('.')
                        || ["serde", "struct ", "u32", "variant", "expected "]
                            .iter()
                            .any(|word| d.message.contains(word) || d.mend.contains(word))
                    {
                        wrong.push(format!("`{to}`: not in the domain's words: {d:?}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn of_an_envelope() {
    check(
        ENVELOPE,
        |text| document::envelope(text),
        &[
            (
                "schema: countersign/envelope/v1",
                "schema: ‸countersign/topology/v1",
                "wrong-schema",
            ),
            ("schema: countersign/envelope/v1\n", "‸", "missing-field"),
            ("version: 7", "version: ‸seven", "wrong-type"),
            ("version: 7", "version: ‸-7", "invalid-value"),
            ("version: 7", "version: ‸7.5", "fraction"),
            ("version: 7", "version: ‸007", "number"),
            (
                "version: 7",
                "version: ‸9007199254740993",
                "number-too-large",
            ),
            ("version: 7", "version: 7\n‸version: 8", "duplicate-key"),
            ("version: 7", "‸versoin: 7", "unknown-field"),
            ("name: northwind-soc", "name: ‸\"\"", "empty-text"),
            ("name: northwind-soc", "name: &n ‸northwind-soc", "anchor"),
            ("name: northwind-soc", "name: !!str ‸northwind-soc", "tag"),
            ("version: 7", "version: ‸*n", "alias"),
            ("agents: [soc-agent]", "agents: [‸1]", "wrong-type"),
            (
                "agents: [soc-agent]",
                "agents: [‸\"soc agent\"]",
                "invalid-value",
            ),
            ("agents: [soc-agent]", "agents: ‸soc-agent", "wrong-type"),
            ("  quorum: 3", "  quorum: ‸0", "zero-quorum"),
            (
                "expires: 2027-01-30T00:00:00Z",
                "expires: ‸2027-02-02T00:00:00Z",
                "window-too-long",
            ),
            (
                "expires: 2027-01-30T00:00:00Z",
                "expires: ‸2026-11-01T00:00:00Z",
                "empty-window",
            ),
            (
                "expires: 2027-01-30T00:00:00Z",
                "expires: ‸tomorrow",
                "invalid-value",
            ),
            (
                "    autonomy: prohibited ",
                "    autonomy: ‸bounded ",
                "safety-critical-autonomy",
            ),
            (
                "    autonomy: prohibited ",
                "    autonomy: ‸allowed ",
                "unknown-value",
            ),
            (
                "  safety-critical:\n",
                "  ‸safety-criticle:\n",
                "unknown-value",
            ),
            (
                "quorum: 2, roles: [ot-safety-officer, soc-lead]",
                "quorum: ‸0, roles: [soc-lead]",
                "zero-quorum",
            ),
            (
                "quorum: 2, roles: [ot-safety-officer, soc-lead]",
                "quorum: 2, roles: ‸[]",
                "quorum-without-roles",
            ),
            (
                "fraction_of_class: \"0.05\"",
                "fraction_of_class: ‸0.05",
                "fraction",
            ),
            (
                "fraction_of_class: \"0.05\"",
                "fraction_of_class: ‸\"5%\"",
                "invalid-value",
            ),
            (
                "segments: 0, fraction_of_class: \"0.05\", per: 24h",
                "segments: 0, per: ‸24",
                "wrong-type",
            ),
            (
                "segments: 0, fraction_of_class: \"0.05\", per: 24h",
                "segments: 0, per: ‸0h",
                "invalid-value",
            ),
            (
                "zone: Europe/London, days",
                "zone: ‸Europe/Londinium, days",
                "unknown-zone",
            ),
            ("to: \"16:30\"", "to: ‸\"08:00\"", "empty-calendar"),
            ("to: \"16:30\"", "to: ‸\"25:00\"", "invalid-value"),
            ("days: [mon, tue,", "days: [mon, ‸tuesday,", "unknown-value"),
            ("to: 2027-01-04", "to: ‸2026-12-01", "dates-reversed"),
            ("to: 2027-01-04", "to: ‸2026-13-01", "invalid-value"),
            (
                "service-up:   { kind: http,",
                "service-up:   { kind: ‸ftp,",
                "unknown-value",
            ),
            (
                "expect: 200, timeout: 2s",
                "expect: 200, timeout: ‸2 s",
                "invalid-value",
            ),
            (
                "expect: 200, timeout: 2s",
                "‸port: 80, timeout: 2s",
                "unknown-field",
            ),
            (
                "expect: 200, timeout: 2s",
                "expect: ‸2000, timeout: 2s",
                "invalid-value",
            ),
            (
                "tls-handshake: { kind: tcp, port: 8443,",
                "tls-handshake: ‸{ kind: tcp,",
                "missing-field",
            ),
            (
                "tls-handshake: { kind: tcp, port: 8443,",
                "tls-handshake: { kind: tcp, port: ‸84430,",
                "invalid-value",
            ),
            ("edr-alive:    {", "‸service-up:    {", "duplicate-key"),
            (
                "  - id: contain-workstation",
                "  - id: ‸routine-patch",
                "duplicate-id",
            ),
            ("actions: [patch]", "actions: ‸[]", "empty-list"),
            (
                "actions: [patch]",
                "actions: [patch, ‸reboot]",
                "unknown-value",
            ),
            ("classes: [linux-server]", "classes: ‸[]", "empty-list"),
            (
                "tiers: [non-critical, production-critical]",
                "tiers: [non-critical, ‸safety-critical]",
                "safety-critical-grant",
            ),
            (
                "severity: { min: low, max: high }",
                "severity: { min: ‸critical, max: high }",
                "severity-reversed",
            ),
            (
                "outside: [london-market-hours, year-end-freeze]",
                "outside: [london-market-hours, ‸freeze]",
                "dangling-reference",
            ),
            (
                "outside: [london-market-hours, year-end-freeze]",
                "inside: [‸freeze]",
                "dangling-reference",
            ),
            (
                "concurrent_operations: { max: 3 }",
                "concurrent_operations: { max: ‸0 }",
                "zero",
            ),
            (
                "health: [service-up, tls-handshake]",
                "health: [service-up, ‸tls]",
                "dangling-reference",
            ),
            (
                "health: [service-up, tls-handshake]",
                "dependents: [‸tls]\n      health: [service-up, tls-handshake]",
                "dangling-reference",
            ),
            (
                "health: [service-up, tls-handshake]",
                "successes: ‸0\n      health: [service-up, tls-handshake]",
                "zero",
            ),
            (
                "health: [service-up, tls-handshake]",
                "alerts: [‸error-rate]\n      health: [service-up, tls-handshake]",
                "alert-of-one-system",
            ),
            ("concurrency: 5", "concurrency: ‸0", "zero"),
            (
                "waves: [\"5%\", \"25%\", \"100%\"]",
                "waves: [\"5%\", ‸\"250%\"]",
                "invalid-value",
            ),
            (
                "breaker: { failures: 0, attempts_per_system: 1 }",
                "breaker: { ‸failure: 0 }",
                "unknown-field",
            ),
            (
                "{ kind: tcp, port: 8443, timeout: 2s }",
                "{ kind: tcp, port: 8443, ‸path: /, timeout: 2s }",
                "unknown-field",
            ),
            (
                "{ kind: tcp, port: 8443, timeout: 2s }",
                "‸{ kind: tcp, timeout: 2s }",
                "missing-field",
            ),
            (
                "rollback: { within: 15m, drilled_within: 92d }",
                "rollback: ‸15m",
                "wrong-type",
            ),
            (
                "    conditions:\n      outside",
                "    ‸<<: {}\n    conditions:\n      outside",
                "merge-key",
            ),
            ("rules:\n", "rules: ‸}\n", "yaml-syntax"),
            (
                "# A Remediation Authority",
                "‸%YAML 1.2\n# A Remediation Authority",
                "yaml-syntax",
            ),
            ("rules:\n", "‸---\nrules:\n", "second-document"),
        ],
    );
}

#[test]
fn of_a_topology() {
    check(
        TOPOLOGY,
        |text| document::topology(text),
        &[
            (
                "source: northwind-cmdb",
                "source: northwind-cmdb\n‸sauce: x",
                "unknown-field",
            ),
            (
                "observed_at: 2026-11-24T01:30:00Z",
                "observed_at: ‸2026-11-24",
                "invalid-value",
            ),
            (
                "- { id: payments, title",
                "- { id: ‸patient-records, title",
                "duplicate-id",
            ),
            ("- { id: web-018,", "- { id: ‸web-017,", "duplicate-id"),
            ("- { id: web-018,", "- { id: ‸payments,", "duplicate-id"),
            ("- { id: web-018,", "- { id: ‸18,", "wrong-type"),
            ("- { id: web-018,", "- { ‸name: web-018,", "unknown-field"),
            ("- { id: web-018,", "- ‸{", "missing-field"),
            (
                "id: plc-1,     class: plc,          tier: safety-critical",
                "id: plc-1,     class: plc,          tier: ‸non-critical",
                "class-is-safety-critical",
            ),
            (
                "id: plc-1,     class: plc,          tier: safety-critical",
                "id: plc-1,     class: plc,          tier: ‸high",
                "unknown-value",
            ),
            (
                "tier: production-critical, service: payments",
                "tier: production-critical, service: ‸payment",
                "dangling-reference",
            ),
            (
                "tier: production-critical, service: payments",
                "tier: production-critical, service: ‸web-017",
                "dangling-reference",
            ),
            (
                "addresses: [10.30.0.1]",
                "addresses: [‸10.30.0.256]",
                "invalid-value",
            ),
            (
                "addresses: [10.30.0.1]",
                "addresses: ‸10.30.0.1",
                "wrong-type",
            ),
            ("min_healthy: 300", "min_healthy: ‸-1", "invalid-value"),
            ("cidr: 10.4.0.0/16", "cidr: ‸10.4.3.9/16", "host-bits"),
            ("cidr: 10.4.0.0/16", "cidr: ‸10.4.0.0", "invalid-value"),
            (
                "class: network-segment, tier: non-critical, cidr: 10.4.0.0/16",
                "class: ‸network-segment, tier: non-critical",
                "segment-without-cidr",
            ),
            (
                "addresses: [10.31.0.17]",
                "cidr: ‸10.31.0.0/24",
                "cidr-without-segment",
            ),
            (
                "labels: { purdue: \"2\" }",
                "labels: { purdue: ‸2 }",
                "wrong-type",
            ),
            (
                "labels: { purdue: \"2\" }",
                "labels: { purdue: \"2\", ‸purdue: \"1\" }",
                "duplicate-key",
            ),
            ("to: scada-1,", "to: ‸scada-2,", "dangling-reference"),
            (
                "- { from: plc-1, ",
                "- { from: ‸plc-2, ",
                "dangling-reference",
            ),
            (
                "kind: control, strength: hard",
                "kind: ‸credential, strength: hard",
                "credential-missing",
            ),
            (
                "kind: control, strength: hard",
                "kind: control, credential: ‸c, strength: hard",
                "credential-unexpected",
            ),
            (
                "to: ehr-app-1, kind: runtime, strength: soft",
                "to: ‸patient-records, kind: credential, credential: c, strength: soft",
                "credential-of-service",
            ),
            (
                "to: ehr-app-1, kind: runtime, strength: soft",
                "to: ehr-app-1, kind: runtime, strength: ‸firm",
                "unknown-value",
            ),
        ],
    );
}

#[test]
fn of_proposals() {
    check(
        FIREWALL,
        |text| document::proposal(text),
        &[
            (
                "\"idempotency_key\": \"soar-7f3e0c1a\"",
                "\"idempotency_key\": ‸\"\"",
                "empty-text",
            ),
            ("\"agent\": \"soc-agent\"", "\"agent\": ‸null", "wrong-type"),
            (
                "\"agent\": \"soc-agent\"",
                "\"agent\": \"soc-agent\", ‸\"agent\": \"other\"",
                "duplicate-key",
            ),
            (
                "\"agent\": \"soc-agent\"",
                "\"agent\": \"soc-agent\", ‸\"approved\": true",
                "unknown-field",
            ),
            (
                "\"agent\": \"soc-agent\"",
                "\"agent\": ‸soc-agent",
                "json-syntax",
            ),
            (
                "\"agent\": \"soc-agent\"",
                "\"agent\": ‸\"soc-\\x\"",
                "json-syntax",
            ),
            (
                "\"agent\": \"soc-agent\"",
                "\"agent\": ‸\"soc\u{202e}agent\"",
                "invalid-value",
            ),
            (
                "\"severity\": \"critical\"",
                "\"severity\": ‸\"severe\"",
                "unknown-value",
            ),
            (
                "\"severity\": \"critical\"",
                "\"severity\": ‸3",
                "wrong-type",
            ),
            (
                "\"severity\": \"critical\"",
                "\"severity\": ‸1e3",
                "fraction",
            ),
            (
                "\"detected_at\": \"2026-11-24T02:14:00Z\"",
                "\"detected_at\": ‸\"2026-11-24 02:14\"",
                "invalid-value",
            ),
            (
                "\"type\": \"firewall-rule\"",
                "\"type\": ‸\"firewall\"",
                "unknown-value",
            ),
            (
                "\"verdict\": \"drop\", \"from\"",
                "\"verdict\": ‸\"allow\", \"from\"",
                "unknown-value",
            ),
            (
                "\"verdict\": \"drop\", \"from\"",
                "‸\"verdit\": \"drop\", \"from\"",
                "unknown-field",
            ),
            (
                "\"from\": \"10.4.0.0/16\"",
                "\"from\": ‸\"10.4.0.1/16\"",
                "host-bits",
            ),
            (
                "\"from\": \"10.4.0.0/16\"",
                "\"from\": ‸\"corp\"",
                "invalid-value",
            ),
            ("\"service\": \"any\"", "\"service\": ‸\"\"", "empty-text"),
            (
                "{ \"systems\": [\"seg-corp\", \"seg-plant\"] }",
                "{ \"systems\": ‸[] }",
                "no-target",
            ),
            (
                "{ \"systems\": [\"seg-corp\", \"seg-plant\"] }",
                "‸{}",
                "missing-field",
            ),
            (
                "{ \"systems\": [\"seg-corp\", \"seg-plant\"] }",
                "{ \"selector\": ‸{} }",
                "empty-selector",
            ),
            (
                "{ \"systems\": [\"seg-corp\", \"seg-plant\"] }",
                "{ \"systems\": [\"a\"], ‸\"selector\": {\"class\": \"plc\"} }",
                "several-fields",
            ),
            (
                "{ \"systems\": [\"seg-corp\", \"seg-plant\"] }",
                "{ ‸\"hosts\": [\"a\"] }",
                "unknown-value",
            ),
            ("\"seg-plant\"]", "‸\"\"]", "invalid-value"),
            ("\"seg-plant\"]", "\"seg-plant\",‸]", "json-syntax"),
            (
                "\"2026-11-24T03:14:00Z\"\n}",
                "\"2026-11-24T03:14:00Z\"\n} ‸x",
                "json-syntax",
            ),
            (
                "\"2026-11-24T03:14:00Z\"\n}",
                "‸\"2026-11-24T03:14:00Z",
                "json-syntax",
            ),
        ],
    );
    check(
        PATCH,
        |text| document::proposal(text),
        &[
            (
                "\"package\": \"openssl\", ",
                "‸\"packages\": [\"openssl\"], ",
                "unknown-field",
            ),
            (
                "{ \"package\": \"openssl\", \"to_version\": \"3.0.15-1\" }",
                "‸{ \"package\": \"openssl\" }",
                "missing-field",
            ),
            (
                "\"to_version\": \"3.0.15-1\"",
                "\"to_version\": ‸3.0",
                "fraction",
            ),
            (
                "\"class\": \"linux-server\"",
                "\"class\": ‸\"\"",
                "invalid-value",
            ),
            ("{ \"env\": \"prod\" }", "{ \"env\": ‸true }", "wrong-type"),
            (
                "{ \"class\": \"linux-server\", \"labels\": { \"env\": \"prod\" } }",
                "‸{ \"class\": null, \"labels\": {} }",
                "empty-selector",
            ),
        ],
    );
    check(
        ROTATION,
        |text| document::proposal(text),
        &[
            (
                "\"updates_dependents\": []",
                "\"updates_dependents\": [‸7]",
                "wrong-type",
            ),
            (
                "\"credential\": \"svc_ehr\"",
                "\"credential\": ‸\"svc ehr\"",
                "invalid-value",
            ),
        ],
    );
}

#[test]
fn of_a_history() {
    check(
        HISTORY,
        |text| document::history(text),
        &[
            (
                "\"envelope_authorised\": true",
                "\"envelope_authorised\": ‸\"true\"",
                "wrong-type",
            ),
            (
                "\"assessed\": 240, \"false_positives\": 2",
                "\"assessed\": 1, \"false_positives\": ‸2",
                "impossible-count",
            ),
            (
                "\"assessed\": 240, \"false_positives\": 2",
                "\"assessed\": ‸9007199254740993, \"false_positives\": 2",
                "number-too-large",
            ),
            (
                "{\"rule\": \"credential-stuffing\", \"source\": \"waf\"",
                "{\"rule\": ‸\"vulnerability-scan\", \"source\": \"scanner-a\"",
                "duplicate-id",
            ),
            (
                "{\"action\": \"patch\"",
                "{\"action\": ‸\"patching\"",
                "unknown-value",
            ),
            ("\"in_flight\": [", "‸\"inflight\": [", "unknown-field"),
        ],
    );
}

#[test]
fn of_lengths() {
    let long = |name: &str, chars: usize| {
        let text = "é".repeat(chars);
        FIREWALL.replacen(
            &format!("\"{name}\": \""),
            &format!("\"{name}\": \"{text}"),
            1,
        )
    };
    for (name, chars) in [
        ("idempotency_key", 201),
        ("title", 501),
        ("summary", 501),
        ("rationale", 10_001),
    ] {
        let errors = crate::errors(document::proposal(long(name, chars)));
        assert!(errors.contains("text-too-long"), "{name}: {errors}");
        assert!(!errors.contains("ééé"), "a message quotes no long text");
    }
    let labels: Vec<String> = (0..65).map(|i| format!("\"l{i}\": \"x\"")).collect();
    let selector = PATCH.replace("\"env\": \"prod\"", &labels.join(", "));
    let errors = crate::errors(document::proposal(selector));
    assert!(
        errors.starts_with("20:65 too-many | `labels` has 65 members; the limit is 64"),
        "{errors}"
    );
    let names: Vec<String> = (0..20_001).map(|i| format!("\"s{i}\"")).collect();
    let targets = FIREWALL.replace("\"seg-corp\"", &names.join(", "));
    let errors = crate::errors(document::proposal(targets));
    assert!(
        errors.starts_with("19:27 too-many | `systems` has 20002 members; the limit is 20000"),
        "{errors}"
    );
}

#[test]
fn of_everything_at_once() {
    let text = TOPOLOGY
        .replace("to: scada-1,", "to: scada-9,")
        .replace("- { id: web-018,", "- { id: web-017,")
        .replace("cidr: 10.8.0.0/16", "cidr: 10.8.0.1/16");
    let errors = crate::errors(document::topology(text));
    let codes: Vec<&str> = errors.lines().filter_map(|l| l.split(' ').nth(1)).collect();
    assert_eq!(codes, ["host-bits", "duplicate-id", "dangling-reference"]);

    let text = TOPOLOGY
        .replace("kind: control", "kind: controls")
        .replace("- { id: web-018,", "- { id: web-018, port: 5,")
        .replace("10.30.0.1", "10.30.0.1.1");
    let errors = crate::errors(document::topology(text));
    let codes: Vec<&str> = errors.lines().filter_map(|l| l.split(' ').nth(1)).collect();
    assert_eq!(codes, ["invalid-value", "unknown-field", "unknown-value"]);
}
