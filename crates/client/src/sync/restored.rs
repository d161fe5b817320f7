//! A server that was restored from an old backup: noticed by its log's head, answered by posting again what it lost.
//!
//! The head that is remembered only grows. One that did not grow out of it raises the alarm `server-restored`; then the server is
//! asked about every registered statement of this workstation, and what it no longer knows goes into the outbox again, sealed anew.
//! The old receipts stay valid here until the new ones verified, and stay in the store as evidence after that.

use infoblood_agreement::{
    checkpoint::Checkpoint,
    key_set::{KeySet, KeyUse},
    sealed::Kind,
};
use sqlx::{Connection as _, FromRow, SqliteConnection};

use super::verdict;
use crate::{
    Workstation, database::DatabaseError, enrol::checkpoint_bytes, error::StoreError, random,
    receipts, settings, transport::TransportError,
};

/// Code of the alarm: the server lost what it had acknowledged.
pub const SERVER_RESTORED: &str = "server-restored";

/// The log's head that was seen last.
const HEAD: &str = "checkpoint";
const HEAD_TIME: &str = "checkpoint_time";
const ALARM: &str = "sync_alarm";

/// How a head of the log stands to the one that is remembered.
#[derive(Debug, PartialEq, Eq)]
enum Relation {
    Same,
    Grown,
    /// Signed before the remembered one: somebody repeats an old answer.
    Older,
    Broken,
}

fn relate(known: Option<&Checkpoint>, seen: &Checkpoint) -> Relation {
    match known {
        None => Relation::Grown,
        Some(known) if seen.tree_size > known.tree_size => Relation::Grown,
        Some(known) if seen.tree_size == known.tree_size && seen.root == known.root => {
            Relation::Same
        }
        Some(known) if seen.time < known.time => Relation::Older,
        Some(_) => Relation::Broken,
    }
}

#[derive(FromRow)]
struct Registered {
    id: String,
    item_id: String,
    kind: String,
    bytes: Vec<u8>,
    receipt: Vec<u8>,
}

const REGISTERED: &str = "SELECT s.id, s.item_id, s.kind, s.bytes, s.receipt FROM statement s";

/// Reads the log's head and acts on it. The inner error: the server is not there.
pub(super) async fn look(
    workstation: &Workstation,
) -> Result<Result<(), TransportError>, StoreError> {
    let answer = workstation.0.transport.checkpoint().await;
    let signed = match answer {
        Ok(signed) => signed,
        Err(error) if is_absent(&error) => return Ok(Err(error)),
        Err(error) => {
            // Sending goes on: the items' own answers decide about them.
            tracing::warn!(code = error.code(), "the log's head could not be read");
            return Ok(Ok(()));
        }
    };
    let Some(seen) = verify(&workstation.key_set(), &signed) else {
        tracing::warn!("the log's head does not verify");
        return Ok(Ok(()));
    };
    let known = head(&mut *workstation.store().await).await?;
    match relate(known.as_ref(), &seen) {
        Relation::Same | Relation::Older => {}
        Relation::Broken => raise(workstation, known.as_ref(), &seen, &signed).await?,
        Relation::Grown => {
            // It may have been restored and have grown past the remembered size since: then our newest statement is gone.
            match knows_our_newest(workstation).await? {
                Ok(true) => {
                    note_head(
                        &mut *workstation.store().await,
                        seen.tree_size,
                        &seen.root,
                        seen.time,
                    )
                    .await?;
                }
                Ok(false) => raise(workstation, known.as_ref(), &seen, &signed).await?,
                Err(error) if is_absent(&error) => return Ok(Err(error)),
                Err(error) => {
                    tracing::warn!(code = error.code(), "the server did not say what it knows");
                }
            }
        }
    }
    confirm(workstation).await
}

fn is_absent(error: &TransportError) -> bool {
    matches!(error, TransportError::Unreachable(_) | TransportError::Slow)
}

fn verify(keys: &KeySet, signed: &[u8]) -> Option<Checkpoint> {
    keys.signers(KeyUse::Log)
        .iter()
        .find_map(|key| Checkpoint::verify(signed, keys.issuer(), key).ok())
}

async fn head(store: &mut SqliteConnection) -> Result<Option<Checkpoint>, DatabaseError> {
    let Some(bytes) = settings::get(store, HEAD).await? else {
        return Ok(None);
    };
    let time = settings::int(store, HEAD_TIME).await?.unwrap_or(0);
    Ok(bytes
        .split_first_chunk::<8>()
        .and_then(|(tree_size, root)| {
            Some(Checkpoint {
                tree_size: u64::from_be_bytes(*tree_size),
                root: root.try_into().ok()?,
                time,
            })
        }))
}

/// Remembers a verified head of the log, if it is larger than the one that is remembered.
pub(crate) async fn note_head(
    store: &mut SqliteConnection,
    tree_size: u64,
    root: &[u8; 32],
    time: i64,
) -> Result<(), DatabaseError> {
    let known = head(store).await?;
    if known.is_some_and(|known| known.tree_size >= tree_size) {
        return Ok(());
    }
    set_head(store, tree_size, root, time).await
}

async fn set_head(
    store: &mut SqliteConnection,
    tree_size: u64,
    root: &[u8; 32],
    time: i64,
) -> Result<(), DatabaseError> {
    settings::set(store, HEAD, &checkpoint_bytes(tree_size, root)).await?;
    settings::set_int(store, HEAD_TIME, time).await
}

/// Whether the server knows the statement that was registered here last: whatever it lost, it lost that too.
async fn knows_our_newest(
    workstation: &Workstation,
) -> Result<Result<bool, TransportError>, DatabaseError> {
    let id: Option<String> = sqlx::query_scalar(
        "SELECT id FROM statement s WHERE receipt IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.id = s.item_id)
         ORDER BY tree_size DESC, registered_at DESC LIMIT 1",
    )
    .fetch_optional(&mut *workstation.store().await)
    .await?;
    let Some(id) = id else { return Ok(Ok(true)) };
    let answer = workstation.0.transport.entry(&id).await;
    Ok(answer.map(|receipt| receipt.is_some()))
}

/// Keeps the evidence, and that every registered statement is to be asked about.
async fn raise(
    workstation: &Workstation,
    known: Option<&Checkpoint>,
    seen: &Checkpoint,
    signed: &[u8],
) -> Result<(), DatabaseError> {
    tracing::error!(
        code = SERVER_RESTORED,
        tree_size = seen.tree_size,
        "the server's log does not continue the one that was known"
    );
    let mut store = workstation.store().await;
    let mut transaction = store.begin().await?;
    if let Some(known) = known {
        sqlx::query(
            "INSERT INTO log_break (noticed_at, tree_size, root, checkpoint) VALUES (?, ?, ?, ?)",
        )
        .bind(workstation.now().as_second())
        .bind(known.tree_size as i64)
        .bind(known.root.as_slice())
        .bind(signed)
        .execute(&mut *transaction)
        .await?;
    }
    sqlx::query(
        "INSERT OR IGNORE INTO to_confirm SELECT id FROM statement WHERE receipt IS NOT NULL",
    )
    .execute(&mut *transaction)
    .await?;
    set_head(&mut transaction, seen.tree_size, &seen.root, seen.time).await?;
    settings::set(&mut transaction, ALARM, SERVER_RESTORED.as_bytes()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Asks about every statement that has still to be asked about; what the server does not know goes into the outbox again.
async fn confirm(workstation: &Workstation) -> Result<Result<(), TransportError>, StoreError> {
    let open: Vec<Registered> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{REGISTERED} JOIN to_confirm c ON c.statement_id = s.id ORDER BY s.kind <> 'enrolment', s.leaf_index"
    )))
    .fetch_all(&mut *workstation.store().await)
    .await?;
    for statement in open {
        match workstation.0.transport.entry(&statement.id).await {
            Ok(Some(receipt)) => known(workstation, &statement, receipt).await?,
            Ok(None) => post_again(workstation, &statement).await?,
            Err(error) if is_absent(&error) => return Ok(Err(error)),
            Err(error) => {
                tracing::warn!(code = error.code(), "the server did not say what it knows");
                return Ok(Ok(()));
            }
        }
    }
    Ok(Ok(()))
}

/// The server has it, perhaps at another place: then the receipt for that place is kept too.
async fn known(
    workstation: &Workstation,
    statement: &Registered,
    receipt: Vec<u8>,
) -> Result<(), StoreError> {
    let now = workstation.now();
    let Ok(facts) = verdict::of_receipt(&workstation.key_set(), &statement.bytes, &receipt) else {
        return Ok(());
    };
    let mut store = workstation.store().await;
    let mut transaction = store.begin().await?;
    if receipt != statement.receipt {
        receipts::write(&mut transaction, &statement.item_id, &receipt, &facts, now).await?;
    }
    confirmed(&mut transaction, &statement.id).await?;
    transaction.commit().await?;
    drop(store);
    workstation.0.outbox.remove(&statement.item_id)?;
    Ok(())
}

/// Seals it anew, with the same order of steps as when it was signed: file, commit, name.
async fn post_again(workstation: &Workstation, statement: &Registered) -> Result<(), StoreError> {
    let Some(kind) = Kind::parse(&statement.kind) else {
        return Ok(());
    };
    let mut rng = random::generator()?;
    let file = workstation.seal(kind, &statement.bytes, &mut rng)?;
    let prepared = workstation.0.outbox.prepare(vec![file.clone()]).await?;
    let mut store = workstation.store().await;
    let mut transaction = store.begin().await?;
    sqlx::query("INSERT OR IGNORE INTO outbox (id, kind, sealed, created_at) VALUES (?, ?, ?, ?)")
        .bind(&file.id)
        .bind(kind.as_str())
        .bind(&file.bytes)
        .bind(workstation.now().as_second())
        .execute(&mut *transaction)
        .await?;
    confirmed(&mut transaction, &statement.id).await?;
    transaction.commit().await?;
    drop(store);
    prepared.publish().await?;
    Ok(())
}

async fn confirmed(store: &mut SqliteConnection, id: &str) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM to_confirm WHERE statement_id = ?")
        .bind(id)
        .execute(store)
        .await?;
    Ok(())
}

/// The alarm that stands.
pub(super) async fn alarm(store: &mut SqliteConnection) -> Result<Option<String>, DatabaseError> {
    let alarm = settings::get(store, ALARM).await?;
    Ok(alarm.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Ends the alarm when everything is registered again. What the server refused for good counts no more once its person is
/// enrolled here under newer keys.
pub(super) async fn clear_if_over(workstation: &Workstation) -> Result<(), DatabaseError> {
    let mut store = workstation.store().await;
    if alarm(&mut store).await?.is_none() {
        return Ok(());
    }
    let is_open: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM to_confirm) OR EXISTS (
           SELECT 1 FROM outbox o JOIN statement s ON s.item_id = o.id WHERE s.receipt IS NOT NULL AND NOT (
             o.wedged = 1 AND EXISTS (
               SELECT 1 FROM identity mine JOIN identity newer ON newer.person_id = mine.person_id AND newer.id > mine.id
               JOIN statement e ON e.identity = newer.id AND e.kind = 'enrolment' AND e.receipt IS NOT NULL
               WHERE mine.id = s.identity AND NOT EXISTS (SELECT 1 FROM outbox w WHERE w.id = e.item_id))))",
    )
    .fetch_one(&mut *store)
    .await?;
    if !is_open {
        settings::remove(&mut store, ALARM).await?;
        tracing::info!("everything is registered again");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(tree_size: u64, root: u8, time: i64) -> Checkpoint {
        Checkpoint {
            tree_size,
            root: [root; 32],
            time,
        }
    }

    #[test]
    fn a_head_grows_or_breaks_and_an_old_answer_says_nothing() {
        let known = head(10, 1, 100);
        for (seen, relation) in [
            (head(10, 1, 90), Relation::Same),
            (head(11, 2, 90), Relation::Grown),
            (head(9, 2, 100), Relation::Broken),
            (head(10, 2, 101), Relation::Broken),
            (head(0, 0, 101), Relation::Broken),
            (head(9, 2, 99), Relation::Older),
        ] {
            assert_eq!(relate(Some(&known), &seen), relation, "{seen:?}");
        }
        assert_eq!(relate(None, &head(0, 0, 0)), Relation::Grown);
    }
}
