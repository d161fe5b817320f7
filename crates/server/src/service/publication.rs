//! Publishing a new version of the agreement, and giving the published ones to workstations.

use infoblood_agreement::courier::MAX_PLAIN_BYTES;
use infoblood_agreement::document::{
    self, Change, ChangeKind, Document as Text, DocumentError, Mismatch, UnitChange,
};
use infoblood_agreement::statement::Action;

use super::administration::record;
use crate::clock::rfc3339;
use crate::context::Context;
use crate::problem::Problem;
use crate::storage::{AgreementStorage, Database, Document, StorageError, Texts, Transaction};

/// Longest text or pairing in bytes: all three fit into one record of a courier pack, with room for their message.
pub const MAX_TEXT_BYTES: usize = 256 * 1024;
const _: () = assert!(3 * MAX_TEXT_BYTES + 64 * 1024 <= MAX_PLAIN_BYTES);
/// From so many bytes of texts on, an answer takes no further document.
const ENOUGH_BYTES: usize = MAX_TEXT_BYTES;

/// What was published.
#[derive(Debug)]
pub struct Published {
    /// The new version.
    pub document: Text,
    /// What it changes, unit by unit.
    pub changes: Vec<UnitChange>,
}

/// Publishes `texts` as the next version. `effective_from` in Unix seconds; it may lie ahead.
pub async fn publish<D: Database>(
    context: &Context<D>,
    texts: &Texts,
    change: Change,
    effective_from: i64,
) -> Result<Published, Problem> {
    check_text("kk.txt", &texts.kk)?;
    check_text("ru.txt", &texts.ru)?;
    check_text("structure.json", &texts.structure)?;

    let mut tx = context.database.write().await?;
    let known = tx.documents_after(0).await?;
    let newest = known
        .last()
        .ok_or(StorageError::Damaged("documents"))?
        .clone();
    let old = text_of(&mut tx, &newest).await?;
    let new = Text::new(
        newest.version + 1,
        effective_from,
        change,
        &texts.kk,
        &texts.ru,
        &texts.structure,
    )
    .map_err(|error| refused(&error))?;
    if new.kk() == old.kk() && new.ru() == old.ru() {
        return Err(Problem::malformed(
            "document-unchanged",
            format!("Both texts are those of version {}.", newest.version),
        ));
    }
    let changes = document::changes(&old, &new);
    pairs(&old, &new, &changes)?;
    if effective_from < newest.effective_from {
        return Err(Problem::malformed(
            "document-effective-from",
            format!(
                "Version {} counts from {}; the next one cannot count earlier.",
                newest.version,
                rfc3339(newest.effective_from)
            ),
        ));
    }

    let now = context.now();
    tx.add_document(&Document {
        digest: *new.digest(),
        version: new.meta().version,
        effective_from,
        material: change == Change::Material,
        message: new
            .meta()
            .sign(&context.issuer, now, &context.keys.document),
    })
    .await?;
    tx.add_texts(new.digest(), texts).await?;
    let detail = [
        ("version", &*new.meta().version.to_string()),
        ("change", change.name()),
        ("effective_from", &*rfc3339(effective_from)),
    ];
    record(
        &mut tx,
        context.author(),
        Action::DocumentPublished,
        &new.digest_hex(),
        &detail,
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(Published {
        document: new,
        changes,
    })
}

/// The published versions after `version`, oldest first, each with its signed message: as many as one answer takes, at least
/// one if there is any. Who gets some asks again after the last of them.
pub async fn after<D: Database>(
    context: &Context<D>,
    version: u64,
) -> Result<Vec<(Vec<u8>, Text)>, Problem> {
    let mut tx = context.database.read().await?;
    let mut bytes = 0;
    let mut found = Vec::new();
    for document in tx.documents_after(version).await? {
        let text = text_of(&mut tx, &document).await?;
        bytes += text.kk().len() + text.ru().len() + text.structure_json().len();
        found.push((document.message, text));
        if bytes >= ENOUGH_BYTES {
            break;
        }
    }
    Ok(found)
}

async fn text_of(tx: &mut impl Transaction, document: &Document) -> Result<Text, Problem> {
    let damaged = || Problem::from(StorageError::Damaged("document_texts"));
    let text = match tx.texts(&document.digest).await? {
        None => Text::builtin().clone(),
        Some(texts) => Text::new(
            document.version,
            document.effective_from,
            if document.material {
                Change::Material
            } else {
                Change::Editorial
            },
            &texts.kk,
            &texts.ru,
            &texts.structure,
        )
        .map_err(|_| damaged())?,
    };
    if *text.digest() == document.digest {
        Ok(text)
    } else {
        Err(damaged())
    }
}

fn refused(error: &DocumentError) -> Problem {
    Problem::malformed(error.code(), error.to_string())
}

fn check_text(name: &str, text: &str) -> Result<(), Problem> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Problem::malformed(
            "document-too-large",
            format!("{name} is larger than {MAX_TEXT_BYTES} bytes."),
        ));
    }
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if let Some(line) = text.split('\n').position(|line| line.contains(control)) {
        return Err(Problem::malformed(
            "document-structure",
            format!(
                "{name}, line {}: a control character; lines end in LF alone.",
                line + 1
            ),
        ));
    }
    Ok(())
}

/// Refuses a version whose halves do not go together in a unit that is new or was changed. What the version before has of it
/// stays the publisher's to mend.
fn pairs(old: &Text, new: &Text, changes: &[UnitChange]) -> Result<(), Problem> {
    let before = old.mismatches();
    let is_old = |mismatch: &Mismatch| {
        let change = changes
            .iter()
            .find(|change| change.unit == Some(mismatch.unit));
        match change {
            // An unchanged unit, wherever it stands now.
            None => true,
            Some(change) if change.kind == ChangeKind::Changed => before
                .iter()
                .any(|known| Some(known.unit) == change.old_unit && known.kind == mismatch.kind),
            Some(_) => false,
        }
    };
    let Some(mismatch) = new.mismatches().into_iter().find(|found| !is_old(found)) else {
        return Ok(());
    };
    let what = match mismatch.kind {
        "items" => "the lists have another number of items",
        _ => "other numbers stand",
    };
    Err(Problem::malformed(
        "document-pairing",
        format!("Unit {}: {what} in Kazakh than in Russian.", mismatch.unit),
    ))
}
