//! Against the real ansible-playbook.

use std::collections::BTreeSet;
use std::path::Path;

use countersign_core::operation::Sequence;
use serde_json::json;

use super::*;
use crate::executor::{Call, Verb};

/// A repository whose hosts are folders on this machine.
struct Repository {
    folder: tempfile::TempDir,
    playbooks: Playbooks,
}

const INVENTORY: &str = "[web]\nweb-1\nweb-2\n[gone]\ngone-1 ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1\n[all:vars]\nansible_connection=local\n";

const APPLY: &str = r#"
- hosts: web:gone
  gather_facts: false
  tasks:
    - name: install
      ansible.builtin.copy:
        content: "{{ countersign.action.parameters.to_version }}"
        dest: "{{ inventory_dir }}/{{ inventory_hostname }}.version"
        mode: "0600"
      when: countersign.action.parameters.package != 'breaks'
    - name: refuse
      ansible.builtin.fail: { msg: "no \a disk" }
      when: countersign.action.parameters.package == 'breaks'
"#;

const SNAPSHOT: &str = r#"
- hosts: web
  gather_facts: false
  tasks:
    - ansible.builtin.slurp: { src: "{{ inventory_dir }}/{{ inventory_hostname }}.version" }
      register: version
    - ansible.builtin.set_fact:
        countersign_snapshot: { version: "{{ version.content | b64decode }}" }
"#;

const REVERT: &str = r#"
- hosts: web
  gather_facts: false
  tasks:
    - name: back
      ansible.builtin.copy:
        content: "{{ countersign.snapshot.version }}"
        dest: "{{ inventory_dir }}/{{ inventory_hostname }}.version"
        mode: "0600"
"#;

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("hosts.ini", INVENTORY);
        write("apply.yml", APPLY);
        write("snapshot.yml", SNAPSHOT);
        write("revert.yml", REVERT);
        write(
            "stray.yml",
            "- hosts: web-2\n  tasks: []\n- hosts: localhost\n  tasks: []\n",
        );
        write("web-1.version", "1");
        write("web-2.version", "1");
        let books = PlaybooksConfig {
            apply: "apply.yml".into(),
            snapshot: "snapshot.yml".into(),
            revert: "revert.yml".into(),
        };
        let config = AnsibleConfig {
            repository: folder.path().to_owned(),
            inventory: "hosts.ini".into(),
            playbooks: BTreeMap::from([(ActionKind::Patch, books)]),
            program: None,
        };
        let playbooks = Playbooks::new(&config, &BTreeMap::new(), "60s".parse().unwrap()).unwrap();
        Self { folder, playbooks }
    }

    fn version(&self, system: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{system}.version"))).unwrap()
    }

    async fn ask(&self, verb: Verb, system: &str, package: &str, version: &str) -> String {
        let action =
            json!({"type": "patch", "parameters": {"package": package, "to_version": version}});
        let call = Call {
            verb,
            operation: "op-1".parse().unwrap(),
            sequence: Sequence::new(1),
            attempt: 1,
            system: system.parse().unwrap(),
            action: serde_json::from_value(action).unwrap(),
            evidence: BTreeSet::new(),
            permit: None,
        };
        match self.playbooks.run(&Input::call(&call)).await {
            Ok(answer) => format!(
                "ok {}",
                String::from_utf8(answer.snapshot.unwrap_or_default()).unwrap()
            ),
            Err(ExecutorError::Failed(reason)) => format!("failed {reason}"),
            Err(ExecutorError::Unknown(reason)) => format!("unknown {reason}"),
        }
    }
}

#[tokio::test]
async fn a_host_is_patched_and_put_back() {
    let repository = Repository::new();
    let action = json!({"type": "patch", "parameters": {"package": "curl", "to_version": "2"}});
    let action = serde_json::from_value(action).unwrap();
    let systems = ["web-1", "web-2"].map(|id| id.parse().unwrap()).into();
    let item = "item-1".parse().unwrap();
    let plan = repository
        .playbooks
        .run(&Input::plan(&item, &action, &systems))
        .await
        .unwrap();
    for step in [
        "web-1: install",
        "web-1:   -1",
        "web-1:   +2",
        "web-2: install",
    ] {
        assert!(
            plan.steps.iter().any(|line| line.starts_with(step)),
            "{step}: {:?}",
            plan.steps
        );
    }
    assert_eq!(repository.version("web-1"), "1", "a plan wrote");

    let before = repository.ask(Verb::Snapshot, "web-1", "curl", "2").await;
    assert_eq!(before, r#"ok {"version":"1"}"#);
    assert_eq!(
        repository.ask(Verb::Apply, "web-1", "curl", "2").await,
        "ok "
    );
    assert_eq!(repository.version("web-1"), "2");
    assert_eq!(repository.version("web-2"), "1", "another host was reached");
    let revert = Verb::Revert {
        snapshot: Some(json!({"version": "1"})),
    };
    assert_eq!(repository.ask(revert, "web-1", "curl", "2").await, "ok ");
    assert_eq!(
        repository.ask(Verb::Snapshot, "web-1", "curl", "2").await,
        before
    );
}

#[tokio::test]
async fn what_an_agent_writes_is_never_a_template() {
    let repository = Repository::new();
    let canary = repository.folder.path().join("owned");
    let hostile = format!(
        "{{{{ lookup('pipe', 'touch {}') }}}} ä 😀 \u{7f} \" \\ #",
        canary.display()
    );
    assert_eq!(
        repository.ask(Verb::Apply, "web-1", "curl", &hostile).await,
        "ok "
    );
    assert_eq!(repository.version("web-1"), hostile);
    let snapshot = repository.ask(Verb::Snapshot, "web-1", &hostile, "2").await;
    assert!(snapshot.starts_with("ok "), "{snapshot}");
    let revert = Verb::Revert {
        snapshot: Some(json!({"version": hostile})),
    };
    assert_eq!(repository.ask(revert, "web-1", "curl", "2").await, "ok ");
    assert!(!canary.exists(), "the agent's text ran");
}

#[tokio::test]
async fn failures_are_told_apart() {
    let mut repository = Repository::new();
    assert_eq!(
        repository.ask(Verb::Apply, "web-1", "breaks", "2").await,
        "failed refuse: no   disk"
    );
    let gone = repository.ask(Verb::Apply, "gone-1", "curl", "2").await;
    assert!(gone.starts_with("failed `gone-1` is unreachable"), "{gone}");
    let stranger = repository.ask(Verb::Snapshot, "gone-1", "curl", "2").await;
    assert!(
        stranger.contains("no play of the playbook is for `gone-1`"),
        "{stranger}"
    );
    for pattern in ["all", "web*", "web:gone", "!web-1", "@/etc/passwd", "-v"] {
        let found = repository.ask(Verb::Apply, pattern, "curl", "2").await;
        assert!(found.contains("cannot be a host"), "{pattern}: {found}");
    }
    // The name of a group is no host: the run ends before its first task.
    let group = repository.ask(Verb::Apply, "web", "curl", "2").await;
    assert!(
        group.starts_with("failed the playbook would reach web-1, web-2"),
        "{group}"
    );
    assert_eq!(repository.version("web-1"), "1");

    std::fs::write(repository.folder.path().join("apply.yml"), "- hosts: [\n").unwrap();
    let broken = repository.ask(Verb::Apply, "web-1", "curl", "2").await;
    assert!(
        broken.starts_with("failed ansible-playbook ended with code"),
        "{broken}"
    );
    std::fs::write(
        repository.folder.path().join("apply.yml"),
        "- hosts: web\n  gather_facts: false\n  tasks: [{ ansible.builtin.pause: { seconds: 30 } }]\n",
    )
    .unwrap();
    repository.playbooks.timeout = "4s".parse().unwrap();
    let late = repository.ask(Verb::Apply, "web-1", "curl", "2").await;
    assert_eq!(late, "unknown the executor did not answer within 4s");
}

#[test]
fn a_missing_playbook_is_said_at_the_start() {
    let config = AnsibleConfig {
        repository: Path::new("/no/such/repository").to_owned(),
        inventory: "hosts.ini".into(),
        playbooks: BTreeMap::new(),
        program: None,
    };
    let error = Playbooks::new(&config, &BTreeMap::new(), "1s".parse().unwrap()).unwrap_err();
    assert!(error.contains("/no/such/repository/hosts.ini"), "{error}");
}
