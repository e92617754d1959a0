//! The invariants, under random interleavings of answers, faults, duplicates, restarts and decisions.

use proptest::prelude::*;

use super::*;

/// What an observer who sees only events and effects holds against the operation.
#[derive(Default)]
struct Observer {
    gates: BTreeMap<Sequence, (SystemId, SystemState)>,
    /// Sequence of the last record of a trip or a hold: older gates no longer count.
    stopped_at: Sequence,
    held: bool,
    tripped: bool,
    going_back: bool,
    applies: BTreeMap<SystemId, u32>,
    touched: Vec<SystemId>,
    recorded: BTreeSet<SystemId>,
    /// The rank among the touched of the last revert of the rollback under way.
    last_revert: Option<usize>,
    back: BTreeSet<SystemId>,
    last_sequence: Sequence,
    ended: Option<Ending>,
}

impl Observer {
    fn see(&mut self, event: &EventKind, effects: &[Effect], limits: &Limits) {
        for effect in effects {
            assert!(effect.sequence > self.last_sequence, "sequences rise");
            self.last_sequence = effect.sequence;
            assert!(
                self.ended.is_none() || matches!(effect.kind, EffectKind::Finished { .. }),
                "nothing after the end"
            );
            match &effect.kind {
                EffectKind::Gate { system, before } => {
                    self.may_dispatch();
                    self.gates
                        .insert(effect.sequence, (system.clone(), *before));
                }
                EffectKind::Snapshot { system, attempt } => {
                    self.came_through_gate(event, system, SystemState::Snapshot);
                    assert!(*attempt <= limits.attempts);
                }
                EffectKind::Apply { system, attempt } => {
                    self.came_through_gate(event, system, SystemState::Apply);
                    let applies = self.applies.entry(system.clone()).or_default();
                    *applies += 1;
                    assert!(*applies <= limits.attempts && *attempt <= limits.attempts);
                    assert!(self.touched.contains(system), "logged before it is sent");
                }
                EffectKind::Revert { system, .. } => {
                    let rank = self.touched.iter().position(|s| s == system);
                    let rank = rank.expect("only touched systems are reverted");
                    assert!(self.last_revert.is_none_or(|last| rank < last), "reverse");
                    assert!(!self.back.contains(system), "what is back is left alone");
                    self.last_revert = Some(rank);
                }
                EffectKind::Baseline { .. }
                | EffectKind::Health { .. }
                | EffectKind::VerifyReverted { .. }
                | EffectKind::StartSoak { .. }
                | EffectKind::StartTimer { .. }
                | EffectKind::Finished { .. } => {}
                EffectKind::Record { record } => self.read(record, effect.sequence),
            }
        }
    }

    fn read(&mut self, record: &Record, sequence: Sequence) {
        match record {
            Record::Tripped { .. } => {
                self.tripped = true;
                self.stopped_at = sequence;
            }
            Record::Held { .. } => {
                self.held = true;
                self.stopped_at = sequence;
            }
            Record::Reopened => self.held = false,
            Record::Continued { .. } => {
                assert!(self.tripped && !self.going_back, "only from a halt");
                self.tripped = false;
                self.held = false;
                self.stopped_at = sequence;
            }
            Record::Touched { system, .. } => {
                if !self.touched.contains(system) {
                    self.touched.push(system.clone());
                }
            }
            Record::System { system, .. } => {
                assert!(self.recorded.insert(system.clone()), "recorded once");
            }
            Record::RollbackBegan { .. } => {
                self.going_back = true;
                self.tripped = true;
                self.last_revert = None;
            }
            Record::SystemReverted {
                system,
                outcome,
                before,
                after,
                ..
            } => {
                if *outcome == SystemState::RolledBack {
                    assert!(before.is_some() && before == after);
                    self.back.insert(system.clone());
                }
            }
            Record::AbortBegan { .. } => {
                self.going_back = true;
                self.tripped = true;
            }
            Record::Finished { ending, .. } => {
                let touched: BTreeSet<SystemId> = self.touched.iter().cloned().collect();
                assert!(touched.is_subset(&self.recorded), "every touched is logged");
                if *ending == Ending::RolledBack {
                    assert_eq!(self.back, touched);
                }
                self.ended = Some(*ending);
            }
            Record::Started { .. }
            | Record::WaveStarted { .. }
            | Record::SoakStarted { .. }
            | Record::AttemptFailed { .. }
            | Record::Reverting { .. }
            | Record::RevertChecked { .. }
            | Record::Recovered { .. } => {}
        }
    }

    fn may_dispatch(&self) {
        assert!(!self.tripped, "no dispatch after a trip or a decision");
        assert!(!self.held, "no dispatch while held");
    }

    fn came_through_gate(&mut self, event: &EventKind, system: &SystemId, step: SystemState) {
        self.may_dispatch();
        let EventKind::GateOpened { sequence } = event else {
            panic!("{step:?} of {system} without a gate");
        };
        assert!(*sequence > self.stopped_at, "an old gate");
        let gate = self.gates.remove(sequence);
        assert_eq!(gate, Some((system.clone(), step)), "its own gate, once");
    }
}

/// An operation, its observer, and all answers ever given.
struct World {
    operation: Operation,
    observer: Observer,
    at: DateTime<Utc>,
    asked: Vec<Effect>,
    given: Vec<EventKind>,
    checks: BTreeSet<CheckId>,
}

impl World {
    fn feed(&mut self, kind: EventKind) {
        let before = self.operation.clone();
        let awaited = awaits(&before, &kind);
        let event = Event {
            at: self.at,
            kind: kind.clone(),
        };
        match step(&mut self.operation, event) {
            Ok(effects) => {
                if !awaited || before.ending().is_some() {
                    assert_eq!(effects, [], "{kind:?} was not awaited");
                    assert_eq!(self.operation, before);
                }
                self.observer.see(&kind, &effects, &before.limits);
                self.asked.extend(effects);
            }
            Err(error) => {
                assert_ne!(error, StepError::Corrupt);
                assert_eq!(self.operation, before, "a refusal changes nothing");
            }
        }
        self.given.push(kind);
        self.inspect();
    }

    fn inspect(&self) {
        let operation = &self.operation;
        let in_flight = operation.systems.iter().filter(|s| s.state.is_in_flight());
        let in_flight = in_flight.count();
        assert_eq!(in_flight, operation.flights.len());
        assert!(in_flight <= operation.limits.concurrency);
        let mut tally = BTreeMap::new();
        for system in &operation.systems {
            *tally.entry(system.state).or_insert(0) += 1;
        }
        assert_eq!(tally, operation.tally);
        let touched: BTreeSet<SystemId> = self.observer.touched.iter().cloned().collect();
        assert_eq!(operation.touched(), touched);
        assert_eq!(
            operation.touched().len() + operation.remaining().len(),
            tally.values().sum::<u64>() as usize
        );
        let stored = serde_json::to_string(operation).unwrap();
        assert_eq!(
            serde_json::from_str::<Operation>(&stored).unwrap(),
            *operation
        );
    }

    /// An answer to an effect, well or ill by `choice`.
    fn answer(&self, effect: &Effect, choice: u8) -> Option<EventKind> {
        let sequence = effect.sequence;
        let reason = "random".to_owned();
        let is_timer = matches!(
            effect.kind,
            EffectKind::StartSoak { .. } | EffectKind::StartTimer { .. }
        );
        if choice == 1 && !is_timer {
            return Some(EventKind::Lost { sequence, reason });
        }
        Some(match &effect.kind {
            EffectKind::Record { .. } | EffectKind::Finished { .. } => return None,
            EffectKind::Gate { .. } if choice == 2 => EventKind::GateClosed { sequence, reason },
            EffectKind::Gate { .. } => EventKind::GateOpened { sequence },
            EffectKind::Baseline { .. } | EffectKind::Health { .. } => {
                let result = match choice {
                    2 | 3 => CheckResult::Fail { measured: reason },
                    4 => CheckResult::NoData { reason },
                    _ => CheckResult::Pass { measured: reason },
                };
                let results = self.checks.iter().cloned().map(|c| (c, result.clone()));
                EventKind::HealthChecked {
                    sequence,
                    results: results.collect(),
                    dependents: BTreeMap::new(),
                }
            }
            EffectKind::StartSoak { .. } => EventKind::SoakEnded { sequence },
            EffectKind::StartTimer { .. } => EventKind::TimerEnded { sequence },
            _ if choice == 2 => EventKind::ExecutorFailed { sequence, reason },
            EffectKind::Snapshot { system, .. } => EventKind::SnapshotTaken {
                sequence,
                digest: digest(system.as_str()),
            },
            EffectKind::VerifyReverted { .. } if choice == 3 => EventKind::SnapshotTaken {
                sequence,
                digest: digest("changed"),
            },
            EffectKind::VerifyReverted { system } => EventKind::SnapshotTaken {
                sequence,
                digest: digest(system.as_str()),
            },
            EffectKind::Apply { .. } => EventKind::Applied { sequence },
            EffectKind::Revert { .. } => EventKind::Reverted { sequence },
        })
    }

    /// Effects whose answer is awaited now.
    fn awaited(&self) -> Vec<Effect> {
        let due = |sequence| is_due(&self.operation, sequence);
        let flights = &self.operation.flights;
        let open = self
            .asked
            .iter()
            .filter(|effect| flights.contains_key(&effect.sequence) || due(effect.sequence));
        open.cloned().collect()
    }

    /// Every second untouched system, every third time.
    fn narrowed(&self, choice: u8) -> Option<BTreeSet<SystemId>> {
        choice.is_multiple_of(3).then(|| {
            let remaining = self.operation.remaining();
            remaining.into_iter().step_by(2).collect()
        })
    }

    fn act(&mut self, action: u8, choice: u8, which: usize) {
        let decision = digest("decision");
        let reason = "random".to_owned();
        match action {
            0 if !self.given.is_empty() => {
                self.feed(self.given[which % self.given.len()].clone());
            }
            1 => self.feed(EventKind::Hold { reason }),
            2 => self.feed(EventKind::RollBack { decision }),
            3 if choice < 3 => self.feed(EventKind::Abort { decision }),
            4 if choice < 6 => self.feed(EventKind::Recovered),
            5..=8 => self.feed(EventKind::Reopened),
            9 => self.at -= seconds(50),
            11 if choice < 20 => self.feed(EventKind::Halt {
                source: "monitor".to_owned(),
                reason,
            }),
            12..=15 => self.feed(EventKind::Continue {
                decisions: BTreeSet::from([decision]),
                narrowed: self.narrowed(choice),
            }),
            10 if !self.asked.is_empty() => {
                // An answer to anything ever asked, awaited or not.
                let effect = self.asked[which % self.asked.len()].clone();
                if let Some(answer) = self.answer(&effect, choice) {
                    self.feed(answer);
                }
            }
            _ => {
                let awaited = self.awaited();
                if !awaited.is_empty() {
                    let effect = awaited[which % awaited.len()].clone();
                    self.at += seconds(i64::from(choice));
                    if let Some(answer) = self.answer(&effect, choice) {
                        self.feed(answer);
                    }
                }
            }
        }
    }

    /// Faults stop: every answer comes, and people decide what waits for them.
    fn calm_down(&mut self) {
        for _ in 0..2_000 {
            if self.operation.ending().is_some() {
                return;
            }
            if let Some(effect) = self.awaited().first().cloned() {
                self.at += seconds(100);
                let answer = self.answer(&effect, 0).unwrap();
                self.feed(answer);
                continue;
            }
            let decision = digest("decision");
            match self.operation.phase {
                Phase::Ready => self.feed(EventKind::Start),
                Phase::Held { .. } => self.feed(EventKind::Reopened),
                Phase::Halted if self.operation.touched().is_empty() => {
                    self.feed(EventKind::Abort { decision });
                }
                Phase::Halted => self.feed(EventKind::RollBack { decision }),
                Phase::Running
                | Phase::Soaking { .. }
                | Phase::CoolingDown { .. }
                | Phase::Aborting { .. }
                | Phase::RollingBack { .. }
                | Phase::Ended { .. } => panic!("stuck: {:#?}", self.operation),
            }
        }
        panic!("no progress: {:#?}", self.operation);
    }
}

/// Whether this is the effect of a timer that is set.
fn is_due(operation: &Operation, sequence: Sequence) -> bool {
    let phase =
        if let Phase::Soaking { timer, .. } | Phase::CoolingDown { timer, .. } = operation.phase {
            Some(timer)
        } else {
            None
        };
    let deadline = operation.deadline.map(|timer| timer.sequence);
    let watch = operation.watch.map(|watch| watch.timer.sequence);
    [phase, deadline, watch].contains(&Some(sequence))
}

/// Whether the event is an answer that the operation waits for, or no answer at all.
fn awaits(operation: &Operation, kind: &EventKind) -> bool {
    match kind {
        EventKind::GateOpened { sequence }
        | EventKind::GateClosed { sequence, .. }
        | EventKind::SnapshotTaken { sequence, .. }
        | EventKind::Applied { sequence }
        | EventKind::Reverted { sequence }
        | EventKind::ExecutorFailed { sequence, .. }
        | EventKind::HealthChecked { sequence, .. }
        | EventKind::Lost { sequence, .. } => operation.flights.contains_key(sequence),
        EventKind::SoakEnded { sequence } | EventKind::TimerEnded { sequence } => {
            is_due(operation, *sequence)
        }
        EventKind::Start
        | EventKind::Hold { .. }
        | EventKind::Reopened
        | EventKind::Halt { .. }
        | EventKind::Continue { .. }
        | EventKind::RollBack { .. }
        | EventKind::Abort { .. }
        | EventKind::Recovered => true,
    }
}

fn rollouts() -> impl Strategy<Value = Rollout> {
    (
        proptest::option::of(0_u32..4),
        prop::sample::select(vec![vec![], vec!["50%"], vec!["2", "60%", "100%"]]),
        any::<bool>(),
        proptest::option::of(0_u32..5),
        any::<bool>(),
        proptest::option::of((0_u32..3, 0_u32..4)),
    )
        .prop_map(
            |(canary, waves, soaks, concurrency, checked, limits)| Rollout {
                per_system: None,
                canary,
                waves: wave_sizes(&waves),
                within: if soaks { soak("5m") } else { None },
                soak: if soaks { soak("1m") } else { None },
                concurrency,
                health: if checked {
                    BTreeSet::from([check("tls"), check("up")])
                } else {
                    BTreeSet::new()
                },
                breaker: limits.and_then(|(failures, attempts)| breaker(failures, attempts)),
                ..Rollout::default()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold(
        number in 1_usize..9,
        rollout in rollouts(),
        is_drill in any::<bool>(),
        actions in proptest::collection::vec((0_u8..90, 0_u8..60, any::<usize>()), 0..120),
    ) {
        let authority = if is_drill { drill() } else { decided(number) };
        let operation = Operation::new(
            OperationId::new("op_1").unwrap(), authority, &targets(number), &rollout,
        ).unwrap();
        let mut world = World {
            operation,
            observer: Observer::default(),
            at: midnight(),
            asked: Vec::new(),
            given: Vec::new(),
            checks: rollout.health,
        };
        world.feed(EventKind::Start);
        for (action, choice, which) in actions {
            world.act(action, choice, which);
        }
        world.calm_down();
        prop_assert_eq!(world.observer.ended, world.operation.ending());
        // The end is the end, whatever comes.
        for kind in world.given.clone() {
            world.feed(kind);
        }
    }

    #[test]
    fn every_target_is_in_exactly_one_wave(number in 0_usize..300, rollout in rollouts()) {
        let targets = targets(number);
        let waves = waves(&targets, &rollout);
        prop_assert!(waves.iter().all(|wave| !wave.is_empty()));
        prop_assert!(waves.iter().flatten().eq(targets.iter()));
    }
}
