//! Bad input: a clear answer with place and mend, no crash, nothing half-written (issue 2, «it must show» 3).

use countersign_wire::problem::Problem;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::{OPERATOR, World};

struct Asking<'w> {
    world: &'w World,
    http: reqwest::Client,
    agent: String,
}

impl Asking<'_> {
    async fn ask(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Response {
        let token = if path.starts_with("/v1/proposals") {
            &self.agent
        } else {
            OPERATOR
        };
        self.http
            .request(method, format!("{}{path}", self.world.url()))
            .bearer_auth(token)
            .header("content-type", content_type)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    /// A request is refused with this code and status, and nothing of it is kept.
    async fn check(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
        status: u16,
        code: &str,
    ) -> Problem {
        let logged = self.world.log().await.len();
        let response = self.ask(Method::POST, path, content_type, body).await;
        assert_eq!(response.status().as_u16(), status, "{path} {code}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        let problem: Problem = response.json().await.unwrap();
        assert_eq!(
            (problem.code.as_str(), problem.status),
            (code, status),
            "{problem:?}"
        );
        assert_eq!(
            problem.problem_type,
            format!("urn:countersign:problem:{code}")
        );
        assert_eq!(self.world.log().await.len(), logged, "{code} was logged");
        problem
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_place_and_mend() {
    let world = World::ready().await;
    let register = countersign_wire::registry::RegisterAgent {
        agent: "clumsy".parse().unwrap(),
        operated_by: std::collections::BTreeSet::new(),
    };
    let agent = world
        .operator
        .register_agent(&register)
        .await
        .unwrap()
        .secret;
    let asking = Asking {
        world: &world,
        http: reqwest::Client::new(),
        agent,
    };
    let (yaml, json_type) = ("application/yaml", "application/json");

    // Documents.
    let problem = asking
        .check("/v1/envelopes", yaml, "name: [", 422, "document_invalid")
        .await;
    assert!(
        !problem.places.is_empty()
            && problem.places[0].line >= 1
            && !problem.places[0].mend.is_empty()
    );
    let envelope = world
        .envelope(2)
        .replace(r#""name":"small""#, r#""name":"small","nmae":"x""#);
    let problem = asking
        .check("/v1/envelopes", yaml, envelope, 422, "document_invalid")
        .await;
    assert!(problem.detail.contains("nmae"), "{}", problem.detail);
    let dangling = world.topology().replace(
        r#""dependencies":[]"#,
        r#""dependencies":[{"from":"web-1","to":"nowhere","kind":"runtime","strength":"hard"}]"#,
    );
    let problem = asking
        .check("/v1/topology", yaml, dangling, 422, "document_invalid")
        .await;
    assert!(problem.detail.contains("nowhere"), "{}", problem.detail);
    let twice = world.topology().replace("web-2", "web-1");
    asking
        .check("/v1/topology", yaml, twice, 422, "document_invalid")
        .await;
    let garbage = vec![b'['; 10 << 20];
    asking
        .check(
            "/v1/topology",
            yaml,
            garbage.clone(),
            422,
            "document_invalid",
        )
        .await;
    asking
        .check(
            "/v1/envelopes",
            yaml,
            garbage.clone(),
            413,
            "body_too_large",
        )
        .await;
    asking
        .check(
            "/v1/proposals",
            json_type,
            garbage.clone(),
            413,
            "body_too_large",
        )
        .await;
    asking
        .check("/v1/agents", json_type, garbage, 413, "body_too_large")
        .await;

    // Proposals.
    asking
        .check("/v1/proposals", json_type, "{", 422, "document_invalid")
        .await;
    let mut proposal = world.proposal("x", &["web-1"]);
    proposal["urgent"] = json!(true);
    asking
        .check(
            "/v1/proposals",
            json_type,
            proposal.to_string(),
            422,
            "document_invalid",
        )
        .await;
    let mut proposal = world.proposal("x", &["web-1"]);
    let labels: serde_json::Map<String, serde_json::Value> = (0..20_000)
        .map(|n| (format!("label-{n}"), json!("x")))
        .collect();
    proposal["targets"] = json!({"selector": {"labels": labels}});
    let text = proposal.to_string();
    let (begins, ends) = (
        text.find("\"labels\"").unwrap(),
        text.rfind("\"label-").unwrap(),
    );
    let problem = asking
        .check("/v1/proposals", json_type, text, 422, "document_invalid")
        .await;
    let place = &problem.places[0];
    assert!(
        (begins..ends).contains(&usize::try_from(place.column).unwrap()),
        "the selector is the reason: {place:?}"
    );
    assert!(!place.mend.is_empty(), "{place:?}");
    asking
        .check(
            "/v1/proposals",
            "text/plain",
            "{}",
            415,
            "unsupported_media_type",
        )
        .await;

    // Requests.
    let problem = asking
        .check(
            "/v1/agents",
            json_type,
            "{\n  \"agent\": }",
            400,
            "json_malformed",
        )
        .await;
    assert_eq!((problem.places[0].line, problem.places[0].column), (2, 12));
    let problem = asking
        .check(
            "/v1/agents",
            json_type,
            r#"{"agent":"a","admin":true}"#,
            422,
            "json_invalid",
        )
        .await;
    assert!(
        problem.detail.contains("unknown field `admin`"),
        "{}",
        problem.detail
    );
    asking
        .check(
            "/v1/agents",
            json_type,
            r#"{"agent":"a b"}"#,
            422,
            "json_invalid",
        )
        .await;
    asking
        .check(
            "/v1/agents",
            yaml,
            "agent: a",
            415,
            "unsupported_media_type",
        )
        .await;
    asking
        .check("/v1/nothing", json_type, "{}", 404, "not_found")
        .await;
    asking
        .check("/v1/queue", json_type, "{}", 405, "method_not_allowed")
        .await;
    let response = asking
        .ask(Method::DELETE, "/v1/agents", json_type, "")
        .await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "POST");
    let response = asking
        .ask(Method::GET, "/v1/envelopes/zzz", json_type, "")
        .await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    for path in [
        "/log/tile/0/0",
        "/log/tile/../x",
        "/log/entries/99999999",
        "/log/entries/-1",
    ] {
        let response = asking.ask(Method::GET, path, json_type, "").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json",
            "{path}"
        );
    }
    let response = asking
        .ask(
            Method::GET,
            "/log/proof/inclusion?index=5&size=2",
            json_type,
            "",
        )
        .await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}
