//! AG-706 4.9: the canary first, then cumulative waves, rounded up.

use super::*;

#[track_caller]
fn check_sizes(total: usize, canary: Option<u32>, declared: &[&str], expected: &[usize]) {
    let rollout = Rollout {
        canary,
        waves: wave_sizes(declared),
        ..Rollout::default()
    };
    let targets = targets(total);
    let waves = waves(&targets, &rollout);
    let sizes: Vec<usize> = waves.iter().map(Vec::len).collect();
    assert_eq!(sizes, expected);
    let order: Vec<SystemId> = waves.into_iter().flatten().collect();
    assert!(order.iter().eq(targets.iter()), "every target once, by id");
}

#[test]
fn waves_are_cumulative_shares_of_all_targets_rounded_up() {
    check_sizes(1240, Some(5), &["5%", "25%", "100%"], &[5, 57, 248, 930]);
    check_sizes(1241, None, &["5%", "100%"], &[63, 1178]);
    check_sizes(3, Some(1), &["1%", "34%", "100%"], &[1, 1, 1]);
    check_sizes(1, None, &["1%"], &[1]);
}

#[test]
fn counts_are_sizes_and_mix_with_shares() {
    check_sizes(100, Some(2), &["10", "50%", "5"], &[2, 10, 38, 5, 45]);
    check_sizes(10, None, &["4294967295"], &[10]);
}

#[test]
fn what_no_wave_reaches_comes_last() {
    check_sizes(1240, Some(5), &["5%"], &[5, 57, 1178]);
    check_sizes(20, Some(5), &[], &[5, 15]);
    check_sizes(20, None, &[], &[20]);
    check_sizes(20, Some(0), &[], &[20]);
}

#[test]
fn empty_waves_are_dropped() {
    check_sizes(5, Some(5), &["5%", "25%", "100%"], &[5]);
    check_sizes(5, Some(9), &["3"], &[5]);
    check_sizes(10, Some(5), &["10%", "50%", "60%"], &[5, 1, 4]);
    check_sizes(10, None, &["50%", "20%", "50%"], &[5, 5]);
    check_sizes(0, Some(5), &["5%"], &[]);
}
