//! Grants: the right to open the patient cache, for an accepted agreement on an approved device.

use infoblood_agreement::grant::{self, Role, Terms};
use rand_core::Rng as _;

use super::access::{self, Caller};
use crate::context::{Context, rng};
use crate::problem::Problem;
use crate::storage::{
    Database, DeviceStorage, PeopleStorage, SiteStorage, StorageError, Transaction,
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
    let (person, device) = (&entitled.caller.person, &entitled.caller.device);

    let site = tx
        .site(&device.site)
        .await?
        .ok_or(StorageError::Damaged("devices.site"))?;
    let key = tx
        .person_key(&entitled.caller.session.kid)
        .await?
        .ok_or(StorageError::Damaged("sessions.kid"))?;
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
        document: entitled.acceptance.document,
        leaf: entitled.acceptance.leaf,
        epoch: device.epoch,
        issued_at: now,
        offline_until,
        read_only_until: offline_until + i64::from(site.read_only_days) * DAY,
        site: site.code,
        role: Role::parse(&person.role).ok_or(StorageError::Damaged("people.role"))?,
    };
    let grant = grant::issue(
        &terms,
        &share,
        &key.exchange_key,
        &context.issuer,
        &context.keys.grant,
        &mut rng,
    )
    .map_err(Problem::internal)?;
    tx.commit().await?;
    Ok(grant)
}
