//! Listening: events as they come, the log followed after each, and the connection's state told.

use std::time::Duration;

use chrono::Utc;
use countersign_wire::client::Notice;
use countersign_wire::client::trust::{WitnessError, follow_log};
use countersign_wire::problem::Problem;
use countersign_wire::view::ConnectionView;
use futures::StreamExt as _;

use super::{Console, Event, Witness};

/// How often the log is followed when nothing happens.
const FOLLOW_EVERY: Duration = Duration::from_secs(20);
/// How often a backend that is not trusted yet, or where nobody is signed in, is asked again.
const ASK_EVERY: Duration = Duration::from_secs(5);

impl Console {
    /// Listens anew, with the backend and session of now.
    pub(super) fn listen(&self) {
        let console = self.clone();
        let task = tokio::spawn(async move { console.listening().await });
        let before = self.state().live.replace(task.abort_handle());
        if let Some(before) = before {
            before.abort();
        }
    }

    async fn listening(&self) {
        loop {
            if self.trusted().is_err() && !self.meet().await {
                tokio::time::sleep(ASK_EVERY).await;
                continue;
            }
            let session = self.state().session.clone();
            match (session, self.trusted()) {
                (Some(session), Ok((client, _, _))) => {
                    if let Ok(client) = client.with_bearer(&session.token) {
                        self.hear(client.events(None)).await;
                    }
                }
                (None, Ok(_)) => {
                    let _ = self.follow().await;
                }
                (_, Err(_)) => {}
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Until the backend refuses.
    async fn hear(&self, mut events: countersign_wire::client::EventStream) {
        let mut follow = tokio::time::interval(FOLLOW_EVERY);
        loop {
            tokio::select! {
                _ = follow.tick() => {
                    let _ = self.follow().await;
                }
                notice = events.next() => match notice {
                    Some(Notice::Connected) => {
                        self.connected();
                        let _ = self.follow().await;
                    }
                    Some(Notice::Lost { reason }) => self.lost(&reason),
                    Some(Notice::Changed(changed)) => {
                        self.tell(Event::Changed(changed));
                        let _ = self.follow().await;
                    }
                    Some(Notice::Refused(error)) => {
                        if error.is_unauthenticated() {
                            self.forget_session();
                        } else {
                            self.lost(&error.to_string());
                        }
                        return;
                    }
                    None => return,
                },
            }
        }
    }

    /// Follows the log to its newest checkpoint. A contradiction is kept, told and never taken back.
    ///
    /// # Errors
    /// The alarm, this or an earlier one; or that the backend does not answer.
    pub(super) async fn follow(&self) -> Result<Witness, Problem> {
        let _one_at_a_time = self.inner.following.lock().await;
        let (client, trusted, witness) = self.trusted()?;
        let result = follow_log(&client, &trusted, witness.last).await;
        let witness = match result {
            Ok(last) => {
                self.connected();
                Witness {
                    last: Some(last),
                    at: Some(Utc::now()),
                    alarm: witness.alarm,
                }
            }
            Err(WitnessError::Alarm(reason)) => {
                tracing::error!(%reason, "the log contradicts what was verified before");
                Witness {
                    alarm: witness.alarm.or(Some(reason)),
                    ..witness
                }
            }
            Err(error @ WitnessError::Client(_)) => {
                self.lost(&error.to_string());
                return Err(error.into());
            }
        };
        // Kept before it is used: what was verified once must not be forgotten by a crash.
        if let Err(error) = self
            .inner
            .parts
            .home
            .keep_witness(trusted.roster().deployment(), &witness)
        {
            tracing::error!(%error, "what was verified of the log cannot be kept");
        }
        if let Some(known) = self.state().backend.as_mut() {
            known.witness = witness.clone();
        }
        self.tell(Event::Witness(witness.view()));
        match &witness.alarm {
            Some(reason) => Err(WitnessError::Alarm(reason.clone()).into()),
            None => Ok(witness),
        }
    }

    pub(super) fn connected(&self) {
        self.set_connection(ConnectionView::Live);
    }

    pub(super) fn lost(&self, reason: &str) {
        let since = match self
            .state()
            .backend
            .as_ref()
            .map(|known| known.connection.clone())
        {
            Some(ConnectionView::Lost { since, .. }) => since,
            Some(ConnectionView::Live) | None => Utc::now(),
        };
        self.set_connection(ConnectionView::Lost {
            since,
            reason: reason.to_owned(),
        });
    }

    fn set_connection(&self, connection: ConnectionView) {
        let news = match self.state().backend.as_mut() {
            Some(known) if known.connection != connection => {
                known.connection = connection.clone();
                true
            }
            Some(_) | None => false,
        };
        if news {
            self.tell(Event::Connection(connection));
        }
    }

    /// The session is void: forgets it, and tells the window, which then asks for the frame.
    pub(super) fn forget_session(&self) {
        let had = self.state().session.take().is_some();
        if !had {
            return;
        }
        let connection = self
            .state()
            .backend
            .as_ref()
            .map(|known| known.connection.clone());
        if let Ok((_, trusted, _)) = self.trusted() {
            let console = self.clone();
            let deployment = trusted.roster().deployment().clone();
            tokio::task::spawn_blocking(move || console.inner.parts.keeper.forget(&deployment));
        }
        if let Some(connection) = connection {
            self.tell(Event::Connection(connection));
        }
    }
}
