//! One method a route, in the order of the one path.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;

use countersign_core::identifier::{ApproverId, Digest, OperationId, ProposalId};
use countersign_core::webauthn::{Bytes, Registration};
use futures::stream::{self, Stream};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::{Client, ClientError};
use crate::decision::{BeginDecision, DecisionAccepted, SubmitDecision};
use crate::deployment::{BeginGenesis, BeginRegistration, Deployment, RegistrationOptions, Sealed};
use crate::drill::DrillStanding;
use crate::operation::{HaltOperation, Operation, OperationSummary};
use crate::proposal::ProposalAnswer;
use crate::queue::{Queue, QueueItem};
use crate::registry::{
    EnvelopeSummary, Imported, RecordOutcome, RegisterAgent, RegisterDetection, RegisterSource,
    ReportErrorBudget, Secret, SendSignal, StartDrill,
};
use crate::session::{BeginSession, Nonce, OpenSession, Session};
use crate::suspension::{SuspendAutonomy, Suspensions};

/// Items of one page of the queue.
const PAGE_ITEMS: u32 = 200;
/// Most pages of the queue that are followed; a backend that gives more runs in a circle.
const PAGES_MAX: u32 = 1_000;

/// Which part of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    /// What waits for people.
    Open,
    /// What no longer does.
    Closed,
}

/// Items of the queue, page after page; it ends after the first error.
pub type QueueStream = Pin<Box<dyn Stream<Item = Result<QueueItem, ClientError>> + Send>>;

/// Who the backend is, and how a new one gets its first people.
impl Client {
    /// `GET /v1/deployment`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn deployment(&self) -> Result<Deployment, ClientError> {
        self.get(&["v1", "deployment"])?.answer().await
    }

    /// `GET /v1/genesis`: the exact bytes of the genesis document.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn genesis(&self) -> Result<Vec<u8>, ClientError> {
        self.get(&["v1", "genesis"])?.bytes().await
    }

    /// `POST /v1/genesis` (operator).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn begin_genesis(&self, begin: &BeginGenesis) -> Result<(), ClientError> {
        self.post(&["v1", "genesis"])?.json(begin).done().await
    }

    /// `POST /v1/genesis/registrations` (operator).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn begin_registration(
        &self,
        begin: &BeginRegistration,
    ) -> Result<RegistrationOptions, ClientError> {
        self.post(&["v1", "genesis", "registrations"])?
            .json(begin)
            .answer()
            .await
    }

    /// `PUT /v1/genesis/registrations/{approver}` (operator).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn finish_registration(
        &self,
        approver: &ApproverId,
        registration: &Registration,
    ) -> Result<(), ClientError> {
        self.request(
            Method::PUT,
            &["v1", "genesis", "registrations", approver.as_str()],
        )?
        .json(registration)
        .done()
        .await
    }

    /// `POST /v1/genesis/seal` (operator).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn seal_genesis(&self) -> Result<Sealed, ClientError> {
        self.post(&["v1", "genesis", "seal"])?.answer().await
    }
}

/// Sign-in.
impl Client {
    /// `POST /v1/sessions/nonce`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn begin_session(&self, begin: &BeginSession) -> Result<Nonce, ClientError> {
        self.post(&["v1", "sessions", "nonce"])?
            .json(begin)
            .answer()
            .await
    }

    /// `POST /v1/sessions`. Use [`Client::with_bearer`] with its token afterwards.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn open_session(&self, open: &OpenSession) -> Result<Session, ClientError> {
        self.post(&["v1", "sessions"])?.json(open).answer().await
    }

    /// `DELETE /v1/sessions`: ends the session of this client's token.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn close_session(&self) -> Result<(), ClientError> {
        self.request(Method::DELETE, &["v1", "sessions"])?
            .done()
            .await
    }
}

/// Agents, sources, detections, envelopes and the topology.
impl Client {
    /// `POST /v1/agents` (operator): the agent's secret, shown once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn register_agent(&self, agent: &RegisterAgent) -> Result<Secret, ClientError> {
        self.post(&["v1", "agents"])?.json(agent).answer().await
    }

    /// `POST /v1/sources` (operator): the source's secret, shown once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn register_source(&self, source: &RegisterSource) -> Result<Secret, ClientError> {
        self.post(&["v1", "sources"])?.json(source).answer().await
    }

    /// `POST /v1/detections` (operator).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn register_detection(
        &self,
        detection: &RegisterDetection,
    ) -> Result<(), ClientError> {
        self.post(&["v1", "detections"])?
            .json(detection)
            .done()
            .await
    }

    /// `POST /v1/detections/{id}/outcome` (session); `detection` is its id at the source.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn record_outcome(
        &self,
        detection: &str,
        outcome: &RecordOutcome,
    ) -> Result<(), ClientError> {
        self.post(&["v1", "detections", detection, "outcome"])?
            .json(outcome)
            .done()
            .await
    }

    /// `POST /v1/operations/{id}/halt` (a source).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn halt_operation(
        &self,
        id: &OperationId,
        halt: &HaltOperation,
    ) -> Result<OperationSummary, ClientError> {
        self.post(&["v1", "operations", id.as_str(), "halt"])?
            .json(halt)
            .answer()
            .await
    }

    /// `POST /v1/signals` (a source).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send_signal(&self, signal: &SendSignal) -> Result<(), ClientError> {
        self.post(&["v1", "signals"])?.json(signal).done().await
    }

    /// `POST /v1/error-budgets` (a source).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn report_error_budget(&self, report: &ReportErrorBudget) -> Result<(), ClientError> {
        self.post(&["v1", "error-budgets"])?
            .json(report)
            .done()
            .await
    }

    /// `POST /v1/envelopes` (operator): an envelope in YAML, as it stands in its file.
    ///
    /// # Errors
    /// [`ClientError`]; a problem has the places in the document.
    pub async fn import_envelope(&self, yaml: &[u8]) -> Result<Imported, ClientError> {
        self.post(&["v1", "envelopes"])?
            .body("application/yaml", yaml.to_vec())
            .answer()
            .await
    }

    /// `POST /v1/topology` (operator): a topology in YAML, as it stands in its file.
    ///
    /// # Errors
    /// [`ClientError`]; a problem has the places in the document.
    pub async fn import_topology(&self, yaml: &[u8]) -> Result<Imported, ClientError> {
        self.post(&["v1", "topology"])?
            .body("application/yaml", yaml.to_vec())
            .answer()
            .await
    }

    /// `GET /v1/envelopes` (session).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn envelopes(&self) -> Result<Vec<EnvelopeSummary>, ClientError> {
        self.get(&["v1", "envelopes"])?.answer().await
    }

    /// `GET /v1/envelopes/{digest}` (session): its canonical bytes, which have this digest.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn envelope(&self, digest: &Digest) -> Result<Vec<u8>, ClientError> {
        self.document("envelopes", digest).await
    }

    /// `GET /v1/topology` (session): the canonical bytes of the one that counts now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn topology_now(&self) -> Result<Vec<u8>, ClientError> {
        self.get(&["v1", "topology"])?.bytes().await
    }

    /// `GET /v1/topology/{digest}` (session): its canonical bytes, which have this digest.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn topology(&self, digest: &Digest) -> Result<Vec<u8>, ClientError> {
        self.document("topology", digest).await
    }

    async fn document(&self, of: &str, digest: &Digest) -> Result<Vec<u8>, ClientError> {
        if let Some(bytes) = self.known(digest) {
            return Ok(bytes);
        }
        let bytes = self.get(&["v1", of, &digest.to_string()])?.bytes().await?;
        let got = Digest::of(&bytes);
        if got != *digest {
            return Err(ClientError::OtherDocument {
                wanted: *digest,
                got,
            });
        }
        self.remember(*digest, &bytes);
        Ok(bytes)
    }
}

/// Proposals.
impl Client {
    /// `POST /v1/proposals` (an agent): the proposal's own bytes, JSON.
    ///
    /// # Errors
    /// [`ClientError`]; a problem has the places in the document.
    pub async fn propose(&self, proposal: &[u8]) -> Result<ProposalAnswer, ClientError> {
        self.post(&["v1", "proposals"])?
            .body("application/json", proposal.to_vec())
            .answer()
            .await
    }

    /// `POST /v1/proposals?assess_only=true` (an agent): what would become of it; nothing is kept.
    ///
    /// # Errors
    /// [`ClientError`]; a problem has the places in the document.
    pub async fn assess_only(&self, proposal: &[u8]) -> Result<ProposalAnswer, ClientError> {
        self.post(&["v1", "proposals"])?
            .query(&[("assess_only", "true")])
            .body("application/json", proposal.to_vec())
            .answer()
            .await
    }

    /// `GET /v1/proposals/{id}` (the agent that made it).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn proposal(&self, id: &ProposalId) -> Result<ProposalAnswer, ClientError> {
        self.get(&["v1", "proposals", id.as_str()])?.answer().await
    }
}

/// The queue, and deciding.
impl Client {
    /// `GET /v1/queue` (session): one page, from `cursor` on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn queue_page(
        &self,
        state: QueueState,
        cursor: Option<&str>,
    ) -> Result<Queue, ClientError> {
        #[derive(Serialize)]
        struct Page<'a> {
            state: QueueState,
            limit: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            cursor: Option<&'a str>,
        }
        self.get(&["v1", "queue"])?
            .query(&Page {
                state,
                limit: PAGE_ITEMS,
                cursor,
            })
            .answer()
            .await
    }

    /// `GET /v1/queue`: every item, page after page.
    #[must_use]
    pub fn queue(&self, state: QueueState) -> QueueStream {
        struct Reading {
            client: Client,
            state: QueueState,
            items: VecDeque<QueueItem>,
            next: Next,
            pages: u32,
        }
        enum Next {
            Page(Option<String>),
            End,
        }
        let reading = Reading {
            client: self.clone(),
            state,
            items: VecDeque::new(),
            next: Next::Page(None),
            pages: 0,
        };
        Box::pin(stream::try_unfold(reading, |mut reading| async move {
            loop {
                if let Some(item) = reading.items.pop_front() {
                    return Ok(Some((item, reading)));
                }
                let Next::Page(cursor) = &reading.next else {
                    return Ok(None);
                };
                if reading.pages >= PAGES_MAX {
                    return Err(ClientError::Malformed {
                        route: "GET /v1/queue".to_owned(),
                        reason: format!("more than {PAGES_MAX} pages"),
                    });
                }
                let page = reading
                    .client
                    .queue_page(reading.state, cursor.as_deref())
                    .await?;
                reading.pages += 1;
                reading.items = page.items.into();
                reading.next = page.next.map_or(Next::End, |next| Next::Page(Some(next)));
            }
        }))
    }

    /// `GET /v1/queue/{id}` (session).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn queue_item(&self, id: &ProposalId) -> Result<QueueItem, ClientError> {
        self.get(&["v1", "queue", id.as_str()])?.answer().await
    }

    /// `GET /v1/briefings/{id}` (session): the exact bytes that an approver signs for.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn briefing(&self, id: &ProposalId) -> Result<Vec<u8>, ClientError> {
        self.get(&["v1", "briefings", id.as_str()])?.bytes().await
    }

    /// `POST /v1/nonces` (session).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn begin_decision(&self, begin: &BeginDecision) -> Result<Nonce, ClientError> {
        self.post(&["v1", "nonces"])?.json(begin).answer().await
    }

    /// `POST /v1/decisions` (session).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn submit_decision(
        &self,
        decision: &SubmitDecision,
    ) -> Result<DecisionAccepted, ClientError> {
        self.post(&["v1", "decisions"])?
            .json(decision)
            .answer()
            .await
    }
}

/// What is suspended.
impl Client {
    /// `GET /v1/suspensions` (session).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn suspensions(&self) -> Result<Suspensions, ClientError> {
        self.get(&["v1", "suspensions"])?.answer().await
    }

    /// `POST /v1/suspensions` (session).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn suspend_autonomy(
        &self,
        suspend: &SuspendAutonomy,
    ) -> Result<DecisionAccepted, ClientError> {
        self.post(&["v1", "suspensions"])?
            .json(suspend)
            .answer()
            .await
    }
}

/// Operations, drills and evidence.
impl Client {
    /// `GET /v1/operations` (session).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn operations(&self) -> Result<Vec<OperationSummary>, ClientError> {
        self.get(&["v1", "operations"])?.answer().await
    }

    /// `GET /v1/operations/{id}` (session).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn operation(&self, id: &OperationId) -> Result<Operation, ClientError> {
        self.get(&["v1", "operations", id.as_str()])?.answer().await
    }

    /// `GET /v1/drills` (session or operator): how each pair of action and class stands.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn drills(&self) -> Result<Vec<DrillStanding>, ClientError> {
        self.get(&["v1", "drills"])?.answer().await
    }

    /// `POST /v1/drills` (operator): the operation that rehearses.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn start_drill(&self, drill: &StartDrill) -> Result<OperationSummary, ClientError> {
        self.post(&["v1", "drills"])?.json(drill).answer().await
    }

    /// `GET /v1/evidence/{id}` (session): the evidence folder of an item or operation, path by path.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn evidence(&self, id: &str) -> Result<BTreeMap<String, Bytes>, ClientError> {
        self.get(&["v1", "evidence", id])?.answer().await
    }
}

/// The log.
impl Client {
    /// `GET /log/checkpoint`: the signed note, unverified.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn checkpoint(&self) -> Result<Vec<u8>, ClientError> {
        self.get(&["log", "checkpoint"])?.bytes().await
    }

    /// `GET /log/entries/{index}` (session): the exact bytes of an entry.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn log_entry(&self, index: u64) -> Result<Vec<u8>, ClientError> {
        self.get(&["log", "entries", &index.to_string()])?
            .bytes()
            .await
    }

    /// `GET /log/proof/inclusion?index=…&size=…`, unverified.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Digest>, ClientError> {
        let request = self
            .get(&["log", "proof", "inclusion"])?
            .query(&[("index", index), ("size", size)]);
        Ok(request.answer::<Proof>().await?.hashes)
    }

    /// `GET /log/proof/consistency?old=…&new=…`, unverified.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Digest>, ClientError> {
        let request = self
            .get(&["log", "proof", "consistency"])?
            .query(&[("old", old), ("new", new)]);
        Ok(request.answer::<Proof>().await?.hashes)
    }
}

#[derive(Deserialize)]
struct Proof {
    hashes: Vec<Digest>,
}
