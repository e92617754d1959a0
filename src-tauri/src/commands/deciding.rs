//! Deciding.

use countersign_wire::problem::Problem;
use countersign_wire::view::{DecideOutcome, DecideRequest, DecisionPreview};
use tauri::State;

use crate::console::Console;

/// What will be signed, in one sentence, before the key is asked.
///
/// # Errors
/// Why it cannot be signed.
#[tauri::command]
pub async fn preview_decision(
    console: State<'_, Console>,
    request: DecideRequest,
) -> Result<DecisionPreview, Problem> {
    console.preview_decision(&request).await
}

/// Has the key sign a decision, and sends it.
///
/// # Errors
/// Why nothing was signed, or why what was signed does not count.
#[tauri::command]
pub async fn decide(
    console: State<'_, Console>,
    request: DecideRequest,
) -> Result<DecideOutcome, Problem> {
    console.decide(&request).await
}
