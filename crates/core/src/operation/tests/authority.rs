//! What lets an operation be built: a real quorum's approval, for the targets it signed, and a grant.

use super::*;
use crate::assessment::Verdict;
use crate::briefing::Narrowing;
use crate::decision::fixture::{Fixture, NOW, at};
use crate::decision::{ItemChoice, Quorum, item_rule};
use crate::statement::DecisionKind;

fn web(names: &[&str]) -> BTreeSet<SystemId> {
    names.iter().map(|name| id(name)).collect()
}

/// What two approvers who both choose `choice` authorise.
fn authority(fixture: &Fixture, choice: &ItemChoice) -> Result<Decided, AuthorityError> {
    let decisions: Vec<_> = [&fixture.soc, &fixture.ot]
        .into_iter()
        .map(|person| {
            let signed = person.sign(&fixture.item(person, choice));
            signed.verify(&fixture.roster).unwrap()
        })
        .collect();
    let rule = item_rule(&fixture.briefing, DecisionKind::Approve).unwrap();
    let quorum = Quorum::form(&decisions, &rule, &BTreeSet::new(), at(NOW)).unwrap();
    Decided::new(&quorum)
}

#[track_caller]
fn check_targets(
    narrowing: Option<&[&str]>,
    targets: &[&str],
    expected: Result<(), OperationError>,
) {
    let choice = ItemChoice::Approve {
        narrowing: narrowing.map(|names| Narrowing {
            targets: web(names),
        }),
    };
    let decided = authority(&Fixture::new(), &choice).unwrap();
    assert_eq!(decided.decisions().len(), 2);
    let built = Operation::new(
        OperationId::new("op_1").unwrap(),
        Authority::Decided(decided),
        &web(targets),
        &one_at_a_time(),
    );
    assert_eq!(built.map(|_| ()), expected);
}

#[test]
fn an_operation_runs_on_exactly_the_targets_that_were_signed() {
    let all = ["web-1", "web-2", "web-3"];
    let other = Err(OperationError::OtherTargets);
    check_targets(None, &all, Ok(()));
    check_targets(None, &all[..2], other.clone());
    check_targets(Some(&all[..1]), &all[..1], Ok(()));
    check_targets(Some(&all[..1]), &all[1..2], other.clone());
    check_targets(Some(&all[..1]), &all, other);
}

#[test]
fn only_an_approval_lets_an_operation_begin() {
    assert_eq!(
        authority(&Fixture::new(), &ItemChoice::Reject),
        Err(AuthorityError::NotAnApproval(DecisionKind::Reject))
    );
}

#[test]
fn only_an_autonomous_verdict_with_its_rule_is_a_grant() {
    let mut assessment = Fixture::new().briefing.assessment;
    let rule = crate::identifier::RuleId::new("patch-web").unwrap();
    for (verdict, named, expected) in [
        (Verdict::Autonomous, Some(rule.clone()), true),
        (Verdict::Autonomous, None, false),
        (Verdict::NeedsApproval, Some(rule.clone()), false),
        (Verdict::Refused, Some(rule), false),
    ] {
        assessment.verdict = verdict;
        assessment.rule = named;
        let grant = Autonomous::new(&assessment, digest("envelope"));
        assert_eq!(grant.is_ok(), expected, "{verdict:?}");
    }
}
