//! How long a key takes to its rows on the screen: real keys, typed into the search field of the real window over a whole centre's
//! cache. `cargo xtask bench --only window` builds and starts it.
//!
//! Nothing in the app knows of it: the page is watched from outside, and what the rows should have been is asked only afterwards, by the
//! command that the page itself uses. A WebDriver types whole words: each of its commands would be in the way of what is measured.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use infoblood_e2e::window::Window;
use infoblood_e2e::world::World;
use infoblood_e2e::{Result, tour};
use serde_json::Value;

/// How long filling may take.
const FILLING: Duration = Duration::from_mins(30);

/// From one key to the next; whoever types slowly.
const PAUSE: Duration = Duration::from_millis(400);

/// Letters of a name that are typed.
const LETTERS: usize = 5;

/// Types, and says how long the rows took.
#[derive(Parser)]
struct Arguments {
    /// Donors of the centre; each comes with some 26 records
    #[arg(long, default_value_t = 4_000)]
    donors: u32,
    /// Keys that change the rows
    #[arg(long, default_value_t = 250)]
    keys: usize,
}

/// Families of the list, and the IINs of some.
const WORDS: &str = r"
return (async () => {
  const invoke = window.__TAURI_INTERNALS__.invoke;
  const filter = { blood: null, deferral: null };
  const families = new Set();
  const iins = [];
  for (const letter of 'абгдежзиклмнорстуқәөүшы') {
    const { rows } = await invoke('search_donors', { query: letter, filter, after: null });
    for (const row of rows) families.add(row.family);
    if (rows[0]) iins.push((await invoke('open_donor', { id: rows[0].id })).iin);
  }
  return [[...families], iins];
})();
";

/// From now on each key and each change of the rows is noted, with the frame after the one that draws it. The words before are selected.
const WATCH: &str = r"
const field = document.querySelector(`[data-testid='donor-search']`);
const rows = () => [...document.querySelectorAll(`[data-testid='donor-row']`)].slice(0, 8).map((row) => row.dataset.id).join();
const watch = (window.keystrokes = { before: rows(), keys: [], changes: [] });
watch.observer = new MutationObserver(() => {
  const change = { shown: rows(), inPage: performance.now(), drawn: null };
  watch.changes.push(change);
  requestAnimationFrame(() => requestAnimationFrame(() => (change.drawn = performance.now())));
});
watch.observer.observe(field.closest('section'), { childList: true, subtree: true, attributes: true, attributeFilter: ['data-id'] });
watch.press = (event) => watch.keys.push(event.timeStamp);
window.addEventListener('keydown', watch.press, true);
field.focus();
field.select();
";

/// For each key `[to the frame after the one that draws its rows, until the rows are in the page, the command alone]` in ms; null
/// where the rows stay the same.
const MEASURE: &str = r"
const done = arguments[arguments.length - 1];
(async () => {
  const { before, keys, changes, observer, press } = window.keystrokes;
  observer.disconnect();
  window.removeEventListener('keydown', press, true);
  const query = document.querySelector(`[data-testid='donor-search']`).value;
  if (keys.length !== query.length) throw new Error(`${keys.length} keys for ${query}`);
  const measured = [];
  let shown = before;
  for (const [index, at] of keys.entries()) {
    const asked = performance.now();
    const filter = { blood: null, deferral: null };
    const typed = query.slice(0, index + 1);
    const page = await window.__TAURI_INTERNALS__.invoke('search_donors', { query: typed, filter, after: null });
    const command = performance.now() - asked;
    const rows = page.rows.slice(0, 8).map((row) => row.id).join();
    if (rows === shown) {
      measured.push(null);
      continue;
    }
    const change = changes.find((change) => change.inPage >= at && change.shown === rows);
    if (!(change?.drawn < (keys[index + 1] ?? Infinity))) throw new Error(`the rows for ${typed} did not come in time`);
    measured.push([change.drawn - at, change.inPage - at, command]);
    shown = rows;
  }
  return measured;
})().then(done, (error) => done(String(error?.code ?? error)));
";

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("FAILED: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result {
    let mut world = World::with_donors(false, arguments.donors)?;
    if !has_graphics_card() {
        // What the app does by itself for a person.
        world.desktop.set("WEBKIT_DISABLE_COMPOSITING_MODE", "1");
    }
    let window = world.launch().await?;
    let measured = measure(&window, &world, arguments).await;
    if measured.is_err() {
        let logs = std::env::temp_dir().join("infoblood-keystrokes");
        world.keep_logs(&logs)?;
        say(&format!("logs: {}", logs.display()));
    }
    measured?;
    window.close()
}

fn has_graphics_card() -> bool {
    std::fs::read_dir("/dev/dri").is_ok_and(|devices| {
        devices.flatten().any(|device| {
            device
                .file_name()
                .as_encoded_bytes()
                .starts_with(b"renderD")
        })
    })
}

async fn measure(window: &Window, world: &World, arguments: &Arguments) -> Result {
    tour::agreement(window, None).await?;
    tour::enrol(window, &world.people[0], None).await?;
    tour::registered(window).await?;
    let started = Instant::now();
    filled(window, arguments.donors).await?;
    say(&format!(
        "{} donors filled in {:.0} s",
        arguments.donors,
        started.elapsed().as_secs_f64()
    ));
    window.click("purpose").await?;
    window.click("purpose-quality").await?;
    window.wait_gone("purpose-dialog").await?;

    let words = words(&window.script(WORDS, Vec::new()).await?);
    let (mut keys, mut asked, mut commands, mut same) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for word in words.iter().cycle() {
        if keys.len() >= arguments.keys {
            break;
        }
        window.script(WATCH, Vec::new()).await?;
        window.type_slowly(word, PAUSE).await?;
        let answer = window.script_later(MEASURE).await?;
        let measured = answer.as_array().ok_or_else(|| answer.to_string())?;
        for key in measured {
            let time = |at: usize| key.get(at).and_then(Value::as_f64);
            keys.extend(time(0));
            asked.extend(time(1));
            commands.extend(time(2));
            same += usize::from(key.is_null());
        }
    }
    say(&format!(
        "{} keys that changed the rows, {same} that did not",
        keys.len()
    ));
    say(&line("key to rows on the screen", &mut keys));
    say(&line("of it until they are in the page", &mut asked));
    say(&line(
        "the command alone, nothing else going on",
        &mut commands,
    ));
    Ok(())
}

/// Waits until everything of the centre is in the cache. Asking for donors leaves audit events to send, so that comes first.
async fn filled(window: &Window, donors: u32) -> Result {
    let started = Instant::now();
    let total = "return window.__TAURI_INTERNALS__.invoke('search_donors', { query: '', after: null }).then((page) => page.total)";
    let (mut is_whole, mut quiet) = (false, 0);
    while quiet < 3 {
        if started.elapsed() > FILLING {
            return Err("the cache is not filled".into());
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        if is_whole {
            let phase = &window.state().await?["sync"]["phase"];
            quiet = if phase == "receiving" { 0 } else { quiet + 1 };
        } else {
            is_whole = window.script(total, Vec::new()).await?.as_u64() >= Some(u64::from(donors));
        }
    }
    Ok(())
}

/// What is typed: beginnings of names from everywhere in the list, every other one without Kazakh letters, and some of IINs.
fn words(found: &Value) -> Vec<String> {
    let list = |at: usize| {
        let list = found.get(at).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    };
    let names = list(0).enumerate().map(|(at, family)| {
        let family = family.to_lowercase();
        let typed = if at % 2 == 0 {
            family
        } else {
            tour::without_kazakh_letters(&family)
        };
        typed.chars().take(LETTERS).collect()
    });
    let numbers = list(1).map(|iin| iin.chars().take(8).collect());
    let (names, numbers): (Vec<String>, Vec<String>) = (names.collect(), numbers.collect());
    let each = names.len().div_ceil(numbers.len().max(1)).max(1);
    let mut words = Vec::new();
    for (at, name) in names.into_iter().enumerate() {
        if at % each == 0 {
            words.extend(numbers.get(at / each).cloned());
        }
        words.push(name);
    }
    words
}

fn line(what: &str, times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let of = |permille: usize| {
        let at = (times.len() * permille / 1_000).min(times.len().saturating_sub(1));
        times.get(at).copied().unwrap_or(f64::NAN)
    };
    format!(
        "{what}: p50 {:.0}, p90 {:.0}, p99 {:.0}, most {:.0} ms",
        of(500),
        of(900),
        of(990),
        of(1_000)
    )
}

fn say(words: &str) {
    let _ = writeln!(std::io::stdout(), "{words}");
}
