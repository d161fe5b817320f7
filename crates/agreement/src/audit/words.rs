//! The words of an audit event.

/// What was done or tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    PatientRead,
    PatientQuery,
    /// A card or a list of people goes to the printer.
    PatientPrint,
    /// Text of a card goes to the clipboard.
    PatientCopy,
    AccessRefused,
    SignIn,
    SignInFailed,
    Lock,
    /// The read-only time was lifted; the reason is the person's own words.
    BreakGlass,
    /// The local clock jumped; the reason is `back` or `forward`.
    ClockJump,
    PassphraseChanged,
}

impl Action {
    pub(super) const ALL: [Self; 11] = [
        Self::PatientRead,
        Self::PatientQuery,
        Self::PatientPrint,
        Self::PatientCopy,
        Self::AccessRefused,
        Self::SignIn,
        Self::SignInFailed,
        Self::Lock,
        Self::BreakGlass,
        Self::ClockJump,
        Self::PassphraseChanged,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PatientRead => "patient-read",
            Self::PatientQuery => "patient-query",
            Self::PatientPrint => "patient-print",
            Self::PatientCopy => "patient-copy",
            Self::AccessRefused => "access-refused",
            Self::SignIn => "sign-in",
            Self::SignInFailed => "sign-in-failed",
            Self::Lock => "lock",
            Self::BreakGlass => "break-glass",
            Self::ClockJump => "clock-jump",
            Self::PassphraseChanged => "passphrase-changed",
        }
    }

    /// Whether it shows one person's record or takes it away: nobody does that without saying what for.
    pub const fn needs_purpose(self) -> bool {
        matches!(
            self,
            Self::PatientRead | Self::PatientPrint | Self::PatientCopy
        )
    }

    /// The first version of the message that has it.
    pub(super) const fn since(self) -> u8 {
        match self {
            Self::PatientPrint | Self::PatientCopy => 2,
            _ => 1,
        }
    }

    /// The action of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// Whether it was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Permit,
    Deny,
}

impl Outcome {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Deny => "deny",
        }
    }

    /// The outcome of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Permit, Self::Deny]
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
    }
}

/// What a person's record is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Care of a patient.
    Treatment,
    /// Care of a donor: whether and what somebody may give.
    Donation,
    /// Following a donation to those who received it, and back.
    Lookback,
    /// Quality assurance of the centre.
    Quality,
}

impl Purpose {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 4] = [
        Self::Treatment,
        Self::Donation,
        Self::Lookback,
        Self::Quality,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Treatment => "treatment",
            Self::Donation => "donation",
            Self::Lookback => "lookback",
            Self::Quality => "quality",
        }
    }

    /// The purpose of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == name)
    }
}
