//! Clinical facts of the blood service, pure: no I/O, no clock, no randomness of its own.
//!
//! What the other crates use:
//!
//! - [`fhir::Record::parse_line`]: one NDJSON line (at most [`fhir::MAX_LINE`] bytes) to a typed [`fhir::Resource`] beside the
//!   verbatim JSON; errors carry `code()`: `fhir-broken`, `fhir-too-large`, `fhir-unknown-type`. [`fhir::Record::received`] reads what is
//!   here already, and lets a broken deferral bar. [`fhir::Resource`] answers
//!   `resource_type()`, `id()`, `patient_id()` (the person it is about), `site()`, `is_safety()` (which change stream) and `not_understood()` (never show its values).
//!   [`fhir::Resource::to_line`] writes one line.
//! - [`synthetic::donors`]: a reproducible synthetic centre as a streaming iterator over donors; each item has its site and its resources,
//!   recipients and components among them. [`synthetic::hospitals`] are the places these went to.
//! - [`donor::Summary`] and [`donor::Facts`]: what a list row and a donor card show, assembled from resources.
//! - [`donation::Facts`] and [`lookback::Facts`]: a donation by its number with the tree of its components and where each one went;
//!   everybody whom it may have reached. [`donation::keys`] is what a store finds their resources by.
//! - [`eligibility`], [`laboratory`]: when a donor may donate next; screening, antigens and vital signs. [`source`]: who says so.
//! - [`names`]: [`names::search_key`] (what a search index stores), [`names::Query`] (what a person typed),
//!   [`names::Query::compare`] (exact? how did the spelling differ?) and [`names::Sorter`] (a Kazakh sort key as bytes).
//! - [`iin`], [`isbt128`], [`blood`], [`keyboard`], [`rules`]: the number, codes and rule data these need.
//!
//! Dates are [`jiff::civil::Date`]; «today» is always a parameter. Nothing here puts personal data in an error or in `Debug`
//! of a number that identifies a person.

pub mod blood;
pub mod component;
pub mod donation;
pub mod donor;
pub mod eligibility;
pub mod fhir;
pub mod iin;
pub mod inventory;
pub mod isbt128;
pub mod keyboard;
pub mod laboratory;
pub mod lookback;
pub mod names;
pub mod recipient;
pub mod rules;
pub mod scan;
pub mod source;
pub mod synthetic;
