//! The client against an HTTP server in the same process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use countersign_core::identifier::{Digest, ProposalId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use super::{Client, ClientError, Notice, QueueState};
use crate::problem::Problem;
use crate::registry::RegisterAgent;

async fn serve(router: Router) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Client::new(&format!("http://{address}")).unwrap()
}

fn item(n: u32) -> serde_json::Value {
    json!({
        "id": format!("p-{n}"), "title": "patch openssl", "action": "patch", "agent": "soc-agent",
        "state": "waiting", "scope": {"systems": 1, "services": 0, "segments": 0, "tier": "non-critical"},
        "targets": 1, "down": 0, "why": [], "quorum": null, "decisions": [], "briefing": Digest::of(b"x"), "assessed_in": 4,
        "received_at": "2026-11-24T02:14:00Z", "expires_at": "2026-11-24T03:14:00Z", "supersedes": null, "operation": null,
    })
}

#[tokio::test]
async fn the_bearer_goes_along_and_is_never_printed() {
    let router = Router::new().route(
        "/v1/agents",
        post(|headers: HeaderMap| async move {
            let bearer = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
            axum::Json(json!({ "secret": bearer }))
        }),
    );
    let client = serve(router).await.with_bearer("s3cret").unwrap();
    assert!(!format!("{client:?}").contains("s3cret"));
    let secret = client
        .register_agent(&RegisterAgent {
            agent: "soc-agent".parse().unwrap(),
            operated_by: std::collections::BTreeSet::new(),
        })
        .await
        .unwrap();
    assert_eq!(secret.secret, "Bearer s3cret");
    assert_eq!(client.with_bearer("a\nb").unwrap_err(), ClientError::Token);
}

#[tokio::test]
async fn refusals_are_problems_whatever_answers() {
    let router = Router::new()
        .route(
            "/v1/queue/a",
            get(|| async {
                let problem =
                    Problem::new("item_unknown", 404, "no such item", "look at the queue");
                (StatusCode::NOT_FOUND, axum::Json(problem))
            }),
        )
        .route(
            "/v1/queue/b",
            get(|| async { (StatusCode::BAD_GATEWAY, "<html>") }),
        )
        .route(
            "/v1/queue/c",
            get(|| async { Redirect::temporary("/v1/queue/a") }),
        )
        .route("/v1/queue/d", get(|| async { "{}" }));
    let client = serve(router).await;
    for (id, code, status) in [
        ("a", "item_unknown", 404),
        ("b", "unexplained_status", 502),
        ("c", "unexplained_status", 307),
    ] {
        let error = client.queue_item(&id.parse().unwrap()).await.unwrap_err();
        assert_eq!(
            (error.code(), Problem::from(error.clone()).status),
            (code, status),
            "{id}"
        );
    }
    let malformed = client.queue_item(&"d".parse().unwrap()).await.unwrap_err();
    assert_eq!(malformed.code(), "answer_malformed");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(&format!("http://{address}")).unwrap();
    assert_eq!(
        client.deployment().await.unwrap_err().code(),
        "backend_unreachable"
    );
}

#[tokio::test]
async fn names_are_escaped_into_one_segment() {
    let router = Router::new().route(
        "/v1/briefings/{id}",
        get(|Path(id): Path<String>| async move { id.into_bytes() }),
    );
    let client = serve(router).await;
    for id in ["p-1", "a/b", "a?b=c#d", "../queue", "%2e%2e"] {
        let bytes = client
            .briefing(&ProposalId::new(id).unwrap())
            .await
            .unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), id);
    }
    assert_eq!(
        client
            .briefing(&ProposalId::new("..").unwrap())
            .await
            .unwrap_err()
            .code(),
        "backend_address"
    );
}

#[tokio::test]
async fn a_document_of_another_digest_is_refused() {
    let router = Router::new().route("/v1/topology/{digest}", get(|| async { "{}" }));
    let client = serve(router).await;
    assert_eq!(client.topology(&Digest::of(b"{}")).await.unwrap(), b"{}");
    assert_eq!(
        client
            .topology(&Digest::of(b"[]"))
            .await
            .unwrap_err()
            .code(),
        "document_differs"
    );
}

#[tokio::test]
async fn the_queue_is_read_page_after_page() {
    #[derive(serde::Deserialize)]
    struct Page {
        state: String,
        cursor: Option<u32>,
    }
    let router = Router::new().route(
        "/v1/queue",
        get(|Query(page): Query<Page>| async move {
            assert_eq!(page.state, "open");
            let n = page.cursor.unwrap_or(0);
            axum::Json(json!({
                "items": [item(2 * n), item(2 * n + 1)], "next": (n < 2).then(|| (n + 1).to_string()),
                "now": "2026-11-24T02:14:00Z", "at": 1,
            }))
        }),
    );
    let client = serve(router).await;
    let items: Vec<_> = client.queue(QueueState::Open).try_collect().await.unwrap();
    let ids: Vec<_> = items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["p-0", "p-1", "p-2", "p-3", "p-4", "p-5"]);
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let router = Router::new().route(
        "/v1/operations",
        get(|| async {
            let chunk = vec![b' '; 1 << 20];
            axum::body::Body::from_stream(stream::repeat_with(move || {
                Ok::<_, std::io::Error>(chunk.clone())
            }))
        }),
    );
    let client = serve(router).await;
    assert_eq!(
        client.operations().await.unwrap_err().code(),
        "answer_too_long"
    );
}

#[tokio::test]
async fn events_go_on_after_a_lost_connection_and_end_with_the_session() {
    let connections = Arc::new(AtomicUsize::new(0));
    let router = Router::new().route(
        "/v1/events",
        get(move |headers: HeaderMap| async move {
            let n = connections.fetch_add(1, Ordering::SeqCst);
            let last = headers
                .get("last-event-id")
                .map(|id| id.to_str().unwrap().to_owned());
            let changed = |index: u64| {
                let data =
                    json!({"index": index, "kind": "proposal", "item": "p-1", "operation": null});
                Ok::<_, std::io::Error>(
                    Event::default()
                        .id(index.to_string())
                        .event("changed")
                        .data(data.to_string()),
                )
            };
            match (n, last.as_deref()) {
                (0, Some("6")) => Sse::new(stream::iter([changed(7), changed(8)])).into_response(),
                (1, Some("8")) => Sse::new(stream::iter([changed(9)])).into_response(),
                (2, Some("9")) => {
                    let problem = Problem::new("session_void", 401, "signed out", "sign in");
                    (StatusCode::UNAUTHORIZED, axum::Json(problem)).into_response()
                }
                other => panic!("{other:?}"),
            }
        }),
    );
    let client = serve(router).await;
    let notices: Vec<_> = client.events(Some(6)).collect().await;
    let told: Vec<_> = notices
        .iter()
        .map(|notice| match notice {
            Notice::Connected => "connected".to_owned(),
            Notice::Lost { .. } => "lost".to_owned(),
            Notice::Changed(changed) => changed.index.to_string(),
            Notice::Refused(error) => error.code().to_owned(),
        })
        .collect();
    assert_eq!(
        told,
        [
            "connected",
            "7",
            "8",
            "lost",
            "connected",
            "9",
            "lost",
            "session_void"
        ]
    );
}
