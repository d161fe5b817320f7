//! Components, stock, recipients and scans.

use serde::{Deserialize, Serialize};

use super::{BloodGroup, IinWarning, Sex, StatedGroup, StatedPresence};

seam! {
    #[derive(Copy, Eq)]
    #[serde(rename_all = "kebab-case")]
    pub enum Product {
        WholeBlood,
        RedCellsSagm,
        #[serde(rename = "red-cells-cpda1")]
        RedCellsCpda1,
        Platelets,
        Ffp,
        Cryo,
        Other,
    }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "kebab-case")]
    pub enum ProductStatus {
        Quarantine,
        Available,
        Reserved,
        Issued,
        Transfused,
        /// Others were made of it.
        Processed,
        Discarded,
        Expired,
        Recalled,
        Unknown,
    }

    /// A component. Where it is not understood only what identifies and traces it is told.
    pub struct ComponentRow {
        pub id: String,
        pub component_id: Option<String>,
        pub din: Option<String>,
        pub din_check: Option<String>,
        pub product: Product,
        pub division: Option<String>,
        /// The safer value if the label contradicts itself, or what was determined of the donor.
        pub blood: Option<BloodGroup>,
        /// The values that disagree; empty when there is one value or none. What the label says has the component itself as its record.
        pub blood_conflict: Vec<StatedGroup>,
        pub status: ProductStatus,
        /// As recorded: a time with its offset, or a date.
        pub expires: Option<String>,
        /// Days at the site until its last day; 0 on it, below 0 after.
        pub days_left: Option<i32>,
        /// How pressing they are, by the rule of its product.
        pub soon: Soon,
        pub place: Option<String>,
        /// Id of what it was made from.
        pub parent: Option<String>,
        /// Steps from the root of its tree.
        pub depth: u32,
        pub gone_to: Option<GoneTo>,
        /// An issue or a transfusion is not understood: it may have gone elsewhere, or to somebody else too.
        pub way_unclear: bool,
        pub not_understood: bool,
    }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum GoneKind { Issued, Transfused }

    /// Where a component went.
    pub struct GoneTo {
        pub kind: GoneKind,
        pub at: Option<String>,
        pub recipient_id: Option<String>,
        pub recipient_name: Option<String>,
        pub organization: Option<String>,
    }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum InventoryFilter { Available, Quarantine, All }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum Soon { None, Soon, Now }

    /// What lies in the house and keeps.
    pub struct Inventory {
        /// Empty while the data are not whole: then nothing is counted.
        pub products: Vec<ProductStock>,
        /// What expires soon, the nearest first; at most 50.
        pub expiring: Vec<ComponentRow>,
        pub expiring_total: u32,
        /// Components whose status or meaning is not understood: they may lie in the house, and are counted nowhere else.
        pub not_understood: u32,
        /// When these data were last brought up to date; null while they are not whole: what is not there may still come.
        pub as_of: Option<String>,
    }

    pub struct ProductStock {
        pub product: Product,
        /// Days it keeps; null without a rule.
        pub shelf_days: Option<u32>,
        /// The order that the rule comes from.
        pub rule: Option<String>,
        /// Whether the rule and its levels are confirmed.
        pub verified: bool,
        /// O+ O− A+ A− B+ B− AB+ AB−.
        pub cells: Vec<InventoryCell>,
        pub unknown_group: u32,
        /// Cells and unknown group together.
        pub total: u32,
        /// Passed its expiry and is not discarded yet; not in the total.
        pub expired: u32,
        /// Has no expiry that can be read; not in the total.
        pub unknown_expiry: u32,
        /// Of the total.
        pub expiry_buckets: Vec<ExpiryBucket>,
    }

    pub struct InventoryCell {
        #[cfg_attr(test, ts(type = "\"O\" | \"A\" | \"B\" | \"AB\""))]
        pub abo: String,
        #[cfg_attr(test, ts(type = "\"+\" | \"-\""))]
        pub rh: String,
        pub count: u32,
        /// Days left of what expires first.
        pub nearest_days: Option<i32>,
        /// Fewer may be given out than should lie here.
        pub low: bool,
        pub soon: Soon,
    }

    /// What keeps from so many days to so many, both inclusive; the last one without an end.
    #[derive(Copy, Eq)]
    pub struct ExpiryBucket { pub from_days: u32, pub to_days: Option<u32>, pub count: u32 }

    pub struct RecipientPage {
        pub total: u32,
        pub rows: Vec<RecipientRow>,
        /// Give it back as `after` to get the next page.
        pub next: Option<String>,
    }

    pub struct RecipientRow {
        pub id: String,
        pub family: String,
        pub given: String,
        pub patronymic: Option<String>,
        pub birth_date: String,
        pub iin_last4: String,
        /// The safer value for somebody who receives blood.
        pub blood: Option<BloodGroup>,
        /// Determinations of the group disagree.
        pub blood_conflict: bool,
        /// Something about this person is not understood.
        pub not_understood: bool,
        /// Invented, for training.
        pub training: bool,
        /// How the spelling differed from what was typed, as «қ→к», or the end of the IIN that answers; null when exact.
        pub matched: Option<String>,
    }

    pub struct RecipientCard {
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
        /// How many other recipients' records have the same IIN.
        pub same_iin: u32,
        /// Invented, for training.
        pub training: bool,
        /// The value that is safer for somebody who receives blood.
        pub blood: Option<BloodGroup>,
        /// The values that disagree, safer one first; empty when there is one value or none.
        pub blood_conflict: Vec<StatedGroup>,
        /// Found ones first; found once counts for ever.
        pub antibodies: Vec<Antibody>,
        /// `irradiated`, `leukodepleted`, `washed`, `k-negative`, or another code.
        pub requirements: Vec<String>,
        /// Latest first.
        pub requests: Vec<HospitalRequest>,
        /// Latest first.
        pub transfusions: Vec<Transfusion>,
        /// Latest first.
        pub reactions: Vec<Reaction>,
        /// Records about this person that say something this version does not know; their values are not shown.
        pub not_understood: u32,
        /// When this look was recorded.
        pub logged_at: String,
        /// When these data were last brought up to date; null while they are not whole: what is not there may still come.
        pub as_of: Option<String>,
    }

    pub struct Antibody {
        /// `anti-D`, `anti-K` …
        pub code: String,
        pub present: bool,
        /// Found and not found, where the records disagree; empty where they do not.
        pub conflict: Vec<StatedPresence>,
    }

    pub struct HospitalRequest {
        pub id: String,
        pub product: Product,
        pub quantity: Option<f64>,
        /// FHIR request status.
        pub status: String,
        /// `routine`, `urgent`, `asap` or `stat`.
        pub priority: Option<String>,
        pub date: Option<String>,
        pub organization: Option<String>,
    }

    pub struct Transfusion {
        pub date: String,
        /// Null if the component is not in this workstation's data.
        pub din: Option<String>,
        /// Null if it is not there, or not understood.
        pub product: Option<Product>,
        pub component_id: Option<String>,
        /// Code of the reaction for which it is suspected.
        pub reaction: Option<String>,
    }

    pub struct Reaction {
        pub date: Option<String>,
        /// `fever`, `allergic`, `hemolytic`, or the words of the record.
        pub code: String,
        /// `serious` or `non-serious`.
        pub seriousness: Option<String>,
        pub component_id: Option<String>,
        pub din: Option<String>,
    }

    /// What a scan or a typed number is.
    #[derive(Eq)]
    #[serde(tag = "kind", rename_all = "kebab-case")]
    pub enum Scan {
        Donation { din: String },
        Donor { id: String },
        Recipient { id: String },
        /// More than one record has this IIN: their ids.
        Several { text: String, donors: Vec<String>, recipients: Vec<String> },
        /// The words for what was expected stand under `scan.expected.<expected>`.
        Unknown { text: String, expected: String },
        /// It has the form of a number, and its check character is another.
        WrongCheck { text: String },
    }
}
