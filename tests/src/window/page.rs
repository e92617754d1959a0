//! What a person can do with any page: look, click, type, press keys, wait.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use fantoccini::Locator;
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{LIMIT, Window};

/// A key that is not a letter, as WebDriver writes it.
pub mod key {
    /// Enter.
    pub const ENTER: char = '\u{e007}';
    /// Escape.
    pub const ESCAPE: char = '\u{e00c}';
    /// Tab.
    pub const TAB: char = '\u{e004}';
    /// The space bar.
    pub const SPACE: char = ' ';
    /// The arrow down.
    pub const DOWN: char = '\u{e015}';
}

/// How many keys a person presses at most to get somewhere.
const STEPS_MAX: usize = 120;

/// How often a condition is looked at again.
const EVERY: Duration = Duration::from_millis(50);

/// The selector of an element's test id.
pub(super) fn css(testid: &str) -> String {
    format!("[data-testid={}]", json!(testid))
}

impl Window {
    /// Looks again and again until `look` sees something.
    ///
    /// # Errors
    /// Where it does not within [`LIMIT`]: the error names `what`, and holds the page's words.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        look: impl AsyncFn() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let mut last = None;
        let waited = timeout(LIMIT, async {
            loop {
                match look().await {
                    Ok(Some(seen)) => return seen,
                    Ok(None) => last = None,
                    // The page may change between finding an element and using it.
                    Err(error) => last = Some(error),
                }
                sleep(EVERY).await;
            }
        })
        .await;
        match waited {
            Ok(seen) => Ok(seen),
            Err(_) => Err(self.failure(what, last).await),
        }
    }

    /// An error with the page's words and a screenshot.
    pub(super) async fn failure(&self, what: &str, cause: Option<anyhow::Error>) -> anyhow::Error {
        let patience = Duration::from_secs(15);
        let shot = match timeout(patience, self.client.screenshot()).await {
            Ok(Ok(png)) => self
                .album
                .failure(&png)
                .map_or_else(|error| error.to_string(), |file| file.display().to_string()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the window does not answer".to_owned(),
        };
        let words = timeout(patience, self.words()).await;
        let words = words.map_or_else(|_| String::new(), Result::unwrap_or_default);
        let cause = cause.map_or_else(String::new, |error| format!(" ({error:#})"));
        anyhow!(
            "the window does not show {what}{cause}\nscreenshot: {shot}\nthe page says:\n{words}\n\
             driver and console say:\n{}",
            self.driver.log()
        )
    }

    /// Everything the page says.
    ///
    /// # Errors
    /// Where the window does not answer.
    pub async fn words(&self) -> anyhow::Result<String> {
        let words = self.run("return document.body.innerText", &[]).await?;
        Ok(words.as_str().unwrap_or_default().to_owned())
    }

    /// Evaluates a script that only looks.
    pub(super) async fn run(&self, script: &str, arguments: &[Value]) -> anyhow::Result<Value> {
        Ok(self.client.execute(script, arguments.to_vec()).await?)
    }

    /// The words of the element, if it is to be seen now.
    ///
    /// # Errors
    /// Where the window does not answer.
    pub async fn glance(&self, testid: &str) -> anyhow::Result<Option<String>> {
        const SCRIPT: &str = "const element = document.querySelector(arguments[0]);
            return element && element.getClientRects().length > 0 ? element.innerText : null;";
        let seen = self.run(SCRIPT, &[json!(css(testid))]).await?;
        Ok(seen.as_str().map(ToOwned::to_owned))
    }

    /// An attribute of the element, if both are there now.
    ///
    /// # Errors
    /// Where the window does not answer.
    pub async fn attribute(&self, testid: &str, name: &str) -> anyhow::Result<Option<String>> {
        const SCRIPT: &str = "const element = document.querySelector(arguments[0]);
            return element ? element.getAttribute(arguments[1]) : null;";
        let found = self.run(SCRIPT, &[json!(css(testid)), json!(name)]).await?;
        Ok(found.as_str().map(ToOwned::to_owned))
    }

    /// The test ids on the page that begin so, in its order.
    ///
    /// # Errors
    /// Where the window does not answer.
    pub async fn testids(&self, prefix: &str) -> anyhow::Result<Vec<String>> {
        const SCRIPT: &str = "return [...document.querySelectorAll(arguments[0])]
            .map((element) => element.dataset.testid)";
        let selector = format!("[data-testid^={}]", json!(prefix));
        Ok(serde_json::from_value(
            self.run(SCRIPT, &[json!(selector)]).await?,
        )?)
    }

    /// Waits until the element is to be seen, and gives its words.
    ///
    /// # Errors
    /// Where it does not come.
    pub async fn wait_for(&self, testid: &str) -> anyhow::Result<String> {
        self.until(&format!("`{testid}`"), async || self.glance(testid).await)
            .await
    }

    /// Waits until the element is gone.
    ///
    /// # Errors
    /// Where it stays.
    pub async fn wait_gone(&self, testid: &str) -> anyhow::Result<()> {
        let what = format!("the end of `{testid}`");
        self.until(&what, async || {
            Ok(self.glance(testid).await?.is_none().then_some(()))
        })
        .await
    }

    /// Waits until the element says `words`.
    ///
    /// # Errors
    /// Where it does not come to.
    pub async fn wait_for_words(&self, testid: &str, words: &str) -> anyhow::Result<()> {
        let what = format!("`{words}` in `{testid}`");
        self.until(&what, async || {
            let said = self.glance(testid).await?;
            Ok(said.filter(|said| said.contains(words)).map(|_| ()))
        })
        .await
    }

    /// Waits until an attribute of the element is `value`.
    ///
    /// # Errors
    /// Where it does not come to be.
    pub async fn wait_for_attribute(
        &self,
        testid: &str,
        name: &str,
        value: &str,
    ) -> anyhow::Result<()> {
        let what = format!("`{testid}` with {name} `{value}`");
        self.until(&what, async || {
            let found = self.attribute(testid, name).await?;
            Ok(found.filter(|found| found == value).map(|_| ()))
        })
        .await
    }

    /// Clicks the element as soon as it can be clicked.
    ///
    /// # Errors
    /// Where it does not come, or something stays in the way.
    pub async fn click(&self, testid: &str) -> anyhow::Result<()> {
        let css = css(testid);
        self.until(&format!("`{testid}` to be clicked"), async || {
            let element = self.client.find(Locator::Css(&css)).await?;
            if !element.is_enabled().await? {
                return Ok(None);
            }
            // Into the middle, as a person scrolls: what sticks to an edge may lie over it there.
            let argument = serde_json::to_value(&element)?;
            self.client
                .execute(
                    "arguments[0].scrollIntoView({ block: 'center' })",
                    vec![argument],
                )
                .await?;
            element.click().await?;
            Ok(Some(()))
        })
        .await
    }

    /// Types into a field, over what is in it.
    ///
    /// # Errors
    /// Where there is no such field, or it does not take the text.
    pub async fn type_into(&self, testid: &str, text: &str) -> anyhow::Result<()> {
        self.click(testid).await?;
        let css = css(testid);
        let field = self.client.find(Locator::Css(&css)).await?;
        field.clear().await?;
        field.send_keys(text).await?;
        let what = format!("the text typed into `{testid}`");
        self.until(&what, async || {
            let value = field.prop("value").await?;
            Ok((value.as_deref() == Some(text)).then_some(()))
        })
        .await
    }

    /// Presses keys one after another, wherever the keyboard is.
    ///
    /// # Errors
    /// Where the window does not take them.
    pub async fn press(&self, keys: &[char]) -> anyhow::Result<()> {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in keys.iter().copied() {
            actions = actions
                .then(KeyAction::Down { value })
                .then(KeyAction::Up { value });
        }
        self.client
            .perform_actions(actions)
            .await
            .context("the window takes no keys")
    }

    /// The test id of the element that has the keyboard, or of the nearest one around it.
    ///
    /// # Errors
    /// Where the window does not answer.
    pub async fn focused(&self) -> anyhow::Result<Option<String>> {
        const SCRIPT: &str = "return document.activeElement?.closest('[data-testid]')
            ?.dataset.testid ?? null";
        let found = self.run(SCRIPT, &[]).await?;
        Ok(found.as_str().map(ToOwned::to_owned))
    }

    /// Waits until the element has the keyboard.
    ///
    /// # Errors
    /// Where it does not get it.
    pub async fn wait_for_focus(&self, testid: &str) -> anyhow::Result<()> {
        self.until(&format!("the keyboard at `{testid}`"), async || {
            let focused = self.focused().await?;
            Ok((focused.as_deref() == Some(testid)).then_some(()))
        })
        .await
    }

    /// Presses Tab until the keyboard is in a group of choices, whose test ids begin with `group`,
    /// and `arrow` until it is at `choice` and that is chosen.
    ///
    /// # Errors
    /// Where it cannot be reached.
    pub async fn tab_to_choice(
        &self,
        group: &str,
        choice: &str,
        arrow: char,
    ) -> anyhow::Result<()> {
        self.wait_for(choice).await?;
        let inside =
            |focused: Option<String>| focused.is_some_and(|focused| focused.starts_with(group));
        let mut steps = 0;
        while !inside(self.focused().await?) && steps < STEPS_MAX {
            self.press(&[key::TAB]).await?;
            steps += 1;
        }
        // A choice that is reached by Tab is chosen only by the next key.
        if self.focused().await?.as_deref() == Some(choice) {
            return self.press(&[key::SPACE]).await;
        }
        while self.focused().await?.as_deref() != Some(choice) && steps < STEPS_MAX {
            self.press(&[arrow]).await?;
            steps += 1;
        }
        if steps < STEPS_MAX {
            return Ok(());
        }
        Err(self
            .failure(&format!("a way to `{choice}` by keyboard"), None)
            .await)
    }

    /// What a field holds.
    ///
    /// # Errors
    /// Where the window does not answer.
    pub async fn value(&self, testid: &str) -> anyhow::Result<Option<String>> {
        let found = self
            .run(
                "return document.querySelector(arguments[0])?.value ?? null",
                &[json!(css(testid))],
            )
            .await?;
        Ok(found.as_str().map(ToOwned::to_owned))
    }

    /// The title of the page.
    ///
    /// # Errors
    /// Where the window does not answer.
    pub async fn title(&self) -> anyhow::Result<String> {
        Ok(self.client.title().await?)
    }

    /// Presses Tab until the keyboard is at the element, as somebody without a mouse would.
    ///
    /// # Errors
    /// Where the element cannot be reached.
    pub async fn tab_to(&self, testid: &str) -> anyhow::Result<()> {
        for _ in 0..STEPS_MAX {
            if self.focused().await?.as_deref() == Some(testid) {
                return Ok(());
            }
            self.press(&[key::TAB]).await?;
        }
        bail!(
            "{}",
            self.failure(&format!("a way to `{testid}` by Tab"), None)
                .await
        )
    }

    /// Brings the element into view.
    ///
    /// # Errors
    /// Where it does not come.
    pub async fn bring_into_view(&self, testid: &str) -> anyhow::Result<()> {
        const SCRIPT: &str =
            "document.querySelector(arguments[0])?.scrollIntoView({ block: 'center' })";
        self.wait_for(testid).await?;
        self.run(SCRIPT, &[json!(css(testid))]).await?;
        Ok(())
    }

    /// Waits until what was last changed is drawn.
    async fn settle(&self) -> anyhow::Result<()> {
        const SCRIPT: &str = "const done = arguments[arguments.length - 1];
            requestAnimationFrame(() => requestAnimationFrame(() => done()));";
        timeout(LIMIT, self.client.execute_async(SCRIPT, Vec::new()))
            .await
            .context("the window draws nothing")??;
        Ok(())
    }

    /// Takes the next numbered screenshot.
    ///
    /// # Errors
    /// Where the window gives none.
    pub async fn screenshot(&mut self, name: &str) -> anyhow::Result<()> {
        self.settle().await?;
        let png = timeout(LIMIT, self.client.screenshot())
            .await
            .context("the window gives no screenshot")??;
        self.album.add(name, &png)
    }

    /// Takes the next numbered screenshot in dark colours, and goes back to light ones.
    ///
    /// # Errors
    /// Where the window does not change its colours.
    pub async fn screenshot_in_the_dark(&mut self, name: &str) -> anyhow::Result<()> {
        self.colours("dark").await?;
        self.screenshot(&format!("{name}-dark")).await?;
        self.colours("light").await
    }

    async fn colours(&self, wanted: &str) -> anyhow::Result<()> {
        self.until(&format!("{wanted} colours"), async || {
            let now = self
                .run("return document.documentElement.dataset.theme", &[])
                .await?;
            if now.as_str() == Some(wanted) {
                return Ok(Some(()));
            }
            self.click("theme").await?;
            Ok(None)
        })
        .await
    }
}
