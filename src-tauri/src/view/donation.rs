//! Donations, what was made of them and where it went; what a donor card says about the next donation.

use serde::{Deserialize, Serialize};

use super::{
    BloodGroup, Deferral, DonationKind, DonationStatus, StatedGroup, StatedPresence,
    blood::{ComponentRow, Product},
};

seam! {
    /// When a donor may be asked again for one kind of donation. Never a promise: the physician decides.
    pub struct NextDate {
        pub kind: DonationKind,
        /// The first day; null where no day can be said.
        pub date: Option<String>,
        /// From today; 0 or below: now.
        pub days: Option<i32>,
        /// What puts it off; null where nothing does.
        pub blocked_by: Option<NextDateBlock>,
        /// The order that the rule comes from.
        pub rule: Option<String>,
        /// Whether the rule is confirmed.
        pub verified: bool,
    }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum NextDateBlock { Deferral, Interval }

    /// The laboratory's results of one donation or one day.
    pub struct ScreeningRow {
        pub date: String,
        pub din: Option<String>,
        pub results: Vec<ScreeningResult>,
        /// The blood group as it was determined then: none, one, or all that disagree, the safer first.
        pub groups: Vec<BloodGroup>,
    }

    pub struct ScreeningResult {
        /// `hiv`, `hbv`, `hcv`, `syphilis`, `alt`, or another code.
        pub code: String,
        pub value: ScreeningValue,
        /// With its unit, where the value is a number.
        pub number: Option<String>,
    }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum ScreeningValue { Negative, Positive, Indeterminate, Number, Unknown }

    /// An antigen of the red cells.
    #[derive(Eq)]
    pub struct Antigen {
        /// `C`, `c`, `E`, `e`, `Cw`, `K` …
        pub antigen: String,
        pub present: bool,
        /// Found and not found, where the records disagree; empty where they do not.
        pub conflict: Vec<StatedPresence>,
    }

    /// The latest value of a vital sign.
    #[derive(Eq)]
    pub struct Vital {
        pub code: VitalCode,
        pub value: String,
        pub unit: String,
        pub date: String,
    }

    #[derive(Copy, Eq)]
    #[serde(rename_all = "lowercase")]
    pub enum VitalCode { Hb, Bp, Pulse, Weight }

    /// Somebody whom records name; no name if the person is not in this workstation's data.
    #[derive(Eq)]
    pub struct Named { pub id: String, pub name: Option<String> }

    pub struct DonationCard {
        pub din: String,
        pub din_check: String,
        /// Ids of further records that claim the number, other donations or components of another donor: somebody must look into it.
        pub others: Vec<String>,
        pub donor_id: Option<String>,
        pub donor_name: Option<String>,
        /// Records name others as its donor, too.
        pub further_donors: Vec<Named>,
        pub date: Option<String>,
        pub kind: Option<DonationKind>,
        pub status: Option<DonationStatus>,
        pub volume_ml: Option<u32>,
        /// Of the donor, as on the donor's card.
        pub deferrals: Vec<Deferral>,
        pub screening: Option<ScreeningRow>,
        /// The safer value; of everybody who is named as the donor, joined.
        pub blood: Option<BloodGroup>,
        /// The values that disagree, safer one first; empty when there is one value or none.
        pub blood_conflict: Vec<StatedGroup>,
        /// In the order of the tree, `depth` says how deep.
        pub components: Vec<ComponentRow>,
        /// Invented, for training.
        pub training: bool,
        /// Records that say something this version does not know; their values are not shown.
        pub not_understood: u32,
        pub logged_at: String,
        /// When these data were last brought up to date; null while they are not whole: what is not there may still come.
        pub as_of: Option<String>,
    }

    /// From a donation to everybody whom something of it reached.
    pub struct Lookback {
        pub din: String,
        pub din_check: String,
        pub donor_id: Option<String>,
        pub donor_name: Option<String>,
        /// Records name others as its donor, too.
        pub further_donors: Vec<Named>,
        pub date: Option<String>,
        /// The first positive screening of the donor, else the first indeterminate one.
        pub reason: Option<ScreeningRow>,
        pub components: Vec<ComponentRow>,
        /// Ids of further records that claim the number: somebody must look into it.
        pub others: Vec<String>,
        /// Other donations of the same donor, latest first.
        pub donations: Vec<LookbackDonation>,
        pub recipients: Vec<LookbackRecipient>,
        pub training: bool,
        pub not_understood: u32,
        pub logged_at: String,
        /// When these data were last brought up to date; null while they are not whole: what is not there may still come.
        pub as_of: Option<String>,
    }

    #[derive(Eq)]
    pub struct LookbackDonation { pub din: Option<String>, pub date: String }

    pub struct LookbackRecipient {
        pub id: String,
        /// Null if the person is not in this workstation's data.
        pub name: Option<String>,
        pub birth_date: Option<String>,
        pub component_id: String,
        pub product: Product,
        /// Null where it was issued and no transfusion is recorded.
        pub transfused_at: Option<String>,
        pub organization: Option<String>,
        /// Code of the reaction for which the component is suspected.
        pub reaction: Option<String>,
    }
}
