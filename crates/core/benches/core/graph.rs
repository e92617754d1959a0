//! Figures of the graph and of assessment on it.

use chrono::{DateTime, Utc};
use countersign_core::assessment::assess;
use countersign_core::document;
use countersign_core::identifier::SystemId;
use countersign_core::impact::{self, Circumstances};
use countersign_core::scope::{Change, Graph};
use countersign_core::topology::{DependencyKind, Strength, Topology};
use petgraph::csr::Csr;
use petgraph::visit::Bfs;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::sync::Arc;

use crate::ALLOCATED;
use crate::measure::{Against, Figures, RUNS_MIN, median_ns, p99_ns, time, times};
use crate::sample;

const LARGE: usize = 100_000;
const PER_SYSTEM: usize = 5;
const SEED: u64 = 706;

/// Measures and prints what is asked for.
pub fn run(figures: &Figures) {
    if figures.want(&["core.assess_1240_p50", "core.assess_1240_p99"]) {
        assess_sample(figures);
    }
    let large = [
        "core.assess_local_100k_p50",
        "core.assess_local_100k_p99",
        "core.bytes_per_dependency",
        "core.growth_assess",
        "core.load_100k",
        "core.growth_load",
    ];
    if figures.want(&large) {
        organisation(figures);
    }
    if figures.want(&["core.update_one", "core.update_one_p99", "core.build_100k"]) {
        update(figures);
    }
    if figures.want(&["core.reach_vs_petgraph", "core.impact_1m"]) {
        reach(figures);
    }
}

fn now() -> DateTime<Utc> {
    sample::NOW.parse().unwrap()
}

fn assess_sample(figures: &Figures) {
    let topology = sample::northwind();
    let graph = Graph::new(&topology);
    let (envelope, history) = (sample::envelope(), sample::history());
    let patch = json!({"type": "patch", "parameters": {"package": "openssl", "to_version": "3"}});
    let all = sample::proposal(patch, json!({"selector": {"class": "linux-server"}}));
    let sorted = times(1_000, |_| {
        time(|| assess(Some(&envelope), &graph, &all, Some(&history), now()))
    });
    figures.print(
        "core.assess_1240_p50",
        median_ns(&sorted),
        "ns",
        Against::Nothing,
    );
    figures.print(
        "core.assess_1240_p99",
        p99_ns(&sorted),
        "ns",
        Against::Nothing,
    );
}

/// Median and 99th percentile of local assessments, in nanoseconds.
fn assess_local(topology: &Topology) -> (f64, f64) {
    let graph = Graph::new(topology);
    let (envelope, history) = (sample::envelope(), sample::history());
    let proposals = sample::local_proposals(topology, 1_200, SEED);
    let sorted = times(2_400, |run| {
        let proposal = &proposals[run % proposals.len()];
        time(|| assess(Some(&envelope), &graph, proposal, Some(&history), now()))
    });
    (median_ns(&sorted), p99_ns(&sorted))
}

fn load(topology: &Topology) -> f64 {
    let text = sample::yaml(topology);
    let sorted = times(RUNS_MIN, |_| time(|| document::topology(&text).unwrap()));
    median_ns(&sorted) / 1e6
}

fn organisation(figures: &Figures) {
    let small = sample::organisation(LARGE / 10, PER_SYSTEM, SEED);
    let large = sample::organisation(LARGE, PER_SYSTEM, SEED);
    if figures.want(&["core.bytes_per_dependency"]) {
        // The document itself is shared, not copied.
        let large = Arc::new(large.clone());
        let before = ALLOCATED.current_usage();
        let graph = Graph::new(Arc::clone(&large));
        let bytes = ALLOCATED.current_usage() - before;
        black_box(&graph);
        let each = bytes as f64 / large.dependencies.len() as f64;
        figures.print(
            "core.bytes_per_dependency",
            each,
            "bytes",
            Against::Limit(64.0),
        );
    }
    if figures.want(&[
        "core.assess_local_100k_p50",
        "core.assess_local_100k_p99",
        "core.growth_assess",
    ]) {
        let (p50, p99) = assess_local(&large);
        figures.print("core.assess_local_100k_p50", p50, "ns", Against::Nothing);
        figures.print("core.assess_local_100k_p99", p99, "ns", Against::Limit(1e6));
        if figures.want(&["core.growth_assess"]) {
            let (smaller, _) = assess_local(&small);
            figures.print(
                "core.growth_assess",
                p50 / smaller,
                "times",
                Against::Limit(1.5),
            );
        }
    }
    if figures.want(&["core.load_100k", "core.growth_load"]) {
        let whole = load(&large);
        figures.print("core.load_100k", whole, "ms", Against::Nothing);
        if figures.want(&["core.growth_load"]) {
            figures.print(
                "core.growth_load",
                whole / load(&small),
                "times",
                Against::Limit(12.0),
            );
        }
    }
}

/// Everything that needs one system, on a million systems and five million dependencies.
fn reach(figures: &Figures) {
    let (topology, deepest) = sample::pyramid(1_000_000, PER_SYSTEM, SEED);
    let numbers: BTreeMap<&str, u32> = (0..)
        .zip(&topology.systems)
        .map(|(n, s)| (s.id.as_str(), n))
        .collect();
    let mut edges: Vec<(u32, u32)> = topology
        .dependencies
        .iter()
        .map(|d| (numbers[d.to.as_str()], numbers[d.from.as_str()]))
        .collect();
    edges.sort_unstable();
    let start = numbers[deepest.as_str()];
    drop(numbers);
    let peer: Csr<(), ()> = Csr::from_sorted_edges(&edges).unwrap();
    drop(edges);
    let reached = |start| {
        let mut search = Bfs::new(&peer, start);
        let mut reached = 0_usize;
        while search.next(&peer).is_some() {
            reached += 1;
        }
        reached
    };
    assert_eq!(reached(start), topology.systems.len());
    let theirs = median_ns(&times(RUNS_MIN, |_| time(|| reached(start))));
    drop(peer);
    let graph = Graph::new(topology);
    let first = graph.find(deepest.as_str()).unwrap();
    assert_eq!(graph.hard_closure([first]).len(), 1_000_000);
    let ours = median_ns(&times(RUNS_MIN, |_| time(|| graph.hard_closure([first]))));
    let against = Against::Peer("petgraph Csr Bfs", theirs);
    figures.print("core.reach_vs_petgraph", ours, "ns", against);
    let action = sample::proposal(
        json!({"type": "host-isolate"}),
        json!({"systems": [deepest.as_str()]}),
    )
    .action;
    let targets = BTreeSet::from([deepest]);
    let circumstances = Circumstances {
        concurrency: None,
        history: None,
    };
    let whole = median_ns(&times(RUNS_MIN, |_| {
        time(|| impact::reach(&graph, &action, &targets, circumstances))
    }));
    figures.print("core.impact_1m", whole, "ns", against);
}

/// A changed system, a new one, a dependency, and each away again, on a graph that readers share.
fn update(figures: &Figures) {
    let topology = Arc::new(sample::organisation(LARGE, PER_SYSTEM, SEED));
    let built = times(RUNS_MIN, |_| time(|| Graph::new(Arc::clone(&topology))));
    figures.print(
        "core.build_100k",
        median_ns(&built) / 1e6,
        "ms",
        Against::Nothing,
    );
    let shared = Graph::new(Arc::clone(&topology));
    let systems = &topology.systems;
    let sorted = times(3_000, |run| {
        let (place, step) = (run * 7_919 % systems.len(), run % 5);
        let known = &systems[place];
        let mut new = known.clone();
        new.tier = None;
        new.labels.insert("seen".to_owned(), run.to_string());
        let dependency = &topology.dependencies[run * 104_729 % topology.dependencies.len()];
        let change = match step {
            0 => Change::System(new),
            1 => {
                new.id = SystemId::new(format!("{}-new", known.id)).unwrap();
                Change::System(new)
            }
            2 => Change::RemoveSystem(known.id.clone()),
            3 => Change::Dependency(sample::depends(
                known.id.to_string(),
                systems[run * 31 % systems.len()].id.to_string(),
                DependencyKind::Data,
                Strength::Hard,
            )),
            _ => Change::RemoveDependency(dependency.clone()),
        };
        let mut graph = shared.clone();
        time(|| graph.update(change).unwrap())
    });
    figures.print(
        "core.update_one",
        median_ns(&sorted) / 1e6,
        "ms",
        Against::Limit(1.0),
    );
    figures.print(
        "core.update_one_p99",
        p99_ns(&sorted) / 1e6,
        "ms",
        Against::Limit(1.0),
    );
}
