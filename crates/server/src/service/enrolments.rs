//! Enrolments: a one-time code turns a person's new keys on one device into known ones.

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::statement::{self, Enrolment, Kind};

use super::entries::{self, NewEntry, refused};
use crate::context::Context;
use crate::problem::Problem;
use crate::storage::{
    Database, Device, DeviceStatus, Entry, LogStorage, PeopleStorage, PersonKey, StorageError,
    Transaction,
};

/// Registers an enrolment. `true` if it is new; the same statement again gives its receipt. First registered wins.
pub async fn register<D: Database>(
    context: &Context<D>,
    bytes: &[u8],
) -> Result<(Entry, bool), Problem> {
    let header = statement::peek(bytes, &Limits::DEFAULT).map_err(|error| refused(&error))?;
    if header.kind != Kind::Enrolment {
        return Err(Problem::malformed(
            "statement-kind",
            "Only enrolments go here.",
        ));
    }
    if let Some(entry) = entries::registered(context, bytes).await? {
        return Ok((entry, false));
    }
    let statement =
        statement::verify_enrolment(bytes, &Limits::DEFAULT).map_err(|error| refused(&error))?;
    let enrolment = statement.payload();
    let now = context.now();

    let mut tx = context.database.write().await?;
    if let Some(entry) = tx.entry(statement.leaf()).await? {
        return Ok((entry, false));
    }
    redeem(&mut tx, enrolment, now).await?;
    let device = device(&mut tx, enrolment, now).await?;
    let entry = entries::append(
        &mut tx,
        context.author(),
        NewEntry::of(Kind::Enrolment, &statement),
        now,
    )
    .await?;
    tx.add_person_key(&PersonKey {
        kid: enrolment.person_key.kid(),
        person_id: enrolment.person_id.clone(),
        device_id: device.device_id,
        signing_key: *enrolment.person_key.as_bytes(),
        exchange_key: enrolment.person_x25519,
        leaf: entry.leaf,
        registered_at: now,
    })
    .await
    .map_err(|error| match error {
        StorageError::Conflict => Problem::new(409, "key-used", "This key is enrolled already."),
        other => other.into(),
    })?;
    tx.commit().await?;
    tracing::info!(
        kind = "enrolment",
        leaf_index = entry.leaf_index,
        "registered"
    );
    Ok((entry, true))
}

/// Uses up the code. Somebody without a code of this person learns nothing about the person.
async fn redeem(tx: &mut impl Transaction, enrolment: &Enrolment, now: i64) -> Result<(), Problem> {
    let wrong = || Problem::forbidden("code-wrong", "This code is not one of this person's.");
    let code = tx
        .code(enrolment.code_key.as_bytes())
        .await?
        .ok_or_else(wrong)?;
    if code.person_id != enrolment.person_id {
        return Err(wrong());
    }
    let person = tx.person(&code.person_id).await?.ok_or_else(wrong)?;
    if person.revoked_at.is_some() {
        return Err(Problem::forbidden(
            "person-revoked",
            "This person's access was revoked.",
        ));
    }
    if code.used_at.is_some() {
        return Err(Problem::new(409, "code-used", "This code was used before."));
    }
    if code.revoked_at.is_some() {
        return Err(wrong());
    }
    if code.expires_at <= now {
        return Err(Problem::new(410, "code-expired", "This code has expired."));
    }
    if person.site != enrolment.site {
        return Err(Problem::forbidden(
            "site-wrong",
            "This person belongs to another site.",
        ));
    }
    tx.use_code(&code.public_key, now)
        .await
        .map_err(|error| match error {
            StorageError::Conflict => Problem::new(409, "code-used", "This code was used before."),
            other => other.into(),
        })
}

/// The device, registered now if nobody enrolled on it before.
async fn device(
    tx: &mut impl Transaction,
    enrolment: &Enrolment,
    now: i64,
) -> Result<Device, Problem> {
    if let Some(device) = tx.device(&enrolment.device_id).await? {
        if device.status == DeviceStatus::Revoked {
            return Err(Problem::forbidden(
                "device-revoked",
                "This device's access was revoked.",
            ));
        }
        if device.exchange_key != enrolment.device_x25519 || device.site != enrolment.site {
            return Err(Problem::forbidden(
                "device-changed",
                "This device was registered with other keys or elsewhere.",
            ));
        }
        return Ok(device);
    }
    let site = tx
        .site(&enrolment.site)
        .await?
        .ok_or(StorageError::Damaged("people.site"))?;
    let device = Device {
        device_id: enrolment.device_id.clone(),
        signing_key: *enrolment.device_key.as_bytes(),
        exchange_key: enrolment.device_x25519,
        kid: enrolment.device_key.kid(),
        site: site.code,
        workstation: enrolment.workstation.clone(),
        status: match site.device_approval {
            DeviceApproval::Auto => DeviceStatus::Approved,
            DeviceApproval::Manual => DeviceStatus::Pending,
        },
        epoch: 1,
        registered_at: now,
    };
    tx.add_device(&device).await?;
    Ok(device)
}
