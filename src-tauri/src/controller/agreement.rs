//! The text, its acceptance on screen, its refusal.

use infoblood_agreement::document::{Document, Line, UnitKind};
use infoblood_client::{self as client, Language, document::DocumentFacts};

use super::{
    Controller, Phase,
    failure::{internal, named, told},
    screen::document_facts,
};
use crate::view::{self, AgreementView, AppError, Evidence, Lang, Unit};

/// Longer than anybody reads: what is more was not measured but made up.
const LONGEST_VISIBLE_SECONDS: u32 = 7 * 24 * 60 * 60;

impl Controller {
    pub(super) async fn agreement(&mut self) -> Result<AgreementView, AppError> {
        // Who has read a version signs that one, whatever comes into force meanwhile.
        if let super::Store::Open(workstation) = &self.store
            && !matches!(self.phase, Phase::Identify(_))
        {
            self.document = workstation.current_document();
        }
        let accepted = match &self.store {
            super::Store::Open(_) => !self.people().await?.is_empty(),
            super::Store::Opening | super::Store::Failed => false,
        };
        let units = self.document.units().iter().map(|unit| Unit {
            id: unit.id,
            kind: kind(unit.kind),
            kk: lines(&unit.kk),
            ru: lines(&unit.ru),
        });
        let (previous_version, changes) = self.changes();
        Ok(AgreementView {
            previous_version,
            changes,
            facts: document_facts(&DocumentFacts::of(&self.document)),
            units: units.collect(),
            accepted,
        })
    }

    /// Accepted on screen. Nothing is recorded yet: the act is signed together with the person's enrolment.
    pub(super) fn accept(&mut self, evidence: Evidence) -> Result<(), AppError> {
        self.unblocked()?;
        if !matches!(self.phase, Phase::Agreement(_) | Phase::Identify(_))
            || evidence.end_reached.is_empty()
        {
            return Err(named("agreement-required"));
        }
        self.phase = Phase::Identify(evidence);
        Ok(())
    }

    /// Records a refusal, signed by the device: nobody is identified yet.
    pub(super) async fn decline(&mut self, evidence: &Evidence) -> Result<(), AppError> {
        self.unblocked()?;
        if !matches!(self.phase, Phase::Agreement(_) | Phase::Identify(_)) {
            return Err(internal());
        }
        let workstation = self.workstation()?;
        workstation
            .decline(&for_statement(evidence, &self.document))
            .await
            .map_err(|error| told("decline", error.code(), &error))?;
        self.phase = Phase::Agreement(None);
        self.nudge();
        Ok(())
    }

    /// Somebody new, or somebody with a new code: from the list of people, or from a session, which ends first.
    pub(super) async fn open_agreement(&mut self) -> Result<(), AppError> {
        self.unblocked()?;
        self.leave(Phase::Agreement(None)).await;
        Ok(())
    }

    pub(super) async fn back_to_people(&mut self) -> Result<(), AppError> {
        self.unblocked()?;
        let is_empty = self.people().await?.is_empty();
        self.leave(if is_empty {
            Phase::Agreement(None)
        } else {
            Phase::Return
        })
        .await;
        Ok(())
    }
}

/// The evidence in the words of the statement, about the version that was shown.
pub(super) fn for_statement(evidence: &Evidence, shown: &Document) -> client::Evidence {
    let names = |languages: &[Lang]| -> Vec<Language> {
        let both = [(Lang::Kk, Language::Kk), (Lang::Ru, Language::Ru)];
        both.into_iter()
            .filter(|(lang, _)| languages.contains(lang))
            .map(|(_, language)| language)
            .collect()
    };
    client::Evidence {
        document: *shown.digest(),
        opened_at: evidence.opened_at,
        visible_seconds: u64::from(evidence.visible_seconds.min(LONGEST_VISIBLE_SECONDS)),
        languages_shown: names(&evidence.languages_shown),
        end_reached: names(&evidence.end_reached),
    }
}

/// Lines as they stand in the text; where numbers jump, blank lines stood between.
fn lines(lines: &[Line]) -> Vec<String> {
    let mut texts = Vec::with_capacity(lines.len());
    let mut expected = lines.first().map_or(0, |line| line.number);
    for line in lines {
        texts.resize(
            texts.len() + line.number.saturating_sub(expected),
            String::new(),
        );
        texts.push(line.text());
        expected = line.number + 1;
    }
    texts
}

fn kind(kind: UnitKind) -> view::UnitKind {
    match kind {
        UnitKind::Title => view::UnitKind::Title,
        UnitKind::Para => view::UnitKind::Para,
        UnitKind::Part => view::UnitKind::Part,
        UnitKind::Chapter | UnitKind::ChapterParagraph => view::UnitKind::Chapter,
        UnitKind::Article => view::UnitKind::Article,
        UnitKind::Point | UnitKind::PointList => view::UnitKind::Point,
    }
}
