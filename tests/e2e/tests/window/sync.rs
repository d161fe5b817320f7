//! What the window says of synchronisation, read at one moment.

use std::time::{Duration, Instant};

use infoblood_e2e::Result;
use infoblood_e2e::window::{STEP, Window};
use serde::Deserialize;
use serde_json::Value;

/// The sync screen at one moment, as it is drawn.
#[derive(Debug, Deserialize)]
pub(crate) struct Standing {
    /// The queues' numbers of waiting items, added up.
    pub(crate) waiting: u64,
    /// The words of the phase are those of «all is done».
    pub(crate) says_done: bool,
    /// The words themselves.
    pub(crate) words: String,
}

/// One script, so that numbers and words are of the same picture.
const READ: &str = r#"
const phase = document.querySelector("[data-testid='sync-phase'] .big");
const rows = [...document.querySelectorAll("[data-testid='queue']")];
if (!phase || rows.length === 0) return null;
const waiting = rows.reduce((sum, row) => sum + Number(row.querySelector("td").innerText), 0);
return { waiting, says_done: phase.classList.contains("ok"), words: phase.innerText };
"#;

/// The sync screen as it stands now.
pub(crate) async fn standing(window: &Window) -> Result<Standing> {
    let started = Instant::now();
    loop {
        let read: Option<Standing> =
            serde_json::from_value(window.script(READ, Vec::new()).await?)?;
        if let Some(standing) = read {
            return Ok(standing);
        }
        if started.elapsed() > STEP {
            let page = window.words().await;
            return Err(format!("no sync screen; the window shows:\n{page}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until it says that all is done; at no moment before may anything still wait under that word.
pub(crate) async fn until_done(window: &Window) -> Result {
    let started = Instant::now();
    loop {
        let now = standing(window).await?;
        assert!(!now.says_done || now.waiting == 0, "{now:?}");
        if now.says_done {
            return Ok(());
        }
        if started.elapsed() > STEP {
            let Standing { waiting, words, .. } = now;
            return Err(format!("{waiting} items wait still; it says {words:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What waits for the server, as the window was told.
pub(crate) fn waiting(state: &Value) -> u64 {
    let queues = state["sync"]["queues"].as_array();
    queues
        .into_iter()
        .flatten()
        .filter_map(|queue| queue["waiting"].as_u64())
        .sum()
}
