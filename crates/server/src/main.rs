//! countersignd.
fn main() {}
