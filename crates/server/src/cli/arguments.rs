use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use infoblood_agreement::document::Change;
use infoblood_agreement::grant::Role;
use infoblood_agreement::profile::DeviceApproval;

use crate::service::init::DEFAULT_ISSUER;

/// The central server of Info Blood.
#[derive(Debug, Parser)]
#[command(name = "infoblood-server", version)]
pub(super) struct Arguments {
    /// Where keys and, unless --database-url says otherwise, the database are.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "INFOBLOOD_SERVER_DATA_DIR",
        default_value = "infoblood-server"
    )]
    pub(super) data_dir: PathBuf,
    /// sqlite:PATH, or postgres://USER@HOST:PORT/DATABASE (another machine: ?sslmode=verify-full). Better in the environment
    /// than here if it holds a password: other users of a machine see its command lines.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "INFOBLOOD_SERVER_DATABASE_URL"
    )]
    pub(super) database_url: Option<String>,
    /// Print one JSON value on one line.
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a server: keys, key set, first document.
    Init {
        /// `iss` of receipts.
        #[arg(long, value_name = "URL", default_value = DEFAULT_ISSUER)]
        issuer: String,
    },
    /// Listen until SIGTERM or SIGINT.
    Serve(Serve),
    /// Sites and their profiles.
    #[command(subcommand)]
    Site(Site),
    /// People, their codes, their revocation.
    #[command(subcommand)]
    Person(Person),
    /// Devices: list, approve, revoke.
    #[command(subcommand)]
    Device(Device),
    /// The agreement: publish a new version.
    #[command(subcommand)]
    Agreement(Agreement),
    /// Make synthetic donors.
    Seed {
        /// How many.
        #[arg(long, value_name = "N")]
        donors: u64,
        /// The same seed makes the same donors at the same sites on the same day; another one makes others beside them.
        #[arg(long, value_name = "S")]
        seed: u64,
        /// Without it they are spread over all sites.
        #[arg(long, value_name = "CODE")]
        site: Option<String>,
    },
    /// Put FHIR resources into the change feed: all of them or none.
    Import {
        /// NDJSON.
        #[arg(required = true, value_name = "FILE.ndjson")]
        files: Vec<PathBuf>,
    },
    /// Take what a workstation without a network sent as a file, and write the answer to be carried back.
    Courier {
        /// The workstation's pack.
        #[arg(value_name = "IN.ibpack")]
        request: PathBuf,
        /// Where the answer goes; a file that is there is replaced.
        #[arg(long, value_name = "OUT.ibpack")]
        out: PathBuf,
    },
    /// Write the access log as FHIR audit events, every signature and chain verified again. Exit 1 if something in it was changed.
    Audit {
        /// Where the events go, one on a line; a file that is there is replaced.
        #[arg(long, value_name = "FILE.ndjson")]
        out: PathBuf,
    },
    /// Verify transparent statements, without any database.
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// IP address and port; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: String,
    /// Certificate chain, PEM.
    #[arg(long, value_name = "F", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Its key, PEM.
    #[arg(long, value_name = "F", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Site {
    /// Add a site.
    Add {
        code: String,
        #[arg(long, value_name = "N")]
        name_kk: String,
        #[arg(long, value_name = "N")]
        name_ru: String,
        /// What happens to a new device: auto or manual.
        #[arg(long, default_value = "manual", value_parser = device_approval)]
        device_approval: DeviceApproval,
    },
    /// Print the profile for the site's workstations.
    Profile {
        code: String,
        /// Under which workstations reach this server.
        #[arg(long)]
        url: String,
        /// Certificate to trust, PEM.
        #[arg(long, value_name = "F")]
        ca_pem: Option<PathBuf>,
        #[arg(long, value_name = "NAME")]
        workstation: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Person {
    /// Add a person and print their first enrolment code, once.
    Add {
        login: String,
        #[arg(long, value_name = "CODE")]
        site: String,
        #[arg(long, value_name = "N")]
        name: String,
        /// clinician, registrar, dpo or admin.
        #[arg(long, value_parser = role)]
        role: Role,
    },
    /// Print a new enrolment code, once.
    Code { login: String },
    /// Take away a person's access.
    Revoke { login: String },
}

#[derive(Debug, Subcommand)]
pub(super) enum Device {
    /// List all devices.
    List,
    /// Approve a device that waits.
    Approve { id: String },
    /// Take away a device's access.
    Revoke { id: String },
}

#[derive(Debug, Subcommand)]
pub(super) enum Agreement {
    /// Publish kk.txt, ru.txt and structure.json of a folder as the next version, and write its document.cbor there.
    Publish {
        dir: PathBuf,
        /// material: everybody accepts anew; editorial: earlier acceptances stand.
        #[arg(long, value_parser = change)]
        change: Change,
        /// When it begins to count; it may lie ahead.
        #[arg(long, value_name = "RFC3339", value_parser = rfc3339)]
        effective_from: i64,
    },
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Transparent statements.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// The published keys, a COSE_KeySet.
    #[arg(long, value_name = "scitt-keys.cbor")]
    pub(super) keys: PathBuf,
    /// The document they must be about.
    #[arg(long, value_name = "DIR")]
    pub(super) document: Option<PathBuf>,
}

fn device_approval(text: &str) -> Result<DeviceApproval, String> {
    DeviceApproval::parse(text).ok_or_else(|| "auto or manual".to_owned())
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "clinician, registrar, dpo or admin".to_owned())
}

fn change(text: &str) -> Result<Change, String> {
    Change::of(text).ok_or_else(|| "material or editorial".to_owned())
}

/// Unix seconds.
fn rfc3339(text: &str) -> Result<i64, String> {
    text.parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_second)
        .map_err(|_| "a time as in 2027-01-01T00:00:00+05:00".to_owned())
}
