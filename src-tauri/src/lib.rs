//! The shell of Info Blood: one window, the commands it may send, and the one owner of all state behind them.
//!
//! [`commands`] passes every request to [`controller`], which drives `infoblood-client`; [`view`] holds the types of the seam.

use std::{fs, io, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use infoblood_client::clock::SystemClock;
use tauri::{Manager as _, RunEvent};

mod commands;
pub mod controller;
mod instance;
mod keyring_store;
pub mod platform;
pub mod profile;
pub mod view;
mod window;
mod words;

pub use keyring_store::OsKeyring;

rust_i18n::i18n!("src-tauri/locales", fallback = "ru");

/// The command line.
#[derive(Debug, Default)]
pub struct Options {
    /// Where the workstation keeps its data; `None`: the system's own place.
    pub data_dir: Option<PathBuf>,
    /// The site profile; `None`: the one chosen earlier, then the machine-wide one.
    pub site_profile: Option<PathBuf>,
}

/// Why the window could not be opened at all.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("this account has no place for application data: give --data-dir")]
    NoDataDir,
    #[error("the data directory cannot be used")]
    DataDir(#[source] io::Error),
    #[error("the window cannot be opened")]
    Window(#[from] tauri::Error),
}

impl StartError {
    fn code(&self) -> &'static str {
        match self {
            Self::DataDir(error) if error.kind() == io::ErrorKind::StorageFull => "disk-full",
            Self::NoDataDir | Self::DataDir(_) | Self::Window(_) => "internal",
        }
    }
}

/// Opens the window and returns when it is closed.
pub fn run(options: Options) -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .init();
    match start(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "no start");
            words::print_error(error.code());
            ExitCode::FAILURE
        }
    }
}

fn start(options: Options) -> Result<(), StartError> {
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let data_dir = options
        .data_dir
        .or_else(platform::default_data_dir)
        .ok_or(StartError::NoDataDir)?;
    make_private(&data_dir).map_err(StartError::DataDir)?;
    let key = instance::key(&data_dir);

    let silence = instance::watch(|| {
        words::print_error("already-running");
        std::process::exit(1);
    });
    #[cfg(target_os = "linux")]
    instance::let_the_dying_end(&key);
    let config = controller::Config {
        keyring: Arc::new(OsKeyring::new(format!("workstation-{key}"))),
        clock: Arc::new(SystemClock),
        profile: profile::Places {
            flag: options.site_profile,
            chosen: data_dir.join(profile::FILE),
            machine: platform::machine_profile(),
        },
        data_dir,
        downloads: platform::downloads_dir(),
        automation: window::automation(),
        idle_minute: Duration::from_mins(1),
    };
    let app = tauri::Builder::default()
        .plugin(instance::plugin(&key))
        .invoke_handler(commands::handler())
        .setup(move |app| {
            drop(silence);
            let shell = window::WindowShell(app.handle().clone());
            let handle = tauri::async_runtime::block_on(async {
                controller::spawn(config, Arc::new(shell))
            });
            app.manage(handle);
            tauri::async_runtime::spawn(end_when_asked(app.handle().clone()));
            window::open(app)
        })
        .build(tauri::generate_context!())?;
    app.run(|app, event| {
        if let RunEvent::Exit = event {
            if let Some(controller) = app.try_state::<controller::Handle>() {
                tauri::async_runtime::block_on(controller.close(Duration::from_secs(3)));
            }
            if let Some(data) = app.try_state::<window::BrowserData>() {
                data.remove();
            }
        }
    });
    Ok(())
}

/// A system that shuts down lets the databases be closed first.
async fn end_when_asked(app: tauri::AppHandle) {
    match platform::asked_to_end().await {
        Ok(()) => app.exit(0),
        Err(error) => tracing::warn!(%error, "signals are not heard"),
    }
}

/// Makes the data directory, for this account only where the system knows such a thing.
fn make_private(dir: &std::path::Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}
