//! The backend and the session.

use countersign_wire::problem::Problem;
use countersign_wire::view::FrameView;
use tauri::State;

use crate::console::Console;

/// The frame around every screen.
///
/// # Errors
/// None.
#[tauri::command]
pub async fn frame(console: State<'_, Console>) -> Result<FrameView, Problem> {
    Ok(console.frame().await)
}

/// Connects to a backend, whose genesis digest an enrolment link carries.
///
/// # Errors
/// Why it is not connected.
#[tauri::command]
pub async fn connect(
    console: State<'_, Console>,
    url: String,
    genesis: Option<String>,
) -> Result<FrameView, Problem> {
    console.connect(&url, genesis.as_deref()).await
}

/// Signs in with a key.
///
/// # Errors
/// A problem of the key or the backend.
#[tauri::command]
pub async fn sign_in(
    console: State<'_, Console>,
    approver: String,
    key: String,
) -> Result<FrameView, Problem> {
    console.sign_in(&approver, &key).await
}

/// Signs out.
///
/// # Errors
/// None.
#[tauri::command]
pub async fn sign_out(console: State<'_, Console>) -> Result<FrameView, Problem> {
    console.sign_out().await
}
