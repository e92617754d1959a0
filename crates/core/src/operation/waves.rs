//! Into which waves the targets fall (AG-706 4.9).

use std::collections::BTreeSet;

use crate::envelope::{Rollout, WaveSize};
use crate::identifier::SystemId;

/// The waves of a rollout over `targets`, in the order of their ids: the canary first, then each
/// declared wave, and whatever no wave reaches in one last wave. Every target is in exactly one
/// wave, and no wave is empty.
///
/// A wave in per cent says how much of *all* targets, canary included, is reached by its end, rounded
/// up: of 1,240 targets `5%` reaches 62, so after a canary of 5 that wave has 57. A wave that reaches
/// no further than the one before it is dropped. A wave given as a count has that many systems.
#[must_use]
pub fn waves(targets: &BTreeSet<SystemId>, rollout: &Rollout) -> Vec<Vec<SystemId>> {
    let total = targets.len();
    let mut rest = targets.iter();
    let canary = WaveSize::Systems(rollout.canary.unwrap_or(0));
    let mut waves = Vec::new();
    let mut reached = 0;
    for size in std::iter::once(canary).chain(rollout.waves.iter().copied()) {
        let end = end(size, reached, total);
        push(&mut waves, &mut rest, end.saturating_sub(reached));
        reached = reached.max(end);
    }
    push(&mut waves, &mut rest, total);
    waves
}

/// How many targets are reached by the end of a wave that begins after `reached` of `total`.
fn end(size: WaveSize, reached: usize, total: usize) -> usize {
    let end = match size {
        WaveSize::Percent(percent) => total.saturating_mul(usize::from(percent)).div_ceil(100),
        WaveSize::Systems(systems) => {
            reached.saturating_add(usize::try_from(systems).unwrap_or(usize::MAX))
        }
    };
    end.min(total)
}

fn push<'a>(
    waves: &mut Vec<Vec<SystemId>>,
    rest: &mut impl Iterator<Item = &'a SystemId>,
    systems: usize,
) {
    let wave: Vec<SystemId> = rest.take(systems).cloned().collect();
    if !wave.is_empty() {
        waves.push(wave);
    }
}
