//! The one window, and telling it what happens.

use serde::Serialize;
use tauri::{App, AppHandle, Emitter as _, Runtime, WebviewUrl, WebviewWindowBuilder};

use crate::console::{Event, Sink};

/// The window's label: the capability file allows commands to it alone.
pub(crate) const LABEL: &str = "main";

/// Opens the window.
pub(crate) fn open<R: Runtime>(app: &App<R>) -> tauri::Result<()> {
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title("Countersign")
        .inner_size(1280.0, 840.0)
        .min_inner_size(960.0, 640.0)
        .build()?;
    Ok(())
}

/// Tells the window.
pub(crate) struct WindowSink<R: Runtime> {
    app: AppHandle<R>,
}

impl<R: Runtime> WindowSink<R> {
    pub(crate) const fn new(app: AppHandle<R>) -> Self {
        Self { app }
    }

    fn emit(&self, name: &str, payload: impl Serialize + Clone) {
        // A window that is closing misses nothing.
        if let Err(error) = self.app.emit_to(LABEL, name, payload) {
            tracing::debug!(%error, name, "the window was not told");
        }
    }
}

impl<R: Runtime> Sink for WindowSink<R> {
    fn tell(&self, event: Event) {
        match event {
            Event::Changed(changed) => self.emit("changed", changed),
            Event::Connection(connection) => self.emit("connection", connection),
            Event::Witness(witness) => self.emit("witness", witness),
            Event::Key(stage) => self.emit("key", stage),
        }
    }
}
