//! Courier packs: what a test device packs, the server's answer as the device reads it.

mod bulk;
mod command;
mod refused;
mod rights;
pub(crate) mod way;

use std::collections::BTreeMap;

use infoblood_agreement::cbor::{self, Value};
use infoblood_agreement::courier::{
    AnswerHead, AnswerReader, AnswerRecord, Change, Frames, ItemState, PackId, RequestHead,
    RequestRecord, RequestWriter, ShareKey, Stream,
};
use infoblood_agreement::document::Documents;
use infoblood_agreement::sealed::{Kind, SealedItem, item_id};
use infoblood_agreement::vault::WorkstationKeys;
use infoblood_server::clock::rng;
use infoblood_server::storage::{AuditStorage, Database, DeviceStorage, LogStorage};
use reqwest::Response;

use crate::common::{T0, Workstation, World};

const MEDIA_TYPE: &str = "application/vnd.infoblood.courier-pack";
const PACK: PackId = [7; 16];
const NONCE: [u8; 16] = [9; 16];

/// An answer as its device reads it.
struct Answer {
    head: AnswerHead,
    receipts: BTreeMap<String, Vec<u8>>,
    items: BTreeMap<String, ItemState>,
    /// Person: name, role, grant.
    grants: BTreeMap<String, (String, String, Vec<u8>)>,
    /// Person: code.
    no_grants: BTreeMap<String, String>,
    changes: Vec<Change>,
    documents: Documents,
    /// Length of the longest chunk.
    longest: usize,
}

impl Answer {
    fn no_grant(&self, workstation: &Workstation) -> Option<&str> {
        self.no_grants
            .get(&workstation.person_id)
            .map(String::as_str)
    }

    /// How many lines of a stream.
    fn lines(&self, stream: Stream) -> u64 {
        let changes = self.changes.iter().filter(|change| change.stream == stream);
        changes
            .map(|change| change.lines.split(|b| *b == b'\n').count() as u64 - 1)
            .sum()
    }

    /// Nothing that opens patient data.
    fn is_without_rights(&self) -> bool {
        self.grants.is_empty() && self.changes.is_empty()
    }
}

fn rejected(code: &str) -> ItemState {
    ItemState::Rejected {
        code: code.to_owned(),
    }
}

fn later(code: &str) -> ItemState {
    ItemState::Later {
        code: code.to_owned(),
    }
}

fn head(workstation: &Workstation) -> RequestHead {
    RequestHead {
        site: workstation.site.clone(),
        device_x25519: x25519_dalek::PublicKey::from(&workstation.device_x25519).to_bytes(),
        created_at: T0,
        nonce: NONCE,
        key_set_version: 1,
        document_version: 1,
        safety_cursor: None,
        all_cursor: None,
        people: vec![workstation.person_id.clone()],
    }
}

fn keys(workstation: &Workstation) -> WorkstationKeys {
    let item = cbor::encode(&Value::map([
        (1, 1_u64.into()),
        (2, [1_u8; 32].into()),
        (3, workstation.device.to_bytes().into()),
        (4, workstation.device_x25519.to_bytes().into()),
        (5, 0_u64.into()),
    ]));
    WorkstationKeys::from_item(&item).unwrap()
}

/// The chunks of a pack, without its magic and lengths.
fn chunks(pack: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Frames::new();
    frames.push(pack);
    let mut out = Vec::new();
    while let Some(chunk) = frames.next_chunk().unwrap() {
        out.push(chunk);
    }
    frames.end().unwrap();
    out
}

/// A pack of these chunks.
fn framed<'a>(chunks: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut out = b"IBPACK1\n".to_vec();
    for chunk in chunks {
        out.extend(u32::try_from(chunk.len()).unwrap().to_be_bytes());
        out.extend(chunk);
    }
    out
}

impl<D: Database> World<D> {
    fn sealed(&self, kind: Kind, plain: &[u8]) -> RequestRecord {
        let sealed = SealedItem::seal(kind, plain, &self.sealing_key(), &mut rng().unwrap());
        RequestRecord::Item {
            id: item_id(plain),
            sealed: sealed.unwrap().to_bytes(),
        }
    }

    /// A request of these records, as they are.
    fn pack_of(&self, workstation: &Workstation, records: Vec<RequestRecord>) -> Vec<u8> {
        let mut writer = RequestWriter::new(&workstation.device, self.sealing_key(), PACK, T0);
        let mut random = rng().unwrap();
        let mut out = Vec::new();
        for record in records {
            out.extend(
                writer
                    .push(record, &mut random)
                    .unwrap()
                    .unwrap_or_default(),
            );
        }
        out.extend(writer.finish(&mut random).unwrap());
        out
    }

    fn pack(&self, workstation: &Workstation, items: &[(Kind, Vec<u8>)]) -> Vec<u8> {
        let items = items.iter().map(|(kind, plain)| self.sealed(*kind, plain));
        let head = RequestRecord::Head(head(workstation));
        self.pack_of(workstation, std::iter::once(head).chain(items).collect())
    }

    async fn courier(&self, pack: Vec<u8>) -> Response {
        self.http
            .post(self.url("/v1/courier"))
            .header("content-type", MEDIA_TYPE)
            .body(pack)
            .send()
            .await
            .unwrap()
    }

    /// Sends a pack that must be answered, and reads the answer.
    async fn answered(&self, workstation: &Workstation, pack: Vec<u8>) -> Answer {
        let response = self.courier(pack).await;
        let status = response.status();
        let kind = response.headers()["content-type"].clone();
        let body = response.bytes().await.unwrap();
        assert_eq!(
            (status.as_u16(), kind.to_str().unwrap()),
            (200, MEDIA_TYPE),
            "{}",
            String::from_utf8_lossy(&body)
        );
        self.read(workstation, &body).await
    }

    /// The share of a device: what a grant carries.
    async fn share(&self, workstation: &Workstation) -> Option<ShareKey> {
        let mut tx = self.context.database.write().await.unwrap();
        let device = tx.device(&workstation.device_id()).await.unwrap()?;
        let share = tx
            .share_or_insert(&device.device_id, device.epoch, &[0; 32])
            .await
            .unwrap();
        Some(ShareKey::derive(&share, device.epoch))
    }

    async fn read(&self, workstation: &Workstation, pack: &[u8]) -> Answer {
        let share = self.share(workstation).await;
        let keys = keys(workstation);
        let known = self.context.key_set.clone();
        let mut reader = AnswerReader::new(known, self.context.authority);
        let mut records = Vec::new();
        let mut longest = 0;
        for chunk in chunks(pack) {
            longest = longest.max(chunk.len());
            let read = reader.read(&chunk, &keys, share.as_ref()).unwrap();
            records.extend(read.unwrap());
        }
        reader.end().unwrap();
        let mut records = records.into_iter();
        let Some(AnswerRecord::Head(head)) = records.next() else {
            panic!("an answer begins with its head")
        };
        let mut answer = Answer {
            head,
            receipts: BTreeMap::new(),
            items: BTreeMap::new(),
            grants: BTreeMap::new(),
            no_grants: BTreeMap::new(),
            changes: Vec::new(),
            documents: Documents::new(),
            longest,
        };
        for record in records {
            match record {
                AnswerRecord::Receipt { id, receipt } => {
                    answer.receipts.insert(id, receipt);
                }
                AnswerRecord::Item { id, state } => {
                    answer.items.insert(id, state);
                }
                AnswerRecord::Grant {
                    person_id,
                    name,
                    role,
                    grant,
                } => {
                    answer.grants.insert(person_id, (name, role, grant));
                }
                AnswerRecord::NoGrant { person_id, code } => {
                    answer.no_grants.insert(person_id, code);
                }
                AnswerRecord::Change(change) => answer.changes.push(change),
                AnswerRecord::Document {
                    message,
                    kk,
                    ru,
                    structure,
                } => {
                    let keys = &self.context.key_set;
                    let documents = &mut answer.documents;
                    documents.add(&message, &kk, &ru, &structure, keys).unwrap();
                }
                AnswerRecord::Head(_) => panic!("an answer has one head"),
            }
        }
        answer
    }

    /// What a refused pack must not change.
    async fn facts(&self, workstation: &Workstation) -> (u64, usize, u64) {
        let mut tx = self.context.database.read().await.unwrap();
        (
            tx.tree_size().await.unwrap(),
            tx.devices().await.unwrap().len(),
            tx.last_audit_sequence(&workstation.device_id())
                .await
                .unwrap(),
        )
    }
}
