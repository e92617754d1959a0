//! Deciding: what was shown is what is signed, or nothing is.

use std::collections::BTreeSet;

use countersign_core::assessment::Clause;
use countersign_core::briefing::Narrowing;
use countersign_core::decision::{ItemChoice, OperationChoice};
use countersign_core::identifier::{Digest, SystemId};
use countersign_core::statement::{CheckpointReference, RiskLevel};
use countersign_wire::client::decide::{DecideError, Decider, Prepared, Reasons};
use countersign_wire::client::operation::ReviewedOperation;
use countersign_wire::client::review::Reviewed;
use countersign_wire::operation::Operation;
use countersign_wire::problem::Problem;
use countersign_wire::queue::QueueItem;
use countersign_wire::view::{DecideOutcome, DecideRequest, DecisionPreview, FindingView, MayView};
use serde::de::DeserializeOwned;

use super::looking::identifier;
use super::{Console, SignedIn, problem};
use crate::view::may::Dispatch;
use crate::view::{briefing, operation, preview};

/// The longest rationale, bytes.
const RATIONALE_BYTES_MAX: usize = 16 << 10;

/// What the window asks to sign, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// About an item.
    Item(ItemChoice),
    /// About an operation.
    Operation(OperationChoice),
}

/// An operation as it is now.
struct Operated {
    operation: Operation,
    reviewed: ReviewedOperation,
    title: String,
}

/// An item or operation as it is now, equal to what was shown.
enum Shown {
    Item(Box<Reviewed>, Box<QueueItem>, Dispatch, ItemChoice),
    Operation(Box<Operated>, OperationChoice),
}

impl Console {
    /// What will be signed, in one sentence, and what it would bring about.
    ///
    /// # Errors
    /// As [`Console::decide`], before any key is asked.
    pub async fn preview_decision(
        &self,
        request: &DecideRequest,
    ) -> Result<DecisionPreview, Problem> {
        let signed_in = self.signed_in().await?;
        let deployment = signed_in.trusted.genesis().name.clone();
        match self.shown(&signed_in, request).await? {
            Shown::Item(reviewed, item, _, choice) => {
                self.seen_by(signed_in, move |viewer| {
                    preview::item(
                        &reviewed,
                        &item,
                        &choice,
                        viewer.roster,
                        viewer.approver,
                        &deployment,
                    )
                })
                .await
            }
            Shown::Operation(operated, choice) => Ok(preview::operation(
                &operated.reviewed,
                &operated.title,
                &choice,
                &deployment,
            )),
        }
    }

    /// Has the key sign a decision, and sends it.
    ///
    /// # Errors
    /// Nothing is signed where what was shown is no longer so, where the backend's assessment
    /// differs from the console's, where the person may not decide, and, to approve or continue, where the
    /// log was not verified just now or ever contradicted itself.
    pub async fn decide(&self, request: &DecideRequest) -> Result<DecideOutcome, Problem> {
        let mut signed_in = self.signed_in().await?;
        let choice = choice(request)?;
        let approves = matches!(
            choice,
            Choice::Item(ItemChoice::Approve { .. })
                | Choice::Operation(OperationChoice::Continue { .. })
        );
        match self.follow().await {
            Ok(witness) => signed_in.witness = witness,
            Err(problem) if approves => return Err(problem),
            // Stopping something is never stopped. What was verified last is what is pinned.
            Err(_) => signed_in.witness = self.trusted()?.2,
        }
        let checkpoint = signed_in.witness.last.ok_or_else(|| {
            problem(
                "log_unverified",
                "the log was never verified",
                "the log was never verified here; reconnect and try again",
            )
        })?;
        let reasons = reasons(request)?;
        let shown = self.shown(&signed_in, request).await?;
        let prepared = self.prepare(&signed_in, shown, reasons, checkpoint).await?;
        let (unsigned, assertion) = self
            .ask_key(&request.key, |now| {
                let unsigned = prepared.statement(&signed_in.trusted, now)?;
                let challenge = unsigned.challenge().clone();
                Ok((unsigned, challenge))
            })
            .await?;
        let signed = unsigned.signed(&signed_in.trusted, assertion)?;
        let accepted = self.noticing(signed.submit(&signed_in.client, &signed_in.trusted).await)?;
        Ok(DecideOutcome {
            decision: signed.digest().to_string(),
            index: accepted.index,
            complete: accepted.complete,
            missing: accepted.missing,
            operation: accepted.operation.map(|id| id.as_str().to_owned()),
        })
    }

    /// Fetches what is decided about and holds it against what was shown.
    async fn shown(&self, signed_in: &SignedIn, request: &DecideRequest) -> Result<Shown, Problem> {
        let shown: Digest =
            request
                .shown
                .parse()
                .map_err(|error: countersign_core::identifier::DigestError| {
                    problem("digest_malformed", "not a digest", error.to_string())
                })?;
        match choice(request)? {
            Choice::Item(choice) => {
                let (reviewed, item, dispatch) = self.review(signed_in, &request.id).await?;
                if reviewed.digest() != shown || item.briefing != shown {
                    return Err(DecideError::NotWhatWasShown.into());
                }
                Ok(Shown::Item(
                    Box::new(reviewed),
                    Box::new(item),
                    dispatch,
                    choice,
                ))
            }
            Choice::Operation(choice) => {
                let (operation, reviewed, title) =
                    self.fetch_operation(signed_in, &request.id).await?;
                if reviewed.shown().map_err(DecideError::from)? != shown {
                    return Err(DecideError::NotWhatWasShown.into());
                }
                let operated = Operated {
                    operation,
                    reviewed,
                    title,
                };
                Ok(Shown::Operation(Box::new(operated), choice))
            }
        }
    }

    async fn prepare(
        &self,
        signed_in: &SignedIn,
        shown: Shown,
        reasons: Reasons,
        checkpoint: CheckpointReference,
    ) -> Result<Prepared, Problem> {
        let decider = Decider {
            approver: signed_in.approver.clone(),
            checkpoint,
        };
        let again = SignedIn {
            client: signed_in.client.clone(),
            trusted: signed_in.trusted.clone(),
            approver: signed_in.approver.clone(),
            witness: signed_in.witness.clone(),
        };
        match shown {
            Shown::Item(reviewed, item, dispatch, choice) => {
                let approves = matches!(choice, ItemChoice::Approve { .. });
                let looked_at = reviewed.clone();
                let view = self
                    .seen_by(again, move |viewer| {
                        briefing::view(&looked_at, &item, dispatch, viewer)
                    })
                    .await?;
                if !reviewed.differences().is_empty() {
                    return Err(DecideError::Disagreement(reviewed.differences().to_vec()).into());
                }
                permitted(if approves {
                    view.may_approve
                } else {
                    view.may_reject
                })?;
                if approves {
                    acknowledged(&view.blocking, &reasons)?;
                }
                self.noticing(
                    Prepared::for_item(&signed_in.client, *reviewed, choice, reasons, decider)
                        .await,
                )
            }
            Shown::Operation(operated, choice) => {
                let reviewed = operated.reviewed.clone();
                let stood_for = Digest::of(b"");
                let view = self
                    .seen_by(again, move |viewer| {
                        let Operated {
                            operation,
                            reviewed,
                            title,
                        } = *operated;
                        operation::view(&operation, &reviewed, title, stood_for, viewer)
                    })
                    .await?;
                permitted(match choice {
                    OperationChoice::Continue { .. } => view.may_continue,
                    OperationChoice::RollBack => view.may_roll_back,
                    OperationChoice::Abort => view.may_abort,
                })?;
                self.noticing(
                    Prepared::for_operation(&signed_in.client, &reviewed, choice, reasons, decider)
                        .await,
                )
            }
        }
    }
}

/// An approval says of everything that blocks that it was seen.
fn acknowledged(blocking: &[FindingView], reasons: &Reasons) -> Result<(), Problem> {
    let seen: BTreeSet<&str> = reasons
        .acknowledged
        .iter()
        .map(|clause| briefing::clause(*clause))
        .collect();
    let missing: Vec<&str> = blocking
        .iter()
        .map(|finding| finding.clause.as_str())
        .filter(|clause| !seen.contains(clause))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(problem(
        "acknowledgement_missing",
        "a finding was not acknowledged",
        format!(
            "say that you have seen what blocks it: {}",
            missing.join(", ")
        ),
    ))
}

fn permitted(may: MayView) -> Result<(), Problem> {
    if may.may {
        return Ok(());
    }
    Err(problem(
        "may_not",
        "you cannot sign this now",
        may.why_not.unwrap_or_default(),
    ))
}

/// What the window asks for.
pub(crate) fn choice(request: &DecideRequest) -> Result<Choice, Problem> {
    let narrowing = request
        .narrowed_to
        .as_ref()
        .map(|targets| {
            targets
                .iter()
                .map(|id| identifier(id))
                .collect::<Result<BTreeSet<SystemId>, Problem>>()
        })
        .transpose()?
        .map(|targets| Narrowing { targets });
    if narrowing.is_some() && !["approve", "continue"].contains(&request.kind.as_str()) {
        return Err(problem(
            "narrowing_not_allowed",
            "this cannot be narrowed",
            "only approving and continuing can be for less",
        ));
    }
    Ok(match request.kind.as_str() {
        "approve" => Choice::Item(ItemChoice::Approve { narrowing }),
        "reject" => Choice::Item(ItemChoice::Reject),
        "continue" => Choice::Operation(OperationChoice::Continue { narrowing }),
        "roll_back" => Choice::Operation(OperationChoice::RollBack),
        "abort" => Choice::Operation(OperationChoice::Abort),
        other => {
            return Err(problem(
                "kind_not_supported",
                "not a decision",
                format!("`{other}` is nothing that can be decided here"),
            ));
        }
    })
}

fn reasons(request: &DecideRequest) -> Result<Reasons, Problem> {
    let rationale = request.rationale.trim().to_owned();
    if rationale.is_empty() {
        return Err(problem(
            "rationale_missing",
            "no reasons given",
            "write your reasons; they are kept with your signature",
        ));
    }
    if rationale.len() > RATIONALE_BYTES_MAX {
        return Err(problem(
            "rationale_too_long",
            "the reasons are too long",
            format!("keep them under {RATIONALE_BYTES_MAX} bytes"),
        ));
    }
    Ok(Reasons {
        risk_level: word::<RiskLevel>(&request.risk_level, "risk level")?,
        acknowledged: request
            .acknowledged
            .iter()
            .map(|clause| word::<Clause>(clause, "clause"))
            .collect::<Result<_, _>>()?,
        rationale,
        salt: rand::random(),
    })
}

fn word<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Problem> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|_| {
        problem(
            "request_malformed",
            "not understood",
            format!("`{text}` is no {what}"),
        )
    })
}
