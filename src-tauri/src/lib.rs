//! The native console in which a person approves what an autonomous remediation agent may not do
//! alone.
//!
//! [`commands`] are what the window may ask for and only delegate; [`console`] is the program
//! without a window; [`view`] computes what is shown, purely. This crate decides nothing: the
//! person's key does, over a statement built here from documents checked here.

#![expect(
    clippy::result_large_err,
    reason = "a problem is made once for a command that failed, and the window takes it whole"
)]

pub mod commands;
pub mod console;
pub mod environment;
pub mod view;
mod window;

use tauri::{Builder, Manager as _, Runtime};

use console::Console;
use window::WindowSink;

/// The application: its commands, and its one window once it runs. The caller manages a [`Console`].
#[must_use]
pub fn builder<R: Runtime>(builder: Builder<R>) -> Builder<R> {
    builder
        .invoke_handler(commands::handler())
        .setup(|app| Ok(window::open(app)?))
}

/// Runs the console until its window is closed.
///
/// # Errors
/// Where the window system or the console's own folder cannot be used.
pub fn run() -> Result<(), Box<dyn std::error::Error>> {
    let app = builder(Builder::default()).build(tauri::generate_context!())?;
    let sink = std::sync::Arc::new(WindowSink::new(app.handle().clone()));
    let parts = environment::parts(app.path().app_config_dir()?, sink)?;
    let console = Console::new(parts);
    app.manage(console.clone());
    // The first command waits for this; beginning now saves the wait.
    tauri::async_runtime::spawn(async move { console.started().await });
    app.run(|_, _| {});
    Ok(())
}
