//! `kill -9` of the real program in the middle of real operations, again and again (DESIGN §8): nothing
//! is applied twice, nothing that was done is missing from the log, nothing acknowledged is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_core::decision::OperationChoice;
use countersign_core::identifier::{Digest, OperationId};
use countersign_core::log::{Entry, EntryKind};
use countersign_wire::operation::OperationState;

use crate::recovery::{Program, program};
use crate::world::World;

/// Kills where nobody says how many; `cargo xtask kill --times N` does.
const TIMES: usize = 10;
/// Longest wait before a kill: about as long as an operation takes.
const LIVES_MS_MAX: u64 = 900;

/// As the executor of the other tests, but each call names its operation.
const EXECUTOR: &str = r#"
read -r input
get() { printf '%s' "$input" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
verb=$(get verb); system=$(get system); operation=$(get operation); file="$DIR/$system"
case "$verb" in
  plan) echo '{"ok":true,"steps":["write it"]}' ;;
  snapshot) printf '{"ok":true,"snapshot":"%s"}\n' "$(cat "$file")" ;;
  apply) echo "apply $operation $system" >> "$DIR/calls"; printf new > "$file"; echo '{"ok":true}' ;;
  revert) printf '%s' "$(get snapshot)" > "$file"; echo '{"ok":true}' ;;
esac
"#;

/// Chance for when to kill; any will do.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

struct Kills {
    world: World,
    program: Option<Program>,
    dice: Dice,
    /// Operations whose beginning was acknowledged.
    begun: BTreeSet<OperationId>,
    /// Decisions whose receipt was given, by log index.
    decided: BTreeMap<u64, Digest>,
    endings: BTreeMap<String, usize>,
}

impl Kills {
    async fn start() -> Self {
        let mut world = World::ready().await;
        world.running.take().unwrap().stop().await.unwrap();
        if let Some(executor) = world.config.executors.first_mut() {
            executor.command = vec!["sh".to_owned(), "-c".to_owned(), EXECUTOR.to_owned()];
        }
        let config = world.folder.path().join("config.json");
        std::fs::write(config, serde_json::to_vec(&world.config).unwrap()).unwrap();
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut kills = Self {
            world,
            program: None,
            dice: Dice(u64::from(seed.subsec_nanos())),
            begun: BTreeSet::new(),
            decided: BTreeMap::new(),
            endings: BTreeMap::new(),
        };
        kills.restart().await;
        kills
    }

    async fn restart(&mut self) {
        let data = self.world.folder.path().join("data");
        let config = self.world.folder.path().join("config.json");
        let program = program(&data, Some(&config)).await;
        self.world.connect(&program.url);
        self.program = Some(program);
    }

    /// Lets it live for a while, then ends it without a word.
    async fn kill(&mut self) {
        let lives = Duration::from_millis(self.dice.below(LIVES_MS_MAX));
        tokio::time::sleep(lives).await;
        let mut program = self.program.take().unwrap();
        program.child.kill().await.unwrap();
        self.restart().await;
    }

    async fn begin(&mut self, number: usize) -> OperationId {
        let proposal = self
            .world
            .proposal(&format!("kill-{number}"), &["web-1", "web-2", "web-3"]);
        let answer = self.world.propose(&proposal).await.unwrap();
        let operation = answer.operation.unwrap();
        self.begun.insert(operation.clone());
        operation
    }

    async fn state(&self, operation: &OperationId) -> OperationState {
        let operation = self.world.operator.operation(operation).await.unwrap();
        operation.summary.state
    }

    /// A person decides about what a kill halted; the receipt is kept.
    async fn decide(&mut self, operation: &OperationId, choice: OperationChoice) {
        let accepted = {
            let cat = self.world.person("cat").await;
            cat.about_operation(operation, choice).await.unwrap()
        };
        self.decided.insert(accepted.index, accepted.decision);
    }

    /// One step towards the end of an operation; whether it has ended.
    async fn towards_the_end(&mut self, operation: &OperationId) -> bool {
        match self.state(operation).await {
            OperationState::Running | OperationState::Held | OperationState::RollingBack => false,
            OperationState::Halted => {
                let shown = self.world.operator.operation(operation).await.unwrap();
                let choice = if self.dice.below(3) == 0 {
                    OperationChoice::Continue { narrowing: None }
                } else if shown.summary.touched > 0 {
                    OperationChoice::RollBack
                } else {
                    OperationChoice::Abort
                };
                self.decide(operation, choice).await;
                false
            }
            OperationState::RollbackFailed => {
                let shown = self.world.operator.operation(operation).await.unwrap();
                if shown.summary.finished_at.is_some() {
                    return true;
                }
                self.decide(operation, OperationChoice::RollBack).await;
                false
            }
            state @ (OperationState::Completed
            | OperationState::RolledBack
            | OperationState::Aborted) => {
                *self.endings.entry(format!("{state:?}")).or_default() += 1;
                true
            }
        }
    }

    /// Holds what the systems, the people and the log say against each other.
    async fn check(&self) {
        let log = self.world.log().await;
        let mut applied: BTreeMap<String, usize> = BTreeMap::new();
        for call in self.world.calls() {
            // Those of the drill, before this test's executor, name no operation.
            if call.starts_with("apply op_") {
                *applied.entry(call).or_default() += 1;
            }
        }
        assert!(!applied.is_empty());
        let twice: Vec<_> = applied.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "applied twice: {twice:?}");
        let of = |entry: &Entry, path: &str| {
            let found = entry.body.pointer(path).and_then(|value| value.as_str());
            found.unwrap_or_default().to_owned()
        };
        let of_kind = |kind: EntryKind| log.iter().filter(move |entry| entry.kind == kind);
        let dispatched: BTreeSet<String> = of_kind(EntryKind::SystemDispatched)
            .map(|entry| {
                let (operation, system) = (of(entry, "/operation"), of(entry, "/record/system"));
                format!("apply {operation} {system}")
            })
            .collect();
        let lost: Vec<_> = applied
            .keys()
            .filter(|call| !dispatched.contains(*call))
            .collect();
        assert!(lost.is_empty(), "done and not in the log: {lost:?}");
        for kind in [EntryKind::OperationStarted, EntryKind::OperationFinished] {
            let told: BTreeSet<String> = of_kind(kind).map(|e| of(e, "/operation")).collect();
            let missing: Vec<_> = self
                .begun
                .iter()
                .filter(|operation| !told.contains(operation.as_str()))
                .collect();
            assert!(missing.is_empty(), "no {kind:?} in the log: {missing:?}");
        }
        for (index, decision) in &self.decided {
            let entry = &log[usize::try_from(*index).unwrap()];
            assert_eq!(entry.kind, EntryKind::DecisionRecorded);
            assert_eq!(of(entry, "/decision"), decision.to_string());
        }
        let recovered = of_kind(EntryKind::OperationRecovered).count();
        println!(
            "{} operations begun, {} applies, {} decisions acknowledged, {} log entries, {recovered} recoveries with systems in flight; ended: {:?}",
            self.begun.len(),
            applied.len(),
            self.decided.len(),
            log.len(),
            self.endings,
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_often_it_is_killed_nothing_runs_twice_and_nothing_is_lost() {
    let times = std::env::var("COUNTERSIGN_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(TIMES);
    let mut kills = Kills::start().await;
    let mut operation = kills.begin(0).await;
    for number in 1..=times {
        kills.kill().await;
        assert!(kills.begun.contains(&operation));
        if kills.towards_the_end(&operation).await {
            operation = kills.begin(number).await;
        }
    }
    // No more kills: everything comes to an end.
    for _ in 0..600 {
        if kills.towards_the_end(&operation).await {
            println!("{times} kills");
            kills.check().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!(
        "{operation} never ended: {:?}",
        kills.state(&operation).await
    );
}
