//! Signing: the person's keys, the enrolment and the acceptance, durable before anybody is told.

use std::sync::Arc;

use infoblood_agreement::{
    cbor::Limits,
    enrolment_code::{EnrolmentCode, EnrolmentCodeError},
    profile::normal_login,
    sealed::Kind,
    statement::{
        Acceptance, Checkpoint, Decision, EnrolmentRequest, EnrolmentSecrets,
        Evidence as SignedEvidence, Language, leaf_hash, sign_acceptance, sign_device_refusal,
        sign_enrolment,
    },
    vault::{NewPassphrase, PassphraseError, PersonKeys, VaultError},
};
use jiff::{Timestamp, tz::TimeZone};
use rand_core::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{Connection as _, SqliteConnection};

use crate::{
    PersonSession, UnlockError, Workstation, audit::insert_row, database::DatabaseError,
    document::DocumentFacts, error::StoreError, outbox::SealedFile, random, settings,
};

/// How the document was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Digest of the document that was shown: it is what is signed about.
    pub document: [u8; 32],
    /// When it was opened, Unix seconds.
    pub opened_at: i64,
    /// How long it was visible.
    pub visible_seconds: u64,
    /// Languages that were shown.
    pub languages_shown: Vec<Language>,
    /// Languages whose end was reached.
    pub end_reached: Vec<Language>,
}

/// What a person gives to be enrolled.
#[derive(Debug)]
pub struct EnrolRequest {
    /// As the administrator wrote it; case and form do not matter.
    pub login: String,
    /// The one-time code as typed.
    pub code: SecretString,
    /// The new passphrase.
    pub passphrase: SecretString,
    /// How the document was read.
    pub evidence: Evidence,
    /// What the person decided.
    pub decision: Decision,
}

/// What is stored when [`Workstation::enrol`] returns.
#[derive(Debug)]
pub struct Pending {
    /// 32 hex digits.
    pub person_id: String,
    /// Leaf hash of the acceptance, hex.
    pub statement_id: String,
    /// The person, with open keys: no passphrase is needed until the process ends.
    pub session: PersonSession,
}

/// Why nothing was signed. The store is as before.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The login is empty.
    #[error("the login is empty")]
    Login,
    /// The code is mistyped.
    #[error("the enrolment code is mistyped")]
    Code(#[source] EnrolmentCodeError),
    /// The server took this workstation's right back: an enrolment here would be refused, and the code used up for nothing.
    #[error("the device was revoked")]
    DeviceRevoked,
    /// The server took the person's right back.
    #[error("the person was revoked")]
    PersonRevoked,
    /// The passphrase is too weak.
    #[error("the passphrase is not acceptable")]
    Passphrase(#[source] PassphraseError),
    /// The document that was shown is not known here.
    #[error("no such document is known here")]
    Document,
    /// The keys could not be wrapped.
    #[error("the keys could not be wrapped")]
    Vault(#[source] VaultError),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EnrolError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Login => "login-unknown",
            Self::Code(error) => error.code(),
            Self::DeviceRevoked => "device-revoked",
            Self::PersonRevoked => "person-revoked",
            Self::Passphrase(error) => error.code(),
            Self::Document => "document-unknown",
            Self::Vault(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}

impl Workstation {
    /// Makes the person's keys, signs the enrolment and the decision, and keeps both. When this returns, a crash, a power cut or the
    /// loss of the keyring loses neither.
    pub async fn enrol(&self, request: EnrolRequest) -> Result<Pending, EnrolError> {
        let login = normal_login(&request.login);
        if login.is_empty() {
            return Err(EnrolError::Login);
        }
        let code = EnrolmentCode::parse(request.code.expose_secret()).map_err(EnrolError::Code)?;
        let passphrase =
            NewPassphrase::check(&request.passphrase, &login).map_err(EnrolError::Passphrase)?;
        if self.is_revoked().await.map_err(StoreError::from)? {
            return Err(EnrolError::DeviceRevoked);
        }
        let person_id = self.0.profile.person_id(&login);
        let workstation_keys = self.keys();
        let document = self.shown(&request.evidence)?;

        let mut rng = random::generator().map_err(StoreError::from)?;
        let keys = PersonKeys::generate(&mut rng);
        let (keys, wrapped) = {
            let (workstation_keys, person_id) = (Arc::clone(&workstation_keys), person_id.clone());
            tokio::task::spawn_blocking(move || {
                let wrapped = keys.wrap(&workstation_keys, &person_id, &passphrase, &mut rng)?;
                Ok::<_, VaultError>((keys, wrapped))
            })
            .await
            .map_err(StoreError::sign)?
            .map_err(EnrolError::Vault)?
        };

        let mut rng = random::generator().map_err(StoreError::from)?;
        let now = self.now();
        let fields = self.0.profile.fields();
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let enrolment = sign_enrolment(
            &EnrolmentRequest {
                person_id: &person_id,
                site: &fields.site.code,
                workstation: fields.workstation.as_deref().unwrap_or("workstation"),
                person_x25519: keys.x25519_public(),
                device_x25519: workstation_keys.device_x25519_public(),
                issued_at: now.as_second(),
                nonce,
            },
            EnrolmentSecrets {
                person: keys.signing(),
                device: workstation_keys.device(),
                code: &code.signing_key(),
            },
        );

        let mut store = self.store().await;
        let decision = self
            .decision(
                &mut store,
                request.decision,
                &request.evidence,
                &document,
                now,
                &mut rng,
            )
            .await?;
        let sequence = decision.sequence;
        let acceptance = sign_acceptance(&decision, &person_id, now.as_second(), keys.signing());
        let files = vec![
            self.seal(Kind::Enrolment, &enrolment, &mut rng)?,
            self.seal(Kind::Acceptance, &acceptance, &mut rng)?,
        ];
        let statement_id = statement_id(&acceptance)?;

        let prepared = self
            .0
            .outbox
            .prepare(files.clone())
            .await
            .map_err(StoreError::from)?;
        let mut transaction = store.begin().await.map_err(StoreError::from)?;
        let identity: i64 = sqlx::query_scalar(
            "INSERT INTO identity (person_id, login, wrapped, created_at) VALUES (?, ?, ?, ?) RETURNING id",
        )
        .bind(&person_id)
        .bind(&login)
        .bind(&wrapped)
        .bind(now.as_second())
        .fetch_one(&mut *transaction)
        .await
        .map_err(StoreError::from)?;
        let row = |kind, bytes, file| Row {
            kind,
            identity: Some(identity),
            bytes,
            file,
            now,
            document: &document,
        };
        insert_statement(
            &mut transaction,
            row(Kind::Enrolment, &enrolment, &files[0]),
            None,
        )
        .await?;
        insert_statement(
            &mut transaction,
            row(Kind::Acceptance, &acceptance, &files[1]),
            Some(sequence),
        )
        .await?;
        transaction.commit().await.map_err(StoreError::from)?;
        if let Err(error) = prepared.publish().await {
            // Nobody was told: take it back, so that signing again does not make two.
            self.take_back(&mut store, &files, Some(identity)).await?;
            return Err(StoreError::from(error).into());
        }
        drop(store);

        let session = PersonSession::new(person_id.clone(), login, identity, keys);
        Ok(Pending {
            person_id,
            statement_id,
            session,
        })
    }

    /// Records that the agreement was declined here, before anybody was identified: signed by the device, sent after the device's
    /// first enrolment.
    pub async fn decline(&self, evidence: &Evidence) -> Result<(), EnrolError> {
        let document = self.shown(evidence)?;
        let mut rng = random::generator().map_err(StoreError::from)?;
        let now = self.now();
        let keys = self.keys();
        let mut store = self.store().await;
        let decision = self
            .decision(
                &mut store,
                Decision::Declined,
                evidence,
                &document,
                now,
                &mut rng,
            )
            .await?;
        let sequence = decision.sequence;
        let refusal = sign_device_refusal(&decision, now.as_second(), keys.device());
        let file = self.seal(Kind::DeviceRefusal, &refusal, &mut rng)?;
        let prepared = self
            .0
            .outbox
            .prepare(vec![file.clone()])
            .await
            .map_err(StoreError::from)?;
        let mut transaction = store.begin().await.map_err(StoreError::from)?;
        let row = Row {
            kind: Kind::DeviceRefusal,
            identity: None,
            bytes: &refusal,
            file: &file,
            now,
            document: &document,
        };
        insert_statement(&mut transaction, row, Some(sequence)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        prepared.publish().await.map_err(StoreError::from)?;
        Ok(())
    }

    /// Signs an enrolled person's decision about a newer document, with the keys that the person has; as durable as enrolling. Returns
    /// the statement's id, hex; the same decision about the same document again is the same statement.
    pub async fn accept_again(
        &self,
        session: &PersonSession,
        evidence: &Evidence,
        decision: Decision,
    ) -> Result<String, EnrolError> {
        match self.still_entitled(session.person_id()).await {
            Ok(()) => {}
            Err(UnlockError::Store(error)) => return Err(error.into()),
            Err(error) if error.code() == "device-revoked" => {
                return Err(EnrolError::DeviceRevoked);
            }
            Err(_) => return Err(EnrolError::PersonRevoked),
        }
        let document = self.shown(evidence)?;
        let mut rng = random::generator().map_err(StoreError::from)?;
        let now = self.now();
        let identity = session.identity();
        let mut store = self.store().await;
        if let Some(id) = self
            .decided_already(&mut store, identity, &document, decision)
            .await?
        {
            return Ok(id);
        }
        let claims = self
            .decision(&mut store, decision, evidence, &document, now, &mut rng)
            .await?;
        let person_id = session.person_id();
        let bytes = sign_acceptance(&claims, person_id, now.as_second(), session.signing());
        let files = vec![self.seal(Kind::Acceptance, &bytes, &mut rng)?];
        let id = statement_id(&bytes)?;
        let prepared = self
            .0
            .outbox
            .prepare(files.clone())
            .await
            .map_err(StoreError::from)?;
        let mut transaction = store.begin().await.map_err(StoreError::from)?;
        let row = Row {
            kind: Kind::Acceptance,
            identity: Some(identity),
            bytes: &bytes,
            file: &files[0],
            now,
            document: &document,
        };
        insert_statement(&mut transaction, row, Some(claims.sequence)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        if let Err(error) = prepared.publish().await {
            // Nobody was told: take it back.
            self.take_back(&mut store, &files, None).await?;
            return Err(StoreError::from(error).into());
        }
        Ok(id)
    }

    /// The document that was shown, if it is one that is known here.
    fn shown(&self, evidence: &Evidence) -> Result<DocumentFacts, EnrolError> {
        self.documents()
            .find(&evidence.document)
            .map(|document| DocumentFacts::of(document))
            .ok_or(EnrolError::Document)
    }

    /// The identity's newest statement, if it says this already: it waits, or it is what counts about the document.
    async fn decided_already(
        &self,
        store: &mut SqliteConnection,
        identity: i64,
        document: &DocumentFacts,
        decision: Decision,
    ) -> Result<Option<String>, StoreError> {
        let newest: Option<(String, Vec<u8>, bool)> = sqlx::query_as(
            "SELECT s.id, s.bytes, s.receipt IS NULL FROM statement s LEFT JOIN outbox o ON o.id = s.item_id
             WHERE s.identity = ? AND s.kind = 'acceptance' AND coalesce(o.wedged, 0) = 0 ORDER BY s.sequence DESC LIMIT 1",
        )
        .bind(identity)
        .fetch_optional(&mut *store)
        .await?;
        let registered = self.registered(store, identity).await?;
        let (Some((id, bytes, waits)), Some(registered)) = (newest, registered) else {
            return Ok(None);
        };
        let newest = registered.enrolled().read(&bytes);
        Ok(newest
            .filter(|newest| {
                let claims = newest.payload();
                let last = registered.about(&document.sha256);
                claims.decision == decision
                    && claims.document_sha256 == document.sha256
                    && (waits || last.is_some_and(|last| last.acceptance.leaf() == newest.leaf()))
            })
            .map(|_| id))
    }

    /// Whether the last decision on this workstation was to decline.
    pub async fn is_declined(&self) -> Result<bool, DatabaseError> {
        let kind: Option<String> = sqlx::query_scalar(
            "SELECT kind FROM statement WHERE sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1",
        )
        .fetch_optional(&mut *self.store().await)
        .await?;
        Ok(kind.as_deref() == Some(Kind::DeviceRefusal.as_str()))
    }

    async fn take_back(
        &self,
        store: &mut SqliteConnection,
        files: &[SealedFile],
        identity: Option<i64>,
    ) -> Result<(), StoreError> {
        let mut transaction = store.begin().await?;
        for file in files {
            for sql in [
                "DELETE FROM outbox WHERE id = ?",
                "DELETE FROM statement WHERE item_id = ?",
            ] {
                sqlx::query(sql)
                    .bind(&file.id)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        sqlx::query("DELETE FROM identity WHERE id = ?")
            .bind(identity)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        for file in files {
            self.0.outbox.remove(&file.id)?;
        }
        self.0.outbox.remove_unfinished()?;
        Ok(())
    }

    async fn decision(
        &self,
        store: &mut SqliteConnection,
        decision: Decision,
        evidence: &Evidence,
        document: &DocumentFacts,
        now: Timestamp,
        rng: &mut impl rand_core::CryptoRng,
    ) -> Result<Acceptance, StoreError> {
        let last: Option<(i64, String)> =
            sqlx::query_as("SELECT sequence, id FROM statement WHERE sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1")
                .fetch_optional(&mut *store)
                .await?;
        let checkpoint = settings::get(store, "checkpoint")
            .await?
            .as_deref()
            .and_then(parse_checkpoint);
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        Ok(Acceptance {
            decision,
            device_id: self.device_id(),
            site: self.0.profile.site().code.clone(),
            document_sha256: document.sha256,
            document_version: document.version,
            languages_shown: evidence.languages_shown.clone(),
            evidence: SignedEvidence {
                opened_at: evidence.opened_at,
                visible_seconds: evidence.visible_seconds,
                end_reached: evidence.end_reached.clone(),
            },
            local_time: Acceptance::local_time(&now.to_zoned(TimeZone::system())),
            checkpoint,
            sequence: last
                .as_ref()
                .map_or(1, |(sequence, _)| sequence.unsigned_abs() + 1),
            previous: last.and_then(|(_, id)| {
                let mut leaf = [0; 32];
                hex::decode_to_slice(id, &mut leaf).ok().map(|()| leaf)
            }),
            nonce,
            app_version: self.0.app_version.clone(),
        })
    }
}

struct Row<'a> {
    kind: Kind,
    identity: Option<i64>,
    bytes: &'a [u8],
    file: &'a SealedFile,
    now: Timestamp,
    document: &'a DocumentFacts,
}

async fn insert_statement(
    store: &mut SqliteConnection,
    row: Row<'_>,
    sequence: Option<u64>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO statement (id, item_id, kind, identity, sequence, bytes, document_version, document_sha256, effective_from,
         created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(statement_id(row.bytes)?)
    .bind(&row.file.id)
    .bind(row.kind.as_str())
    .bind(row.identity)
    .bind(sequence.map(|sequence| sequence as i64))
    .bind(row.bytes)
    .bind(row.document.version as i64)
    .bind(hex::encode(row.document.sha256))
    .bind(row.document.effective_from)
    .bind(row.now.as_second())
    .execute(&mut *store)
    .await?;
    insert_row(store, row.file, row.kind, row.now.as_second()).await?;
    Ok(())
}

fn statement_id(bytes: &[u8]) -> Result<String, StoreError> {
    leaf_hash(bytes, &Limits::DEFAULT)
        .map(hex::encode)
        .map_err(StoreError::sign)
}

pub(crate) fn checkpoint_bytes(tree_size: u64, root: &[u8; 32]) -> Vec<u8> {
    [&tree_size.to_be_bytes()[..], root].concat()
}

fn parse_checkpoint(bytes: &[u8]) -> Option<Checkpoint> {
    let (tree_size, root) = bytes.split_first_chunk::<8>()?;
    Some(Checkpoint {
        tree_size: u64::from_be_bytes(*tree_size),
        root: root.try_into().ok()?,
    })
}
