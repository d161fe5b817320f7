use std::future::Future;

use sha2::{Digest as _, Sha256};

use super::Stored;

/// Which changes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Deferrals of the site, and the national deferral list.
    Safety,
    /// Everything of the site.
    All,
}

/// Where the feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedHead {
    /// The last sequence given out.
    pub sequence: u64,
    /// Changes up to here may be forgotten: a cursor below it, unless 0, is too old.
    pub floor: u64,
}

/// Marks are below this: a history passes for another one once in so many times.
pub const MARKS: u32 = 1 << 20;

/// The mark of changes: of what they say, and of what was said before them. So it is of the whole history of the feed up to here.
pub(super) fn mark<'a>(before: u32, said: impl Iterator<Item = &'a str>) -> u32 {
    let mut hash = Sha256::new();
    hash.update(before.to_be_bytes());
    for word in said {
        hash.update((word.len() as u64).to_be_bytes());
        hash.update(word);
    }
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
    // 0 is the mark of nothing.
    (u32::from_be_bytes([a, b, c, d]) % MARKS).max(1)
}

/// What there is to say of resources.
pub(super) fn said(resources: &[NewResource]) -> impl Iterator<Item = &str> {
    resources
        .iter()
        .flat_map(|one| [&one.kind, &one.id, &one.site, &one.body])
        .map(String::as_str)
}

/// A resource to put into the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewResource {
    /// FHIR resource type.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Site whose scope it is in.
    pub site: String,
    /// Whether it goes on the safety stream.
    pub safety: bool,
    /// Whether every site sees it there.
    pub national: bool,
    /// JSON, one line.
    pub body: String,
}

/// Once changes hold this much, no further one is read with them: whoever asks for many of them, and whoever answers, has them in memory.
pub const MOST_BYTES: usize = 16 * 1024 * 1024;

/// One change as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place in the feed.
    pub sequence: u64,
    /// FHIR resource type.
    pub kind: String,
    /// The resource's id.
    pub id: String,
    /// JSON; absent if the resource was deleted.
    pub body: Option<String>,
}

/// Whether changes hold so much that there may be more than was read.
pub fn is_full(changes: &[Change]) -> bool {
    let bodies = changes.iter().filter_map(|change| change.body.as_ref());
    bodies.map(String::len).sum::<usize>() >= MOST_BYTES
}

/// Clinical resources and the feed of their changes.
pub trait FeedStorage {
    /// Where the feed stands.
    fn feed_head(&mut self) -> impl Future<Output = Stored<FeedHead>> + Send;

    /// The mark of the history of the feed up to each of these sequences; 0 of the beginning.
    fn marks(&mut self, sequences: &[u64]) -> impl Future<Output = Stored<Vec<u32>>> + Send;

    /// Puts resources, each under the next sequence. What thereby leaves somebody's scope is told there, under the same sequence.
    fn put_resources(
        &mut self,
        resources: &[NewResource],
    ) -> impl Future<Output = Stored<()>> + Send;

    /// Marks a resource as deleted under the next sequence; false if there is none.
    fn delete_resource(
        &mut self,
        kind: &str,
        id: &str,
    ) -> impl Future<Output = Stored<bool>> + Send;

    /// The site a resource belongs to.
    fn resource_site(
        &mut self,
        kind: &str,
        id: &str,
    ) -> impl Future<Output = Stored<Option<String>>> + Send;

    /// Changes after `after` in the scope of `site`, what left it as deleted, in order, at most `limit`; fewer, but at least one, if they hold [`MOST_BYTES`].
    fn changes(
        &mut self,
        site: &str,
        stream: Stream,
        after: u64,
        limit: u32,
    ) -> impl Future<Output = Stored<Vec<Change>>> + Send;

    /// Forgets deleted resources, and what left a scope, up to and including `floor`; cursors below it expire.
    fn raise_floor(&mut self, floor: u64) -> impl Future<Output = Stored<()>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart, as PROTOCOL says it.
    #[test]
    fn a_mark_is_of_what_was_said_and_of_all_before_it() {
        let put = ["Flag", "f-1", "ALM", r#"{"text":"қ"}"#];
        let deleted = ["Flag", "f-1"];
        let first = mark(0, put.into_iter());
        assert_eq!(first, 830_731);
        assert_eq!(mark(first, deleted.into_iter()), 523_587);
        assert_eq!(mark(0, deleted.into_iter()), 519_186);
        assert_eq!(mark(0, ["Flagf", "-1"].into_iter()), 443_412);
    }
}
