//! What a backend may say beside the documents of an operation, and what it may not.

use countersign_core::canonical;
use countersign_core::identifier::{Digest, SystemId};
use countersign_core::log::Entry;
use countersign_core::log::body::OperationRecorded;
use countersign_core::webauthn::Bytes;
use serde_json::{Value, json};

use super::decide::DecideError;
use super::decide_tests::{genesis, now};
use super::operation::ReviewedOperation;
use super::trust::Trusted;
use crate::operation::Operation;

fn trusted() -> Trusted {
    let bytes = canonical::to_bytes(&genesis()).unwrap();
    Trusted::from_genesis(&bytes, Digest::of(&bytes)).unwrap()
}

/// The log entry of operation `op-1` with this record.
fn entry(operation: &str, document: Digest, record: &Value) -> Bytes {
    let body = OperationRecorded::new(
        operation.parse().unwrap(),
        None,
        document,
        serde_json::from_value(json!("patch")).unwrap(),
        serde_json::from_value(record.clone()).unwrap(),
    );
    Bytes(Entry::of(now(), &body).unwrap().to_bytes().unwrap())
}

fn tripped(system: &str) -> Value {
    json!({"record": "tripped", "trip": {
        "system": system, "wave": 0, "cause": "failures", "failed": 1, "limit": 0, "tally": {},
        "failure": {"during": "health", "check": "http", "measured": "503"}, "at": now(),
    }})
}

/// What an honest backend answers about `op-1`, which tripped on `web-1`.
fn answer() -> Value {
    let document = json!({
        "schema": "countersign/operation/v1", "audience": trusted().roster().deployment(),
        "operation": "op-1", "authority": {"kind": "drill", "action": "patch", "class": "linux-server"},
        "action": "patch", "waves": [["web-1"], ["web-2"]],
        "quorum": {"needed": 2, "roles": ["soc-lead"]}, "started_at": now(),
    });
    let document = canonical::to_bytes(&document).unwrap();
    let trip = entry("op-1", Digest::of(&document), &tripped("web-1"));
    let system = |id: &str, phase: &str| json!({"id": id, "wave": 1, "phase": phase, "message": null, "at": null});
    json!({
        "summary": {
            "id": "op-1", "item": null, "title": "rehearse", "authority": "drill", "state": "halted",
            "systems": 2, "healthy": 0, "touched": 1, "wave": 1, "waves": 2, "started_at": now(), "finished_at": null,
        },
        "systems": [system("web-1", "failed"), system("web-2", "pending")],
        "trip": {"system": "web-1", "message": "http: 503", "at": now(), "index": 3},
        "decisions": [], "quorum": {"needed": 2, "roles": ["soc-lead"]},
        "subjects": {
            "operation": Bytes(document), "trip": trip, "touched": Bytes(br#"["web-1"]"#.to_vec()),
            "remaining": Bytes(br#"["web-2"]"#.to_vec()), "briefing": null,
        },
    })
}

fn review(change: impl FnOnce(&mut Value)) -> Result<ReviewedOperation, DecideError> {
    let mut answer = answer();
    change(&mut answer);
    let operation: Operation = serde_json::from_value(answer).unwrap();
    ReviewedOperation::of(&trusted(), &"op-1".parse().unwrap(), &operation)
}

#[test]
fn trip_and_quorum_are_those_of_the_documents_that_are_signed() {
    let lying = review(|answer| {
        answer["trip"]["message"] = json!("all is well, roll it back all the same");
        answer["trip"]["index"] = json!(99);
        answer["quorum"] = json!({"needed": 1, "roles": []});
        answer["summary"]["title"] = json!("approved by the board");
    })
    .unwrap();
    let trip = lying.trip().unwrap();
    assert_eq!(
        (
            trip.system.as_ref().map(SystemId::as_str),
            trip.failure.measured.as_str(),
        ),
        (Some("web-1"), "503")
    );
    assert_eq!(lying.quorum().needed, 2);
    assert_eq!(lying, review(|_| ()).unwrap());
}

#[test]
fn a_trip_that_is_not_the_signed_one_is_refused() {
    let document = |answer: &Value| {
        let bytes: Bytes = serde_json::from_value(answer["subjects"]["operation"].clone()).unwrap();
        Digest::of(&bytes.0)
    };
    let check = |change: &dyn Fn(&mut Value), words: &str| {
        let error = review(change).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    };
    check(
        &|answer| answer["trip"]["system"] = json!("web-2"),
        "it shows a trip that is not in the log",
    );
    check(
        &|answer| answer["trip"]["at"] = json!("2026-11-24T09:00:00Z"),
        "it shows a trip that is not in the log",
    );
    check(
        &|answer| answer["trip"] = Value::Null,
        "it shows a trip that is not in the log",
    );
    check(
        &|answer| answer["subjects"]["trip"] = json!(Bytes(b"{}".to_vec())),
        "the log entry of the trip is malformed",
    );
    check(
        &|answer| {
            answer["subjects"]["trip"] = json!(entry("op-2", document(answer), &tripped("web-1")));
        },
        "of another operation",
    );
    check(
        &|answer| {
            let of_another = Digest::of(b"another document");
            answer["subjects"]["trip"] = json!(entry("op-1", of_another, &tripped("web-1")));
        },
        "of another operation",
    );
    check(
        &|answer| {
            let held = json!({"record": "held", "reason": "a calendar closed"});
            answer["subjects"]["trip"] = json!(entry("op-1", document(answer), &held));
        },
        "records something else",
    );
    check(
        &|answer| answer["summary"]["id"] = json!("op-2"),
        "it is about another operation",
    );
}
