//! The central server of a world: the real binary, set up by its own commands, behind TLS with a certificate made here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::Value;

use crate::process::{Running, binary, signal};
use crate::{Error, Result};

/// The site of every world.
pub const SITE: &str = "KZ001";

/// A person who may enrol: what the administrator hands over, and what only the person knows.
#[derive(Debug, Clone)]
pub struct Person {
    /// The login.
    pub login: String,
    /// As the window shows the person.
    pub name: String,
    /// As the server derived it from the login.
    pub person_id: String,
    /// The one-time enrolment code.
    pub code: String,
    /// The passphrase of the person's choice; the server never learns it.
    pub passphrase: String,
}

/// The server, running or stopped.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    folder: PathBuf,
    ca_pem: String,
    address: String,
    environment: Vec<(String, String)>,
    running: Option<Running>,
}

impl Server {
    /// Sets up an empty server below `folder`: certificate, keys, one site that approves devices by itself.
    pub fn set_up(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let ca_pem = certificates(folder)?;
        let server = Self {
            program: binary("infoblood-server")?,
            folder: folder.to_owned(),
            ca_pem,
            address: "127.0.0.1:0".to_owned(),
            environment: Vec::new(),
            running: None,
        };
        server.ask(&["init", "--issuer", "https://centre.example"])?;
        server.ask(&[
            "site",
            "add",
            SITE,
            "--name-kk",
            "Оқу қан орталығы",
            "--name-ru",
            "Учебный центр крови",
            "--device-approval",
            "auto",
        ])?;
        Ok(server)
    }

    /// Runs one of the server's commands with `--json` and returns its object.
    pub fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.command(arguments).arg("--json").output()?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "infoblood-server {}: {} {words}",
                arguments.join(" "),
                output.status
            )
            .into());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|error| {
            format!("infoblood-server {}: {error}: {text}", arguments.join(" ")).into()
        })
    }

    /// Adds a person to the site.
    pub fn add_person(&self, login: &str, name: &str, passphrase: &str) -> Result<Person> {
        let answer = self.ask(&[
            "person",
            "add",
            login,
            "--site",
            SITE,
            "--name",
            name,
            "--role",
            "clinician",
        ])?;
        let field = |name: &str| -> Result<String> {
            let value = answer.get(name).and_then(Value::as_str);
            Ok(value
                .ok_or_else(|| format!("person add: no {name}"))?
                .to_owned())
        };
        Ok(Person {
            login: login.to_owned(),
            name: name.to_owned(),
            person_id: field("person_id")?,
            code: field("enrolment_code")?,
            passphrase: passphrase.to_owned(),
        })
    }

    /// Seeds synthetic donors.
    pub fn seed(&self, donors: u32, seed: u32) -> Result<Value> {
        self.ask(&[
            "seed",
            "--donors",
            &donors.to_string(),
            "--seed",
            &seed.to_string(),
            "--site",
            SITE,
        ])
    }

    /// Starts serving; a restart listens where it listened before, because site profiles name that address.
    pub fn start(&mut self) -> Result {
        let mut serve = self.command(&["serve"]);
        serve
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .arg("--listen")
            .arg(&self.address)
            .arg("--tls-cert")
            .arg(self.folder.join("server.pem"))
            .arg("--tls-key")
            .arg(self.folder.join("server.key"));
        let (running, address) =
            Running::start_until(&mut serve, &self.folder.join("server.log"), |line| {
                let address = line.split_once("listening on https://")?.1;
                Some(address.trim().trim_end_matches('/').to_owned())
            })?;
        self.address = address;
        self.running = Some(running);
        Ok(())
    }

    /// Environment variables of the serving process, from its next start on.
    pub fn set_environment(&mut self, environment: Vec<(String, String)>) {
        self.environment = environment;
    }

    /// Stops serving, as a power cut would.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.running.as_ref().map(Running::id)
    }

    /// Lets the server hang: connections are taken, nothing is answered until [`Server::resume`].
    pub fn pause(&self) -> Result {
        self.running
            .as_ref()
            .map_or(Ok(()), |running| signal("-STOP", running.id()))
    }

    /// The end of [`Server::pause`].
    pub fn resume(&self) -> Result {
        self.running
            .as_ref()
            .map_or(Ok(()), |running| signal("-CONT", running.id()))
    }

    /// The address that clients use.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Writes the site profile for this server's address.
    pub fn profile(&self, path: &Path) -> Result {
        let ca = self.folder.join("ca.pem");
        let ca = ca.to_str().ok_or("a path that is not text")?;
        let url = self.url();
        let arguments = [
            "site",
            "profile",
            SITE,
            "--url",
            &url,
            "--ca-pem",
            ca,
            "--workstation",
            "WS-1",
        ];
        let profile = self.ask(&arguments)?;
        fs::write(path, serde_json::to_vec_pretty(&profile)?)?;
        Ok(())
    }

    /// GET without a session.
    pub async fn get(&self, path: &str) -> Result<Vec<u8>> {
        let url = format!("{}{path}", self.url());
        let answer = self.client()?.get(&url).send().await?.error_for_status()?;
        Ok(answer.bytes().await?.to_vec())
    }

    /// The status of a POST without a session.
    pub async fn post(&self, path: &str, media_type: &str, body: Vec<u8>) -> Result<u16> {
        let url = format!("{}{path}", self.url());
        let request = self.client()?.post(&url).header("content-type", media_type);
        Ok(request.body(body).send().await?.status().as_u16())
    }

    fn client(&self) -> Result<reqwest::Client> {
        Ok(reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(self.ca_pem.as_bytes())?])
            .no_proxy()
            .build()?)
    }

    /// The number of entries in the log.
    pub async fn tree_size(&self) -> Result<u64> {
        let checkpoint: Value = serde_json::from_slice(&self.get("/v1/log/checkpoint").await?)?;
        checkpoint
            .get("tree_size")
            .and_then(Value::as_u64)
            .ok_or_else(|| "checkpoint without tree_size".into())
    }

    /// `verify` as a stranger runs it: files and public keys, nothing else. One row per file.
    pub fn verify(&self, files: &[&Path], keys: &Path, document: &Path) -> Result<Vec<Value>> {
        let mut command = Command::new(&self.program);
        command
            .arg("verify")
            .args(files)
            .arg("--keys")
            .arg(keys)
            .arg("--document")
            .arg(document)
            .arg("--json");
        let output = command.output()?;
        let parsed: Value = serde_json::from_slice(&output.stdout).map_err(|error| -> Error {
            format!(
                "verify: {error}: {}",
                String::from_utf8_lossy(&output.stderr)
            )
            .into()
        })?;
        let rows = parsed
            .as_array()
            .or_else(|| parsed.get("results").and_then(Value::as_array));
        let rows = rows
            .ok_or_else(|| format!("verify: no rows in {parsed}"))?
            .clone();
        if !output.status.success()
            || rows.len() != files.len()
            || rows.iter().any(|row| row["ok"] != true)
        {
            return Err(format!("verify refused: {}", Value::Array(rows)).into());
        }
        Ok(rows)
    }

    /// Where the server keeps its database.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(self.data_dir());
        command
    }
}

/// Makes an authority and, signed by it, a certificate for loopback; returns the authority's PEM.
fn certificates(folder: &Path) -> Result<String> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "Info Blood demo authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);

    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    server
        .distinguished_name
        .push(DnType::CommonName, "Info Blood demo server");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let certificate = server.signed_by(&key, &issuer)?;

    fs::write(folder.join("ca.pem"), &ca_pem)?;
    fs::write(folder.join("server.pem"), certificate.pem())?;
    fs::write(folder.join("server.key"), key.serialize_pem())?;
    Ok(ca_pem)
}
