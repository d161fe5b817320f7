//! What the window is told and what it sends: the types of every command and of the event `state`.
//!
//! The TypeScript of `ui/src/lib/backend/bindings/` is made from here; `view/fresh.rs` proves it fresh.
//! Times are RFC 3339 in UTC unless a field says otherwise; dates are `YYYY-MM-DD`.

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod fresh;

/// Declares a type of the seam: serialised for the window and, in tests, as TypeScript.
macro_rules! seam {
    ($($(#[$meta:meta])* pub $kind:ident $name:ident { $($body:tt)* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(test, derive(ts_rs::TS))]
        $(#[$meta])*
        pub $kind $name { $($body)* }
    )*};
}

mod blood;
mod donation;

pub use self::{blood::*, donation::*};

seam! {
    /// The interface's two languages.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum Lang { Kk, Ru }

    /// A named error; the words stand in the locale files under `error.<code>`.
    #[derive(Eq)]
    pub struct AppError {
        pub code: String,
        /// Seconds until the same act may be tried again, where there is such a time.
        pub retry_after_seconds: Option<u32>,
    }

    /// The place of work, from the site profile.
    pub struct Site {
        pub code: String,
        pub name_kk: String,
        pub name_ru: String,
        pub workstation: String,
        /// IANA name; times are shown in this zone.
        pub time_zone: String,
        pub support_contact: Option<String>,
    }

    /// Whether the server answered last time.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum Connection { Unknown, Online, Offline }

    /// Everything the window needs to draw itself, apart from texts and patients.
    pub struct State {
        pub screen: Screen,
        pub site: Option<Site>,
        pub connection: Connection,
        pub language: Lang,
        pub version: String,
        /// Minutes without a touch before the workstation locks itself.
        pub idle_lock_minutes: u32,
        /// When patient data were last brought up to date; null while they are closed, or not whole.
        pub data_as_of: Option<String>,
        /// Records that came and could not be read: they stand nowhere in the patient data.
        pub left_out: u32,
        /// Rises when patient data were brought that are other ones than before; begins with every opening.
        #[cfg_attr(test, ts(type = "number"))]
        pub data_changes: u64,
        /// Sealed items the server has not acknowledged yet.
        pub waiting: u32,
        /// How synchronisation stands; null while the store is not open.
        pub sync: Option<SyncFacts>,
        /// A version of the terms that is published and not yet in force.
        pub terms_change: Option<TermsChange>,
        /// While a chosen file is read.
        pub reading: Option<FileProgress>,
        /// True when a WebDriver drives the window.
        pub automation: bool,
    }

    #[serde(tag = "name", rename_all = "lowercase")]
    pub enum Screen {
        /// Store, keyring or profile trouble: nothing can be done before it is solved.
        Blocked {
            error: AppError,
            /// What is here cannot be used any more: it may be set aside and everybody enrols again.
            can_start_anew: bool,
        },
        /// The agreement's text; `declined` when a refusal is recorded, `has_people` when one may go back to the list.
        Agreement {
            declined: bool,
            has_people: bool,
            /// Somebody known who has to accept a newer version.
            person: Option<KnownPerson>,
        },
        /// Accepted on screen, not yet signed: who are you?
        Identify { document: DocumentFacts, evidence: Evidence },
        Registering { progress: Progress },
        /// Choose a person.
        Return { people: Vec<PersonRow> },
        Unlocked { person: PersonFacts },
    }

    pub struct DocumentFacts {
        pub version: u32,
        /// Lowercase hex.
        pub sha256: String,
        pub effective_from: String,
    }

    pub struct AgreementView {
        pub facts: DocumentFacts,
        pub units: Vec<Unit>,
        /// The version that the known person accepted before.
        pub previous_version: Option<u32>,
        /// What differs from it; empty for somebody new.
        pub changes: Vec<Change>,
        /// True once somebody's acceptance stands on this workstation.
        pub accepted: bool,
    }

    pub struct KnownPerson { pub person_id: String, pub name: String }

    pub struct TermsChange { pub version: u32, pub effective_from: String }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum ChangeKind { Changed, Added, Removed }

    /// A unit that differs between two versions of the terms.
    pub struct Change {
        pub kind: ChangeKind,
        /// Its id in the text that is shown; null for a removed one.
        pub unit: Option<u32>,
        pub before: Option<BothTexts>,
        pub after: Option<BothTexts>,
    }

    pub struct BothTexts { pub kk: Vec<String>, pub ru: Vec<String> }

    pub struct SyncFacts {
        pub phase: SyncPhase,
        pub queues: Vec<Queue>,
        /// When the server last acknowledged something.
        pub last_success: Option<String>,
        pub next_attempt_at: Option<String>,
        /// What waits was left over by a round; what was sealed since then goes with the next one.
        pub delayed: bool,
        pub wedged: Vec<WedgedItem>,
        /// An error code: what the server did that it must not.
        pub alarm: Option<String>,
        /// Latest first.
        pub courier_files: Vec<CourierFile>,
    }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum SyncPhase { Idle, Connecting, Sending, Receiving, Waiting, Wedged }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "kebab-case")]
    pub enum QueueKind { Enrolment, Acceptance, DeviceRefusal, AuditEvent }

    pub struct Queue {
        pub kind: QueueKind,
        pub waiting: u32,
        pub wedged: u32,
        /// When the server last acknowledged one of them.
        pub last_success: Option<String>,
    }

    /// A courier file that somebody took away.
    pub struct CourierFile {
        pub name: String,
        pub saved_at: String,
        pub items: u32,
        /// When its answer was read here.
        pub answered_at: Option<String>,
    }

    /// An item that waits for a person.
    pub struct WedgedItem {
        pub id: String,
        pub kind: QueueKind,
        pub created_at: String,
        pub attempts: u32,
        /// An error code.
        pub code: String,
    }

    /// A pair of passages, one per language; lines are verbatim, an empty one is a blank line of the text.
    pub struct Unit {
        pub id: u32,
        pub kind: UnitKind,
        pub kk: Vec<String>,
        pub ru: Vec<String>,
    }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum UnitKind { Title, Para, Part, Chapter, Article, Point }

    /// What the window saw while the text was shown.
    #[derive(Eq)]
    pub struct Evidence {
        /// Unix seconds.
        pub opened_at: i64,
        pub visible_seconds: u32,
        pub languages_shown: Vec<Lang>,
        pub end_reached: Vec<Lang>,
    }

    pub struct Progress {
        pub stored_at: String,
        pub sent_at: Option<String>,
        pub receipt_verified_at: Option<String>,
        pub unlocked: bool,
        pub attempts: u32,
        pub next_attempt_at: Option<String>,
        pub error: Option<AppError>,
        pub login: String,
        pub person_id: String,
        /// Leaf hash of the acceptance, lowercase hex.
        pub statement_id: String,
        pub signed_at: String,
        pub document: DocumentFacts,
        /// Registered, but the keys are closed (the app was started again): sign in to go on.
        pub needs_passphrase: bool,
    }

    pub struct PersonRow {
        pub person_id: String,
        pub login: String,
        pub name: Option<String>,
        pub registered: bool,
        /// The server took this person's right back; the keys are gone.
        pub revoked: bool,
        pub offline_until: Option<String>,
        /// End of the read-only time after it.
        pub read_only_until: Option<String>,
        pub last_sign_in: Option<String>,
    }

    pub struct PersonFacts {
        pub person_id: String,
        pub login: String,
        pub name: String,
        /// A code; null before the server said it.
        pub role: Option<String>,
        pub offline_until: String,
        pub read_only_until: String,
        pub lease: Lease,
        /// Begun days until the lease changes for the worse.
        pub lease_days_left: u32,
        pub mode: Mode,
        /// Whether the site's policy lets a reason lift the read-only time.
        pub may_break_glass: bool,
        /// What this session is for; null before it was said. No card opens before.
        pub purpose: Option<Purpose>,
        /// What the last session was for.
        pub last_purpose: Option<Purpose>,
        pub receipt: ReceiptFacts,
    }

    /// What people's records are looked at for.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum Purpose { Treatment, Donation, Lookback, Quality }

    /// A page of the person's own access log.
    pub struct AccessPage {
        /// Latest first.
        pub rows: Vec<AccessRow>,
        /// Give it back as `after` to get older ones.
        pub next: Option<String>,
    }

    pub struct AccessRow {
        /// Place in the workstation's chain of events.
        pub sequence: u64,
        pub at: String,
        /// The action's name in the protocol.
        pub action: String,
        pub permitted: bool,
        /// An error code; of a permitted break-glass the person's own words.
        pub reason: Option<String>,
        pub purpose: Option<Purpose>,
        /// Whether the read-only time was lifted.
        pub glass_broken: bool,
        /// Whose record.
        pub patient_id: Option<String>,
        /// As the cache knows it.
        pub patient_name: Option<String>,
        /// The number of the donation that was looked at.
        pub donation: Option<String>,
        pub delivery: Delivery,
    }

    /// Whether the server has an event.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum Delivery { Delivered, Waiting, Stuck }

    /// How a record leaves the screen.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum Taking { Print, Copy }

    /// How urgent it is to renew the lease.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "kebab-case")]
    pub enum Lease { Ok, Soon, Attention, ReadOnly, Ended }

    /// What may be done with patient data.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "kebab-case")]
    pub enum Mode { Full, ReadOnly, BreakGlass }

    pub struct ReceiptFacts {
        /// Leaf hash of the acceptance, lowercase hex.
        pub statement_id: String,
        pub registered_at: String,
        pub tree_size: u64,
        pub leaf_index: u64,
    }

    /// What the check symbol says about a typed enrolment code.
    pub struct CodeCheck {
        pub ok: bool,
        /// The code as it will be read, grouped.
        pub normalized: String,
    }

    pub struct PassphraseCheck {
        /// 0 (guessed at once) to 4 (strong).
        pub score: u8,
        /// Error codes, empty when the passphrase will be taken.
        pub errors: Vec<String>,
    }

    pub struct SavedProof { pub path: String }

    /// A file with everything that waits.
    pub struct SavedPack { pub path: String, pub items: u32 }

    /// What a phone's camera reads to ask the server.
    pub struct QrCode { pub svg: String, pub url: String }

    /// Frames of the server's answer that were scanned or pasted.
    pub struct FramesTaken {
        pub have: u32,
        pub total: u32,
        /// Numbers of the frames that are not there yet, from 1.
        pub missing: Vec<u32>,
        /// The answer was whole, verified and is stored.
        pub is_done: bool,
        /// What the server refused although it answered.
        pub refusal: Option<AppError>,
    }

    /// How far a chosen file is read, in bytes; `total` is 0 before it is known.
    #[derive(Copy, Eq)]
    pub struct FileProgress {
        #[cfg_attr(test, ts(type = "number"))]
        pub done: u64,
        #[cfg_attr(test, ts(type = "number"))]
        pub total: u64,
    }

    /// What a chosen file was.
    #[serde(tag = "kind", rename_all = "lowercase")]
    pub enum FileTaken {
        /// The server's answer to this workstation.
        Answer { receipts: u32, stored: u32, refused: u32, grants: u32, revoked: u32, has_patients: bool },
        /// Another workstation's file; the answer to it lies at `path`.
        Forwarded { path: String },
    }

    /// Which donors are looked for; nothing chosen means all of them.
    #[derive(Copy, Eq, Default)]
    pub struct DonorFilter {
        pub blood: Option<GroupCode>,
        /// In this state today.
        pub deferral: Option<DeferralState>,
    }

    /// ABO and RhD together.
    #[derive(Copy, Eq)]
    pub enum GroupCode {
        #[serde(rename = "O+")]
        OPositive,
        #[serde(rename = "O-")]
        ONegative,
        #[serde(rename = "A+")]
        APositive,
        #[serde(rename = "A-")]
        ANegative,
        #[serde(rename = "B+")]
        BPositive,
        #[serde(rename = "B-")]
        BNegative,
        #[serde(rename = "AB+")]
        AbPositive,
        #[serde(rename = "AB-")]
        AbNegative,
    }

    pub struct DonorPage {
        pub total: u32,
        pub rows: Vec<DonorRow>,
        /// Give it back as `after` to get the next page.
        pub next: Option<String>,
    }

    pub struct DonorRow {
        pub id: String,
        pub family: String,
        pub given: String,
        pub patronymic: Option<String>,
        pub birth_date: String,
        pub iin_last4: String,
        /// The safer value.
        pub blood: Option<BloodGroup>,
        /// Determinations of the group disagree.
        pub blood_conflict: bool,
        pub deferral: DeferralState,
        /// Invented, for training.
        pub training: bool,
        /// How the spelling differed from what was typed, as «қ→к»; null when exact.
        pub matched: Option<String>,
    }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum DeferralState {
        None,
        /// The person's record or a donation is not understood: nobody can say that nothing forbids to give.
        Unclear,
        Temporary,
        Permanent,
    }

    pub struct BloodGroup {
        /// `O`, `A`, `B` or `AB`.
        #[cfg_attr(test, ts(type = "\"O\" | \"A\" | \"B\" | \"AB\""))]
        pub abo: String,
        #[cfg_attr(test, ts(type = "\"+\" | \"-\""))]
        pub rh: String,
        #[cfg_attr(test, ts(type = "\"+\" | \"-\" | null"))]
        pub kell: Option<String>,
    }

    /// A determined group, and everything that says so, the latest first.
    pub struct StatedGroup { pub blood: BloodGroup, pub sources: Vec<Source> }

    /// Found or not found, and everything that says so, the latest first.
    #[derive(Eq)]
    pub struct StatedPresence { pub present: bool, pub sources: Vec<Source> }

    /// Where a value comes from.
    #[derive(Eq)]
    pub struct Source {
        pub date: Option<String>,
        /// The donation at which it was determined.
        pub din: Option<String>,
        /// In the record's own words.
        pub laboratory: Option<String>,
        /// Id of the Observation.
        pub record: String,
    }

    /// What of a record does not agree with its IIN.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "kebab-case")]
    pub enum IinWarning { BirthDate, Sex }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum DeferralKind { Temporary, Permanent }

    pub struct Deferral {
        pub kind: DeferralKind,
        pub reason_kk: String,
        pub reason_ru: String,
        /// Empty if it is not known.
        pub from: String,
        pub until: Option<String>,
        pub days_left: Option<i32>,
        pub by: Option<String>,
        pub rule: Option<String>,
        pub verified: bool,
    }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "kebab-case")]
    pub enum DonationKind { WholeBlood, Plasma, Platelets }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "kebab-case")]
    pub enum DonationStatus { Completed, NotDone, Stopped, InProgress, OnHold, Unknown }

    pub struct Donation {
        pub date: String,
        pub din: Option<String>,
        pub din_check: Option<String>,
        /// Null if it is not known.
        pub kind: Option<DonationKind>,
        pub volume_ml: Option<u32>,
        pub status: DonationStatus,
    }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum Sex { Male, Female }

    pub struct DonorCard {
        pub id: String,
        pub family: String,
        pub given: String,
        pub patronymic: Option<String>,
        pub birth_date: String,
        pub sex: Sex,
        /// Full years today.
        pub age: u32,
        pub iin: String,
        pub iin_valid: bool,
        pub iin_warnings: Vec<IinWarning>,
        /// How many other donors' records have the same IIN.
        pub same_iin: u32,
        pub donor_number: Option<String>,
        /// Invented, for training.
        pub training: bool,
        pub deferrals: Vec<Deferral>,
        pub blood: Option<BloodGroup>,
        /// The values that disagree, safer one first; empty when there is one value or none.
        pub blood_conflict: Vec<StatedGroup>,
        /// Latest first.
        pub donations: Vec<Donation>,
        /// One for each kind of donation.
        pub next_dates: Vec<NextDate>,
        /// Latest first.
        pub screening: Vec<ScreeningRow>,
        pub phenotype: Vec<Antigen>,
        /// The latest of each.
        pub vitals: Vec<Vital>,
        pub phone: Option<String>,
        /// Records that say something this version does not know; their values are not shown.
        pub not_understood: u32,
        /// When this look was recorded.
        pub logged_at: String,
        /// When these data were last brought up to date; null while they are not whole: what is not there may still come.
        pub as_of: Option<String>,
    }
}
