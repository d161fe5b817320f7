//! The real server's service on its real storage, without HTTP; it can die at any moment.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use infoblood_agreement::{
    enrolment_code::EnrolmentCode as Code,
    grant::Role,
    key_set::KeySet,
    keys::PublicKey,
    profile::{DeviceApproval, person_id},
    sealed::Kind,
};
use infoblood_client::transport::{ItemState, ItemStatus, TransportError};
use infoblood_server::{
    Context, Place,
    clock::ManualClock,
    problem::Problem,
    service::{audit, courier, enrolments, entries, init},
    storage::{
        AuditStorage as _, Database as _, EnrolmentCode, LogStorage as _, PeopleStorage as _,
        Person, Site, SiteStorage as _, Transaction as _, sqlite::SqliteDatabase,
    },
};
use tempfile::TempDir;

use crate::{chance::Chance, courier::Packed};

pub(crate) const SITE: &str = "ALM";
/// Where every world begins, Unix seconds.
pub(crate) const BEGINNING: i64 = 1_790_000_000;

pub(crate) struct Server {
    dir: TempDir,
    clock: Arc<ManualClock>,
    context: Option<Context<SqliteDatabase>>,
    /// Leaf hash (hex) → receipt: everything that was ever registered by a client.
    pub(crate) registered: BTreeMap<String, Vec<u8>>,
    /// Item ids of audit events that were taken.
    pub(crate) audited: BTreeMap<String, String>,
    /// Leaves that the server wrote itself.
    own: u64,
    pub(crate) deaths: u64,
}

impl Server {
    pub(crate) async fn new(chance: &mut Chance) -> Self {
        // Durability is not asked for here; the medium only has to be fast.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        let clock = Arc::new(ManualClock::new(BEGINNING));
        let context = init::init_with::<SqliteDatabase>(
            &Place::new(dir.path()),
            "https://central.example",
            clock.clone(),
            &mut chance.0,
        )
        .await
        .unwrap();
        let mut tx = context.database.write().await.unwrap();
        tx.add_site(&Site {
            code: SITE.into(),
            name_kk: "Алматы қан орталығы".into(),
            name_ru: "Алматинский центр крови".into(),
            device_approval: DeviceApproval::Auto,
            time_zone: "Asia/Almaty".into(),
            support_contact: None,
            offline_days: 30,
            read_only_days: 7,
            idle_lock_minutes: 10,
            break_glass: false,
            created_at: BEGINNING,
        })
        .await
        .unwrap();
        let own = tx.tree_size().await.unwrap();
        tx.commit().await.unwrap();
        Self {
            dir,
            clock,
            context: Some(context),
            registered: BTreeMap::new(),
            audited: BTreeMap::new(),
            own,
            deaths: 0,
        }
    }

    fn context(&self) -> &Context<SqliteDatabase> {
        self.context.as_ref().unwrap()
    }

    pub(crate) fn key_set(&self) -> &KeySet {
        &self.context().key_set
    }

    pub(crate) fn authority(&self) -> PublicKey {
        self.context().authority
    }

    pub(crate) fn time_goes_by(&self, time: Duration) {
        self.clock.advance(i64::try_from(time.as_secs()).unwrap());
    }

    /// A new person with a one-time code.
    pub(crate) async fn person(&self, login: &str, chance: &mut Chance) -> (String, Code) {
        let code = Code::generate(&mut chance.0);
        let person = Person {
            person_id: person_id(&self.context().person_salt, login),
            login: login.to_owned(),
            site: SITE.into(),
            name: "Аружан Қасымова".into(),
            role: Role::Clinician.as_str().into(),
            created_at: BEGINNING,
            revoked_at: None,
        };
        let mut tx = self.context().database.write().await.unwrap();
        tx.add_person(&person).await.unwrap();
        tx.add_code(&EnrolmentCode {
            public_key: *code.public_key().as_bytes(),
            person_id: person.person_id.clone(),
            issued_at: BEGINNING,
            expires_at: BEGINNING + 60 * 24 * 3600,
            used_at: None,
            revoked_at: None,
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        (person.person_id, code)
    }

    /// Takes a statement and answers as over HTTP: the receipt, or the failure that the client's transport makes of it.
    pub(crate) async fn take(
        &mut self,
        kind: Kind,
        bytes: &[u8],
    ) -> Result<Vec<u8>, TransportError> {
        let answer = match kind {
            Kind::Enrolment => enrolments::register(self.context(), bytes)
                .await
                .map(|(entry, _)| entry),
            _ => entries::register(self.context(), bytes).await,
        };
        let entry = answer.map_err(|problem| failure(&problem))?;
        let before = self
            .registered
            .insert(hex::encode(entry.leaf), entry.receipt.clone());
        assert!(
            before.is_none_or(|before| before == entry.receipt),
            "the same statement again gives the same receipt"
        );
        Ok(entry.receipt)
    }

    pub(crate) async fn take_audit_event(&mut self, id: &str, sealed: &[u8]) -> ItemStatus {
        let outcome = audit::take(self.context(), id, &BASE64.encode(sealed))
            .await
            .unwrap();
        let (status, code) = match outcome {
            audit::Outcome::Stored(_) => (ItemState::Stored, None),
            audit::Outcome::Duplicate => (ItemState::Duplicate, None),
            audit::Outcome::Rejected(code) => (ItemState::Rejected, Some(code.to_owned())),
        };
        match status {
            ItemState::Stored => {
                let before = self.audited.insert(id.to_owned(), id.to_owned());
                assert!(before.is_none(), "an audit event was stored twice");
            }
            ItemState::Duplicate => assert!(self.audited.contains_key(id)),
            ItemState::Rejected => {}
        }
        ItemStatus {
            id: Some(id.to_owned()),
            status,
            code,
        }
    }

    /// A pack in, the answer out; `None`: it was refused, and nothing of it was taken. What dies before the answer is written has taken
    /// the items all the same.
    pub(crate) async fn carry(
        &mut self,
        pack: &[u8],
        items: &[Packed],
        is_interrupted: bool,
    ) -> Option<Vec<u8>> {
        let context = self.context();
        let mut intake = courier::Intake::new(&context.keys.sealing).unwrap();
        intake.push(pack).await.ok()?;
        let mut request = intake.end().ok()?;
        let taken = courier::take(context, &mut request, courier::MAX_WRONG_CODES)
            .await
            .unwrap();
        let mut answer = Vec::new();
        if !is_interrupted {
            let reply = courier::settle(context, &request, taken).await.unwrap();
            let (pieces, mut receiver) = tokio::sync::mpsc::channel(1);
            let write = async {
                let written = reply.write(context, &pieces).await;
                drop(pieces);
                written.unwrap();
            };
            let read = async {
                while let Some(piece) = receiver.recv().await {
                    answer.extend(piece.unwrap());
                }
            };
            tokio::join!(write, read);
        }
        self.note(items).await;
        if is_interrupted {
            self.die().await;
            return None;
        }
        Some(answer)
    }

    /// Notes what of a pack is in the database now, whether anybody was told or not.
    async fn note(&mut self, items: &[Packed]) {
        let mut tx = self
            .context
            .as_ref()
            .unwrap()
            .database
            .read()
            .await
            .unwrap();
        for (id, leaf) in items {
            if let Some(leaf) = leaf {
                if let Some(entry) = tx.entry(leaf).await.unwrap() {
                    let before = self
                        .registered
                        .insert(hex::encode(leaf), entry.receipt.clone());
                    assert!(before.is_none_or(|before| before == entry.receipt));
                }
            } else {
                let hash: [u8; 32] = hex::decode(id).unwrap().try_into().unwrap();
                if tx.has_audit_event(&hash).await.unwrap() {
                    self.audited.insert(id.clone(), id.clone());
                }
            }
        }
    }

    /// The process ends without a word and starts again.
    pub(crate) async fn die(&mut self) {
        self.deaths += 1;
        self.context = None;
        let place = Place::new(self.dir.path());
        let context = Context::open_with_clock(&place, self.clock.clone()).await;
        self.context = Some(context.unwrap());
    }

    /// What was registered is in the log once, and nothing else is in it.
    pub(crate) async fn check(&self) {
        let mut tx = self.context().database.read().await.unwrap();
        assert_eq!(
            tx.tree_size().await.unwrap(),
            self.own + self.registered.len() as u64,
            "the log holds each statement once"
        );
        for (leaf, receipt) in &self.registered {
            let leaf: [u8; 32] = hex::decode(leaf).unwrap().try_into().unwrap();
            let entry = tx
                .entry(&leaf)
                .await
                .unwrap()
                .expect("acknowledged and lost");
            assert_eq!(&entry.receipt, receipt);
        }
        for id in self.audited.keys() {
            let hash: [u8; 32] = hex::decode(id).unwrap().try_into().unwrap();
            assert!(tx.has_audit_event(&hash).await.unwrap(), "an event is lost");
        }
    }

    /// Gaps in this device's chain of audit events that are still open.
    pub(crate) async fn open_gaps(&self, device_id: &str) -> usize {
        let mut tx = self.context().database.read().await.unwrap();
        let gaps = tx.audit_gaps(device_id).await.unwrap();
        gaps.iter().filter(|gap| gap.closed_at.is_none()).count()
    }
}

fn failure(problem: &Problem) -> TransportError {
    if problem.status >= 500 {
        return TransportError::Failed {
            status: problem.status,
            retry_after: None,
        };
    }
    TransportError::Refused {
        status: problem.status,
        code: problem.code.to_owned(),
        retry_after: None,
    }
}
