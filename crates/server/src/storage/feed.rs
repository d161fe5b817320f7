use std::future::Future;

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
