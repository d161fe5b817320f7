//! The commands that act on a server's data.

use std::sync::Arc;

use infoblood_agreement::profile::Policy;
use serde_json::{Value, json};

use super::arguments::{Agreement, Command, Device, Person, Site};
use super::{ENVIRONMENT, Failure, audit, courier, publish};
use crate::clock::{SystemClock, rfc3339};
use crate::context::{Context, Place};
use crate::service::administration::{self, IssuedCode};
use crate::service::{init, load};
use crate::storage::postgres::PostgresDatabase;
use crate::storage::sqlite::SqliteDatabase;
use crate::storage::{self, Database, Location};

/// All centres are in one zone since 2024.
const TIME_ZONE: &str = "Asia/Almaty";

pub(super) async fn run(place: &Place, command: Command) -> Result<Value, Failure> {
    match &place.database {
        Location::Sqlite(_) => run_on::<SqliteDatabase>(place, command).await,
        Location::Postgres(_) => run_on::<PostgresDatabase>(place, command).await,
    }
}

async fn run_on<D: Database>(place: &Place, command: Command) -> Result<Value, Failure> {
    let clock = Arc::new(SystemClock);
    if let Command::Init { issuer } = command {
        let mut rng = crate::context::rng()?;
        let context = init::init_with::<D>(place, &issuer, clock, &mut rng).await?;
        let made = json!({
            "issuer": context.issuer,
            "authority_key": hex::encode(context.authority.as_bytes()),
            "data_dir": place.data_dir.display().to_string(),
            "advice": "Move keys/authority to an offline place and keep a copy of the keys directory.",
        });
        close(context.database).await;
        return Ok(made);
    }
    let context = Context::<D>::open_on(place, clock).await?;
    let result = on_data(&context, command).await;
    close(context.database).await;
    result
}

/// What was committed is durable already; a checkpoint that somebody else holds up, or a full disk, is not this command's failure.
async fn close<D: Database>(database: D) {
    if let Err(error) = database.close().await {
        tracing::warn!(%error, "the database was not closed in order");
    }
}

async fn on_data<D: Database>(context: &Context<D>, command: Command) -> Result<Value, Failure> {
    match command {
        Command::Site(command) => site(context, command).await,
        Command::Person(command) => person(context, command).await,
        Command::Device(command) => device(context, command).await,
        Command::Agreement(Agreement::Publish {
            dir,
            change,
            effective_from,
        }) => publish::run(context, &dir, change, effective_from).await,
        Command::Seed { donors, seed, site } => {
            let loaded = load::seed(context, donors, seed, site.as_deref()).await?;
            Ok(
                json!({ "donors": loaded.sources, "resources": loaded.resources, "seed": seed, "sites": loaded.sites }),
            )
        }
        Command::Import { files } => {
            let loaded = load::import(context, &files).await?;
            Ok(
                json!({ "files": loaded.sources, "resources": loaded.resources, "sites": loaded.sites }),
            )
        }
        Command::Audit { out } => audit::run(context, &out).await,
        Command::Courier { request, out } => courier::run(context, &request, &out).await,
        Command::Init { .. } | Command::Serve(_) | Command::Verify(_) => {
            Err(Failure::usage("not a command on data"))
        }
    }
}

async fn site<D: Database>(context: &Context<D>, command: Site) -> Result<Value, Failure> {
    match command {
        Site::Add {
            code,
            name_kk,
            name_ru,
            device_approval,
        } => {
            let policy = Policy::default();
            let site = storage::Site {
                code,
                name_kk,
                name_ru,
                device_approval,
                time_zone: TIME_ZONE.to_owned(),
                support_contact: None,
                offline_days: policy.offline_days,
                read_only_days: policy.read_only_days,
                idle_lock_minutes: policy.idle_lock_minutes,
                break_glass: policy.break_glass,
                created_at: context.now(),
            };
            administration::add_site(context, &site).await?;
            Ok(json!({
                "code": site.code,
                "name_kk": site.name_kk,
                "name_ru": site.name_ru,
                "device_approval": site.device_approval.as_str(),
            }))
        }
        Site::Profile {
            code,
            url,
            ca_pem,
            workstation,
        } => {
            let ca_pem = match ca_pem {
                None => None,
                Some(path) => Some(
                    std::fs::read_to_string(path)
                        .map_err(|error| Failure::new(ENVIRONMENT, "file-unreadable", &error))?,
                ),
            };
            let profile =
                administration::site_profile(context, &code, &url, ca_pem, workstation).await?;
            serde_json::to_value(profile.fields())
                .map_err(|error| Failure::new(ENVIRONMENT, "internal", &error))
        }
    }
}

async fn person<D: Database>(context: &Context<D>, command: Person) -> Result<Value, Failure> {
    match command {
        Person::Add {
            login,
            site,
            name,
            role,
        } => Ok(code(
            &administration::add_person(context, &login, &site, &name, role).await?,
        )),
        Person::Code { login } => Ok(code(&administration::new_code(context, &login).await?)),
        Person::Revoke { login } => {
            let person = administration::revoke_person(context, &login).await?;
            Ok(json!({
                "login": person.login,
                "person_id": person.person_id,
                "revoked_at": person.revoked_at.map(rfc3339),
            }))
        }
    }
}

fn code(issued: &IssuedCode) -> Value {
    json!({
        "login": issued.person.login,
        "person_id": issued.person.person_id,
        "enrolment_code": *issued.code.display(),
        "expires_at": rfc3339(issued.expires_at),
    })
}

async fn device<D: Database>(context: &Context<D>, command: Device) -> Result<Value, Failure> {
    match command {
        Device::List => {
            let devices = administration::devices(context).await?;
            Ok(json!({ "devices": devices.iter().map(facts).collect::<Vec<_>>() }))
        }
        Device::Approve { id } => Ok(facts(&administration::approve_device(context, &id).await?)),
        Device::Revoke { id } => Ok(facts(&administration::revoke_device(context, &id).await?)),
    }
}

fn facts(device: &storage::Device) -> Value {
    json!({
        "device_id": device.device_id,
        "site": device.site,
        "workstation": device.workstation,
        "status": device.status.as_str(),
        "epoch": device.epoch,
        "registered_at": rfc3339(device.registered_at),
    })
}
