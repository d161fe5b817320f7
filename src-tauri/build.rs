//! Tells Tauri where this layout keeps its files and which commands exist.

use std::{fs, io, path::Path};

/// Every command of `commands.rs`; each has its own permission, and only a command that a capability names can be called.
const COMMANDS: &[&str] = &[
    "get_state",
    "set_language",
    "get_agreement",
    "accept_agreement",
    "decline_agreement",
    "open_agreement",
    "back_to_people",
    "check_code",
    "check_passphrase",
    "sign",
    "sync_now",
    "save_proof",
    "sign_in",
    "lock",
    "touch",
    "use_profile",
    "search_donors",
    "open_donor",
    "open_donation",
    "lookback",
    "inventory",
    "search_recipients",
    "open_recipient",
    "read_scan",
    "choose_purpose",
    "take_away",
    "access_log",
    "start_anew",
    "break_glass",
    "show_qr",
    "relay_frame",
    "retry_item",
    "accept_again",
    "decline_again",
    "change_passphrase",
    "courier_export",
    "upload_begin",
    "upload_piece",
    "upload_end",
    "upload_cancel",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The pattern below is not watched by tauri-build; the locales are read by a macro, which cargo cannot see.
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    println!("cargo:rerun-if-changed=src-tauri/locales");
    println!("cargo:rerun-if-changed=src-tauri/build.rs");

    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/**/*")
        .app_manifest(tauri_build::AppManifest::new().commands(COMMANDS));
    tauri_build::try_build(attributes)?;
    move_schemas(Path::new("gen/schemas"), Path::new("src-tauri/gen/schemas"))?;
    Ok(())
}

/// tauri-build always writes `./gen/schemas`; generated files belong under `src-tauri/gen` (ignored by git).
fn move_schemas(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    fs::remove_dir(from)?;
    // Not empty only if somebody keeps something else there: then it stays.
    let _ = from.parent().map(fs::remove_dir);
    Ok(())
}
