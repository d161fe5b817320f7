//! Grants: the right to open the patient cache, for an accepted agreement on an approved device.

use infoblood_agreement::grant::{self, Role, Terms};
use rand_core::Rng as _;

use super::access::{self, Caller};
use crate::context::{Context, rng};
use crate::problem::Problem;
use crate::storage::{
    Database, Decision, Device, DeviceStorage, PeopleStorage, Person, PersonKey, SiteStorage,
    StorageError, Transaction,
};

const DAY: i64 = 24 * 60 * 60;

/// Issues a grant for the document the caller names, which must be in force and accepted.
pub async fn issue<D: Database>(
    context: &Context<D>,
    mut tx: D::Tx,
    caller: Caller,
    document: &[u8; 32],
) -> Result<Vec<u8>, Problem> {
    let now = context.now();
    let in_force = access::documents_in_force(&mut tx, now).await?;
    if let Some(current) = in_force.first()
        && in_force.iter().all(|known| known.digest != *document)
    {
        return Err(Problem::agreement_required(&current.digest));
    }
    let entitled = access::entitled(context, &mut tx, caller).await?;
    let key = tx
        .person_key(&entitled.caller.session.kid)
        .await?
        .ok_or(StorageError::Damaged("sessions.kid"))?;
    let (person, device) = (&entitled.caller.person, &entitled.caller.device);
    let grant = seal(context, &mut tx, person, device, &key, &entitled.acceptance).await?;
    tx.commit().await?;
    Ok(grant)
}

/// Issues a grant to an enrolled key under the same rules, without a session: for answers that somebody carries.
///
/// Who asks is not known and need not be: the share is sealed to this key, and opens for nobody else. The key must be the
/// person's newest on its device.
pub async fn issue_to_key<D: Database>(
    context: &Context<D>,
    kid: &[u8; 32],
) -> Result<Vec<u8>, Problem> {
    let mut tx = context.database.write().await?;
    let key = tx.person_key(kid).await?.ok_or_else(key_unknown)?;
    let device = tx.device(&key.device_id).await?.ok_or_else(key_unknown)?;
    let (person, newest) = enrolled(&mut tx, &key.person_id, &device).await?;
    access::refuse_revoked(&person, &device)?;
    if newest.kid != key.kid {
        return Err(Problem::forbidden(
            "key-superseded",
            "This person enrolled again on this device later.",
        ));
    }
    let given = issue_to_enrolled(context, &mut tx, &key.person_id, &device).await?;
    tx.commit().await?;
    Ok(given.grant)
}

/// A grant and whose it is.
#[derive(Debug)]
pub struct Given {
    /// Who may open it.
    pub person: Person,
    /// COSE message.
    pub grant: Vec<u8>,
}

/// Issues a grant to a person's newest key on a device, under the same rules. The caller commits.
pub async fn issue_to_enrolled<D: Database>(
    context: &Context<D>,
    tx: &mut D::Tx,
    person_id: &str,
    device: &Device,
) -> Result<Given, Problem> {
    let (person, key) = enrolled(tx, person_id, device).await?;
    access::refuse_revoked(&person, device)?;
    let acceptance = access::accepted(context, tx, &person, device).await?;
    let grant = seal(context, tx, &person, device, &key, &acceptance).await?;
    Ok(Given { person, grant })
}

/// A person and their newest key on a device. Whether there is such a person elsewhere is not said.
pub async fn enrolled(
    tx: &mut impl Transaction,
    person_id: &str,
    device: &Device,
) -> Result<(Person, PersonKey), Problem> {
    let key = tx
        .newest_person_key(person_id, &device.device_id)
        .await?
        .ok_or_else(key_unknown)?;
    let person = tx.person(person_id).await?.ok_or_else(key_unknown)?;
    Ok((person, key))
}

fn key_unknown() -> Problem {
    Problem::forbidden("key-unknown", "No enrolment of this key is registered.")
}

/// Signs the grant, its share sealed to `key`. What entitles to it was checked in the same transaction.
async fn seal<D: Database>(
    context: &Context<D>,
    tx: &mut D::Tx,
    person: &Person,
    device: &Device,
    key: &PersonKey,
    acceptance: &Decision,
) -> Result<Vec<u8>, Problem> {
    let now = context.now();
    let site = tx
        .site(&device.site)
        .await?
        .ok_or(StorageError::Damaged("devices.site"))?;
    let mut rng = rng()?;
    let mut fresh = [0; 32];
    rng.fill_bytes(&mut fresh);
    let share = tx
        .share_or_insert(&device.device_id, device.epoch, &fresh)
        .await?;
    let offline_until = now + i64::from(site.offline_days) * DAY;
    let terms = Terms {
        person_id: person.person_id.clone(),
        device_id: device.device_id.clone(),
        document: acceptance.document,
        leaf: acceptance.leaf,
        epoch: device.epoch,
        issued_at: now,
        offline_until,
        read_only_until: offline_until + i64::from(site.read_only_days) * DAY,
        site: site.code,
        role: Role::parse(&person.role).ok_or(StorageError::Damaged("people.role"))?,
    };
    grant::issue(
        &terms,
        &share,
        &key.exchange_key,
        &context.issuer,
        &context.keys.grant,
        &mut rng,
    )
    .map_err(Problem::internal)
}
