//! Live events: one stream that reconnects by itself and forgets nothing in between.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use futures::stream::{self, Stream};

use super::http::unreachable;
use super::sse::{Event, Parser};
use super::{Client, ClientError};
use crate::view::Changed;

/// The first wait before connecting again; doubled with each failure.
const BACKOFF_MIN: Duration = Duration::from_millis(250);
/// The longest wait before connecting again.
const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// Longest silence; the backend sends comments far more often.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// What happens on the live connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It is up; fetch what you show, for something may have been missed.
    Connected,
    /// It is down; it is tried again.
    Lost {
        /// Why.
        reason: String,
    },
    /// Something happened.
    Changed(Changed),
    /// The backend refuses it, for want of a session perhaps; the stream ends.
    Refused(ClientError),
}

/// Live notices; it ends only after [`Notice::Refused`].
pub type EventStream = Pin<Box<dyn Stream<Item = Notice> + Send>>;

struct Listening {
    client: Client,
    last: Option<String>,
    response: Option<reqwest::Response>,
    parser: Parser,
    pending: VecDeque<Notice>,
    failures: u32,
    ended: bool,
}

impl Client {
    /// `GET /v1/events` (session), from the event after `last` on, reconnecting as long as it is read.
    #[must_use]
    pub fn events(&self, last: Option<u64>) -> EventStream {
        let listening = Listening {
            client: self.clone(),
            last: last.map(|index| index.to_string()),
            response: None,
            parser: Parser::default(),
            pending: VecDeque::new(),
            failures: 0,
            ended: false,
        };
        Box::pin(stream::unfold(listening, |mut listening| async move {
            let notice = listening.next().await?;
            Some((notice, listening))
        }))
    }
}

impl Listening {
    async fn next(&mut self) -> Option<Notice> {
        loop {
            if let Some(notice) = self.pending.pop_front() {
                return Some(notice);
            }
            if self.ended {
                return None;
            }
            match self.response.as_mut() {
                None => return Some(self.connect().await),
                Some(response) => match tokio::time::timeout(SILENCE_LIMIT, response.chunk()).await
                {
                    Ok(Ok(Some(bytes))) => match self.parser.feed(&bytes) {
                        Ok(events) => self.take(events),
                        Err(_) => return Some(self.lose("an event is too long")),
                    },
                    Ok(Ok(None)) => return Some(self.lose("the backend closed the connection")),
                    Ok(Err(error)) => return Some(self.lose(&unreachable(&error).to_string())),
                    Err(_) => return Some(self.lose("the backend has fallen silent")),
                },
            }
        }
    }

    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            // An event that works shows that the connection does.
            self.failures = 0;
            self.last = event.id.or(self.last.take());
            match (
                event.name.as_str(),
                serde_json::from_str::<Changed>(&event.data),
            ) {
                (_, Ok(changed)) => self.pending.push_back(Notice::Changed(changed)),
                // Other names come with later features; what says `changed` must be readable.
                ("changed" | "message", Err(_)) => self.pending.push_back(Notice::Connected),
                (_, Err(_)) => {}
            }
        }
    }

    async fn connect(&mut self) -> Notice {
        if self.failures > 0 {
            tokio::time::sleep(backoff(self.failures)).await;
        }
        let request = match self.client.get(&["v1", "events"]) {
            Ok(request) => request,
            Err(error) => return self.refuse(error),
        };
        let request = match &self.last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        match request.stream("text/event-stream").await {
            Ok(response) => {
                self.parser = Parser::default();
                self.response = Some(response);
                Notice::Connected
            }
            // Asking again changes nothing where the request itself is refused.
            Err(ClientError::Problem(problem))
                if (400..500).contains(&problem.status) && problem.status != 429 =>
            {
                self.refuse(ClientError::Problem(problem))
            }
            Err(error) => self.lose(&error.to_string()),
        }
    }

    fn refuse(&mut self, error: ClientError) -> Notice {
        self.ended = true;
        Notice::Refused(error)
    }

    fn lose(&mut self, reason: &str) -> Notice {
        self.response = None;
        self.failures = self.failures.saturating_add(1);
        Notice::Lost {
            reason: reason.to_owned(),
        }
    }
}

fn backoff(failures: u32) -> Duration {
    BACKOFF_MIN
        .saturating_mul(1 << failures.saturating_sub(1).min(10))
        .min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::{BACKOFF_MAX, BACKOFF_MIN, backoff};

    #[test]
    fn waits_grow_up_to_a_limit() {
        assert_eq!(backoff(1), BACKOFF_MIN);
        assert_eq!(backoff(2), BACKOFF_MIN * 2);
        assert_eq!(backoff(7), BACKOFF_MAX);
        assert_eq!(backoff(u32::MAX), BACKOFF_MAX);
    }
}
