//! A person's hands in the window: signing in, deciding, signing.

use anyhow::{Context as _, ensure};
use countersign_core::identifier::OperationId;

use super::Window;
use super::page::key;
use crate::hands::{Hands, Item};
use crate::organisation::BREAKS;
use crate::people::PIN;

/// Not the PIN of any demonstration key.
const WRONG_PIN: &str = "864213";

/// What a person presses in a briefing.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    Reject,
    Approve,
    ApproveCanary,
}

impl Window {
    /// Signs in as somebody, after signing out whoever is there.
    ///
    /// # Errors
    /// Where it does not come to that.
    pub async fn be(&mut self, person: &str) -> anyhow::Result<()> {
        let there = self.attribute("person", "data-approver").await?;
        if there.as_deref() == Some(person) {
            return Ok(());
        }
        if there.is_some() {
            self.click("sign-out").await?;
        }
        self.wait_for("sign-in").await?;
        self.click(&format!("signin-approver-{person}")).await?;
        self.click(&format!("signin-key-demonstration:{person}"))
            .await?;
        self.screenshot(&format!("sign-in-{person}")).await?;
        self.click("signin-submit").await?;
        self.give_the_pin().await?;
        self.click("touch-demo").await?;
        self.wait_for_attribute("person", "data-approver", person)
            .await?;
        self.wait_gone("sign-in").await
    }

    /// Gives the PIN when the key asks for it; a wrong one first where that is to be seen.
    async fn give_the_pin(&mut self) -> anyhow::Result<()> {
        if self.wrong_pin {
            self.wrong_pin = false;
            self.type_into("pin", WRONG_PIN).await?;
            self.press(&[key::ENTER]).await?;
            self.wait_for_words("error", "PIN").await?;
            self.screenshot("wrong-pin").await?;
            self.retry_where_the_dialog_ended().await?;
        }
        self.type_into("pin", PIN).await?;
        self.press(&[key::ENTER]).await
    }

    /// After a wrong PIN the key may ask again at once, or the dialog may want to begin again.
    async fn retry_where_the_dialog_ended(&self) -> anyhow::Result<()> {
        if self.glance("pin").await?.is_some() {
            return Ok(());
        }
        self.click("sign-retry").await?;
        self.click("sign-next").await
    }

    /// Finds an item in the queue and opens it.
    async fn open_item(&mut self, item: &Item<'_>) -> anyhow::Result<()> {
        self.click("nav-queue").await?;
        let row = format!("queue-row-{}", item.id);
        self.wait_for(&row).await?;
        self.screenshot(&format!("{}-queue", item.name)).await?;
        if std::mem::take(&mut self.by_keyboard) {
            self.go_to_row(&row).await?;
            self.press(&[key::ENTER]).await?;
        } else {
            self.click(&row).await?;
        }
        self.read_briefing(item).await
    }

    /// Moves through the queue with j, and k where that went too far.
    ///
    /// # Errors
    /// Where the row is not reached.
    pub async fn go_to_row(&self, row: &str) -> anyhow::Result<()> {
        let rows = self.testids("queue-row-").await?;
        let below = rows
            .iter()
            .position(|there| there == row)
            .context("the row is not in the queue")?;
        // The first j chooses the first row; one too many, and back.
        let mut keys = vec!['j'; below + 2];
        keys.push('k');
        if below + 1 == rows.len() {
            keys.pop();
        }
        for pressed in keys {
            self.press(&[pressed]).await?;
        }
        self.wait_for_attribute(row, "data-current", "true").await?;
        // Enter opens what has the keyboard, which follows a frame later.
        self.wait_for_focus(row).await
    }

    /// Writes the reasons, chooses the risk, ticks what was seen.
    async fn write_reasons(&self, why: &str) -> anyhow::Result<()> {
        self.type_into("rationale", why).await?;
        self.click("risk-moderate").await?;
        for acknowledgement in self.testids("ack-").await? {
            self.click(&acknowledgement).await?;
        }
        Ok(())
    }

    async fn decide(
        &mut self,
        person: &str,
        item: &Item<'_>,
        why: &str,
        verdict: Verdict,
    ) -> anyhow::Result<()> {
        self.be(person).await?;
        self.open_item(item).await?;
        ensure!(
            self.attribute("approve", "aria-disabled").await?.as_deref() == Some("true"),
            "approving is offered before anything was read or written"
        );
        self.write_reasons(why).await?;
        if let Verdict::ApproveCanary = verdict {
            self.click("approve-less").await?;
            self.wait_for("narrow-dialog").await?;
            self.click("narrow-canary").await?;
            self.wait_for_attribute("narrow-remaining", "data-remaining", "5")
                .await?;
            self.screenshot(&format!("{}-narrow-to-canary", item.name))
                .await?;
            self.click("narrow-apply").await?;
            self.wait_for_attribute("narrowed", "data-remaining", "5")
                .await?;
        }
        self.bring_into_view("rationale").await?;
        self.screenshot(&format!("{}-reasons", item.name)).await?;
        self.click(match verdict {
            Verdict::Reject => "reject",
            Verdict::Approve | Verdict::ApproveCanary => "approve",
        })
        .await?;
        let complete = self.sign(person, item.name).await?;
        if let (Verdict::Approve, false) = (verdict, complete) {
            self.wait_for_attribute("quorum", "data-signed", "1")
                .await?;
            self.wait_for_attribute("quorum", "data-needed", "2")
                .await?;
            self.wait_for_words("quorum", "1 of 2 signed").await?;
            self.bring_into_view("quorum").await?;
            self.screenshot(&format!("{}-one-of-two", item.name))
                .await?;
        } else {
            self.wait_for("state").await?;
        }
        Ok(())
    }

    /// Reads why an operation halted and has it go on without `left_out`, one of those not touched.
    ///
    /// # Errors
    /// Where the window does not do as it should.
    pub async fn continue_without(
        &mut self,
        person: &str,
        operation: &OperationId,
        left_out: &str,
        why: &str,
    ) -> anyhow::Result<()> {
        self.be(person).await?;
        self.click("nav-operations").await?;
        self.click(&format!("operation-row-{operation}")).await?;
        self.read_the_trip(BREAKS).await?;
        self.type_into("rationale", why).await?;
        self.click("risk-high").await?;
        self.click("continue-with-fewer").await?;
        self.wait_for("narrow-dialog").await?;
        self.click(&format!("narrow-system-{left_out}")).await?;
        self.wait_for_attribute("narrow-remaining", "data-remaining", "1")
            .await?;
        self.click("narrow-apply").await?;
        self.wait_for("narrowed").await?;
        self.bring_into_view("continue").await?;
        self.screenshot("operation-continue").await?;
        self.click("continue").await?;
        self.wait_for_words("sign-sentence", "continue operation")
            .await?;
        let complete = self.sign(person, "operation-continue").await?;
        ensure!(complete, "one of the quorum of one is not enough");
        Ok(())
    }

    /// Goes through the signing dialog; answers whether the quorum is complete.
    async fn sign(&mut self, person: &str, name: &str) -> anyhow::Result<bool> {
        self.wait_for("sign-sentence").await?;
        self.screenshot(&format!("{name}-what-is-signed")).await?;
        self.click("sign-next").await?;
        self.click(&format!("sign-key-demonstration:{person}"))
            .await?;
        // One signature is like another: the steps of the first are enough to show.
        let first = !std::mem::replace(&mut self.signed, true);
        if first {
            self.screenshot(&format!("{name}-which-key")).await?;
        }
        self.click("sign-next").await?;
        self.wait_for("pin").await?;
        if first {
            self.screenshot(&format!("{name}-pin")).await?;
        }
        self.give_the_pin().await?;
        self.wait_for("touch-demo").await?;
        if first {
            self.screenshot(&format!("{name}-touch")).await?;
        }
        self.click("touch-demo").await?;
        self.wait_for("sign-outcome").await?;
        self.screenshot(&format!("{name}-signed")).await?;
        let complete = self.attribute("sign-outcome", "data-complete").await?;
        self.click("sign-done").await?;
        self.wait_gone("sign-dialog").await?;
        Ok(complete.as_deref() == Some("true"))
    }
}

impl Hands for Window {
    async fn reject(&mut self, person: &str, item: &Item<'_>, why: &str) -> anyhow::Result<()> {
        self.decide(person, item, why, Verdict::Reject).await?;
        self.wait_for_attribute("state", "data-state", "rejected")
            .await?;
        self.screenshot_in_the_dark(&format!("{}-rejected", item.name))
            .await
    }

    async fn approve(&mut self, person: &str, item: &Item<'_>, why: &str) -> anyhow::Result<()> {
        self.decide(person, item, why, Verdict::Approve).await
    }

    async fn approve_canary(
        &mut self,
        person: &str,
        item: &Item<'_>,
        why: &str,
    ) -> anyhow::Result<()> {
        self.decide(person, item, why, Verdict::ApproveCanary).await
    }

    async fn roll_back(
        &mut self,
        person: &str,
        operation: &OperationId,
        why: &str,
    ) -> anyhow::Result<()> {
        self.be(person).await?;
        self.click("nav-operations").await?;
        let row = format!("operation-row-{operation}");
        self.wait_for_attribute(&row, "data-state", "halted")
            .await?;
        self.screenshot("operations").await?;
        self.click(&row).await?;
        self.read_the_trip(BREAKS).await?;
        self.screenshot("operation-halted").await?;
        self.screenshot_in_the_dark("operation-halted").await?;
        self.type_into("rationale", why).await?;
        self.click("risk-high").await?;
        self.screenshot("operation-reasons").await?;
        self.click("roll-back").await?;
        self.sign(person, "operation").await?;
        self.wait_for_attribute("operation", "data-state", "rolled_back")
            .await?;
        for touched in ["cell-pay-0001", "cell-pay-0002", "cell-pay-0003"] {
            self.wait_for_attribute(touched, "data-phase", "reverted")
                .await?;
        }
        self.screenshot("operation-rolled-back").await
    }
}
