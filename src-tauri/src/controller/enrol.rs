//! Who are you: the code's check symbol, the passphrase's strength, the signature.

use infoblood_agreement::{enrolment_code::EnrolmentCode, vault::NewPassphrase};
use infoblood_client::{Decision, EnrolRequest, PersonSession};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::{
    Controller, Phase, Registering,
    agreement::for_statement,
    failure::{named, told},
};
use crate::view::{AppError, CodeCheck, PassphraseCheck};

/// Longer passphrases are judged by their beginning: zxcvbn's cost grows with the square.
const JUDGED_CHARS: usize = 100;

/// What the check symbol says. `normalized` is how the code was read, also where it is not whole yet.
pub(super) fn check_code(code: &SecretString) -> CodeCheck {
    match EnrolmentCode::parse(code.expose_secret()) {
        Ok(read) => CodeCheck {
            ok: true,
            normalized: read.display().to_string(),
        },
        Err(_) => CodeCheck {
            ok: false,
            normalized: code.expose_secret().to_owned(),
        },
    }
}

/// How strong a new passphrase is, and why it will not be taken.
pub(super) fn check_passphrase(login: &str, passphrase: &SecretString) -> PassphraseCheck {
    let judged: zeroize::Zeroizing<String> = zeroize::Zeroizing::new(
        passphrase
            .expose_secret()
            .chars()
            .take(JUDGED_CHARS)
            .collect(),
    );
    let score = u8::from(zxcvbn::zxcvbn(&judged, &[login]).score());
    match NewPassphrase::check(passphrase, login) {
        Ok(_) => PassphraseCheck {
            score: score.max(3),
            errors: Vec::new(),
        },
        Err(error) => PassphraseCheck {
            score: score.min(2),
            errors: vec![error.code().to_owned()],
        },
    }
}

impl Registering {
    /// Signed now, with the person's keys still open.
    pub(super) fn signed(person_id: String, session: PersonSession) -> Self {
        Self {
            session: Some(session),
            ..Self::resumed(person_id)
        }
    }

    /// Signed before this launch.
    pub(super) fn resumed(person_id: String) -> Self {
        Self {
            person_id,
            session: None,
            unlocking: false,
            trouble: None,
            again_at: Instant::now(),
        }
    }
}

impl Controller {
    /// Signs enrolment and acceptance; returns when both are durable.
    pub(super) async fn sign(
        &mut self,
        login: String,
        code: SecretString,
        passphrase: SecretString,
    ) -> Result<(), AppError> {
        self.unblocked()?;
        let Phase::Identify(evidence) = &self.phase else {
            return Err(named("agreement-required"));
        };
        let request = EnrolRequest {
            login,
            code,
            passphrase,
            evidence: for_statement(evidence, &self.document),
            decision: Decision::Accepted,
        };
        let pending = self
            .workstation()?
            .enrol(request)
            .await
            .map_err(|error| told("sign", error.code(), &error))?;
        self.phase = Phase::Registering(Box::new(Registering::signed(
            pending.person_id,
            pending.session,
        )));
        self.nudge();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_passphrase_is_never_shown_as_strong() {
        let check = |text: &str| check_passphrase("a.serik", &text.to_owned().into());
        assert_eq!(check("short").errors, ["passphrase-short"]);
        assert_eq!(check("password1234").errors, ["passphrase-weak"]);
        assert_eq!(
            check("a.serik is here today 42").errors,
            ["passphrase-has-login"]
        );
        let strong = check("тоғыз жылқы таудан асты 58");
        assert!(strong.errors.is_empty() && strong.score >= 3, "{strong:?}");
        assert!(check("password1234").score < 3);
    }

    #[test]
    fn a_mistyped_code_is_seen() {
        assert!(!check_code(&"ABCDE".to_owned().into()).ok);
        assert!(!check_code(&String::new().into()).ok);
    }
}
