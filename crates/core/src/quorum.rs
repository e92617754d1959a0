//! Whether those who agree are enough, and of the right roles (AG-706 4.2; DESIGN §6.4).
//!
//! Each approver holds one of the rule's roles and counts once. With `needed` ≥ the number of roles,
//! every role must be represented by an approver of its own: one person who holds two roles stands
//! for one of them, which is a maximum bipartite matching.

use std::collections::{BTreeMap, BTreeSet};

use crate::assessment::QuorumRule;
use crate::identifier::{ApproverId, Role};

/// What a quorum still lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// How many more approvers, at the least.
    pub approvers: u32,
    /// Roles not yet represented: an approver who holds one of these brings the quorum nearer. Empty
    /// where any eligible approver does.
    pub unrepresented: BTreeSet<Role>,
    /// Roles that make an approver eligible; empty means any approver.
    pub roles: BTreeSet<Role>,
}

/// How far a quorum is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuorumState {
    /// It is complete.
    Satisfied,
    /// It is not.
    Missing(Missing),
}

/// Which mixture of its roles a rule asks for, where as many are needed as there are roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mixture {
    /// Every role is represented (DESIGN §6.4).
    EveryRole,
    /// Any will do, as where fewer are needed: the roles say who counts, and nothing else. No document
    /// can ask for it; it belongs to kinds whose rule is fixed here ([`crate::suspension::rule`]).
    Any,
}

/// Whether a holder of `roles` may count towards `rule` at all.
#[must_use]
pub fn is_eligible(roles: &BTreeSet<Role>, rule: &QuorumRule) -> bool {
    rule.roles.is_empty() || !rule.roles.is_disjoint(roles)
}

/// How far the approvers in `agreed`, each with the roles held, satisfy `rule`. Those who are not
/// eligible do not count. A rule that asks for nobody asks for one.
#[must_use]
pub fn evaluate(rule: &QuorumRule, agreed: &BTreeMap<ApproverId, BTreeSet<Role>>) -> QuorumState {
    evaluate_mixed(rule, Mixture::EveryRole, agreed)
}

/// As [`evaluate`], with this mixture of the roles.
#[must_use]
pub fn evaluate_mixed(
    rule: &QuorumRule,
    mixture: Mixture,
    agreed: &BTreeMap<ApproverId, BTreeSet<Role>>,
) -> QuorumState {
    let needed = rule.needed.max(1);
    let eligible: Vec<&BTreeSet<Role>> = agreed
        .values()
        .filter(|roles| is_eligible(roles, rule))
        .collect();
    let counted = u32::try_from(eligible.len()).unwrap_or(u32::MAX);
    let every_role = match mixture {
        Mixture::EveryRole => u64::from(needed) >= count(rule.roles.len()),
        Mixture::Any => false,
    };
    let (unrepresented, roles_short) = if every_role {
        let represented = represented(&rule.roles, &eligible);
        let short = rule.roles.len().saturating_sub(represented);
        (
            helpful(&rule.roles, &eligible, represented),
            u32::try_from(short).unwrap_or(u32::MAX),
        )
    } else {
        (BTreeSet::new(), 0)
    };
    let approvers = needed.saturating_sub(counted).max(roles_short);
    if approvers == 0 {
        QuorumState::Satisfied
    } else {
        QuorumState::Missing(Missing {
            approvers,
            unrepresented,
            roles: rule.roles.clone(),
        })
    }
}

/// The rule by which one eligible approver of `rule` decides alone: `reject`, `roll_back`, `abort`.
#[must_use]
pub fn any_one_of(rule: &QuorumRule) -> QuorumRule {
    QuorumRule {
        needed: 1,
        roles: rule.roles.clone(),
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Size of a maximum matching of roles to distinct approvers (Kuhn's algorithm).
fn represented(roles: &BTreeSet<Role>, approvers: &[&BTreeSet<Role>]) -> usize {
    let mut stands_for: BTreeMap<usize, &Role> = BTreeMap::new();
    roles
        .iter()
        .filter(|role| augment(role, approvers, &mut stands_for, &mut BTreeSet::new()))
        .count()
}

/// Finds an approver for `role`, moving others to another of their roles where needed. Depth is
/// bounded by the number of approvers, each of whom is tried once.
fn augment<'a>(
    role: &'a Role,
    approvers: &[&BTreeSet<Role>],
    stands_for: &mut BTreeMap<usize, &'a Role>,
    tried: &mut BTreeSet<usize>,
) -> bool {
    for (index, held) in approvers.iter().enumerate() {
        if !held.contains(role) || !tried.insert(index) {
            continue;
        }
        let free = match stands_for.get(&index).copied() {
            None => true,
            Some(other) => augment(other, approvers, stands_for, tried),
        };
        if free {
            stands_for.insert(index, role);
            return true;
        }
    }
    false
}

/// The roles of which one more holder would be represented besides those who are.
fn helpful(roles: &BTreeSet<Role>, approvers: &[&BTreeSet<Role>], now: usize) -> BTreeSet<Role> {
    roles
        .iter()
        .filter(|role| {
            let newcomer = BTreeSet::from([(*role).clone()]);
            let mut more = approvers.to_vec();
            more.push(&newcomer);
            represented(roles, &more) > now
        })
        .cloned()
        .collect()
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.approvers {
            1 => f.write_str("1 more approver")?,
            n => write!(f, "{n} more approvers")?,
        }
        if !self.unrepresented.is_empty() {
            write!(f, "; not yet represented: {}", list(&self.unrepresented))
        } else if !self.roles.is_empty() {
            write!(f, "; one of these roles: {}", list(&self.roles))
        } else {
            Ok(())
        }
    }
}

fn list(roles: &BTreeSet<Role>) -> String {
    roles
        .iter()
        .map(Role::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

impl QuorumState {
    /// Whether the quorum is complete.
    #[must_use]
    pub const fn is_satisfied(&self) -> bool {
        matches!(self, Self::Satisfied)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn roles(text: &str) -> BTreeSet<Role> {
        text.split_whitespace()
            .map(|r| Role::new(r).unwrap())
            .collect()
    }

    fn agreed(holders: &[&str]) -> BTreeMap<ApproverId, BTreeSet<Role>> {
        holders
            .iter()
            .enumerate()
            .map(|(n, held)| (ApproverId::new(format!("p{n}")).unwrap(), roles(held)))
            .collect()
    }

    fn check(needed: u32, rule: &str, holders: &[&str], expected: &str) {
        let rule = QuorumRule {
            needed,
            roles: roles(rule),
        };
        let words = match evaluate(&rule, &agreed(holders)) {
            QuorumState::Satisfied => "satisfied".to_owned(),
            QuorumState::Missing(missing) => missing.to_string(),
        };
        assert_eq!(words, expected, "{rule:?} {holders:?}");
    }

    #[test]
    fn quorums() {
        check(1, "a", &["a"], "satisfied");
        check(1, "a", &["b"], "1 more approver; not yet represented: a");
        check(0, "a", &[], "1 more approver; not yet represented: a");
        check(2, "", &["x"], "1 more approver");
        check(2, "", &["x", ""], "satisfied");
        check(
            2,
            "a b",
            &["a", "a"],
            "1 more approver; not yet represented: b",
        );
        check(2, "a b", &["a", "b"], "satisfied");
        // One person with both roles stands for one of them.
        check(
            2,
            "a b",
            &["a b"],
            "1 more approver; not yet represented: a, b",
        );
        check(2, "a b", &["a b", "a"], "satisfied");
        check(
            2,
            "a b",
            &["a b", "c"],
            "1 more approver; not yet represented: a, b",
        );
        // Fewer needed than roles: any will do.
        check(1, "a b c", &["c"], "satisfied");
        check(
            2,
            "a b c",
            &["c"],
            "1 more approver; one of these roles: a, b, c",
        );
        check(2, "a b c", &["c", "c"], "satisfied");
        // More needed than roles: every role, and the number.
        check(
            3,
            "a b",
            &["a", "b"],
            "1 more approver; one of these roles: a, b",
        );
        check(
            3,
            "a b",
            &["a", "a", "a"],
            "1 more approver; not yet represented: b",
        );
        check(3, "a b", &["a", "a", "a", "b"], "satisfied");
        // A chain that a greedy assignment gets wrong.
        check(3, "a b c", &["a b c", "a b", "a"], "satisfied");
        check(
            3,
            "a b c",
            &["a", "a b", "a b"],
            "1 more approver; not yet represented: c",
        );
    }

    #[test]
    fn any_mixture_of_the_roles_will_do() {
        let rule = QuorumRule {
            needed: 2,
            roles: roles("a b"),
        };
        for (holders, expected) in [
            (&[] as &[&str], "2 more approvers; one of these roles: a, b"),
            (&["a"], "1 more approver; one of these roles: a, b"),
            (&["a b"], "1 more approver; one of these roles: a, b"),
            (&["a", "c"], "1 more approver; one of these roles: a, b"),
            (&["a", "a"], "satisfied"),
            (&["b", "b"], "satisfied"),
            (&["a", "b"], "satisfied"),
            (&["a b", "c", "b"], "satisfied"),
        ] {
            let words = match evaluate_mixed(&rule, Mixture::Any, &agreed(holders)) {
                QuorumState::Satisfied => "satisfied".to_owned(),
                QuorumState::Missing(missing) => missing.to_string(),
            };
            assert_eq!(words, expected, "{holders:?}");
        }
    }

    fn any_roles() -> impl Strategy<Value = BTreeSet<Role>> {
        proptest::collection::btree_set("[a-d]".prop_map(|r| Role::new(r).unwrap()), 0..4)
    }

    proptest! {
        #[test]
        fn one_more_approver_never_unsatisfies(
            needed in 0_u32..5, rule in any_roles(), held in proptest::collection::vec(any_roles(), 0..6), more in any_roles(),
        ) {
            let rule = QuorumRule { needed, roles: rule };
            let mut agreed: BTreeMap<_, _> = held.into_iter().enumerate()
                .map(|(n, held)| (ApproverId::new(format!("p{n}")).unwrap(), held)).collect();
            let before = evaluate(&rule, &agreed);
            agreed.insert(ApproverId::new("z").unwrap(), more);
            let after = evaluate(&rule, &agreed);
            match (before, after) {
                (QuorumState::Satisfied, after) => prop_assert!(after.is_satisfied()),
                (QuorumState::Missing(b), QuorumState::Missing(a)) => prop_assert!(a.approvers <= b.approvers),
                (QuorumState::Missing(b), QuorumState::Satisfied) => prop_assert_eq!(b.approvers, 1),
            }
        }

        #[test]
        fn what_is_satisfied_has_enough_people_and_every_role(
            needed in 0_u32..5, rule in any_roles(), held in proptest::collection::vec(any_roles(), 0..6),
        ) {
            let rule = QuorumRule { needed, roles: rule };
            let agreed: BTreeMap<_, _> = held.iter().cloned().enumerate()
                .map(|(n, held)| (ApproverId::new(format!("p{n}")).unwrap(), held)).collect();
            let eligible: Vec<_> = held.iter().filter(|h| is_eligible(h, &rule)).collect();
            // Hall's theorem, tried on every subset of the roles.
            let list: Vec<_> = rule.roles.iter().cloned().collect();
            let every = (needed.max(1) as usize) < list.len() || (0_u32..1 << list.len()).all(|mask| {
                let subset: BTreeSet<_> = list.iter().enumerate()
                    .filter(|(n, _)| mask >> n & 1 == 1).map(|(_, r)| r.clone()).collect();
                eligible.iter().filter(|h| !h.is_disjoint(&subset)).count() >= subset.len()
            });
            let expected = eligible.len() >= needed.max(1) as usize && every;
            prop_assert_eq!(evaluate(&rule, &agreed).is_satisfied(), expected);
        }
    }
}
