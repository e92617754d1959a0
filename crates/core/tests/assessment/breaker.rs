//! 4.4: health checks and a circuit breaker are declared.

use serde_json::json;

use crate::world::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let of = |why| case("4.4", why);
    vec![
        of("no health check")
            .set("envelope/rules/0/rollout/health", json!([]))
            .blocks("4.4"),
        of("health absent")
            .remove("envelope/rules/0/rollout/health")
            .blocks("4.4"),
        of("no breaker")
            .remove("envelope/rules/0/rollout/breaker")
            .blocks("4.4"),
        of("an empty breaker is none")
            .set("envelope/rules/0/rollout/breaker", json!({}))
            .blocks("4.4"),
        of("neither")
            .set("envelope/rules/0/rollout/health", json!([]))
            .set("envelope/rules/0/rollout/breaker", json!({}))
            .blocks("4.4"),
        of("no rollout")
            .remove("envelope/rules/0/rollout")
            .blocks("4.4"),
        of("a breaker that tolerates no failure")
            .set("envelope/rules/0/rollout/breaker", json!({"failures": 0}))
            .says(
                "4.4",
                "up after each system; the breaker trips beyond 0 failures",
            ),
        of("a breaker that tolerates one")
            .set("envelope/rules/0/rollout/breaker", json!({"failures": 1}))
            .says("4.4", "the breaker trips beyond 1 failure"),
        of("a breaker that tolerates a share of a wave")
            .set(
                "envelope/rules/0/rollout/breaker",
                json!({"failures_percent": 5}),
            )
            .says("4.4", "the breaker trips beyond 5 % of a wave"),
        of("a breaker that tolerates either")
            .set(
                "envelope/rules/0/rollout/breaker",
                json!({"failures": 2, "failures_percent": 5}),
            )
            .says(
                "4.4",
                "the breaker trips beyond 2 failures or 5 % of a wave",
            ),
        of("a breaker that says only how often to try").set(
            "envelope/rules/0/rollout/breaker",
            json!({"attempts_per_system": 2}),
        ),
        of("no rule to declare one")
            .set("envelope/rules", json!([]))
            .blocks("4.1 4.4? 4.6? 4.9?"),
    ]
}
