//! Reading a briefing or an operation before deciding: what the story needs must be there to be seen.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::Window;
use super::page::css;
use crate::hands::Item;

/// A number as the window writes it: `1,240`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Window {
    /// Reads a briefing that is open, and takes screenshots of its parts.
    pub(super) async fn read_briefing(&mut self, item: &Item<'_>) -> anyhow::Result<()> {
        self.wait_for_attribute("briefing", "data-id", item.id.as_str())
            .await?;
        let consequence = self.wait_for("consequence").await?;
        ensure!(
            !consequence.trim().is_empty(),
            "the briefing of {} says nothing of consequences",
            item.id
        );
        let says_too_little = self.glance("disagreement").await?;
        ensure!(
            says_too_little.is_none(),
            "the console disagrees with the backend: {says_too_little:?}"
        );
        let findings = self.testids("finding-4.").await?;
        ensure!(!findings.is_empty(), "no finding is to be seen");
        let scope = format!("{} system", grouped(item.systems));
        self.wait_for_words("briefing", &scope).await?;
        self.screenshot(&format!("{}-briefing", item.name)).await?;

        if !item.suffers.is_empty() {
            self.see_the_graph(item).await?;
            self.see_the_table(item).await?;
        }
        Ok(())
    }

    /// The graph is drawn, and every name that suffers is in one of its nodes' members.
    async fn see_the_graph(&mut self, item: &Item<'_>) -> anyhow::Result<()> {
        self.click("graph-toggle").await?;
        self.bring_into_view("graph").await?;
        let nodes = self
            .until("a drawn graph", async || {
                let nodes = self.testids("graph-node-").await?;
                Ok((!nodes.is_empty()).then_some(nodes))
            })
            .await?;
        self.until("the graph fitted to its frame", async || {
            Ok(self.graph_fits().await?.then_some(()))
        })
        .await?;
        self.screenshot(&format!("{}-graph", item.name)).await?;
        let mut missing: BTreeSet<&str> = item.suffers.iter().map(String::as_str).collect();
        for node in nodes {
            if missing.is_empty() {
                break;
            }
            self.click(&node).await?;
            self.wait_for("graph-members").await?;
            for name in self.names_in_list("graph-members", "li").await? {
                missing.remove(name.as_str());
            }
        }
        ensure!(
            missing.is_empty(),
            "no node of the graph stands for {missing:?}"
        );
        self.bring_into_view("graph-members").await?;
        self.screenshot(&format!("{}-graph-members", item.name))
            .await
    }

    /// Whether every node of the graph lies within its frame.
    async fn graph_fits(&self) -> anyhow::Result<bool> {
        const SCRIPT: &str = "const frame = document.querySelector(arguments[0]);
            if (!frame) return false;
            const outer = frame.getBoundingClientRect();
            return [...frame.querySelectorAll('[data-testid^=graph-node-]')].every((node) => {
                const inner = node.getBoundingClientRect();
                return inner.width > 0 && inner.left >= outer.left && inner.right <= outer.right
                    && inner.top >= outer.top && inner.bottom <= outer.bottom;
            });";
        let fits = self.run(SCRIPT, &[json!(css("graph"))]).await?;
        Ok(fits == Value::Bool(true))
    }

    /// The table names everything that suffers.
    async fn see_the_table(&mut self, item: &Item<'_>) -> anyhow::Result<()> {
        self.click("table-toggle").await?;
        self.wait_for("impact-table").await?;
        let seen = self
            .names_in_list("impact-table", "[data-testid^=impact-row-]")
            .await?;
        for name in item.suffers {
            ensure!(
                seen.iter()
                    .any(|row| row.split_whitespace().any(|word| word == name)),
                "the table does not name {name}; it names {seen:?}"
            );
        }
        self.bring_into_view("impact-table").await?;
        self.screenshot(&format!("{}-table", item.name)).await
    }

    /// What the entries of a long list say, scrolling through it as a reader does.
    async fn names_in_list(&self, list: &str, entries: &str) -> anyhow::Result<Vec<String>> {
        const PAGES_MAX: usize = 200;
        const SCRIPT: &str = "const list = document.querySelector(arguments[0]);
            const scroller = [...list.querySelectorAll('*')]
                .find((element) => ['auto', 'scroll'].includes(getComputedStyle(element).overflowY));
            if (arguments[2]) scroller?.scrollTo({ top: 0 });
            else scroller?.scrollBy({ top: scroller.clientHeight * 0.8 });
            const end = !scroller
                || scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - 1;
            const done = arguments[arguments.length - 1];
            requestAnimationFrame(() => requestAnimationFrame(() => done({
                end,
                names: [...list.querySelectorAll(arguments[1])].map((entry) => entry.innerText),
            })));";
        let mut names = BTreeSet::new();
        for page in 0..PAGES_MAX {
            let arguments = vec![json!(css(list)), json!(entries), json!(page == 0)];
            let seen = self.client.execute_async(SCRIPT, arguments).await?;
            let texts = seen.get("names").and_then(Value::as_array);
            for text in texts.into_iter().flatten().filter_map(Value::as_str) {
                names.insert(text.trim().to_owned());
            }
            if seen.get("end") == Some(&Value::Bool(true)) {
                break;
            }
        }
        self.run(
            "document.querySelector(arguments[0])?.querySelectorAll('*')
                .forEach((element) => { if (element.scrollTop > 0) element.scrollTop = 0; })",
            &[json!(css(list))],
        )
        .await?;
        Ok(names.into_iter().collect())
    }

    /// Reads why an operation halted.
    pub(super) async fn read_the_trip(&mut self, tripped: &str) -> anyhow::Result<()> {
        self.wait_for_attribute("operation", "data-state", "halted")
            .await?;
        self.wait_for_words("trip", tripped).await?;
        let trip = self.wait_for("trip").await?;
        let untouched = trip
            .split("Not touched")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .context("the trip does not say how many were not touched")?
            .to_owned();
        ensure!(
            untouched.chars().any(|digit| matches!(digit, '1'..='9')),
            "the trip says that `{untouched}` systems were not touched"
        );
        for (cell, phase) in [
            ("cell-pay-0001", "healthy"),
            ("cell-pay-0002", "healthy"),
            ("cell-pay-0003", "failed"),
            ("cell-pay-0004", "pending"),
            ("cell-pay-0005", "pending"),
        ] {
            self.wait_for_attribute(cell, "data-phase", phase).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_240, "1,240"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
