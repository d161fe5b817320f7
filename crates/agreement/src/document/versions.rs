//! All versions that are known here, and which of them counts when.

use std::sync::Arc;

use super::{Change, Document, DocumentError};
use crate::key_set::KeySet;

/// Verified documents by version, without a gap. Version 1 is built in and always there.
///
/// Times are Unix seconds; a version is *in force* from its `effective_from` on.
#[derive(Debug, Clone)]
pub struct Documents {
    /// Version n stands at n − 1.
    all: Vec<Arc<Document>>,
}

impl Default for Documents {
    fn default() -> Self {
        Self::new()
    }
}

impl Documents {
    /// The built-in version alone.
    pub fn new() -> Self {
        Self {
            all: vec![Arc::new(Document::builtin().clone())],
        }
    }

    /// Takes a version as the server sent it, if everything about it holds: the signature by a document key of the key set that
    /// was valid when it signed, the digests of both texts and of their pairing, and that every unit has its counterpart.
    ///
    /// Versions come one after another: a new version without the one before it could hide that one's demand for new
    /// acceptances. A version that is known stays as it is; another document under its number is refused. Returns whether it
    /// is new.
    pub fn add(
        &mut self,
        message: &[u8],
        kk: &str,
        ru: &str,
        structure_json: &str,
        keys: &KeySet,
    ) -> Result<bool, DocumentError> {
        let signed = keys.verify_document(message)?;
        let document = Document::with_meta(signed.meta(), kk, ru, structure_json)?;
        if let Some(known) = self.get(document.meta().version) {
            return if known.digest() == document.digest() {
                Ok(false)
            } else {
                Err(DocumentError::Version)
            };
        }
        if document.meta().version != self.newest().meta().version + 1 {
            return Err(DocumentError::Gap);
        }
        self.all.push(Arc::new(document));
        Ok(true)
    }

    /// Every known version, oldest first.
    pub fn all(&self) -> &[Arc<Document>] {
        &self.all
    }

    /// The version with this number.
    pub fn get(&self, version: u64) -> Option<&Arc<Document>> {
        let at = usize::try_from(version.checked_sub(1)?).ok()?;
        self.all.get(at)
    }

    /// The version with this digest.
    pub fn find(&self, digest: &[u8; 32]) -> Option<&Arc<Document>> {
        self.all.iter().find(|document| document.digest() == digest)
    }

    /// The highest known version, in force or not.
    pub fn newest(&self) -> &Arc<Document> {
        // There is always the first.
        self.all.last().unwrap_or(&self.all[0])
    }

    /// The highest version in force at `at`.
    pub fn current(&self, at: i64) -> &Arc<Document> {
        self.in_force(at).next().unwrap_or(&self.all[0])
    }

    /// The versions whose acceptance counts at `at`, newest first: the newest material one in force, and the editorial ones
    /// after it.
    pub fn required(&self, at: i64) -> Vec<&Arc<Document>> {
        let mut required = Vec::new();
        for document in self.in_force(at) {
            required.push(document);
            if document.meta().change == Change::Material {
                break;
            }
        }
        required
    }

    /// Whether an acceptance of the document with this digest counts at `at`.
    pub fn counts(&self, digest: &[u8; 32], at: i64) -> bool {
        self.required(at)
            .iter()
            .any(|document| document.digest() == digest)
    }

    /// The versions that are signed ahead and not in force at `at` yet, oldest first.
    pub fn upcoming(&self, at: i64) -> impl Iterator<Item = &Arc<Document>> {
        let current = self.current(at).meta().version;
        self.all
            .iter()
            .filter(move |document| document.meta().version > current)
    }

    /// Newest first. The first counts always.
    fn in_force(&self, at: i64) -> impl Iterator<Item = &Arc<Document>> {
        self.all.iter().rev().filter(move |document| {
            document.meta().version == 1 || document.meta().effective_from <= at
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Meta;
    use crate::fixtures::{
        DAY, ISSUER, T0, assert_every_bit_counts, document_key, documents, entries, grant_key,
        key_set, next_version,
    };
    use crate::key_set::{KeyEntry, KeyUse};
    use crate::keys::SigningKey;

    fn versions(documents: &[&Arc<Document>]) -> Vec<u64> {
        documents
            .iter()
            .map(|document| document.meta().version)
            .collect()
    }

    fn add_signed(
        documents: &mut Documents,
        document: &Document,
        key: &SigningKey,
        at: i64,
    ) -> Result<bool, DocumentError> {
        let message = document.meta().sign(ISSUER, at, key);
        documents.add(
            &message,
            document.kk(),
            document.ru(),
            document.structure_json(),
            &key_set(),
        )
    }

    #[test]
    fn which_version_counts_when() {
        let alone = Documents::default();
        assert_eq!(alone.current(i64::MIN).meta().version, 1);
        assert_eq!(versions(&alone.required(i64::MIN)), [1]);

        let documents = documents(&[
            (Change::Editorial, T0 + DAY),
            (Change::Material, T0 + 2 * DAY),
            (Change::Editorial, T0 + 3 * DAY),
        ]);
        let upcoming = |at| versions(&documents.upcoming(at).collect::<Vec<_>>());
        for (at, required, ahead) in [
            (T0, vec![1], vec![2, 3, 4]),
            (T0 + DAY - 1, vec![1], vec![2, 3, 4]),
            (T0 + DAY, vec![2, 1], vec![3, 4]),
            (T0 + 2 * DAY, vec![3], vec![4]),
            (T0 + 3 * DAY, vec![4, 3], vec![]),
        ] {
            assert_eq!(versions(&documents.required(at)), required);
            assert_eq!(documents.current(at).meta().version, required[0]);
            assert_eq!(upcoming(at), ahead);
            for document in documents.all() {
                let counts = required.contains(&document.meta().version);
                assert_eq!(documents.counts(document.digest(), at), counts);
            }
        }
        assert!(!documents.counts(&[7; 32], T0));
    }

    #[test]
    fn only_a_whole_signed_document_is_taken() {
        let next = next_version(&Documents::new(), Change::Material, T0 + DAY);
        let mut taken = Documents::new();
        assert_eq!(add_signed(&mut taken, &next, &document_key(), T0), Ok(true));
        assert_eq!(
            add_signed(&mut taken, &next, &document_key(), T0),
            Ok(false)
        );
        assert_eq!(taken.newest().digest(), next.digest());

        let mut documents = Documents::new();
        // The grant's key signs no documents, and a key that is not valid yet signs nothing.
        for (key, at) in [
            (grant_key(), T0),
            (crate::fixtures::signing(9), T0),
            (document_key(), T0 - 2 * DAY),
        ] {
            let error = add_signed(&mut documents, &next, &key, at).unwrap_err();
            assert_eq!(error, DocumentError::Signer);
        }
        // Neither does a key after its end.
        let mut ended: Vec<KeyEntry> = entries();
        for entry in &mut ended {
            if entry.key_use == KeyUse::Document {
                entry.to = Some(T0);
            }
        }
        let authority = crate::fixtures::authority();
        let ended = KeySet::issue(ISSUER, 1, &ended, T0, &authority).unwrap();
        let (kk, ru, json) = (next.kk(), next.ru(), next.structure_json());
        let late = next.meta().sign(ISSUER, T0, &document_key());
        assert_eq!(
            documents.add(&late, kk, ru, json, &ended).unwrap_err(),
            DocumentError::Signer
        );
        let foreign = next
            .meta()
            .sign("https://other.example", T0, &document_key());
        assert_eq!(
            documents
                .add(&foreign, kk, ru, json, &key_set())
                .unwrap_err(),
            DocumentError::Signer
        );

        let message = next.meta().sign(ISSUER, T0, &document_key());
        let old = Document::builtin();
        for (kk, ru, json) in [
            (old.kk(), ru, json),
            (kk, old.ru(), json),
            (kk, ru, json.replace("\"title\"", " \"title\"").as_str()),
        ] {
            let error = documents.add(&message, kk, ru, json, &key_set());
            assert_eq!(error.unwrap_err(), DocumentError::Digest);
        }
        assert_every_bit_counts(&message, |message| {
            let mut documents = Documents::new();
            documents.add(message, kk, ru, json, &key_set()).is_ok()
        });
        assert_eq!(documents.all().len(), 1, "nothing of all this was kept");
    }

    #[test]
    fn no_version_is_skipped_or_replaced() {
        let first = next_version(&Documents::new(), Change::Material, T0);
        let mut with_first = Documents::new();
        add_signed(&mut with_first, &first, &document_key(), T0).unwrap();
        let second = next_version(&with_first, Change::Editorial, T0 + DAY);
        let mut documents = Documents::new();
        let error = add_signed(&mut documents, &second, &document_key(), T0).unwrap_err();
        assert_eq!(
            (&error, error.code()),
            (&DocumentError::Gap, "document-gap")
        );

        let other = Meta {
            effective_from: T0 + 9 * DAY,
            ..first.meta().clone()
        };
        let other =
            Document::with_meta(&other, first.kk(), first.ru(), first.structure_json()).unwrap();
        let error = add_signed(&mut with_first, &other, &document_key(), T0).unwrap_err();
        assert_eq!(
            (&error, error.code()),
            (&DocumentError::Version, "document-version")
        );
        // The server's own version 1 is the built-in one or refused.
        let builtin = Document::builtin();
        assert_eq!(
            add_signed(&mut documents, builtin, &document_key(), T0),
            Ok(false)
        );
    }
}
