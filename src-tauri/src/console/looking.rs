//! Looking: sign-in and the screens. Everything shown is fetched, checked and computed here.

use std::sync::Arc;

use chrono::{Duration, Utc};
use countersign_core::genesis::DeploymentId;
use countersign_core::identifier::{ApproverId, Digest, OperationId, ProposalId};
use countersign_core::quote;
use countersign_wire::client::QueueState;
use countersign_wire::client::decide::SignIn;
use countersign_wire::client::operation::ReviewedOperation;
use countersign_wire::client::review::Reviewed;
use countersign_wire::client::suspension::ReviewedSuspension;
use countersign_wire::operation::Operation;
use countersign_wire::problem::Problem;
use countersign_wire::queue::QueueItem;
use countersign_wire::session::Session;
use countersign_wire::view::{
    BriefingView, FrameView, KeyView, OperationRow, OperationView, QueueView,
};
use futures::TryStreamExt as _;

use super::{Console, SignedIn, keys, problem};
use crate::view::may::{Dispatch, Viewer};
use crate::view::queue::Glance;
use crate::view::{briefing, operation, queue};

/// Items whose documents are read for the queue; the rest is told in the backend's words until opened.
const GLANCES_MAX: usize = 100;
/// Glances that are remembered.
const GLANCES_KEPT_MAX: usize = 2_000;

impl Console {
    /// The keys that are present.
    ///
    /// # Errors
    /// Where they cannot be looked for.
    pub async fn keys(&self) -> Result<Vec<KeyView>, Problem> {
        Ok(self
            .present()
            .await?
            .iter()
            .map(|key| keys::view(key.as_ref()))
            .collect())
    }

    /// Signs in with a key.
    ///
    /// # Errors
    /// A problem of the key or the backend.
    pub async fn sign_in(&self, approver: &str, key: &str) -> Result<FrameView, Problem> {
        self.started().await;
        let approver: ApproverId = identifier(approver)?;
        let (client, trusted, _) = self.trusted()?;
        let client = client.without_bearer();
        let sign_in = SignIn::begin(&client, &trusted, &approver).await?;
        let (unsigned, assertion) = self
            .ask_key(key, |now| {
                let unsigned = sign_in.statement(&trusted, now)?;
                let challenge = unsigned.challenge().clone();
                Ok((unsigned, challenge))
            })
            .await?;
        let session = unsigned.open(&client, assertion).await?;
        if session.approver != approver {
            return Err(problem(
                "other_session",
                "somebody else's session",
                "the backend opened a session for somebody else; do not use it",
            ));
        }
        let keeping = self
            .keep(trusted.roster().deployment().clone(), session.clone())
            .await;
        {
            let mut state = self.state();
            state.session = Some(session);
            if let Some(keeping) = keeping {
                state.keeping = keeping;
            }
        }
        self.listen();
        Ok(self.frame_now())
    }

    async fn keep(
        &self,
        deployment: DeploymentId,
        session: Session,
    ) -> Option<countersign_wire::view::KeepingView> {
        let console = self.clone();
        tokio::task::spawn_blocking(move || console.inner.parts.keeper.keep(&deployment, &session))
            .await
            .ok()
    }

    /// The session that was kept, where it has not run out.
    pub(super) async fn find_session(&self) {
        let Ok((_, trusted, _)) = self.trusted() else {
            return;
        };
        let console = self.clone();
        let deployment = trusted.roster().deployment().clone();
        let found =
            tokio::task::spawn_blocking(move || console.inner.parts.keeper.find(&deployment)).await;
        if let Ok(Some(session)) = found
            && session.expires_at > Utc::now()
        {
            self.state().session = Some(session);
        }
    }

    /// Signs out, here and at the backend.
    ///
    /// # Errors
    /// Never where nobody is signed in; a backend that does not answer ends the session by time.
    pub async fn sign_out(&self) -> Result<FrameView, Problem> {
        if let Ok(signed_in) = self.signed_in().await
            && let Err(error) = signed_in.client.close_session().await
        {
            tracing::warn!(
                code = error.code(),
                "the backend was not told of the sign-out"
            );
        }
        self.forget_session();
        self.listen();
        Ok(self.frame_now())
    }

    /// The queue.
    ///
    /// # Errors
    /// A problem of the backend.
    pub async fn queue(&self) -> Result<QueueView, Problem> {
        let signed_in = self.signed_in().await?;
        let open: Vec<QueueItem> =
            self.noticing(signed_in.client.queue(QueueState::Open).try_collect().await)?;
        let closed = self.noticing(signed_in.client.queue_page(QueueState::Closed, None).await)?;
        let suspensions = self.noticing(signed_in.client.suspensions().await)?;
        let suspended = suspensions
            .suspensions
            .iter()
            .map(
                |suspension| match ReviewedSuspension::of(&signed_in.trusted, suspension) {
                    Ok(reviewed) => reviewed.suspended().to_string(),
                    Err(_) => format!(
                        "the backend says, and its log entry does not: {}",
                        quote::name(&suspension.sentence)
                    ),
                },
            )
            .collect();
        let clock_offset_ms = (closed.now - Utc::now()).num_milliseconds();
        self.state().clock_offset_ms = clock_offset_ms;
        self.read_documents(
            &signed_in,
            open.iter().chain(&closed.items).take(GLANCES_MAX),
        )
        .await;
        Ok(QueueView {
            open: open.iter().map(|item| self.row(item)).collect(),
            closed: closed.items.iter().map(|item| self.row(item)).collect(),
            suspended,
            clock_offset_ms,
            as_of: closed.now,
            notices: closed.notices.iter().map(queue::notice).collect(),
        })
    }

    fn row(&self, item: &QueueItem) -> countersign_wire::view::QueueRow {
        let known = self.state().glances.get(&item.briefing).cloned();
        queue::row(item, &known.unwrap_or_else(|| Glance::claimed(item)))
    }

    /// Reads the documents of items that were not read yet. One that cannot be read is told in the
    /// backend's words; opening it tells why.
    async fn read_documents(&self, signed_in: &SignedIn, items: impl Iterator<Item = &QueueItem>) {
        for item in items {
            self.read_briefing(signed_in, &item.id, item.briefing).await;
        }
    }

    /// Reads the documents of one item, where its briefing has this digest and was not read yet.
    async fn read_briefing(&self, signed_in: &SignedIn, item: &ProposalId, briefing: Digest) {
        if self.state().glances.contains_key(&briefing) {
            return;
        }
        let Ok(reviewed) = Reviewed::fetch(&signed_in.client, &signed_in.trusted, item).await
        else {
            return;
        };
        // Another briefing than the line names would put its words on the wrong line.
        if reviewed.digest() != briefing {
            return;
        }
        if let Ok(glance) = tokio::task::spawn_blocking(move || Glance::of(&reviewed)).await {
            let mut state = self.state();
            if state.glances.len() >= GLANCES_KEPT_MAX {
                state.glances.clear();
            }
            state.glances.insert(briefing, glance);
        }
    }

    /// An item with its briefing, checked.
    pub(super) async fn review(
        &self,
        signed_in: &SignedIn,
        id: &str,
    ) -> Result<(Reviewed, QueueItem, Dispatch), Problem> {
        let id: ProposalId = identifier(id)?;
        let item = self.noticing(signed_in.client.queue_item(&id).await)?;
        if item.id != id {
            return Err(problem(
                "other_item",
                "another item",
                "the backend sent another item than was asked for",
            ));
        }
        let reviewed =
            self.noticing(Reviewed::fetch(&signed_in.client, &signed_in.trusted, &id).await)?;
        let reviewed = self
            .find_in_log(signed_in, reviewed, item.assessed_in)
            .await;
        let dispatch = self.dispatch(signed_in, &item).await;
        Ok((reviewed, item, dispatch))
    }

    /// Looks for a briefing in the log as it was verified here; it may have come after that.
    async fn find_in_log(&self, signed_in: &SignedIn, reviewed: Reviewed, index: u64) -> Reviewed {
        let last = match signed_in.witness.last {
            Some(last) if last.size > index => Some(last),
            Some(_) | None => match self.follow().await {
                Ok(witness) => witness.last,
                Err(_) => signed_in.witness.last,
            },
        };
        match last {
            Some(last) => reviewed.find_in_log(&signed_in.client, index, last).await,
            None => reviewed,
        }
    }

    /// How far the operation of an item is, as the backend says; it refuses where it says wrong.
    async fn dispatch(&self, signed_in: &SignedIn, item: &QueueItem) -> Dispatch {
        let Some(operation) = &item.operation else {
            return Dispatch::NotBegun;
        };
        match signed_in.client.operation(operation).await {
            Ok(operation) if operation.summary.touched == 0 => Dispatch::NotBegun,
            Ok(_) | Err(_) => Dispatch::Begun,
        }
    }

    /// A briefing, checked and assessed anew.
    ///
    /// # Errors
    /// A problem of the backend, or of the documents it sent.
    pub async fn briefing(&self, id: &str) -> Result<BriefingView, Problem> {
        let signed_in = self.signed_in().await?;
        let (reviewed, item, dispatch) = self.review(&signed_in, id).await?;
        self.seen_by(signed_in, move |viewer| {
            briefing::view(&reviewed, &item, dispatch, viewer)
        })
        .await
    }

    /// Computes on a thread that may be busy for a while.
    pub(super) async fn seen_by<T: Send + 'static>(
        &self,
        signed_in: SignedIn,
        look: impl FnOnce(&Viewer<'_>) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let now = Utc::now() + Duration::milliseconds(self.state().clock_offset_ms);
        let trusted = Arc::clone(&signed_in.trusted);
        tokio::task::spawn_blocking(move || {
            let witness = signed_in.witness.view();
            look(&Viewer {
                approver: Some(&signed_in.approver),
                roster: trusted.roster(),
                witness: &witness,
                now,
            })
        })
        .await
        .map_err(|error| {
            problem(
                "unexpected",
                "something unexpected happened",
                error.to_string(),
            )
        })
    }

    /// Operations, latest first.
    ///
    /// # Errors
    /// A problem of the backend.
    pub async fn operations(&self) -> Result<Vec<OperationRow>, Problem> {
        let signed_in = self.signed_in().await?;
        let operations = self.noticing(signed_in.client.operations().await)?;
        let documented = operations
            .iter()
            .filter_map(|operation| Some((operation.item.as_ref()?, operation.briefing?)));
        for (item, briefing) in documented.take(GLANCES_MAX) {
            self.read_briefing(&signed_in, item, briefing).await;
        }
        let mut rows: Vec<OperationRow> = operations
            .iter()
            .map(|summary| {
                let own = self.glance(summary.briefing);
                operation::row(summary, operation::title(own.as_ref(), summary))
            })
            .collect();
        rows.sort_by(|a, b| (b.started_at, &b.id).cmp(&(a.started_at, &a.id)));
        Ok(rows)
    }

    /// An operation, its documents, and what it does in a line.
    pub(super) async fn fetch_operation(
        &self,
        signed_in: &SignedIn,
        id: &str,
    ) -> Result<(Operation, ReviewedOperation, String), Problem> {
        let id: OperationId = identifier(id)?;
        let operation = self.noticing(signed_in.client.operation(&id).await)?;
        if operation.summary.id != id {
            return Err(problem(
                "other_operation",
                "another operation",
                "the backend sent another operation than was asked for",
            ));
        }
        let reviewed = ReviewedOperation::of(&signed_in.trusted, &id, &operation)?;
        let own = self.glance_of(signed_in, &reviewed).await;
        let title = operation::title(own.as_ref(), &operation.summary);
        Ok((operation, reviewed, title))
    }

    /// What an operation does in our own words, from the briefing that its document names.
    async fn glance_of(
        &self,
        signed_in: &SignedIn,
        operation: &ReviewedOperation,
    ) -> Option<Glance> {
        let document = operation.document();
        let (item, briefing) = (document.item.as_ref()?, document.briefing?);
        self.read_briefing(signed_in, item, briefing).await;
        self.glance(Some(briefing))
    }

    /// What was read of a briefing.
    fn glance(&self, briefing: Option<Digest>) -> Option<Glance> {
        self.state().glances.get(&briefing?).cloned()
    }

    /// An operation, its documents checked.
    ///
    /// # Errors
    /// A problem of the backend, or of the documents it sent.
    pub async fn operation(&self, id: &str) -> Result<OperationView, Problem> {
        let signed_in = self.signed_in().await?;
        let (fetched, reviewed, title) = self.fetch_operation(&signed_in, id).await?;
        let shown = reviewed
            .shown()
            .map_err(countersign_wire::client::decide::DecideError::from)?;
        self.seen_by(signed_in, move |viewer| {
            operation::view(&fetched, &reviewed, title, shown, viewer)
        })
        .await
    }
}

/// An identifier that the window sent.
pub(super) fn identifier<T>(text: &str) -> Result<T, Problem>
where
    T: std::str::FromStr<Err = countersign_core::identifier::IdentifierError>,
{
    text.parse()
        .map_err(|error: countersign_core::identifier::IdentifierError| {
            problem(
                "identifier_malformed",
                "not an identifier",
                error.to_string(),
            )
        })
}
