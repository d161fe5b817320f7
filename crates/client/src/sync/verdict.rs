//! What an answer of the server means for the item it is about. Nothing here reads or writes anything.

use infoblood_agreement::{
    cbor::Limits,
    key_set::KeySet,
    receipt::VerifiedReceipt,
    sealed::Kind,
    statement::{leaf_hash, peek},
};

use super::engine::Verdict;
use crate::{
    proof::verify_receipt,
    transport::{ItemState, ItemStatus, TransportError},
};

/// What the receipt says, if it is one for this statement by this server's log; otherwise the item is tried again.
pub fn of_receipt(
    keys: &KeySet,
    statement: &[u8],
    receipt: &[u8],
) -> Result<VerifiedReceipt, Verdict> {
    let invalid = |error: &dyn std::error::Error| {
        tracing::warn!(%error, "a receipt was refused");
        Verdict::Later {
            code: "receipt-invalid".to_owned(),
            retry_after: None,
        }
    };
    let leaf = leaf_hash(statement, &Limits::DEFAULT).map_err(|error| invalid(&error))?;
    let sub = peek(statement, &Limits::DEFAULT)
        .map_err(|error| invalid(&error))?
        .sub;
    verify_receipt(keys, receipt, &leaf, &sub).map_err(|error| invalid(&error))
}

/// What a failure means for an item of this kind; `None`: nobody was there to say anything.
pub fn of_error(kind: Kind, error: &TransportError) -> Option<Verdict> {
    let code = error.code().to_owned();
    let retry_after = error.retry_after();
    Some(match error {
        TransportError::Unreachable(_) => return None,
        TransportError::Slow => Verdict::Silent { code },
        TransportError::Refused { status: 429, .. } => Verdict::Busy { code, retry_after },
        _ if error.is_transient() || !is_final(kind, error) => Verdict::Later { code, retry_after },
        _ => Verdict::Wedged { code },
    })
}

/// What the server said of one audit event; `None`: it left it out.
pub fn of_status(status: Option<&ItemStatus>) -> Verdict {
    let later = |code: &str| Verdict::Later {
        code: code.to_owned(),
        retry_after: None,
    };
    match status.map(|status| (status.status, status.code.as_deref())) {
        Some((ItemState::Stored | ItemState::Duplicate, _)) => Verdict::Acknowledged,
        // Its device's enrolment is on its way: by courier, or again after the server was restored.
        Some((ItemState::Rejected, Some("device-unknown"))) => later("enrolment-first"),
        Some((ItemState::Rejected, _)) => Verdict::Wedged {
            code: "server-refused".to_owned(),
        },
        None => later("server-truncated"),
    }
}

/// Whether what a courier's answer says of an item it did not take stands whatever happens at the server later: without the enrolment
/// that the rest builds on, only the enrolment itself is refused for good.
pub fn is_final_by_courier(kind: Kind, code: &str) -> bool {
    kind == Kind::Enrolment || !matches!(code, "key-unknown" | "device-unknown")
}

/// Whether a refusal of this kind of item stands whatever happens at the server later. A decision whose key the server does not know
/// waits: a server that was restored from a backup gets the enrolment again.
fn is_final(kind: Kind, error: &TransportError) -> bool {
    error.is_final()
        && (kind == Kind::Enrolment
            || matches!(error, TransportError::Refused { status: 400, .. })
            || matches!(
                error.code(),
                "document-unknown" | "person-revoked" | "device-revoked"
            ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_builds_on_an_enrolment_is_not_refused_for_good_without_it() {
        for kind in [Kind::Acceptance, Kind::DeviceRefusal, Kind::AuditEvent] {
            assert!(!is_final_by_courier(kind, "device-unknown"), "{kind:?}");
            assert!(!is_final_by_courier(kind, "key-unknown"), "{kind:?}");
            assert!(is_final_by_courier(kind, "person-revoked"), "{kind:?}");
        }
        assert!(is_final_by_courier(Kind::Enrolment, "device-unknown"));
    }
}
