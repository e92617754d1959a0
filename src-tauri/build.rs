//! Makes the permissions of the declared commands, and checks the capability file against them.

include!("src/commands/list.rs");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // With a pattern of its own tauri-build watches neither the folder nor the list.
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    println!("cargo:rerun-if-changed=src-tauri/src/commands/list.rs");
    tauri_build::try_build(
        tauri_build::Attributes::new()
            .capabilities_path_pattern("./src-tauri/capabilities/**/*")
            .app_manifest(tauri_build::AppManifest::new().commands(COMMANDS)),
    )?;
    Ok(())
}
