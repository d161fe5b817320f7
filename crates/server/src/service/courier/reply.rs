//! The answer: decided in one transaction, then written chunk by chunk.

use std::collections::BTreeSet;
use std::time::Duration;

use infoblood_agreement::courier::{
    AnswerHead, AnswerRecord, AnswerWriter, DeviceState, ItemState, Recipient, ShareKey,
};
use infoblood_agreement::keys::device_id;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use tokio::sync::mpsc;

use super::changes::{self, Feed};
use super::intake::Request;
use super::items::{State, Taken, Verdict};
use crate::context::{Context, rng};
use crate::problem::Problem;
use crate::service::{access, grants, publication};
use crate::storage::{
    CourierStorage, Database, Device, DeviceStatus, DeviceStorage, LogStorage, Transaction,
};

/// Longest time in which nobody takes the next piece.
const PATIENCE: Duration = Duration::from_mins(1);
/// Receipts read at once.
const RECEIPTS_AT_ONCE: usize = 100;

/// Where the pieces of an answer go. A problem after the first piece ends it: what was written is a cut pack.
pub type Pieces = mpsc::Sender<Result<Vec<u8>, Problem>>;

/// What was done and given, for who ran it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Items in the request.
    pub items: u64,
    /// Kept now, or were here already.
    pub stored: u64,
    /// Will never be taken.
    pub rejected: u64,
    /// Were left for the next pack.
    pub later: u64,
    /// Grants in the answer.
    pub grants: u64,
    /// Lines of the change feed in the answer.
    pub changes: u64,
}

/// What a device gets.
pub struct Reply {
    head: AnswerHead,
    to: Recipient,
    verdicts: Vec<Verdict>,
    /// The newest version of the terms that the device knows.
    document_version: u64,
    people: Vec<AnswerRecord>,
    feed: Option<Feed>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// Decides who gets a grant and whether patient data follow; counts the answer. All of it is one transaction.
pub async fn settle<D: Database>(
    context: &Context<D>,
    request: &Request,
    taken: Taken,
) -> Result<Reply, Problem> {
    let now = context.now();
    let asked = &request.head;
    let mut tx = context.database.write().await?;
    let device = tx.device_by_kid(&request.device.kid()).await?;
    // Never below the clock: a server that was restored from a backup must not count where it counted before.
    let clock = u64::try_from(now).unwrap_or_default();
    let counter = match &device {
        Some(device) => {
            tx.raise_courier_counter(&device.device_id, clock + 1)
                .await?
        }
        // Nothing is kept of a device that is nobody's: its answers are ordered by the clock.
        None => clock,
    };
    let mut reply = Reply {
        head: AnswerHead {
            device_id: device_id(request.device.as_bytes()),
            site: asked.site.clone(),
            nonce: asked.nonce,
            counter,
            time: now,
            device: state(device.as_ref()),
            request: request.pack,
        },
        to: Recipient {
            device_x25519: asked.device_x25519,
            share: None,
        },
        verdicts: taken.verdicts,
        document_version: asked.document_version,
        people: Vec::new(),
        feed: None,
    };
    let Some(device) = device else {
        tx.commit().await?;
        reply.people = asked
            .people
            .iter()
            .map(|person_id| no_grant(person_id, "key-unknown"))
            .collect();
        return Ok(reply);
    };

    // Signed by the device's own key, but not the device that was registered: it hears what became of its items and no more.
    let is_changed = device.exchange_key != asked.device_x25519 || device.site != asked.site;
    let mut granted = Vec::new();
    for person_id in people(&mut tx, request, &taken.signers, &device).await? {
        let rights = if is_changed {
            refuse_changed(&mut tx, &person_id, &device).await
        } else {
            grants::issue_to_enrolled(context, &mut tx, &person_id, &device).await
        };
        reply.people.push(match rights {
            Ok(given) => {
                let record = AnswerRecord::Grant {
                    person_id,
                    name: given.person.name.clone(),
                    role: given.person.role.clone(),
                    grant: given.grant,
                };
                granted.push(given.person);
                record
            }
            Err(problem) if problem.status < 500 => no_grant(&person_id, problem.code),
            Err(problem) => return Err(problem),
        });
    }
    if !granted.is_empty() {
        let mut fresh = [0; 32];
        rng()?.fill_bytes(&mut fresh);
        let share = tx
            .share_or_insert(&device.device_id, device.epoch, &fresh)
            .await?;
        reply.to.share = Some(ShareKey::derive(&share, device.epoch));
        reply.feed = Some(Feed::new(&mut tx, device, granted, asked).await?);
    }
    tx.commit().await?;
    Ok(reply)
}

fn state(device: Option<&Device>) -> DeviceState {
    match device.map(|device| device.status) {
        None => DeviceState::Unknown,
        Some(DeviceStatus::Pending) => DeviceState::Pending,
        Some(DeviceStatus::Approved) => DeviceState::Approved,
        Some(DeviceStatus::Revoked) => DeviceState::Revoked,
    }
}

fn no_grant(person_id: &str, code: &str) -> AnswerRecord {
    AnswerRecord::NoGrant {
        person_id: person_id.to_owned(),
        code: code.to_owned(),
    }
}

/// Whom the answer tells about: who was asked for, whose statements came from this device, and everybody whose access here was
/// revoked, since a site without a network hears of it in no other way.
async fn people(
    tx: &mut impl Transaction,
    request: &Request,
    signers: &BTreeSet<[u8; 32]>,
    device: &Device,
) -> Result<BTreeSet<String>, Problem> {
    let mut people: BTreeSet<_> = request.head.people.iter().cloned().collect();
    for kid in signers {
        if let Some(key) = tx.person_key(kid).await?
            && key.device_id == device.device_id
        {
            people.insert(key.person_id);
        }
    }
    for person in tx.people_of_device(&device.device_id).await? {
        if person.revoked_at.is_some() {
            people.insert(person.person_id);
        }
    }
    Ok(people)
}

async fn refuse_changed(
    tx: &mut impl Transaction,
    person_id: &str,
    device: &Device,
) -> Result<grants::Given, Problem> {
    let (person, _) = grants::enrolled(tx, person_id, device).await?;
    access::refuse_revoked(&person, device)?;
    Err(Problem::forbidden(
        "device-changed",
        "This device was registered with other keys or elsewhere.",
    ))
}

impl Reply {
    /// Writes the answer. Before each page of patient data the right to it is asked again; what was granted and is no more cuts
    /// the answer.
    pub async fn write<D: Database>(
        self,
        context: &Context<D>,
        pieces: &Pieces,
    ) -> Result<Summary, Problem> {
        let mut random = rng()?;
        let mut pack = [0; 16];
        random.fill_bytes(&mut pack);
        let writer = AnswerWriter::new(
            &context.keys.grant,
            &context.issuer,
            context.key_set.as_bytes(),
            self.to,
            pack,
            self.head.time,
        );
        let device = self.head.device;
        let mut out = Out {
            writer,
            rng: random,
            pieces,
        };
        out.push(AnswerRecord::Head(self.head)).await?;
        let mut summary = items(context, &mut out, &self.verdicts).await?;
        documents(context, &mut out, self.document_version).await?;
        for record in self.people {
            summary.grants += u64::from(matches!(record, AnswerRecord::Grant { .. }));
            out.push(record).await?;
        }
        if let Some(feed) = self.feed {
            summary.changes = changes::write(context, &mut out, &feed).await?;
        }
        out.finish().await?;
        tracing::info!(
            device = device.as_str(),
            items = summary.items,
            stored = summary.stored,
            rejected = summary.rejected,
            later = summary.later,
            grants = summary.grants,
            changes = summary.changes,
            "courier"
        );
        Ok(summary)
    }
}

/// The receipts and verdicts. No transaction is open while somebody takes what was written.
async fn items<D: Database>(
    context: &Context<D>,
    out: &mut Out<'_>,
    verdicts: &[Verdict],
) -> Result<Summary, Problem> {
    let mut summary = Summary::default();
    for verdicts in verdicts.chunks(RECEIPTS_AT_ONCE) {
        let mut records = Vec::new();
        let mut tx = context.database.read().await?;
        for verdict in verdicts {
            let id = hex::encode(verdict.id);
            if let Some(leaf) = &verdict.leaf
                && let Some(entry) = tx.entry(leaf).await?
            {
                records.push(AnswerRecord::Receipt {
                    id: id.clone(),
                    receipt: entry.receipt,
                });
            }
            summary.items += 1;
            let state = match verdict.state {
                State::Stored => {
                    summary.stored += 1;
                    ItemState::Stored
                }
                State::Rejected(code) => {
                    summary.rejected += 1;
                    let code = code.to_owned();
                    ItemState::Rejected { code }
                }
                State::Later(code) => {
                    summary.later += 1;
                    let code = code.to_owned();
                    ItemState::Later { code }
                }
            };
            records.push(AnswerRecord::Item { id, state });
        }
        drop(tx);
        for record in records {
            out.push(record).await?;
        }
    }
    Ok(summary)
}

/// The versions of the terms that the device does not know, oldest first.
async fn documents<D: Database>(
    context: &Context<D>,
    out: &mut Out<'_>,
    mut known: u64,
) -> Result<(), Problem> {
    loop {
        let some = publication::after(context, known).await?;
        if some.is_empty() {
            return Ok(());
        }
        for (message, text) in some {
            known = text.meta().version;
            out.push(AnswerRecord::Document {
                message,
                kk: text.kk().to_owned(),
                ru: text.ru().to_owned(),
                structure: text.structure_json().to_owned(),
            })
            .await?;
        }
    }
}

/// The writer and where its chunks go.
pub(super) struct Out<'a> {
    writer: AnswerWriter<'a>,
    rng: ChaCha20Rng,
    pieces: &'a Pieces,
}

impl Out<'_> {
    pub(super) async fn push(&mut self, record: AnswerRecord) -> Result<(), Problem> {
        match self.writer.push(record, &mut self.rng) {
            Ok(None) => Ok(()),
            Ok(Some(piece)) => send(self.pieces, piece).await,
            Err(error) => Err(Problem::internal(error)),
        }
    }

    async fn finish(mut self) -> Result<(), Problem> {
        let last = self.writer.finish(&mut self.rng);
        send(self.pieces, last.map_err(Problem::internal)?).await
    }
}

async fn send(pieces: &Pieces, piece: Vec<u8>) -> Result<(), Problem> {
    pieces
        .send_timeout(Ok(piece), PATIENCE)
        .await
        .map_err(|_| Problem::internal("nobody takes the answer"))
}
