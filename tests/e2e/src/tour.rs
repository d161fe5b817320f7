//! The tour: from the first launch to an unlocked donor card and back, with a picture of each step in both languages.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::evidence;
use crate::server::Person;
use crate::window::{STEP, Window};
use crate::world::{DONORS, World};
use crate::{Error, Result};

/// `result.json`.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    /// The patient view was really open: a donor's card was shown.
    pub unlocked: bool,
    /// Donors that the unlocked list counts.
    pub patient_rows: u64,
    /// The exported acceptance and enrolment verify with the public keys and the document alone.
    pub receipt_verified: bool,
    /// From the start of the app to the end of the tour.
    pub seconds: f64,
}

/// A donor as the list shows one.
#[derive(Debug)]
struct Donor {
    family: String,
    /// The family name as somebody without Kazakh letters on the keyboard types it.
    typed: String,
}

/// Runs the tour and leaves its evidence in `out`. The window is open, locked out of nothing, when it returns.
pub async fn run(world: &World, out: &Path, outcome: &mut Outcome) -> Result<Window> {
    let started = Instant::now();
    let person = &world.people[0];
    let window = world.launch().await?;
    let toured = steps(world, &window, person, out, outcome).await;
    outcome.seconds = started.elapsed().as_secs_f64();
    if let Err(error) = toured {
        let _ = window.snapshot(&out.join("failed.png")).await;
        let code = window.error_code().await.map_or_else(String::new, |code| {
            format!(" (error on the screen: {code})")
        });
        return Err(format!("{error}{code}").into());
    }
    Ok(window)
}

async fn steps(
    world: &World,
    window: &Window,
    person: &Person,
    out: &Path,
    outcome: &mut Outcome,
) -> Result {
    agreement(window, Some(out)).await?;
    // A server that answers late: the waiting is otherwise over before a picture of it is taken.
    world.server.pause()?;
    let signed = enrol(window, person, Some(out)).await;
    let pictured = match signed {
        Ok(()) => registering(window, out).await,
        Err(error) => Err(error),
    };
    world.server.resume()?;
    pictured?;
    registered(window).await?;

    outcome.patient_rows = count(window).await?;
    let proofs = proof(world, window, person, out).await?;
    donor(window, out).await?;
    outcome.unlocked = true;
    outcome.receipt_verified = export(world, &proofs, out).await?;

    window.click("lock").await?;
    window.wait("person-select").await?;
    window.wait_gone("donor-search").await?;
    window.picture(out, "10-locked").await?;
    let data = out.join("data");
    evidence::copy_folder(&world.data_dir, &data)?;
    let words = evidence::donors_words(&world.server)?;
    if words.len() < 10 {
        return Err(format!(
            "only {} seeded words to look for: the look would prove nothing",
            words.len()
        )
        .into());
    }
    evidence::nothing_of(&words, &data)?;

    sign_in(window, person).await?;
    window.picture(out, "11-signed-in").await
}

/// Reads the agreement to its end and accepts it.
pub async fn agreement(window: &Window, pictures: Option<&Path>) -> Result {
    window.wait("agreement-kk").await?;
    window.wait("agreement-ru").await?;
    picture(window, pictures, "01-agreement").await?;
    if window.wait("accept").await?.is_enabled().await? {
        return Err("accepting was open before the end was reached".into());
    }
    if pictures.is_some() {
        window.fill("find", "қызметтік").await?;
        picture(window, pictures, "02-find").await?;
        window.fill("find", " ").await?;
    }
    window.scroll_to_end().await?;
    window.click("accept-check").await?;
    picture(window, pictures, "03-accept").await?;
    window.click("accept").await?;
    window.wait("enrol-login").await.map(|_| ())
}

/// Says who accepts, and signs.
pub async fn enrol(window: &Window, person: &Person, pictures: Option<&Path>) -> Result {
    window.fill("enrol-login", &person.login).await?;
    window.fill("enrol-code", &person.code).await?;
    window.fill("passphrase", &person.passphrase).await?;
    window.fill("passphrase-again", &person.passphrase).await?;
    picture(window, pictures, "04-enrol").await?;
    window
        .click_css("[data-testid='sign'][aria-disabled='false']")
        .await
}

/// The phases of the registration, while they last.
async fn registering(window: &Window, out: &Path) -> Result {
    window.wait("sync-status").await?;
    window.picture(out, "05-registering").await
}

/// Waits until the registration has opened the donors.
pub async fn registered(window: &Window) -> Result {
    window
        .wait_any(&["donor-search"], 2 * STEP)
        .await
        .map(|_| ())
}

/// Chooses the person and signs in.
pub async fn sign_in(window: &Window, person: &Person) -> Result {
    try_passphrase(window, person, &person.passphrase).await?;
    window.wait("donor-search").await.map(|_| ())
}

/// Chooses the person and tries a passphrase, once the screen takes one.
pub async fn try_passphrase(window: &Window, person: &Person, passphrase: &str) -> Result {
    window.wait("person-select").await?;
    window
        .click_css(&format!(
            "[data-testid='person-select'] [data-login='{}']",
            person.login
        ))
        .await?;
    window.fill("passphrase", passphrase).await?;
    window
        .click_css("[data-testid='sign-in'][aria-disabled='false']")
        .await
}

/// How many donors the unlocked list counts, once the change feed has filled it.
pub async fn count(window: &Window) -> Result<u64> {
    window.wait("donor-row").await?;
    let started = Instant::now();
    loop {
        let page = donors(window).await?;
        let total = page.get("total").and_then(Value::as_u64);
        let total = total.ok_or_else(|| format!("a page of donors without a total: {page}"))?;
        if total >= u64::from(DONORS) || started.elapsed() > STEP {
            return Ok(total);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Searches a donor by another spelling and opens the card.
async fn donor(window: &Window, out: &Path) -> Result {
    window.picture(out, "07-donors").await?;
    let page = donors(window).await?;
    let rows = page
        .get("rows")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let donor = choose(rows).ok_or("no donor in the list")?;
    window.fill("donor-search", &donor.typed).await?;
    let started = Instant::now();
    loop {
        let row = window.wait("donor-row").await?;
        if row
            .text()
            .await
            .is_ok_and(|text| text.to_lowercase().contains(&donor.family.to_lowercase()))
        {
            break;
        }
        if started.elapsed() > STEP {
            return Err("the donor was not found under another spelling".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    window.picture(out, "08-search").await?;
    window.click("donor-row").await?;
    // The first card of a session: what is it for?
    window.click("purpose-donation").await?;
    let card = window.wait("donor-card").await?;
    if !card
        .text()
        .await?
        .to_lowercase()
        .contains(&donor.family.to_lowercase())
    {
        return Err("the card is another donor's".into());
    }
    window.picture(out, "09-donor-card").await
}

/// The first page of the donors, through the command that the list itself uses.
async fn donors(window: &Window) -> Result<Value> {
    let script =
        "return window.__TAURI_INTERNALS__.invoke('search_donors', { query: '', after: null })";
    window.script(script, Vec::new()).await
}

/// A donor whose name a keyboard without Kazakh letters cannot type; otherwise the first.
fn choose(rows: &[Value]) -> Option<Donor> {
    let donors = rows.iter().filter_map(|row| {
        let family = row.get("family")?.as_str()?.to_owned();
        Some(Donor {
            typed: without_kazakh_letters(&family),
            family,
        })
    });
    let donors: Vec<Donor> = donors.collect();
    let special = donors
        .iter()
        .position(|donor| donor.typed != donor.family.to_lowercase());
    donors.into_iter().nth(special.unwrap_or(0))
}

/// As somebody without Kazakh letters on the keyboard types it.
pub fn without_kazakh_letters(name: &str) -> String {
    let letter = |letter| match letter {
        'ә' => 'а',
        'ғ' => 'г',
        'қ' => 'к',
        'ң' => 'н',
        'ө' => 'о',
        'ұ' | 'ү' => 'у',
        'һ' => 'х',
        'і' => 'и',
        other => other,
    };
    name.to_lowercase().chars().map(letter).collect()
}

/// Looks at the proof of the registration and saves it, as the person would; returns the files.
async fn proof(
    world: &World,
    window: &Window,
    person: &Person,
    out: &Path,
) -> Result<Vec<PathBuf>> {
    window.click("proof-card").await?;
    window.wait("save-proof").await?;
    window.picture(out, "06-registered").await?;
    window.click("save-proof").await?;
    let files = saved_proofs(world, person).await?;
    window.click_css("nav.nav > button:first-of-type").await?;
    window.wait("donor-search").await?;
    Ok(files)
}

/// The files that appeared where the app saves files: acceptance and enrolment.
async fn saved_proofs(world: &World, person: &Person) -> Result<Vec<PathBuf>> {
    let started = Instant::now();
    loop {
        let mut files = evidence::files(&world.desktop.downloads)?;
        files.retain(|file| file.extension().is_some_and(|end| end == "cose"));
        if files.len() >= 2 {
            return Ok(files);
        }
        if started.elapsed() > STEP {
            return Err(format!("{}: {} of 2 proofs were saved", person.login, files.len()).into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Puts the proofs, the public keys and the document into `out`, and has `verify` check them with nothing else.
pub async fn export(world: &World, proofs: &[PathBuf], out: &Path) -> Result<bool> {
    fs::create_dir_all(out)?;
    let keys = out.join("scitt-keys.cbor");
    fs::write(&keys, world.server.get("/.well-known/scitt-keys").await?)?;
    let document = out.join("document");
    evidence::document(&world.server, &document).await?;
    let files: Vec<&Path> = proofs.iter().map(PathBuf::as_path).collect();
    let rows = world.server.verify(&files, &keys, &document)?;
    let kinds: BTreeMap<&str, &PathBuf> = rows
        .iter()
        .filter_map(|row| row.get("kind")?.as_str())
        .zip(proofs)
        .collect();
    for kind in ["acceptance", "enrolment"] {
        let file = kinds
            .get(kind)
            .ok_or_else(|| -> Error { format!("no {kind} among {}", json!(rows)).into() })?;
        fs::copy(file, out.join(format!("{kind}.cose")))?;
    }
    let accepted = rows
        .iter()
        .any(|row| row["kind"] == "acceptance" && row["decision"] == "accepted");
    Ok(accepted
        && rows
            .iter()
            .all(|row| row["person_id"] == world.people[0].person_id.as_str()))
}

async fn picture(window: &Window, folder: Option<&Path>, name: &str) -> Result {
    match folder {
        Some(folder) => window.picture(folder, name).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_donor_with_kazakh_letters_is_chosen_and_typed_without_them() {
        let rows = [json!({ "family": "Ким" }), json!({ "family": "Әбілқызы" })];
        let donor = choose(&rows).unwrap();
        assert_eq!(
            (donor.family.as_str(), donor.typed.as_str()),
            ("Әбілқызы", "абилкызы")
        );
        assert_eq!(choose(&rows[..1]).unwrap().typed, "ким");
        assert!(choose(&[]).is_none());
    }
}
