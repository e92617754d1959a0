//! 4.3, what each kind of action disrupts (DESIGN §4): those that work on a system, credentials and
//! files. Networks have a file of their own.

use serde_json::{Value, json};

use crate::world::{Case, case};

fn config() -> Value {
    json!({"path": "/etc/x", "digest": "00".repeat(32)})
}

fn restart() -> Value {
    json!({"service": "x.service"})
}

fn kill() -> Value {
    json!({"process": "x"})
}

/// The credential of `db-1` is rotated; `app-1` needs it, `app-2` is worse without it.
fn rotate(why: &'static str, updates: &[&str]) -> Case {
    database(case("4.3", why).does(
        "credential-rotate",
        json!({"credential": "svc", "updates_dependents": updates}),
    ))
}

fn database(case: Case) -> Case {
    case.on("database", &["db-1"]).any_share()
}

fn quarantine(why: &'static str, class: &str, target: &str) -> Case {
    case("4.3", why)
        .does(
            "file-quarantine",
            json!({"path": "/x", "digest": "00".repeat(32)}),
        )
        .on(class, &[target])
        .any_share()
}

pub(crate) fn cases() -> Vec<Case> {
    let of = |why| case("4.3", why);
    let mut cases = Vec::new();
    for (kind, parameters, names) in [
        (
            "config-change",
            config(),
            [
                "a config change runs alone",
                "a config change disrupts who needs it",
                "a config change degrades",
            ],
        ),
        (
            "service-restart",
            restart(),
            [
                "a restart runs alone",
                "a restart disrupts who needs it",
                "a restart degrades",
            ],
        ),
    ] {
        let [alone, disrupts, degrades] = names;
        cases.extend([
            of(alone)
                .does(kind, parameters.clone())
                .impact(&["web-01", "web-02", "web-03"], &[]),
            of(disrupts)
                .does(kind, parameters.clone())
                .depends("ws-1", "web-01", "data", "hard")
                .blocks("4.3"),
            of(degrades)
                .does(kind, parameters)
                .depends("ws-1", "web-01", "data", "soft")
                .impact(&["web-01", "web-02", "web-03"], &["ws-1"]),
        ]);
    }
    cases.extend([
        of("a kill disrupts who needs it")
            .does("process-kill", kill())
            .depends("ws-1", "web-01", "control", "hard")
            .blocks("4.3 4.6"),
        of("a kill excuses a dependent that is a target")
            .does("process-kill", kill())
            .depends("web-02", "web-01", "runtime", "hard")
            .blocks("4.6"),
        rotate("a credential that nobody is told", &[])
            .blocks("4.3")
            .scope(2, 1, 0)
            .impact(&["app-1"], &["app-2"]),
        rotate("every dependent is told", &["app-1", "app-2"])
            .scope(1, 1, 0)
            .impact(&[], &[]),
        rotate("only the hard dependent is told", &["app-1"]).impact(&[], &["app-2"]),
        rotate("only the soft dependent is told", &["app-2"])
            .blocks("4.3")
            .impact(&["app-1"], &[]),
        rotate("one of two hard dependents is told", &["app-1"])
            .set("topology/dependencies/1/strength", json!("hard"))
            .blocks("4.3")
            .impact(&["app-2"], &[]),
        rotate(
            "who uses another credential of the system is not disrupted",
            &["app-1", "app-2"],
        )
        .uses("ws-1", "db-1", "other", "hard")
        .impact(&[], &[]),
        rotate(
            "who needs its data is not disrupted by a credential",
            &["app-1", "app-2"],
        )
        .depends("ws-1", "db-1", "data", "hard")
        .impact(&[], &[]),
        rotate(
            "the same name on another system is another credential",
            &["app-1", "app-2"],
        )
        .uses("ws-1", "web-01", "svc", "hard")
        .impact(&[], &[]),
        rotate("whoever needs a forgotten dependent goes down with it", &[])
            .depends("ws-1", "app-1", "runtime", "hard")
            .blocks("4.3")
            .impact(&["app-1", "ws-1"], &["app-2"]),
        rotate("a credential that no dependency names", &[])
            .set("proposal/action/parameters/credential", json!("other"))
            .blocks("4.3?")
            .impact(&[], &[]),
        rotate("a credential belongs to the system that checks it", &[])
            .on("app-server", &["app-1"])
            .blocks("4.3?"),
        rotate("a dependent that is a target is not excused", &[])
            .set("proposal/targets/systems", json!(["db-1", "app-1"]))
            .set(
                "envelope/rules/0/targets/classes",
                json!(["database", "app-server"]),
            )
            .blocks("4.3 4.6 4.11")
            .impact(&["app-1"], &["app-2"]),
        database(of("an account that somebody needs"))
            .does("account-disable", json!({"account": "svc"}))
            .blocks("4.3")
            .impact(&["app-1"], &["app-2"]),
        database(of("an account that nobody needs hard"))
            .does("account-disable", json!({"account": "svc"}))
            .set("topology/dependencies/0/strength", json!("soft"))
            .impact(&[], &["app-1", "app-2"]),
        database(of("an account that no dependency names"))
            .does("account-disable", json!({"account": "ghost"}))
            .blocks("4.3?"),
        database(of("a principal that somebody needs"))
            .does(
                "acl-change",
                json!({"resource": "r", "principal": "svc", "change": "deny"}),
            )
            .blocks("4.3")
            .impact(&["app-1"], &["app-2"]),
        database(of("a principal that nobody needs hard"))
            .does(
                "acl-change",
                json!({"resource": "r", "principal": "svc", "change": "set"}),
            )
            .set("topology/dependencies/0/strength", json!("soft"))
            .impact(&[], &["app-1", "app-2"]),
        database(of("a principal that no dependency names"))
            .does(
                "acl-change",
                json!({"resource": "r", "principal": "ghost", "change": "deny"}),
            )
            .blocks("4.3?"),
        quarantine("a file where no service runs", "workstation", "ws-1")
            .scope(1, 0, 0)
            .impact(&[], &[]),
        quarantine(
            "a file takes down the service that runs there",
            "app-server",
            "app-1",
        )
        .blocks("4.3")
        .impact(&["shop"], &[]),
        quarantine("and whoever needs that service", "app-server", "app-1")
            .depends("ws-1", "shop", "runtime", "hard")
            .depends("ws-2", "shop", "runtime", "soft")
            .blocks("4.3")
            .impact(&["shop", "ws-1"], &["ws-2"]),
        quarantine(
            "whoever needs the system itself keeps it",
            "workstation",
            "ws-1",
        )
        .depends("ws-2", "ws-1", "runtime", "hard")
        .impact(&[], &[]),
    ]);
    cases
}
