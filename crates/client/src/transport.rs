//! Requests to the central server. Everything that comes back is treated as hostile: media type, size and time are limited here, and
//! signatures are checked by the caller before anything is used.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use error::UNNAMED;
use reqwest::{
    Client, Method, RequestBuilder, Response, Url,
    header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

mod courier;
mod error;
mod feed;
pub use courier::CourierAnswer;
pub use error::TransportError;
pub(crate) use error::known_code;
pub use feed::{FeedLine, FeedPage, Stream};
pub(crate) use feed::{end as end_line, parse as parse_line, written as written_line};

/// Largest answer that is no change feed, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
const COSE: &str = "application/cose";

/// How long the parts of a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// Until the connection stands.
    pub connect: Duration,
    /// The whole request; for the change feed, the longest silence within it.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(30),
        }
    }
}

/// The first half of a session: what the server wants signed.
#[derive(Debug, Clone, Copy)]
pub struct Challenge(pub [u8; 32]);

/// The second half of a session, sent by the client.
#[derive(Debug)]
pub struct SessionRequest<'a> {
    /// As the server gave it.
    pub challenge: &'a [u8; 32],
    /// The person's login.
    pub login: &'a str,
    /// Hex.
    pub device_id: &'a str,
    /// Fresh.
    pub nonce: &'a [u8; 16],
    /// By the person's key.
    pub signature: &'a [u8; 64],
}

/// What the server answers; the two messages are not verified yet.
#[derive(Debug)]
pub struct SessionAnswer {
    /// Bearer token.
    pub token: Token,
    /// COSE, by the grant key.
    pub signed_time: Vec<u8>,
    /// COSE, by the authority.
    pub key_set: Vec<u8>,
    /// The person's name, as the server knows it.
    pub name: String,
    /// The person's role.
    pub role: String,
}

/// A session's bearer token; never printed.
#[derive(Clone)]
pub struct Token(secrecy::SecretString);

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token")
    }
}

impl Token {
    fn authorise(&self, request: RequestBuilder) -> RequestBuilder {
        use secrecy::ExposeSecret as _;
        request.bearer_auth(self.0.expose_secret())
    }
}

/// Largest answer with documents, in bytes: 1 MiB of texts with every byte escaped, and what stands around them.
const MAX_DOCUMENTS: usize = 4 * 1024 * 1024;

/// A version of the agreement as the server gives it; nothing of it is verified.
#[derive(Debug, Clone)]
pub struct PublishedDocument {
    /// COSE, by a document key.
    pub message: Vec<u8>,
    /// Kazakh.
    pub kk: String,
    /// Russian.
    pub ru: String,
    /// Their pairing, JSON.
    pub structure: String,
}

/// One sealed item for `POST /v1/audit-events`.
#[derive(Debug, Clone)]
pub struct SealedLine {
    /// Hex of the item's id.
    pub id: String,
    /// The sealed file's bytes.
    pub sealed: Vec<u8>,
}

/// The server's answer for one item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ItemStatus {
    /// Hex of the item's id; `None` for a line that the server could not read.
    #[serde(default)]
    pub id: Option<String>,
    /// `stored`, `duplicate` or `rejected`.
    pub status: ItemState,
    /// Why it was rejected.
    #[serde(default)]
    pub code: Option<String>,
}

/// What became of an item at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemState {
    /// Kept for the first time.
    Stored,
    /// Was there already.
    Duplicate,
    /// Will never be taken in this form.
    Rejected,
}

/// The connection to one central server.
#[derive(Debug, Clone)]
pub struct Transport {
    client: Client,
    base: Url,
    deadlines: Deadlines,
}

impl Transport {
    /// A transport to `url`, trusting `ca_pem` besides the system's certificates, through `proxy` if one is named.
    pub fn new(
        url: &str,
        ca_pem: Option<&str>,
        proxy: Option<&str>,
        deadlines: Deadlines,
    ) -> Result<Self, TransportError> {
        // The error says only that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut base = Url::parse(url).map_err(|_| TransportError::Profile)?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(TransportError::Profile);
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut builder = Client::builder()
            .connect_timeout(deadlines.connect)
            .read_timeout(deadlines.total)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("infoblood/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = proxy {
            builder =
                builder.proxy(reqwest::Proxy::all(proxy).map_err(|_| TransportError::Profile)?);
        }
        if let Some(pem) = ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(|_| TransportError::Profile)?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|_| TransportError::Profile)?;
        Ok(Self {
            client,
            base,
            deadlines,
        })
    }

    /// Posts a signed statement to the log and returns its receipt, unverified.
    pub async fn post_entry(&self, statement: Vec<u8>) -> Result<Vec<u8>, TransportError> {
        self.post_cose("entries", statement).await
    }

    /// Posts an enrolment and returns its receipt, unverified.
    pub async fn post_enrolment(&self, statement: Vec<u8>) -> Result<Vec<u8>, TransportError> {
        self.post_cose("v1/enrolments", statement).await
    }

    /// The receipt of a registered statement, unverified; `None`: the server itself (no proxy on the way) says that it knows none.
    pub async fn entry(&self, id: &str) -> Result<Option<Vec<u8>>, TransportError> {
        let request = self
            .request(Method::GET, &format!("entries/{id}"))?
            .timeout(self.deadlines.total)
            .header(ACCEPT, COSE);
        match self.send(request).await {
            Ok(response) => {
                expect_type(&response, COSE)?;
                Ok(Some(body(response, MAX_ANSWER).await?))
            }
            Err(TransportError::Refused {
                status: 404, code, ..
            }) if code == "entry-unknown" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The log's head as its key signed it, unverified.
    pub async fn checkpoint(&self) -> Result<Vec<u8>, TransportError> {
        #[derive(Deserialize)]
        struct Answer {
            signed: String,
        }
        let request = self.request(Method::GET, "v1/log/checkpoint")?;
        let answer: Answer = self.json(request).await?;
        bytes(&answer.signed)
    }

    /// Asks for a challenge.
    pub async fn challenge(&self) -> Result<Challenge, TransportError> {
        #[derive(Deserialize)]
        struct Answer {
            challenge: String,
        }
        let request = self.request(Method::POST, "v1/sessions")?.json(&json!({}));
        let answer: Answer = self.json(request).await?;
        bytes(&answer.challenge)?
            .try_into()
            .map(Challenge)
            .map_err(|_| TransportError::NotProtocol)
    }

    /// Opens a session.
    pub async fn session(
        &self,
        session: SessionRequest<'_>,
    ) -> Result<SessionAnswer, TransportError> {
        #[derive(Deserialize)]
        struct Person {
            name: String,
            role: String,
        }
        #[derive(Deserialize)]
        struct Answer {
            token: String,
            signed_time: String,
            key_set: String,
            person: Person,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            challenge: String,
            login: &'a str,
            device_id: &'a str,
            nonce: String,
            signature: String,
        }
        let request = self.request(Method::POST, "v1/sessions")?.json(&Body {
            challenge: URL_SAFE_NO_PAD.encode(session.challenge),
            login: session.login,
            device_id: session.device_id,
            nonce: URL_SAFE_NO_PAD.encode(session.nonce),
            signature: URL_SAFE_NO_PAD.encode(session.signature),
        });
        let answer: Answer = self.json(request).await?;
        Ok(SessionAnswer {
            token: Token(answer.token.into()),
            signed_time: bytes(&answer.signed_time)?,
            key_set: bytes(&answer.key_set)?,
            name: answer.person.name,
            role: answer.person.role,
        })
    }

    /// Asks for a grant for the document; the answer is unverified.
    pub async fn grant(
        &self,
        token: &Token,
        document_sha256: &str,
    ) -> Result<Vec<u8>, TransportError> {
        let request = self
            .request(Method::POST, "v1/grants")?
            .json(&json!({ "document_sha256": document_sha256 }));
        let response = self.send(token.authorise(request)).await?;
        expect_type(&response, COSE)?;
        body(response, MAX_ANSWER).await
    }

    /// Asks for the published versions of the agreement after `version`; the answer is unverified.
    pub async fn documents_after(
        &self,
        version: u64,
    ) -> Result<Vec<PublishedDocument>, TransportError> {
        #[derive(Deserialize)]
        struct One {
            message: String,
            kk: String,
            ru: String,
            structure: String,
        }
        #[derive(Deserialize)]
        struct Answer {
            documents: Vec<One>,
        }
        let request = self
            .request(Method::GET, &format!("v1/agreements?after={version}"))?
            .timeout(self.deadlines.total);
        let response = self.send(request).await?;
        expect_type(&response, "application/json")?;
        let body = body(response, MAX_DOCUMENTS).await?;
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| TransportError::NotProtocol)?;
        answer
            .documents
            .into_iter()
            .map(|one| {
                Ok(PublishedDocument {
                    message: bytes(&one.message)?,
                    kk: one.kk,
                    ru: one.ru,
                    structure: one.structure,
                })
            })
            .collect()
    }

    /// Posts sealed audit events; the answer says for each what became of it.
    pub async fn audit_events(
        &self,
        items: &[SealedLine],
    ) -> Result<Vec<ItemStatus>, TransportError> {
        let mut lines = Vec::new();
        for item in items {
            let line = json!({ "id": item.id, "sealed": URL_SAFE_NO_PAD.encode(&item.sealed) });
            lines.extend_from_slice(line.to_string().as_bytes());
            lines.push(b'\n');
        }
        let request = self
            .request(Method::POST, "v1/audit-events")?
            .timeout(self.deadlines.total)
            .header(CONTENT_TYPE, "application/x-ndjson")
            .body(lines);
        let response = self.send(request).await?;
        let kind = media_type(&response);
        if kind != "application/x-ndjson" && kind != "application/json" {
            return Err(TransportError::NotProtocol);
        }
        let body = body(response, 16 * MAX_ANSWER).await?;
        if kind == "application/json" {
            return serde_json::from_slice(&body).map_err(|_| TransportError::NotProtocol);
        }
        body.split(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
            .map(|line| serde_json::from_slice(line).map_err(|_| TransportError::NotProtocol))
            .collect()
    }

    /// Whether the server answers at all.
    pub async fn is_reachable(&self) -> bool {
        let Ok(request) = self.request(Method::GET, "healthz") else {
            return false;
        };
        self.send(request.timeout(self.deadlines.connect))
            .await
            .is_ok()
    }

    async fn post_cose(&self, path: &str, statement: Vec<u8>) -> Result<Vec<u8>, TransportError> {
        let request = self
            .request(Method::POST, path)?
            .timeout(self.deadlines.total)
            .header(CONTENT_TYPE, COSE)
            .header(ACCEPT, COSE)
            .body(statement);
        let response = self.send(request).await?;
        expect_type(&response, COSE)?;
        body(response, MAX_ANSWER).await
    }

    async fn json<T: for<'de> Deserialize<'de>>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, TransportError> {
        let response = self.send(request.timeout(self.deadlines.total)).await?;
        expect_type(&response, "application/json")?;
        let body = body(response, MAX_ANSWER).await?;
        serde_json::from_slice(&body).map_err(|_| TransportError::NotProtocol)
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, TransportError> {
        let url = self.base.join(path).map_err(|_| TransportError::Profile)?;
        Ok(self.client.request(method, url))
    }

    /// Sends, and turns every status outside 2xx into its error.
    async fn send(&self, request: RequestBuilder) -> Result<Response, TransportError> {
        let response = request.send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.trim().parse().ok())
            .map(Duration::from_secs);
        if status.is_server_error() {
            return Err(TransportError::Failed {
                status: status.as_u16(),
                retry_after,
            });
        }
        if !status.is_client_error() {
            // A redirect: captive portals answer so.
            return Err(TransportError::NotProtocol);
        }
        let code = problem_code(response)
            .await
            .unwrap_or_else(|| UNNAMED.to_owned());
        Err(TransportError::Refused {
            status: status.as_u16(),
            code,
            retry_after,
        })
    }
}

/// The code in a problem: `code` of `application/problem+json`, or the title or detail of the concise CBOR form.
async fn problem_code(response: Response) -> Option<String> {
    let kind = media_type(&response);
    let body = body(response, MAX_ANSWER).await.ok()?;
    match kind.as_str() {
        "application/problem+json" => {
            let problem: Value = serde_json::from_slice(&body).ok()?;
            Some(problem.get("code")?.as_str()?.to_owned())
        }
        "application/concise-problem-details+cbor" => {
            use infoblood_agreement::cbor;
            let cbor::Value::Map(entries) = cbor::decode(&body, &cbor::Limits::DEFAULT).ok()?
            else {
                return None;
            };
            // −1 is the title: the server writes its code there.
            entries
                .iter()
                .find(|(key, _)| key.as_i64() == Some(-1))
                .and_then(|(_, value)| value.as_text())
                .map(str::to_owned)
        }
        _ => None,
    }
}

fn media_type(response: &Response) -> String {
    let value = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

fn expect_type(response: &Response, wanted: &str) -> Result<(), TransportError> {
    if media_type(response) == wanted {
        Ok(())
    } else {
        Err(TransportError::NotProtocol)
    }
}

async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, TransportError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > limit {
            return Err(TransportError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn bytes(text: &str) -> Result<Vec<u8>, TransportError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| TransportError::NotProtocol)
}
