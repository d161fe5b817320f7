//! The language of the interface. It stands beside the databases, not in them: it is needed before any of them is open.

use std::{fs, path::Path};

use super::{Controller, failure::unwritten};
use crate::view::{AppError, Lang};

const FILE: &str = "language";

/// The language chosen last; Kazakh when none was.
pub(super) fn load(data_dir: &Path) -> Lang {
    match fs::read_to_string(data_dir.join(FILE)) {
        Ok(text) if text.trim() == "ru" => Lang::Ru,
        _ => Lang::Kk,
    }
}

impl Controller {
    pub(super) fn set_language(&mut self, language: Lang) -> Result<(), AppError> {
        self.language = language;
        let text = match language {
            Lang::Kk => "kk",
            Lang::Ru => "ru",
        };
        fs::write(self.config.data_dir.join(FILE), text)
            .map_err(|error| unwritten("language", &error))
    }
}
