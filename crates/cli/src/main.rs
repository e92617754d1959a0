//! countersignctl.
fn main() {}
