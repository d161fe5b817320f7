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
 * When patient data were last brought up to date; null while they are closed, or not whole.
 */
data_as_of: string | null, 
/**
 * Records that came and could not be read: they stand nowhere in the patient data.
 */
left_out: number, 
/**
 * Rises when patient data were brought that are other ones than before; begins with every opening.
 */
data_changes: number, 
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
revoked: boolean, offline_until: string | null, 
/**
 * End of the read-only time after it.
 */
read_only_until: string | null, last_sign_in: string | null, };

export type PersonFacts = { person_id: string, login: string, name: string, 
/**
 * A code; null before the server said it.
 */
role: string | null, offline_until: string, read_only_until: string, lease: Lease, 
/**
 * Begun days until the lease changes for the worse.
 */
lease_days_left: number, mode: Mode, 
/**
 * Whether the site's policy lets a reason lift the read-only time.
 */
may_break_glass: boolean, 
/**
 * What this session is for; null before it was said. No card opens before.
 */
purpose: Purpose | null, 
/**
 * What the last session was for.
 */
last_purpose: Purpose | null, receipt: ReceiptFacts, };

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
last_success: string | null, next_attempt_at: string | null, 
/**
 * What waits was left over by a round; what was sealed since then goes with the next one.
 */
delayed: boolean, wedged: Array<WedgedItem>, 
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

export type Purpose = "treatment" | "donation" | "lookback" | "quality";

export type Taking = "print" | "copy";

export type AccessPage = { 
/**
 * Latest first.
 */
rows: Array<AccessRow>, 
/**
 * Give it back as `after` to get older ones.
 */
next: string | null, };

export type AccessRow = { 
/**
 * Place in the workstation's chain of events.
 */
sequence: number, at: string, 
/**
 * The action's name in the protocol.
 */
action: string, permitted: boolean, 
/**
 * An error code; of a permitted break-glass the person's own words.
 */
reason: string | null, purpose: Purpose | null, 
/**
 * Whether the read-only time was lifted.
 */
glass_broken: boolean, 
/**
 * Whose record.
 */
patient_id: string | null, 
/**
 * As the cache knows it.
 */
patient_name: string | null, 
/**
 * The number of the donation that was looked at.
 */
donation: string | null, delivery: Delivery, };

export type Delivery = "delivered" | "waiting" | "stuck";

export type FileTaken = { "kind": "answer", receipts: number, stored: number, refused: number, grants: number, revoked: number, has_patients: boolean, } | { "kind": "forwarded", path: string, };

export type DonorFilter = { blood: GroupCode | null, 
/**
 * In this state today.
 */
deferral: DeferralState | null, };

export type GroupCode = "O+" | "O-" | "A+" | "A-" | "B+" | "B-" | "AB+" | "AB-";

export type DonorPage = { total: number, rows: Array<DonorRow>, 
/**
 * Give it back as `after` to get the next page.
 */
next: string | null, };

export type DonorRow = { id: string, family: string, given: string, patronymic: string | null, birth_date: string, iin_last4: string, 
/**
 * The safer value.
 */
blood: BloodGroup | null, 
/**
 * Determinations of the group disagree.
 */
blood_conflict: boolean, deferral: DeferralState, 
/**
 * Invented, for training.
 */
training: boolean, 
/**
 * How the spelling differed from what was typed, as «қ→к»; null when exact.
 */
matched: string | null, };

export type DeferralState = "none" | "unclear" | "temporary" | "permanent";

export type BloodGroup = { 
/**
 * `O`, `A`, `B` or `AB`.
 */
abo: "O" | "A" | "B" | "AB", rh: "+" | "-", kell: "+" | "-" | null, };

export type StatedGroup = { blood: BloodGroup, sources: Array<Source>, };

export type StatedPresence = { present: boolean, sources: Array<Source>, };

export type Source = { date: string | null, 
/**
 * The donation at which it was determined.
 */
din: string | null, 
/**
 * In the record's own words.
 */
laboratory: string | null, 
/**
 * Id of the Observation.
 */
record: string, };

export type IinWarning = "birth-date" | "sex";

export type DeferralKind = "temporary" | "permanent";

export type Deferral = { kind: DeferralKind, reason_kk: string, reason_ru: string, 
/**
 * Empty if it is not known.
 */
from: string, until: string | null, days_left: number | null, by: string | null, rule: string | null, verified: boolean, };

export type DonationKind = "whole-blood" | "plasma" | "platelets";

export type DonationStatus = "completed" | "not-done" | "stopped" | "in-progress" | "on-hold" | "unknown";

export type Donation = { date: string, din: string | null, din_check: string | null, 
/**
 * Null if it is not known.
 */
kind: DonationKind | null, volume_ml: number | null, status: DonationStatus, };

export type Sex = "male" | "female";

export type DonorCard = { id: string, family: string, given: string, patronymic: string | null, birth_date: string, sex: Sex, 
/**
 * Full years today.
 */
age: number, iin: string, iin_valid: boolean, iin_warnings: Array<IinWarning>, 
/**
 * How many other donors' records have the same IIN.
 */
same_iin: number, donor_number: string | null, 
/**
 * Invented, for training.
 */
training: boolean, deferrals: Array<Deferral>, blood: BloodGroup | null, 
/**
 * The values that disagree, safer one first; empty when there is one value or none.
 */
blood_conflict: Array<StatedGroup>, 
/**
 * Latest first.
 */
donations: Array<Donation>, 
/**
 * One for each kind of donation.
 */
next_dates: Array<NextDate>, 
/**
 * Latest first.
 */
screening: Array<ScreeningRow>, phenotype: Array<Antigen>, 
/**
 * The latest of each.
 */
vitals: Array<Vital>, phone: string | null, 
/**
 * Records that say something this version does not know; their values are not shown.
 */
not_understood: number, 
/**
 * When this look was recorded.
 */
logged_at: string, 
/**
 * When these data were last brought up to date; null while they are not whole: what is not there may still come.
 */
as_of: string | null, };

export type Product = "whole-blood" | "red-cells-sagm" | "red-cells-cpda1" | "platelets" | "ffp" | "cryo" | "other";

export type ProductStatus = "quarantine" | "available" | "reserved" | "issued" | "transfused" | "processed" | "discarded" | "expired" | "recalled" | "unknown";

export type ComponentRow = { id: string, component_id: string | null, din: string | null, din_check: string | null, product: Product, division: string | null, 
/**
 * The safer value if the label contradicts itself, or what was determined of the donor.
 */
blood: BloodGroup | null, 
/**
 * The values that disagree; empty when there is one value or none. What the label says has the component itself as its record.
 */
blood_conflict: Array<StatedGroup>, status: ProductStatus, 
/**
 * As recorded: a time with its offset, or a date.
 */
expires: string | null, 
/**
 * Days at the site until its last day; 0 on it, below 0 after.
 */
days_left: number | null, 
/**
 * How pressing they are, by the rule of its product.
 */
soon: Soon, place: string | null, 
/**
 * Id of what it was made from.
 */
parent: string | null, 
/**
 * Steps from the root of its tree.
 */
depth: number, gone_to: GoneTo | null, 
/**
 * An issue or a transfusion is not understood: it may have gone elsewhere, or to somebody else too.
 */
way_unclear: boolean, not_understood: boolean, };

export type GoneKind = "issued" | "transfused";

export type GoneTo = { kind: GoneKind, at: string | null, recipient_id: string | null, recipient_name: string | null, organization: string | null, };

export type InventoryFilter = "available" | "quarantine" | "all";

export type Soon = "none" | "soon" | "now";

export type Inventory = { 
/**
 * Empty while the data are not whole: then nothing is counted.
 */
products: Array<ProductStock>, 
/**
 * What expires soon, the nearest first; at most 50.
 */
expiring: Array<ComponentRow>, expiring_total: number, 
/**
 * Components whose status or meaning is not understood: they may lie in the house, and are counted nowhere else.
 */
not_understood: number, 
/**
 * When these data were last brought up to date; null while they are not whole: what is not there may still come.
 */
as_of: string | null, };

export type ProductStock = { product: Product, 
/**
 * Days it keeps; null without a rule.
 */
shelf_days: number | null, 
/**
 * The order that the rule comes from.
 */
rule: string | null, 
/**
 * Whether the rule and its levels are confirmed.
 */
verified: boolean, 
/**
 * O+ O− A+ A− B+ B− AB+ AB−.
 */
cells: Array<InventoryCell>, unknown_group: number, 
/**
 * Cells and unknown group together.
 */
total: number, 
/**
 * Passed its expiry and is not discarded yet; not in the total.
 */
expired: number, 
/**
 * Has no expiry that can be read; not in the total.
 */
unknown_expiry: number, 
/**
 * Of the total.
 */
expiry_buckets: Array<ExpiryBucket>, };

export type InventoryCell = { abo: "O" | "A" | "B" | "AB", rh: "+" | "-", count: number, 
/**
 * Days left of what expires first.
 */
nearest_days: number | null, 
/**
 * Fewer may be given out than should lie here.
 */
low: boolean, soon: Soon, };

export type ExpiryBucket = { from_days: number, to_days: number | null, count: number, };

export type RecipientPage = { total: number, rows: Array<RecipientRow>, 
/**
 * Give it back as `after` to get the next page.
 */
next: string | null, };

export type RecipientRow = { id: string, family: string, given: string, patronymic: string | null, birth_date: string, iin_last4: string, 
/**
 * The safer value for somebody who receives blood.
 */
blood: BloodGroup | null, 
/**
 * Determinations of the group disagree.
 */
blood_conflict: boolean, 
/**
 * Something about this person is not understood.
 */
not_understood: boolean, 
/**
 * Invented, for training.
 */
training: boolean, 
/**
 * How the spelling differed from what was typed, as «қ→к», or the end of the IIN that answers; null when exact.
 */
matched: string | null, };

export type RecipientCard = { id: string, family: string, given: string, patronymic: string | null, birth_date: string, sex: Sex, 
/**
 * Full years today.
 */
age: number, iin: string, iin_valid: boolean, iin_warnings: Array<IinWarning>, 
/**
 * How many other recipients' records have the same IIN.
 */
same_iin: number, 
/**
 * Invented, for training.
 */
training: boolean, 
/**
 * The value that is safer for somebody who receives blood.
 */
blood: BloodGroup | null, 
/**
 * The values that disagree, safer one first; empty when there is one value or none.
 */
blood_conflict: Array<StatedGroup>, 
/**
 * Found ones first; found once counts for ever.
 */
antibodies: Array<Antibody>, 
/**
 * `irradiated`, `leukodepleted`, `washed`, `k-negative`, or another code.
 */
requirements: Array<string>, 
/**
 * Latest first.
 */
requests: Array<HospitalRequest>, 
/**
 * Latest first.
 */
transfusions: Array<Transfusion>, 
/**
 * Latest first.
 */
reactions: Array<Reaction>, 
/**
 * Records about this person that say something this version does not know; their values are not shown.
 */
not_understood: number, 
/**
 * When this look was recorded.
 */
logged_at: string, 
/**
 * When these data were last brought up to date; null while they are not whole: what is not there may still come.
 */
as_of: string | null, };

export type Antibody = { 
/**
 * `anti-D`, `anti-K` …
 */
code: string, present: boolean, 
/**
 * Found and not found, where the records disagree; empty where they do not.
 */
conflict: Array<StatedPresence>, };

export type HospitalRequest = { id: string, product: Product, quantity: number | null, 
/**
 * FHIR request status.
 */
status: string, 
/**
 * `routine`, `urgent`, `asap` or `stat`.
 */
priority: string | null, date: string | null, organization: string | null, };

export type Transfusion = { date: string, 
/**
 * Null if the component is not in this workstation's data.
 */
din: string | null, 
/**
 * Null if it is not there, or not understood.
 */
product: Product | null, component_id: string | null, 
/**
 * Code of the reaction for which it is suspected.
 */
reaction: string | null, };

export type Reaction = { date: string | null, 
/**
 * `fever`, `allergic`, `hemolytic`, or the words of the record.
 */
code: string, 
/**
 * `serious` or `non-serious`.
 */
seriousness: string | null, component_id: string | null, din: string | null, };

export type Scan = { "kind": "donation", din: string, } | { "kind": "donor", id: string, } | { "kind": "recipient", id: string, } | { "kind": "several", text: string, donors: Array<string>, recipients: Array<string>, } | { "kind": "unknown", text: string, expected: string, } | { "kind": "wrong-check", text: string, };

export type NextDate = { kind: DonationKind, 
/**
 * The first day; null where no day can be said.
 */
date: string | null, 
/**
 * From today; 0 or below: now.
 */
days: number | null, 
/**
 * What puts it off; null where nothing does.
 */
blocked_by: NextDateBlock | null, 
/**
 * The order that the rule comes from.
 */
rule: string | null, 
/**
 * Whether the rule is confirmed.
 */
verified: boolean, };

export type NextDateBlock = "deferral" | "interval";

export type ScreeningRow = { date: string, din: string | null, results: Array<ScreeningResult>, 
/**
 * The blood group as it was determined then: none, one, or all that disagree, the safer first.
 */
groups: Array<BloodGroup>, };

export type ScreeningResult = { 
/**
 * `hiv`, `hbv`, `hcv`, `syphilis`, `alt`, or another code.
 */
code: string, value: ScreeningValue, 
/**
 * With its unit, where the value is a number.
 */
number: string | null, };

export type ScreeningValue = "negative" | "positive" | "indeterminate" | "number" | "unknown";

export type Antigen = { 
/**
 * `C`, `c`, `E`, `e`, `Cw`, `K` …
 */
antigen: string, present: boolean, 
/**
 * Found and not found, where the records disagree; empty where they do not.
 */
conflict: Array<StatedPresence>, };

export type Vital = { code: VitalCode, value: string, unit: string, date: string, };

export type VitalCode = "hb" | "bp" | "pulse" | "weight";

export type Named = { id: string, name: string | null, };

export type DonationCard = { din: string, din_check: string, 
/**
 * Ids of further records that claim the number, other donations or components of another donor: somebody must look into it.
 */
others: Array<string>, donor_id: string | null, donor_name: string | null, 
/**
 * Records name others as its donor, too.
 */
further_donors: Array<Named>, date: string | null, kind: DonationKind | null, status: DonationStatus | null, volume_ml: number | null, 
/**
 * Of the donor, as on the donor's card.
 */
deferrals: Array<Deferral>, screening: ScreeningRow | null, 
/**
 * The safer value; of everybody who is named as the donor, joined.
 */
blood: BloodGroup | null, 
/**
 * The values that disagree, safer one first; empty when there is one value or none.
 */
blood_conflict: Array<StatedGroup>, 
/**
 * In the order of the tree, `depth` says how deep.
 */
components: Array<ComponentRow>, 
/**
 * Invented, for training.
 */
training: boolean, 
/**
 * Records that say something this version does not know; their values are not shown.
 */
not_understood: number, logged_at: string, 
/**
 * When these data were last brought up to date; null while they are not whole: what is not there may still come.
 */
as_of: string | null, };

export type Lookback = { din: string, din_check: string, donor_id: string | null, donor_name: string | null, 
/**
 * Records name others as its donor, too.
 */
further_donors: Array<Named>, date: string | null, 
/**
 * The first positive screening of the donor, else the first indeterminate one.
 */
reason: ScreeningRow | null, components: Array<ComponentRow>, 
/**
 * Ids of further records that claim the number: somebody must look into it.
 */
others: Array<string>, 
/**
 * Other donations of the same donor, latest first.
 */
donations: Array<LookbackDonation>, recipients: Array<LookbackRecipient>, training: boolean, not_understood: number, logged_at: string, 
/**
 * When these data were last brought up to date; null while they are not whole: what is not there may still come.
 */
as_of: string | null, };

export type LookbackDonation = { din: string | null, date: string, };

export type LookbackRecipient = { id: string, 
/**
 * Null if the person is not in this workstation's data.
 */
name: string | null, birth_date: string | null, component_id: string, product: Product, 
/**
 * Null where it was issued and no transfusion is recorded.
 */
transfused_at: string | null, organization: string | null, 
/**
 * Code of the reaction for which the component is suspected.
 */
reaction: string | null, };
