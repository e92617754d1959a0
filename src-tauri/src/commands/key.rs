//! The key that signs.

use countersign_wire::problem::Problem;
use countersign_wire::view::KeyView;
use tauri::State;
use zeroize::Zeroizing;

use crate::console::Console;

/// The keys that are present.
///
/// # Errors
/// Where they cannot be looked for.
#[tauri::command]
pub async fn keys(console: State<'_, Console>) -> Result<Vec<KeyView>, Problem> {
    console.keys().await
}

/// Gives the PIN that the key waits for.
///
/// # Errors
/// Where no key waits for one.
#[tauri::command]
pub async fn give_pin(console: State<'_, Console>, pin: String) -> Result<(), Problem> {
    console.give_pin(Zeroizing::new(pin))
}

/// Cancels the signature under way.
///
/// # Errors
/// None.
#[tauri::command]
pub async fn cancel_key(console: State<'_, Console>) -> Result<(), Problem> {
    console.cancel_key();
    Ok(())
}

/// Touches the demonstration key that waits for it; a build without such keys has none.
///
/// # Errors
/// Where none does.
#[tauri::command]
pub async fn touch_demonstration_key(console: State<'_, Console>) -> Result<(), Problem> {
    console.touch_demonstration_key().await
}
