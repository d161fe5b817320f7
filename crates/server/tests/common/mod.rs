//! A real server over a real socket, and a workstation's side of the protocol.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use infoblood_agreement::audit::{Action, AuditEvent, Outcome, Purpose, message_hash};
use infoblood_agreement::cbor::{self, Limits};
use infoblood_agreement::cose::{self, Header, content_type};
use infoblood_agreement::document::Document;
use infoblood_agreement::grant::Role;
use infoblood_agreement::keys::{PublicKey, SigningKey, device_id};
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::sealed::{Kind, SealedItem, item_id};
use infoblood_agreement::session;
use infoblood_agreement::statement::{
    self, Acceptance, Decision, EnrolmentRequest, EnrolmentSecrets, Evidence, Language,
};
use infoblood_server::clock::{ManualClock, rng};
use infoblood_server::service::administration;
use infoblood_server::service::init::init_with;
use infoblood_server::storage::sqlite::SqliteDatabase;
use infoblood_server::storage::{Database, Site};
use infoblood_server::{Context, Place, Running, ServeConfig, start};
use rand_core::Rng as _;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use x25519_dalek::StaticSecret;

/// 2026-11-01T00:00:00Z.
pub(crate) const T0: i64 = 1_793_491_200;
pub(crate) const ISSUER: &str = "https://central.example";

/// A server with the sites A and B.
pub(crate) struct World<D = SqliteDatabase> {
    // Removed with the world.
    dir: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) context: Context<D>,
    pub(crate) running: Running,
    pub(crate) http: reqwest::Client,
}

impl World {
    pub(crate) async fn new(device_approval: DeviceApproval) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path());
        Self::at(dir, place, device_approval).await
    }
}

impl<D: Database> World<D> {
    /// On a database of any engine.
    pub(crate) async fn at(
        dir: tempfile::TempDir,
        place: Place,
        device_approval: DeviceApproval,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(ManualClock::new(T0));
        let context = init_with::<D>(
            &place,
            ISSUER,
            Arc::<ManualClock>::clone(&clock),
            &mut rng().unwrap(),
        )
        .await
        .unwrap();
        for code in ["A", "B"] {
            let site = Site {
                code: code.to_owned(),
                name_kk: "Қан орталығы".to_owned(),
                name_ru: "Центр крови".to_owned(),
                device_approval,
                time_zone: "Asia/Almaty".to_owned(),
                support_contact: None,
                offline_days: 30,
                read_only_days: 7,
                idle_lock_minutes: 10,
                break_glass: false,
                created_at: T0,
            };
            administration::add_site(&context, &site).await.unwrap();
        }
        let config = ServeConfig {
            clock: Arc::<ManualClock>::clone(&clock),
            ..ServeConfig::loopback(place)
        };
        let running = start(config).await.unwrap();
        Self {
            dir,
            clock,
            context,
            running,
            http: reqwest::Client::new(),
        }
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url)
    }

    /// A person of a site, with a code and a device nobody has seen yet.
    pub(crate) async fn person(&self, login: &str, site: &str) -> Workstation {
        let issued =
            administration::add_person(&self.context, login, site, "Айгерім", Role::Clinician)
                .await
                .unwrap();
        let secret = || {
            let mut bytes = [0; 32];
            rng().unwrap().fill_bytes(&mut bytes);
            bytes
        };
        Workstation {
            login: login.to_owned(),
            site: site.to_owned(),
            person_id: issued.person.person_id,
            code: issued.code.signing_key(),
            person: SigningKey::from_bytes(&secret()),
            person_x25519: StaticSecret::from(secret()),
            device: SigningKey::from_bytes(&secret()),
            device_x25519: StaticSecret::from(secret()),
            sequence: 0,
            previous: None,
            audit_sequence: 0,
            audit_previous: None,
        }
    }

    /// The same, enrolled and with the agreement accepted.
    pub(crate) async fn accepted(&self, login: &str, site: &str) -> Workstation {
        let mut workstation = self.person(login, site).await;
        assert_eq!(
            self.enrol(&workstation.enrolment()).await.status(),
            StatusCode::CREATED
        );
        let acceptance = workstation.decide(Decision::Accepted, T0);
        assert_eq!(self.entry(acceptance).await.status(), StatusCode::CREATED);
        workstation
    }

    pub(crate) async fn cose(&self, path: &str, body: Vec<u8>) -> Response {
        self.http
            .post(self.url(path))
            .header("content-type", "application/cose")
            .body(body)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn enrol(&self, body: &[u8]) -> Response {
        self.cose("/v1/enrolments", body.to_vec()).await
    }

    pub(crate) async fn entry(&self, body: Vec<u8>) -> Response {
        self.cose("/entries", body).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Response {
        let mut request = self.http.post(self.url(path)).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Response {
        let mut request = self.http.get(self.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn challenge(&self) -> [u8; 32] {
        let answer: Value = self
            .post("/v1/sessions", None, &json!({}))
            .await
            .json()
            .await
            .unwrap();
        unbase64(&answer["challenge"]).try_into().unwrap()
    }

    /// A bearer token.
    pub(crate) async fn token(&self, workstation: &Workstation) -> String {
        let answer = workstation.answer(self.challenge().await, [7; 16]);
        let response = self.post("/v1/sessions", None, &answer).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        response.json::<Value>().await.unwrap()["token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn sealing_key(&self) -> [u8; 32] {
        self.context.key_set.sealing_key(T0).unwrap()
    }

    /// One line for `/v1/audit-events`.
    pub(crate) fn sealed_line(&self, message: &[u8]) -> String {
        let item = SealedItem::seal(
            Kind::AuditEvent,
            message,
            &self.sealing_key(),
            &mut rng().unwrap(),
        )
        .unwrap();
        json!({ "id": item_id(message), "sealed": BASE64.encode(item.to_bytes()) }).to_string()
    }

    pub(crate) async fn audit(&self, lines: &[String]) -> Vec<Value> {
        let response = self
            .http
            .post(self.url("/v1/audit-events"))
            .header("content-type", "application/x-ndjson")
            .body(lines.join("\n"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        ndjson(&response.text().await.unwrap())
    }
}

impl World {
    /// A row beside the server's own that is not what it writes: an event of this device whose place is the one before fails in the store.
    pub(crate) async fn damage_after(&self, device_id: &str, sequence: u64) {
        let url = format!("sqlite:{}", self.dir().join("server.db").display());
        let mut database = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(
            "INSERT INTO audit_events (hash, id, device_id, sequence, previous, action, outcome, at, received_at, message)
             VALUES (zeroblob(32), x'00', ?, ?, x'00', 'lock', 'permit', 0, 0, x'00')",
        )
        .bind(device_id)
        .bind(i64::try_from(sequence).unwrap() + 1)
        .execute(&mut database)
        .await
        .unwrap();
        database.close().await.unwrap();
    }
}

/// One person on one device.
pub(crate) struct Workstation {
    pub(crate) login: String,
    pub(crate) site: String,
    pub(crate) person_id: String,
    pub(crate) code: SigningKey,
    pub(crate) person: SigningKey,
    pub(crate) person_x25519: StaticSecret,
    pub(crate) device: SigningKey,
    pub(crate) device_x25519: StaticSecret,
    pub(crate) sequence: u64,
    pub(crate) previous: Option<[u8; 32]>,
    pub(crate) audit_sequence: u64,
    pub(crate) audit_previous: Option<[u8; 32]>,
}

impl Workstation {
    pub(crate) fn device_id(&self) -> String {
        device_id(PublicKey::of(&self.device).as_bytes())
    }

    pub(crate) fn enrolment(&self) -> Vec<u8> {
        let public = |secret| x25519_dalek::PublicKey::from(secret).to_bytes();
        let request = EnrolmentRequest {
            person_id: &self.person_id,
            site: &self.site,
            workstation: "W-1",
            person_x25519: public(&self.person_x25519),
            device_x25519: public(&self.device_x25519),
            issued_at: T0,
            nonce: [1; 16],
        };
        let secrets = EnrolmentSecrets {
            person: &self.person,
            device: &self.device,
            code: &self.code,
        };
        statement::sign_enrolment(&request, secrets)
    }

    pub(crate) fn decide(&mut self, decision: Decision, at: i64) -> Vec<u8> {
        let bytes =
            statement::sign_acceptance(&self.contents(decision), &self.person_id, at, &self.person);
        self.count(&bytes);
        bytes
    }

    pub(crate) fn refuse_as_device(&mut self) -> Vec<u8> {
        let bytes =
            statement::sign_device_refusal(&self.contents(Decision::Declined), T0, &self.device);
        self.count(&bytes);
        bytes
    }

    pub(crate) fn contents(&self, decision: Decision) -> Acceptance {
        let document = Document::builtin();
        Acceptance {
            decision,
            device_id: self.device_id(),
            site: self.site.clone(),
            document_sha256: *document.digest(),
            document_version: document.meta().version,
            languages_shown: vec![Language::Kk, Language::Ru],
            evidence: Evidence {
                opened_at: T0,
                visible_seconds: 60,
                end_reached: vec![Language::Kk],
            },
            local_time: "2026-11-01T05:00:00+05:00".to_owned(),
            checkpoint: None,
            sequence: self.sequence + 1,
            previous: self.previous,
            nonce: [2; 16],
            app_version: "0.1.0".to_owned(),
        }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.sequence += 1;
        self.previous = Some(statement::leaf_hash(bytes, &Limits::DEFAULT).unwrap());
    }

    /// The body that answers a challenge.
    pub(crate) fn answer(&self, challenge: [u8; 32], nonce: [u8; 16]) -> Value {
        let signature = session::sign(&self.person, &challenge, &self.device_id(), &nonce).unwrap();
        json!({
            "challenge": BASE64.encode(challenge),
            "login": self.login,
            "device_id": self.device_id(),
            "nonce": BASE64.encode(nonce),
            "signature": BASE64.encode(signature),
        })
    }

    /// An event that no workstation of ours signs.
    pub(crate) fn forged_event(&self, sequence: u64, reference: &str) -> Vec<u8> {
        let payload = cbor::encode(&cbor::Value::map([
            (1, [0xee; 16].into()),
            (2, sequence.into()),
            (3, Some([9_u8; 32]).into()),
            (4, T0.into()),
            (5, "patient-read".into()),
            (6, self.person_id.clone().into()),
            (7, "permit".into()),
            (8, reference.into()),
            (9, None::<String>.into()),
            (10, "donation".into()),
            (11, false.into()),
        ]));
        let iss = format!("urn:infoblood:device:{}", self.device_id());
        let sub = format!("urn:infoblood:audit:{sequence}");
        let header = Header::new(content_type::AUDIT_EVENT, &self.device, &iss, &sub, T0);
        cose::sign(&header, &payload, &self.device)
    }

    pub(crate) fn audit_event(&mut self) -> Vec<u8> {
        self.audit_sequence += 1;
        let event = AuditEvent {
            id: [self.audit_sequence as u8; 16],
            sequence: self.audit_sequence,
            previous: self.audit_previous,
            time: T0,
            action: Action::PatientRead,
            person_id: Some(self.person_id.clone()),
            outcome: Outcome::Permit,
            reference: Some("Patient/d-1".to_owned()),
            reason: None,
            purpose: Some(Purpose::Donation),
            glass_broken: false,
        };
        let message = event.sign(&self.device).unwrap();
        self.audit_previous = Some(message_hash(&message));
        message
    }
}

pub(crate) fn unbase64(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().unwrap()).unwrap()
}

pub(crate) fn ndjson(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Status, code and the whole body of a JSON problem.
pub(crate) async fn problem(response: Response) -> (u16, String, Value) {
    let status = response.status().as_u16();
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    if status == 401 {
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
    }
    let body: Value = response.json().await.unwrap();
    let code = body["code"].as_str().unwrap().to_owned();
    assert_eq!(body["type"], format!("urn:infoblood:error:{code}"));
    (status, code, body)
}
