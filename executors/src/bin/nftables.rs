//! `countersign-nftables CONFIG`: firewall rules in the table `inet countersign` of a Linux router.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign_executors::call::serve(countersign_executors::nftables::Router::new)
}
