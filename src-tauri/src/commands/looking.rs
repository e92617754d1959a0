//! The screens.

use countersign_wire::problem::Problem;
use countersign_wire::view::{BriefingView, OperationRow, OperationView, QueueView};
use tauri::State;

use crate::console::Console;

/// The queue.
///
/// # Errors
/// A problem of the backend.
#[tauri::command]
pub async fn queue(console: State<'_, Console>) -> Result<QueueView, Problem> {
    console.queue().await
}

/// A briefing, checked and assessed anew.
///
/// # Errors
/// A problem of the backend or its documents.
#[tauri::command]
pub async fn briefing(console: State<'_, Console>, id: String) -> Result<BriefingView, Problem> {
    console.briefing(&id).await
}

/// Operations, latest first.
///
/// # Errors
/// A problem of the backend.
#[tauri::command]
pub async fn operations(console: State<'_, Console>) -> Result<Vec<OperationRow>, Problem> {
    console.operations().await
}

/// An operation.
///
/// # Errors
/// A problem of the backend or its documents.
#[tauri::command]
pub async fn operation(console: State<'_, Console>, id: String) -> Result<OperationView, Problem> {
    console.operation(&id).await
}
