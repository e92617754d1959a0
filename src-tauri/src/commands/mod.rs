//! What the window may ask for. Each command delegates to [`crate::console::Console`].

pub mod connection;
pub mod deciding;
pub mod key;
mod list;
pub mod looking;

pub use list::COMMANDS;
use tauri::Runtime;
use tauri::ipc::Invoke;

/// Answers the commands of [`COMMANDS`].
pub fn handler<R: Runtime>() -> impl Fn(Invoke<R>) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        connection::frame,
        connection::connect,
        connection::sign_in,
        connection::sign_out,
        key::keys,
        key::give_pin,
        key::cancel_key,
        key::touch_demonstration_key,
        looking::queue,
        looking::briefing,
        looking::operations,
        looking::operation,
        deciding::preview_decision,
        deciding::decide,
    ]
}

#[cfg(test)]
mod tests;
