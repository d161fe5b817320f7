//! What an administrator does. Every act is an entry in the log, in the transaction that carries it out.

use std::collections::BTreeMap;

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::enrolment_code::EnrolmentCode as Code;
use infoblood_agreement::grant::Role;
use infoblood_agreement::profile::{
    self, Policy, ProfileFields, SiteProfile, normal_login, person_id,
};
use infoblood_agreement::statement::{self, Action, Administration, Kind};

use super::entries::{self, LogAuthor, NewEntry};
use crate::context::{Context, rng};
use crate::problem::Problem;
use crate::storage::{
    Database, Device, DeviceStatus, DeviceStorage, EnrolmentCode, PeopleStorage, Person, Site,
    SiteStorage, StorageError, Transaction,
};

const DAY: i64 = 24 * 60 * 60;
/// Days a code is redeemable, besides the site's offline time.
const CODE_DAYS: i64 = 14;
/// Longest login or name, characters.
const MAX_NAME: usize = 200;

/// A new code, shown once.
pub struct IssuedCode {
    /// The person as stored.
    pub person: Person,
    /// As to be typed.
    pub code: Code,
    /// Unix seconds.
    pub expires_at: i64,
}

/// Writes one act into the log.
pub async fn record(
    tx: &mut impl Transaction,
    author: LogAuthor<'_>,
    action: Action,
    subject: &str,
    detail: &[(&str, &str)],
    now: i64,
) -> Result<(), Problem> {
    let detail: BTreeMap<_, _> = detail
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let act = Administration {
        action,
        subject: subject.to_owned(),
        detail,
    };
    let mut at = now;
    // An act like one of the same second would be the same statement: it gets the next free second of the log.
    loop {
        let bytes = statement::sign_administration(&act, author.issuer, at, author.key);
        let leaf = statement::leaf_hash(&bytes, &Limits::DEFAULT).map_err(Problem::internal)?;
        if tx.entry(&leaf).await?.is_some() {
            at += 1;
            continue;
        }
        let sub = format!("urn:infoblood:{}:{subject}", action.what());
        let new = NewEntry {
            kind: Kind::Administration,
            bytes: &bytes,
            leaf: &leaf,
            sub: &sub,
        };
        entries::append(tx, author, new, now).await?;
        return Ok(());
    }
}

/// Adds a site.
pub async fn add_site<D: Database>(context: &Context<D>, site: &Site) -> Result<(), Problem> {
    // The profile's own rules are the rules: a site whose profile nobody could read is not added.
    site_profile_of(context, site, "https://server.example", None, None)?;
    let mut tx = context.database.write().await?;
    tx.add_site(site).await.map_err(|error| match error {
        StorageError::Conflict => {
            Problem::new(409, "site-exists", "There is a site with this code.")
        }
        other => other.into(),
    })?;
    let detail = [("device_approval", site.device_approval.as_str())];
    record(
        &mut tx,
        context.author(),
        Action::SiteAdded,
        &site.code,
        &detail,
        context.now(),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// The profile of a site for its workstations.
pub async fn site_profile<D: Database>(
    context: &Context<D>,
    code: &str,
    url: &str,
    ca_pem: Option<String>,
    workstation: Option<String>,
) -> Result<SiteProfile, Problem> {
    let site = context
        .database
        .read()
        .await?
        .site(code)
        .await?
        .ok_or_else(site_unknown)?;
    site_profile_of(context, &site, url, ca_pem, workstation)
}

fn site_profile_of<D>(
    context: &Context<D>,
    site: &Site,
    url: &str,
    ca_pem: Option<String>,
    workstation: Option<String>,
) -> Result<SiteProfile, Problem> {
    let names = profile::Site {
        code: site.code.clone(),
        name_kk: site.name_kk.clone(),
        name_ru: site.name_ru.clone(),
    };
    let policy = Policy {
        device_approval: site.device_approval,
        offline_days: site.offline_days,
        read_only_days: site.read_only_days,
        idle_lock_minutes: site.idle_lock_minutes,
        break_glass: site.break_glass,
    };
    let fields = ProfileFields::new(
        names,
        url,
        &context.authority,
        &context.key_set,
        &context.person_salt,
        policy,
    );
    let fields = ProfileFields {
        workstation,
        ca_pem,
        time_zone: site.time_zone.clone(),
        support_contact: site.support_contact.clone(),
        ..fields
    };
    SiteProfile::new(fields).map_err(|error| Problem::malformed(error.code(), error.to_string()))
}

fn site_unknown() -> Problem {
    Problem::new(404, "site-unknown", "There is no site with this code.")
}

fn login_unknown() -> Problem {
    Problem::new(404, "login-unknown", "There is no person with this login.")
}

fn device_unknown() -> Problem {
    Problem::new(404, "device-unknown", "There is no device with this id.")
}

/// Adds a person and issues the first code.
pub async fn add_person<D: Database>(
    context: &Context<D>,
    login: &str,
    site: &str,
    name: &str,
    role: Role,
) -> Result<IssuedCode, Problem> {
    let line = |text: &str| {
        !text.trim().is_empty()
            && text.chars().count() <= MAX_NAME
            && !text.chars().any(char::is_control)
    };
    let login = normal_login(login);
    if !line(&login) || login.chars().any(char::is_whitespace) {
        return Err(Problem::malformed(
            "login-malformed",
            "A login is one word of at most 200 characters.",
        ));
    }
    if !line(name) {
        return Err(Problem::malformed(
            "name-malformed",
            "A name is one line of at most 200 characters.",
        ));
    }
    let now = context.now();
    let mut tx = context.database.write().await?;
    let site = tx.site(site).await?.ok_or_else(site_unknown)?;
    let person = Person {
        person_id: person_id(&context.person_salt, &login),
        login,
        site: site.code.clone(),
        name: name.trim().to_owned(),
        role: role.as_str().to_owned(),
        created_at: now,
        revoked_at: None,
    };
    tx.add_person(&person).await.map_err(|error| match error {
        StorageError::Conflict => {
            Problem::new(409, "login-exists", "There is a person with this login.")
        }
        other => other.into(),
    })?;
    let detail = [("role", role.as_str()), ("site", site.code.as_str())];
    record(
        &mut tx,
        context.author(),
        Action::PersonAdded,
        &person.person_id,
        &detail,
        now,
    )
    .await?;
    let issued = issue_code(context, &mut tx, person, &site).await?;
    tx.commit().await?;
    Ok(issued)
}

/// Issues a further code. Codes issued before stay: a site without a network may be redeeming one.
pub async fn new_code<D: Database>(
    context: &Context<D>,
    login: &str,
) -> Result<IssuedCode, Problem> {
    let mut tx = context.database.write().await?;
    let person = tx
        .person(&person_id(&context.person_salt, login))
        .await?
        .ok_or_else(login_unknown)?;
    if person.revoked_at.is_some() {
        return Err(Problem::forbidden(
            "person-revoked",
            "This person's access was revoked.",
        ));
    }
    let site = tx
        .site(&person.site)
        .await?
        .ok_or(StorageError::Damaged("people.site"))?;
    let issued = issue_code(context, &mut tx, person, &site).await?;
    tx.commit().await?;
    Ok(issued)
}

async fn issue_code<D: Database>(
    context: &Context<D>,
    tx: &mut D::Tx,
    person: Person,
    site: &Site,
) -> Result<IssuedCode, Problem> {
    let now = context.now();
    let code = Code::generate(&mut rng()?);
    let public_key = *code.public_key().as_bytes();
    let expires_at = now + (CODE_DAYS + i64::from(site.offline_days)) * DAY;
    tx.add_code(&EnrolmentCode {
        public_key,
        person_id: person.person_id.clone(),
        issued_at: now,
        expires_at,
        used_at: None,
        revoked_at: None,
    })
    .await?;
    let detail = [
        ("code_key", &*hex::encode(public_key)),
        ("expires_at", &*crate::clock::rfc3339(expires_at)),
    ];
    record(
        tx,
        context.author(),
        Action::CodeIssued,
        &person.person_id,
        &detail,
        now,
    )
    .await?;
    Ok(IssuedCode {
        person,
        code,
        expires_at,
    })
}

/// Revokes a person and their unused codes; again changes nothing.
pub async fn revoke_person<D: Database>(
    context: &Context<D>,
    login: &str,
) -> Result<Person, Problem> {
    let now = context.now();
    let mut tx = context.database.write().await?;
    let mut person = tx
        .person(&person_id(&context.person_salt, login))
        .await?
        .ok_or_else(login_unknown)?;
    if person.revoked_at.is_none() {
        tx.revoke_person(&person.person_id, now).await?;
        tx.revoke_codes(&person.person_id, now).await?;
        record(
            &mut tx,
            context.author(),
            Action::PersonRevoked,
            &person.person_id,
            &[],
            now,
        )
        .await?;
        tx.commit().await?;
        person.revoked_at = Some(now);
    }
    Ok(person)
}

/// All devices.
pub async fn devices<D: Database>(context: &Context<D>) -> Result<Vec<Device>, Problem> {
    Ok(context.database.read().await?.devices().await?)
}

/// Approves a device that waits; a revoked one stays revoked.
pub async fn approve_device<D: Database>(
    context: &Context<D>,
    device_id: &str,
) -> Result<Device, Problem> {
    let mut tx = context.database.write().await?;
    let mut device = tx.device(device_id).await?.ok_or_else(device_unknown)?;
    match device.status {
        DeviceStatus::Approved => {}
        DeviceStatus::Revoked => {
            return Err(Problem::forbidden(
                "device-revoked",
                "A revoked device is not approved again.",
            ));
        }
        DeviceStatus::Pending => {
            tx.set_device_status(device_id, DeviceStatus::Approved, device.epoch)
                .await?;
            record(
                &mut tx,
                context.author(),
                Action::DeviceApproved,
                device_id,
                &[],
                context.now(),
            )
            .await?;
            tx.commit().await?;
            device.status = DeviceStatus::Approved;
        }
    }
    Ok(device)
}

/// Revokes a device: a new epoch, whose share nobody gets. Again changes nothing.
pub async fn revoke_device<D: Database>(
    context: &Context<D>,
    device_id: &str,
) -> Result<Device, Problem> {
    let mut tx = context.database.write().await?;
    let mut device = tx.device(device_id).await?.ok_or_else(device_unknown)?;
    if device.status != DeviceStatus::Revoked {
        device.status = DeviceStatus::Revoked;
        device.epoch += 1;
        tx.set_device_status(device_id, device.status, device.epoch)
            .await?;
        let epoch = device.epoch.to_string();
        record(
            &mut tx,
            context.author(),
            Action::DeviceRevoked,
            device_id,
            &[("epoch", &epoch)],
            context.now(),
        )
        .await?;
        tx.commit().await?;
    }
    Ok(device)
}
