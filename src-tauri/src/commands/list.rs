/// Every command of the shell. `build.rs` makes a permission of each; a test holds the list against
/// the handler, the capability file and the window's own map.
pub const COMMANDS: &[&str] = &[
    "frame",
    "connect",
    "keys",
    "sign_in",
    "sign_out",
    "queue",
    "briefing",
    "preview_decision",
    "decide",
    "give_pin",
    "cancel_key",
    "touch_demonstration_key",
    "operations",
    "operation",
];
