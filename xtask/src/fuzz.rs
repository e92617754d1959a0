//! Fuzzing for a bounded time: libFuzzer on everything in the core that reads what others wrote, with
//! the stable compiler and without `cargo fuzz`.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::thread;

use crate::process::{Failure, Outcome, output, run};
use crate::workspace::Workspace;

/// Instrumentation that libFuzzer steers by, as `cargo fuzz` sets it, but without a sanitizer: the
/// core forbids unsafe code. The flags are for the target alone, never for build scripts.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
];

/// Inputs tried of each target, the seeds of its corpus among them.
const RUNS: u32 = 20_000;

/// Where [`RUNS`] takes longer, each target ends after so long.
const SECONDS_MAX: u32 = 8;

/// Coverage below which the instrumentation is not there and the fuzzer is blind.
const COVERAGE_MIN: u64 = 30;

/// Builds every target of `fuzz/` and runs each over its corpus.
pub(crate) fn fuzz(workspace: &Workspace) -> Outcome {
    if cfg!(windows) {
        println!("  libFuzzer is run on Linux and macOS only");
        return Ok(());
    }
    let folder = workspace.root().join("fuzz");
    let target = workspace.in_target("fuzz");
    let host = host(workspace)?;
    run(workspace
        .cargo("build")
        .args(["--locked", "--target", &host, "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", FLAGS.join(" "))
        .env_remove("CARGO_ENCODED_RUSTFLAGS"))?;
    let binaries = target.join(host).join("debug");
    let names = Mutex::new(names(&folder)?.into_iter());
    let next = || names.lock().ok()?.next();
    let at_once = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let running: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(name) = next() {
                        try_one(workspace, &folder, &binaries, &target, &name)?;
                    }
                    Ok(())
                })
            })
            .collect();
        running.into_iter().try_for_each(|one| {
            one.join()
                .unwrap_or_else(|_| Err(Failure::new("a fuzzing thread panicked")))
        })
    })
}

fn host(workspace: &Workspace) -> Outcome<String> {
    let version = output(workspace.command("rustc").arg("-vV"))?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| Failure::new("`rustc -vV` names no host"))
}

/// The targets, by the files in `fuzz_targets/`.
fn names(folder: &Path) -> Outcome<Vec<String>> {
    let listed = fs::read_dir(folder.join("fuzz_targets"))
        .map_err(Failure::of("could not list fuzz/fuzz_targets"))?;
    let mut names: Vec<String> = listed
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn try_one(
    workspace: &Workspace,
    folder: &Path,
    binaries: &Path,
    target: &Path,
    name: &str,
) -> Outcome {
    let found = empty(target.join("found").join(name))?;
    let crashes = target.join("crashes");
    fs::create_dir_all(&crashes).map_err(Failure::of("could not make a folder for crashes"))?;
    let result = workspace
        .command(binaries.join(name))
        .args([
            "-seed=1",
            "-timeout=10",
            "-rss_limit_mb=1024",
            "-max_len=8192",
        ])
        .arg(format!("-runs={RUNS}"))
        .arg(format!("-max_total_time={SECONDS_MAX}"))
        .arg(format!(
            "-artifact_prefix={}",
            crashes.join(format!("{name}-")).display()
        ))
        .arg(found)
        .arg(folder.join("corpus").join(name))
        .stdin(Stdio::null())
        .output()
        .map_err(Failure::of(format!("could not start the target `{name}`")))?;
    let told = String::from_utf8_lossy(&result.stderr);
    if !result.status.success() {
        return Err(Failure::new(format!(
            "the target `{name}` failed ({}); its input lies in {}; mend the cause and put the input into \
             fuzz/corpus/{name}\n{told}",
            result.status,
            crashes.display()
        )));
    }
    let last = told.lines().rfind(|line| line.contains("DONE"));
    let coverage = last.and_then(coverage).unwrap_or(0);
    if coverage < COVERAGE_MIN {
        return Err(Failure::new(format!(
            "the target `{name}` reports a coverage of {coverage}: the instrumentation is missing, and the fuzzer blind"
        )));
    }
    println!("  {name:<12} {}", last.unwrap_or_default().trim());
    Ok(())
}

/// `#20000 DONE cov: 4113 ft: 9021 …`
fn coverage(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("cov: ")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The folder, without what an earlier run left in it, so that runs are alike.
fn empty(folder: PathBuf) -> Outcome<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Failure::of("could not empty the fuzzer's folder"))?;
    }
    fs::create_dir_all(&folder).map_err(Failure::of("could not make the fuzzer's folder"))?;
    Ok(folder)
}
