// Made from src-tauri/src/view.rs. Do not edit: UPDATE_BINDINGS=1 cargo test -p infoblood bindings

export type Lang = "kk" | "ru";

export type AppError = { code: string, 
/**
 * Seconds until the same act may be tried again, where there is such a time.
 */
retry_after_seconds: number | null, };

export type Site = { code: string, name_kk: string, name_ru: string, workstation: string, 
/**
 * IANA name; times are shown in this zone.
 */
time_zone: string, support_contact: string | null, };

export type Connection = "unknown" | "online" | "offline";

export type State = { screen: Screen, site: Site | null, connection: Connection, language: Lang, version: string, 
/**
 * Minutes without a touch before the workstation locks itself.
 */
idle_lock_minutes: number, 
/**
 * When patient data were last brought up to date.
 */
data_as_of: string | null, 
/**
 * Sealed items the server has not acknowledged yet.
 */
waiting: number, 
/**
 * How synchronisation stands; null while the store is not open.
 */
sync: SyncFacts | null, 
/**
 * A version of the terms that is published and not yet in force.
 */
terms_change: TermsChange | null, 
/**
 * While a chosen file is read.
 */
reading: FileProgress | null, 
/**
 * True when a WebDriver drives the window.
 */
automation: boolean, };

export type Screen = { "name": "blocked", error: AppError, 
/**
 * What is here cannot be used any more: it may be set aside and everybody enrols again.
 */
can_start_anew: boolean, } | { "name": "agreement", declined: boolean, has_people: boolean, 
/**
 * Somebody known who has to accept a newer version.
 */
person: KnownPerson | null, } | { "name": "identify", document: DocumentFacts, evidence: Evidence, } | { "name": "registering", progress: Progress, } | { "name": "return", people: Array<PersonRow>, } | { "name": "unlocked", person: PersonFacts, };

export type DocumentFacts = { version: number, 
/**
 * Lowercase hex.
 */
sha256: string, effective_from: string, };

export type AgreementView = { facts: DocumentFacts, units: Array<Unit>, 
/**
 * The version that the known person accepted before.
 */
previous_version: number | null, 
/**
 * What differs from it; empty for somebody new.
 */
changes: Array<Change>, 
/**
 * True once somebody's acceptance stands on this workstation.
 */
accepted: boolean, };

export type Unit = { id: number, kind: UnitKind, kk: Array<string>, ru: Array<string>, };

export type UnitKind = "title" | "para" | "part" | "chapter" | "article" | "point";

export type Evidence = { 
/**
 * Unix seconds.
 */
opened_at: number, visible_seconds: number, languages_shown: Array<Lang>, end_reached: Array<Lang>, };

export type Progress = { stored_at: string, sent_at: string | null, receipt_verified_at: string | null, unlocked: boolean, attempts: number, next_attempt_at: string | null, error: AppError | null, login: string, person_id: string, 
/**
 * Leaf hash of the acceptance, lowercase hex.
 */
statement_id: string, signed_at: string, document: DocumentFacts, 
/**
 * Registered, but the keys are closed (the app was started again): sign in to go on.
 */
needs_passphrase: boolean, };

export type PersonRow = { person_id: string, login: string, name: string | null, registered: boolean, 
/**
 * The server took this person's right back; the keys are gone.
 */
revoked: boolean, offline_until: string | null, last_sign_in: string | null, };

export type PersonFacts = { person_id: string, login: string, name: string, role: string, offline_until: string, read_only_until: string, lease: Lease, 
/**
 * Begun days until the lease changes for the worse.
 */
lease_days_left: number, mode: Mode, 
/**
 * Whether the site's policy lets a reason lift the read-only time.
 */
may_break_glass: boolean, receipt: ReceiptFacts, };

export type ReceiptFacts = { 
/**
 * Leaf hash of the acceptance, lowercase hex.
 */
statement_id: string, registered_at: string, tree_size: number, leaf_index: number, };

export type CodeCheck = { ok: boolean, 
/**
 * The code as it will be read, grouped.
 */
normalized: string, };

export type PassphraseCheck = { 
/**
 * 0 (guessed at once) to 4 (strong).
 */
score: number, 
/**
 * Error codes, empty when the passphrase will be taken.
 */
errors: Array<string>, };

export type SavedProof = { path: string, };

export type KnownPerson = { person_id: string, name: string, };

export type TermsChange = { version: number, effective_from: string, };

export type ChangeKind = "changed" | "added" | "removed";

export type Change = { kind: ChangeKind, 
/**
 * Its id in the text that is shown; null for a removed one.
 */
unit: number | null, before: BothTexts | null, after: BothTexts | null, };

export type BothTexts = { kk: Array<string>, ru: Array<string>, };

export type SyncFacts = { phase: SyncPhase, queues: Array<Queue>, 
/**
 * When the server last acknowledged something.
 */
last_success: string | null, next_attempt_at: string | null, wedged: Array<WedgedItem>, 
/**
 * An error code: what the server did that it must not.
 */
alarm: string | null, 
/**
 * Latest first.
 */
courier_files: Array<CourierFile>, };

export type SyncPhase = "idle" | "connecting" | "sending" | "receiving" | "waiting" | "wedged";

export type QueueKind = "enrolment" | "acceptance" | "device-refusal" | "audit-event";

export type Queue = { kind: QueueKind, waiting: number, wedged: number, 
/**
 * When the server last acknowledged one of them.
 */
last_success: string | null, };

export type CourierFile = { name: string, saved_at: string, items: number, 
/**
 * When its answer was read here.
 */
answered_at: string | null, };

export type WedgedItem = { id: string, kind: QueueKind, created_at: string, attempts: number, 
/**
 * An error code.
 */
code: string, };

export type SavedPack = { path: string, items: number, };

export type FileProgress = { done: number, total: number, };

export type QrCode = { svg: string, url: string, };

export type FramesTaken = { have: number, total: number, 
/**
 * Numbers of the frames that are not there yet, from 1.
 */
missing: Array<number>, 
/**
 * The answer was whole, verified and is stored.
 */
is_done: boolean, 
/**
 * What the server refused although it answered.
 */
refusal: AppError | null, };

export type Lease = "ok" | "soon" | "attention" | "read-only" | "ended";

export type Mode = "full" | "read-only" | "break-glass";

export type FileTaken = { "kind": "answer", receipts: number, stored: number, refused: number, grants: number, revoked: number, has_patients: boolean, } | { "kind": "forwarded", path: string, };

export type DonorPage = { total: number, rows: Array<DonorRow>, 
/**
 * Give it back as `after` to get the next page.
 */
next: string | null, };

export type DonorRow = { id: string, family: string, given: string, patronymic: string | null, birth_date: string, iin_last4: string, blood: BloodGroup | null, deferral: DeferralState, 
/**
 * Invented, for training.
 */
training: boolean, 
/**
 * How the spelling differed from what was typed, as «қ→к»; null when exact.
 */
matched: string | null, };

export type DeferralState = "none" | "temporary" | "permanent";

export type BloodGroup = { 
/**
 * `O`, `A`, `B` or `AB`.
 */
abo: "O" | "A" | "B" | "AB", rh: "+" | "-", kell: "+" | "-" | null, };

export type DeferralKind = "temporary" | "permanent";

export type Deferral = { kind: DeferralKind, reason_kk: string, reason_ru: string, from: string, until: string | null, days_left: number | null, by: string | null, rule: string | null, verified: boolean, };

export type DonationKind = "whole-blood" | "plasma" | "platelets";

export type DonationStatus = "completed" | "not-done";

export type Donation = { date: string, din: string | null, din_check: string | null, kind: DonationKind, volume_ml: number | null, status: DonationStatus, };

export type Sex = "male" | "female";

export type DonorCard = { id: string, family: string, given: string, patronymic: string | null, birth_date: string, sex: Sex, 
/**
 * Full years today.
 */
age: number, iin: string, iin_valid: boolean, donor_number: string | null, 
/**
 * Invented, for training.
 */
training: boolean, deferrals: Array<Deferral>, blood: BloodGroup | null, 
/**
 * The values that disagree, safer one first; empty when there is one value or none.
 */
blood_conflict: Array<BloodGroup>, 
/**
 * Latest first.
 */
donations: Array<Donation>, 
/**
 * When this look was recorded.
 */
logged_at: string, 
/**
 * When these data were last brought up to date.
 */
as_of: string, };
