//! The views a clinician works in, with data of a whole centre: scans, a donation and the look back from it, stock, recipients.

use std::path::Path;
use std::time::{Duration, Instant};

use infoblood_e2e::Result;
use infoblood_e2e::window::{STEP, Window};
use serde_json::Value;

/// A donor who gave something that went to somebody: `[family, din, check]`, through the commands that the page uses.
const TRACED: &str = r"
return (async () => {
  const invoke = window.__TAURI_INTERNALS__.invoke;
  const { rows } = await invoke('search_donors', { query: '', filter: { blood: null, deferral: null }, after: null });
  for (const row of rows) {
    const card = await invoke('open_donor', { id: row.id });
    for (const { din, din_check } of card.donations.filter((one) => one.din)) {
      const { components } = await invoke('open_donation', { din });
      if (components.some((one) => one.gone_to)) return [row.family, din, din_check];
    }
  }
  return null;
})().catch((error) => error.code ?? `${error}`);
";

/// Keys as fast as a scanner types them, wherever the focus is; its end too.
const SCAN: &str = r"
const [text] = arguments;
const press = (code, key, shiftKey) => {
  const target = document.activeElement ?? document.body;
  target.dispatchEvent(new KeyboardEvent('keydown', { code, key, shiftKey, bubbles: true, cancelable: true }));
};
for (const letter of text) {
  const isDigit = letter >= '0' && letter <= '9';
  if (letter === '=') press('Equal', letter, false);
  else if (letter === '*') press('Digit8', letter, true);
  else press(isDigit ? `Digit${letter}` : `Key${letter}`, letter, !isDigit);
}
press('Enter', 'Enter', false);
";

/// Selects the name on the card, as a double click and a drag do; returns it.
const SELECT: &str = r#"
const range = document.createRange();
range.selectNodeContents(document.querySelector("[data-testid='donor-card'] h1"));
document.getSelection().removeAllRanges();
document.getSelection().addRange(range);
return document.getSelection().toString();
"#;

async fn scan(window: &Window, text: &str) -> Result {
    window.script(SCAN, vec![text.into()]).await.map(|_| ())
}

/// The person has just signed in.
pub(crate) async fn looked_at(window: &Window, out: &Path) -> Result {
    window.click("purpose").await?;
    window.click("purpose-donation").await?;
    window.wait_gone("purpose-dialog").await?;
    let found = window.script(TRACED, Vec::new()).await?;
    let words = |at: usize| found.get(at).and_then(Value::as_str);
    let (Some(din), Some(check)) = (words(1), words(2)) else {
        return Err(format!("no donation of this centre went to anybody: {found}").into());
    };

    scan(window, &format!("{din}{check}")).await?;
    let card = window.wait("donation-card").await?;
    assert_eq!(card.attr("data-din").await?.as_deref(), Some(din));
    window.wait("component").await?;
    window.picture(out, "20-donation").await?;
    window.click("open-lookback").await?;
    window.wait("lookback-recipient").await?;
    window.picture(out, "21-lookback").await?;

    let wrong = if check == "7" { "8" } else { "7" };
    scan(window, &format!("{din}{wrong}")).await?;
    let note = window.wait("scan-note").await?;
    assert_eq!(
        note.attr("data-kind").await?.as_deref(),
        Some("wrong-check")
    );
    window.picture(out, "22-wrong-check").await?;
    window.click("scan-close").await?;
    window.wait_gone("scan-note").await?;

    window.click("inventory").await?;
    window.wait("expiry-chart").await?;
    window.picture(out, "23-inventory").await?;
    window.click("recipients").await?;
    window.wait("recipient-row").await?;
    window.click("recipient-row").await?;
    window.wait("recipient-card").await?;
    window.picture(out, "24-recipient").await?;

    window.click("nav-donors").await?;
    window.wait("donor-row").await?;
    window.fill("donor-search", din).await?;
    window
        .wait_words("donor-row", words(0).unwrap_or_default())
        .await?;
    window.click("donor-row").await?;
    window.wait("donor-card").await?;
    window.wait("next-dates").await?;
    window.picture(out, "25-donor").await?;
    copied(window, out).await
}

/// The name on the open card goes through the clipboard, and the log of who took it says so.
async fn copied(window: &Window, out: &Path) -> Result {
    let name = window.script(SELECT, Vec::new()).await?;
    window.press_with_control("c").await?;
    window.wait_any(&["copied", "taking-note"], STEP).await?;
    window.picture(out, "26-copied").await?;
    window.fill("donor-search", " ").await?;
    window.press_with_control("av").await?;
    let field = "return document.querySelector(`[data-testid='donor-search']`).value";
    let started = Instant::now();
    while window.script(field, Vec::new()).await? != name {
        assert!(started.elapsed() < STEP, "{name} is not on the clipboard");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    window.click("access-log").await?;
    let taken = "[data-testid='access-row'][data-action='patient-copy']";
    assert!(
        window
            .wait_css(taken)
            .await?
            .text()
            .await?
            .contains(name.as_str().unwrap_or("?"))
    );
    window.picture(out, "27-access").await
}
