//! Whom resources are about: a donor, a recipient, or nobody yet.

use infoblood_clinical::{donor::Summary, fhir::Resource, names::Sorter};

use super::{donors, recipients};

/// Somebody in a batch.
pub(super) struct Person {
    pub(super) id: String,
    /// How many resources the batch has about them.
    pub(super) resources: usize,
    /// What these make, if there are no others.
    pub(super) listed: Option<Listed>,
}

impl Person {
    /// `about`: everything that the batch has about them.
    pub(super) fn new(id: &str, about: &[Resource], sorter: &Sorter) -> Self {
        Self {
            id: id.to_owned(),
            resources: about.len(),
            listed: Listed::of(id, about, sorter),
        }
    }
}

/// A row of one of the lists.
pub(super) enum Listed {
    Donor(Box<donors::Row>),
    Recipient(Box<recipients::Row>),
}

impl Listed {
    /// What all resources about somebody make; `None` where deferrals came before the person whom they are about.
    fn of(id: &str, resources: &[Resource], sorter: &Sorter) -> Option<Self> {
        // Recipients are no donors.
        match Summary::assemble(id, resources) {
            Ok(summary) => Some(Self::Donor(Box::new(donors::Row::new(
                summary, resources, sorter,
            )))),
            Err(_) => recipients::Row::new(id, resources, sorter)
                .map(|row| Self::Recipient(Box::new(row))),
        }
    }
}
