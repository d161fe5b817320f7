//! Finding the site profile and keeping the one a person chose.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use infoblood_agreement::profile::{MAX_PROFILE_BYTES, ProfileError, SiteProfile};

/// The chosen profile's name in the data directory.
pub const FILE: &str = "site.json";

/// Where a profile may stand, first found wins.
#[derive(Debug, Clone)]
pub struct Places {
    /// Given on the command line: it must exist.
    pub flag: Option<PathBuf>,
    /// Chosen with the button `find-profile`, kept in the data directory.
    pub chosen: PathBuf,
    /// Installed for the whole machine.
    pub machine: PathBuf,
}

/// Why there is no usable profile.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error("no site profile was found")]
    Missing,
    #[error("the site profile cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("the site profile is refused")]
    Refused(#[from] ProfileError),
    #[error("the profile is of another server than this workstation's")]
    OtherServer,
    #[error("the profile could not be kept")]
    NotKept(#[source] io::Error),
}

impl FindError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "profile-missing",
            Self::Unreadable(_) => "profile-malformed",
            Self::Refused(error) => error.code(),
            Self::OtherServer => "profile-other-server",
            Self::NotKept(error) if error.kind() == io::ErrorKind::StorageFull => "disk-full",
            Self::NotKept(_) => "internal",
        }
    }
}

impl Places {
    /// Reads the first profile found: command line, data directory, machine.
    pub fn find(&self) -> Result<SiteProfile, FindError> {
        let kept = [&self.chosen, &self.machine]
            .into_iter()
            .find(|path| path.exists());
        match self.flag.as_ref().or(kept) {
            Some(path) => Ok(SiteProfile::parse(&read(path)?)?),
            None => Err(FindError::Missing),
        }
    }

    /// Checks a profile a person chose and keeps it for the next start. `current` is the profile in use, if any: a workstation
    /// does not change its server, because its people and statements belong to the one it knows.
    pub fn choose(
        &self,
        text: &str,
        current: Option<&SiteProfile>,
    ) -> Result<SiteProfile, FindError> {
        let profile = SiteProfile::parse(text.as_bytes())?;
        if current.is_some_and(|current| !current.is_same_server(&profile)) {
            return Err(FindError::OtherServer);
        }
        keep(&self.chosen, text.as_bytes()).map_err(FindError::NotKept)?;
        Ok(profile)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FindError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(FindError::Missing),
        Err(error) => return Err(FindError::Unreadable(error)),
    };
    let mut bytes = Vec::new();
    // One byte more than allowed: the parser then says that it is too long.
    let limit = u64::try_from(MAX_PROFILE_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(FindError::Unreadable)?;
    Ok(bytes)
}

/// Whole or not at all.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(dir: &Path) -> Places {
        Places {
            flag: None,
            chosen: dir.join(FILE),
            machine: dir.join("machine.json"),
        }
    }

    #[test]
    fn none_is_missing_and_the_flag_must_exist() {
        let dir = tempfile::tempdir().unwrap();
        let mut places = places(dir.path());
        assert_eq!(places.find().unwrap_err().code(), "profile-missing");
        places.flag = Some(dir.path().join("no.json"));
        fs::write(&places.machine, "{}").unwrap();
        assert_eq!(places.find().unwrap_err().code(), "profile-missing");
    }

    #[test]
    fn the_chosen_one_hides_the_machines() {
        let dir = tempfile::tempdir().unwrap();
        let places = places(dir.path());
        fs::write(&places.machine, "{}").unwrap();
        fs::create_dir(&places.chosen).unwrap();
        assert!(matches!(
            places.find().unwrap_err(),
            FindError::Unreadable(_)
        ));
    }

    #[test]
    fn rubbish_is_malformed_and_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let places = places(dir.path());
        for text in [
            "",
            "{}",
            "<html>",
            "{\"version\":2}",
            &" ".repeat(MAX_PROFILE_BYTES + 1),
        ] {
            assert_eq!(
                places.choose(text, None).unwrap_err().code(),
                "profile-malformed"
            );
            fs::write(&places.machine, text).unwrap();
            assert_eq!(places.find().unwrap_err().code(), "profile-malformed");
        }
        assert!(!places.chosen.exists());
    }
}
