//! Which backend: the one that was chosen, the pinned one, or the embedded one. And leaving it.

use std::sync::Arc;

use chrono::Utc;
use countersign_core::identifier::Digest;
use countersign_core::webauthn::Bytes;
use countersign_wire::client::Client;
use countersign_wire::client::trust::{TrustError, Trusted};
use countersign_wire::problem::Problem;
use countersign_wire::view::{ConnectionView, FrameView};

use super::embedded::Embedded;
use super::home::Pinned;
use super::{BackendChoice, Console, Known, Witness, problem};

impl Console {
    /// Starts once: finds its backend and its session, and begins to listen.
    pub async fn started(&self) {
        self.inner
            .started
            .get_or_init(|| async {
                if let Err(problem) = self.start().await {
                    tracing::warn!(code = %problem.code, detail = %problem.detail, "started without a backend");
                }
            })
            .await;
    }

    async fn start(&self) -> Result<(), Problem> {
        let pinned = self.inner.parts.home.pinned();
        let choice = match (&self.inner.parts.backend, &pinned) {
            (Some(choice), _) => choice.clone(),
            (None, Some(pinned)) => BackendChoice {
                url: pinned.url.clone(),
                genesis: Some(pinned.genesis),
            },
            (None, None) => BackendChoice {
                url: self.embed().await?,
                genesis: None,
            },
        };
        self.use_backend(&choice).await
    }

    async fn embed(&self) -> Result<String, Problem> {
        let token: String = std::iter::repeat_with(rand::random::<u8>)
            .take(32)
            .map(|b| format!("{b:02x}"))
            .collect();
        let embedded = Embedded::start(&self.inner.parts.home.folder().join("backend"), &token)
            .await
            .map_err(|error| problem("no_embedded_backend", "no backend", error.to_string()))?;
        let url = embedded.url.clone();
        self.state().embedded = Some(embedded);
        Ok(url)
    }

    /// Connects to a backend. Without a genesis digest only to the pinned one, or to this machine.
    ///
    /// # Errors
    /// A problem that says why not; what was connected stays so.
    pub async fn connect(&self, url: &str, genesis: Option<&str>) -> Result<FrameView, Problem> {
        self.started().await;
        let genesis = genesis
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| {
                text.parse::<Digest>().map_err(|error| {
                    problem("genesis_digest", "not a genesis digest", error.to_string())
                })
            })
            .transpose()?;
        let choice = BackendChoice {
            url: url.to_owned(),
            genesis,
        };
        let client = Client::new(url)?;
        if self.expected(&choice, &client).is_none() && !client.base_url().starts_with("http://") {
            return Err(problem(
                "genesis_needed",
                "its genesis is not known",
                "the first contact with a backend needs its genesis digest; take it from your enrolment link",
            ));
        }
        Trusted::fetch(&client, self.expected(&choice, &client)).await?;
        self.use_backend(&choice).await?;
        Ok(self.frame_now())
    }

    /// The genesis that a backend must have: the one given, or the one pinned for its address.
    fn expected(&self, choice: &BackendChoice, client: &Client) -> Option<Digest> {
        let of_address = |pinned: &Pinned| {
            Client::new(&pinned.url).is_ok_and(|own| own.base_url() == client.base_url())
        };
        choice.genesis.or_else(|| {
            self.inner
                .parts
                .home
                .pinned()
                .filter(of_address)
                .map(|pinned| pinned.genesis)
        })
    }

    async fn use_backend(&self, choice: &BackendChoice) -> Result<(), Problem> {
        let client = Client::new(&choice.url)?;
        let pinned = self.expected(choice, &client);
        let known = Known {
            client,
            pinned,
            trusted: None,
            connection: ConnectionView::Lost {
                since: Utc::now(),
                reason: "it has not been asked yet".to_owned(),
            },
            witness: Witness::default(),
        };
        {
            let mut state = self.state();
            state.backend = Some(known);
            state.session = None;
            state.glances.clear();
        }
        self.recall();
        self.meet().await;
        self.find_session().await;
        self.listen();
        Ok(())
    }

    /// What was kept of the pinned backend, for when it does not answer.
    fn recall(&self) {
        let Some(pinned) = self.inner.parts.home.pinned() else {
            return;
        };
        let wanted = self.state().backend.as_ref().and_then(|known| known.pinned);
        if wanted == Some(pinned.genesis)
            && let Ok(trusted) = Trusted::from_genesis(&pinned.document.0, pinned.genesis)
        {
            self.trust(trusted, None);
        }
    }

    /// Asks the backend who it is. Whether it is trusted now.
    pub(super) async fn meet(&self) -> bool {
        let Some((client, pinned)) = self
            .state()
            .backend
            .as_ref()
            .map(|k| (k.client.clone(), k.pinned))
        else {
            return false;
        };
        match Trusted::fetch(&client, pinned).await {
            Ok(trusted) => {
                // The same request again, for its exact bytes, which are kept.
                let document = client
                    .genesis()
                    .await
                    .ok()
                    .filter(|bytes| Digest::of(bytes) == trusted.digest());
                self.trust(trusted, document);
                self.connected();
                true
            }
            Err(error @ (TrustError::OtherGenesis { .. } | TrustError::Contradiction { .. })) => {
                self.state()
                    .backend
                    .iter_mut()
                    .for_each(|known| known.trusted = None);
                self.lost(&error.to_string());
                false
            }
            Err(error) => {
                self.lost(&error.to_string());
                false
            }
        }
    }

    fn trust(&self, trusted: Trusted, document: Option<Vec<u8>>) {
        let home = &self.inner.parts.home;
        let witness = home.witness(trusted.roster().deployment());
        let genesis = trusted.digest();
        let mut state = self.state();
        let Some(known) = state.backend.as_mut() else {
            return;
        };
        // What was verified in this run is as new as what is in the file, or newer.
        if known
            .trusted
            .as_ref()
            .is_none_or(|before| before.digest() != genesis)
        {
            known.witness = witness;
        }
        known.pinned = Some(genesis);
        known.trusted = Some(Arc::new(trusted));
        let url = known.client.base_url().to_owned();
        drop(state);
        if let Some(document) = document
            && let Err(error) = home.pin(&Pinned {
                url,
                genesis,
                document: Bytes(document),
            })
        {
            tracing::error!(%error, "the backend cannot be pinned");
        }
    }
}
