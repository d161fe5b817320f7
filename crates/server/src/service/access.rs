//! Who may do what, asked again at every request. Order of refusals: no session, revoked, agreement, device, scope.

use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::problem::Problem;
use crate::storage::{
    AgreementStorage, Database, Decision, Device, DeviceStatus, DeviceStorage, Document,
    PeopleStorage, Person, Session, SessionStorage, Transaction,
};

/// A session of a person and a device that are both known and not revoked.
#[derive(Debug)]
pub struct Caller {
    /// The session.
    pub session: Session,
    /// Who.
    pub person: Person,
    /// Where.
    pub device: Device,
}

/// A caller whose acceptance of the document in force is registered and whose device is approved.
#[derive(Debug)]
pub struct Entitled {
    /// Who and where.
    pub caller: Caller,
    /// The acceptance that counts.
    pub acceptance: Decision,
}

impl Entitled {
    /// What the caller's device may hold.
    pub fn scope(&self) -> Scope {
        Scope {
            site: self.caller.device.site.clone(),
        }
    }
}

/// The patient data that a device may hold; there is one only for an entitled person there.
#[derive(Debug)]
pub struct Scope {
    site: String,
}

impl Scope {
    /// Code of the site.
    pub fn site(&self) -> &str {
        &self.site
    }
}

/// The caller behind a bearer token.
pub async fn caller<D: Database>(
    context: &Context<D>,
    tx: &mut D::Tx,
    token: Option<&str>,
) -> Result<Caller, Problem> {
    let refused = || Problem::unauthorised("session-required", "Open a session first.");
    let token = token.ok_or_else(refused)?;
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let session = tx
        .session(&hash)
        .await?
        .filter(|s| s.expires_at > context.now())
        .ok_or_else(refused)?;
    let person = tx.person(&session.person_id).await?.ok_or_else(refused)?;
    let device = tx.device(&session.device_id).await?.ok_or_else(refused)?;
    refuse_revoked(&person, &device)?;
    Ok(Caller {
        session,
        person,
        device,
    })
}

/// 403 for a revoked person or device.
pub fn refuse_revoked(person: &Person, device: &Device) -> Result<(), Problem> {
    if person.revoked_at.is_some() {
        return Err(Problem::forbidden(
            "person-revoked",
            "This person's access was revoked.",
        ));
    }
    if device.status == DeviceStatus::Revoked {
        return Err(Problem::forbidden(
            "device-revoked",
            "This device's access was revoked.",
        ));
    }
    Ok(())
}

/// The caller, if they may see patient data.
pub async fn entitled<D: Database>(
    context: &Context<D>,
    tx: &mut D::Tx,
    caller: Caller,
) -> Result<Entitled, Problem> {
    let acceptance = accepted(context, tx, &caller.person, &caller.device).await?;
    Ok(Entitled { caller, acceptance })
}

/// The acceptance by which this person may see patient data on this device, which must be approved.
pub async fn accepted<D: Database>(
    context: &Context<D>,
    tx: &mut D::Tx,
    person: &Person,
    device: &Device,
) -> Result<Decision, Problem> {
    let in_force = documents_in_force(tx, context.now()).await?;
    let current = in_force
        .first()
        .ok_or_else(|| Problem::internal("no document is in force"))?;
    let mut found = None;
    for document in &in_force {
        let decision = tx
            .latest_decision(&person.person_id, &device.device_id, &document.digest)
            .await?;
        if let Some(decision) = decision {
            found = Some(decision);
            break;
        }
    }
    let acceptance = found
        .filter(|decision| decision.accepted)
        .ok_or_else(|| Problem::agreement_required(&current.digest))?;
    if device.status != DeviceStatus::Approved {
        return Err(Problem::forbidden(
            "device-pending",
            "This device waits for an administrator's approval.",
        ));
    }
    Ok(acceptance)
}

/// What this device may hold by this person's right.
pub async fn scope<D: Database>(
    context: &Context<D>,
    tx: &mut D::Tx,
    person: &Person,
    device: &Device,
) -> Result<Scope, Problem> {
    refuse_revoked(person, device)?;
    accepted(context, tx, person, device).await?;
    Ok(Scope {
        site: device.site.clone(),
    })
}

/// The documents whose acceptance counts now, newest first: the newest material one and the editorial ones after it.
pub async fn documents_in_force(
    tx: &mut impl Transaction,
    now: i64,
) -> Result<Vec<Document>, Problem> {
    let mut documents = tx.documents_in_force(now).await?;
    if let Some(material) = documents.iter().position(|document| document.material) {
        documents.truncate(material + 1);
    }
    Ok(documents)
}
