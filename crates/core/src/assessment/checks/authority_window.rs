//! 4.10: the envelope is in force, authorised by a full quorum, and autonomy is not suspended.

use crate::suspension::covering;

use super::super::case::{Case, Found, utc};

pub(super) fn check(case: &Case<'_, '_>) -> Found {
    let Some(envelope) = case.envelope else {
        return Found::fail("no envelope has been authorised, so nothing runs alone");
    };
    let authority = &envelope.authority;
    let window = format!("{} to {}", utc(authority.effective), utc(authority.expires));
    if case.now < authority.effective {
        return Found::fail(format!(
            "the envelope is not in force before {}",
            utc(authority.effective)
        ))
        .against(utc(case.now), window);
    }
    if case.now >= authority.expires {
        return Found::fail(format!(
            "the envelope expired at {}; the {} must authorise it anew",
            utc(authority.expires),
            authority.board
        ))
        .against(utc(case.now), window);
    }
    if authority.expires - authority.effective
        > chrono::Duration::days(crate::envelope::WINDOW_DAYS_MAX)
    {
        return Found::fail(format!(
            "the authority window is longer than {} days",
            crate::envelope::WINDOW_DAYS_MAX
        ))
        .against(utc(case.now), window);
    }
    let authorised = case.history.and_then(|history| history.envelope_authorised);
    let suspended = case.history.and_then(|history| history.autonomy_suspended);
    let by = covering(
        case.history
            .into_iter()
            .flat_map(|history| &history.suspensions),
        &case.proposal.agent,
        case.rule.map(|rule| (envelope.name.as_str(), &rule.id)),
    );
    match (authorised, suspended, by) {
        (Some(false), _, _) => Found::fail(format!(
            "the {} has not authorised this envelope by a full quorum",
            authority.board
        )),
        (_, _, Some(by)) => Found::fail(by.to_string()),
        (_, Some(true), None) => Found::fail("a person has suspended autonomy"),
        (None, _, None) => Found::unknown(format!(
            "nobody can say whether the {} authorised this envelope",
            authority.board
        )),
        (_, None, None) => Found::unknown("nobody can say whether autonomy is suspended"),
        (Some(true), Some(false), None) => Found::pass(format!(
            "authorised, and in force until {}",
            utc(authority.expires)
        )),
    }
    .against(utc(case.now), window)
}
