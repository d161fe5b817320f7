//! The append-only Merkle tree of RFC 9162 §2.1 (SHA-256) as pure functions over stored nodes.
//!
//! A store keeps one hash per [`NodeId`]: every *complete* subtree. Appending writes at most 1 + log₂ n nodes and
//! proofs and roots read O(log n) of them. A caller with an asynchronous store asks [`root_needs`] or [`proof_needs`]
//! for the nodes to fetch, and hands them over as a map.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// A SHA-256 hash: of a leaf, a node or a root.
pub type Hash = [u8; 32];

/// A complete subtree of 2^`level` leaves that starts at leaf `index` · 2^`level`; leaves have level 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    pub level: u8,
    pub index: u64,
}

/// Why a tree cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error("node {0:?} is not in the store")]
    MissingNode(NodeId),
    #[error("the leaf is not in a tree of that size")]
    OutOfRange,
}

impl LogError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingNode(_) => "log-node-missing",
            Self::OutOfRange => "log-out-of-range",
        }
    }
}

/// SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(entry)
        .finalize()
        .into()
}

/// SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// The root of a tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The nodes to store when `leaf` is appended to a tree of `size` leaves; `node` is asked for the nodes of
/// [`root_needs`]`(size)`.
pub fn append(
    size: u64,
    leaf: Hash,
    node: &impl Fn(NodeId) -> Option<Hash>,
) -> Result<Vec<(NodeId, Hash)>, LogError> {
    let mut id = NodeId {
        level: 0,
        index: size,
    };
    let mut hash = leaf;
    let mut new = vec![(id, hash)];
    while id.index % 2 == 1 {
        let left = NodeId {
            level: id.level,
            index: id.index - 1,
        };
        hash = node_hash(&node(left).ok_or(LogError::MissingNode(left))?, &hash);
        id = NodeId {
            level: id.level + 1,
            index: id.index / 2,
        };
        new.push((id, hash));
    }
    Ok(new)
}

/// The root of the tree of the first `size` leaves.
pub fn root(size: u64, node: &impl Fn(NodeId) -> Option<Hash>) -> Result<Hash, LogError> {
    if size == 0 {
        return Ok(empty_root());
    }
    subtree(0, size, node)
}

/// The inclusion proof (RFC 9162 §2.1.3.1) of leaf `index` in the tree of the first `size` leaves, leaf to root.
pub fn proof(
    index: u64,
    size: u64,
    node: &impl Fn(NodeId) -> Option<Hash>,
) -> Result<Vec<Hash>, LogError> {
    siblings(index, size)?
        .into_iter()
        .map(|(start, end)| subtree(start, end, node))
        .collect()
}

/// The nodes [`root`] and [`append`] read for this size: the peaks, at most 64.
pub fn root_needs(size: u64) -> Vec<NodeId> {
    let mut needs = Vec::new();
    if size > 0 {
        cover(0, size, &mut needs);
    }
    needs
}

/// The nodes [`proof`] reads.
pub fn proof_needs(index: u64, size: u64) -> Result<Vec<NodeId>, LogError> {
    let mut needs = Vec::new();
    for (start, end) in siblings(index, size)? {
        cover(start, end, &mut needs);
    }
    Ok(needs)
}

/// Derives the root from a leaf and its proof (RFC 9162 §2.1.3.2). `None`: the proof has another length than this
/// place in the tree needs.
pub fn derive_root(leaf: &Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if at % 2 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at % 2 == 0 && at != 0 {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}

/// Leaf ranges whose hashes make the proof, leaf to root.
fn siblings(index: u64, size: u64) -> Result<Vec<(u64, u64)>, LogError> {
    if index >= size {
        return Err(LogError::OutOfRange);
    }
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    ranges.reverse();
    Ok(ranges)
}

/// The largest power of two smaller than `n`, for n ≥ 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The complete subtrees that make up the leaves from `start` to `end`, left to right. `start` is always a multiple
/// of a power of two not smaller than the range, as the tree is cut.
fn cover(start: u64, end: u64, out: &mut Vec<NodeId>) {
    let (mut start, mut left) = (start, end - start);
    while left > 0 {
        let level = left.ilog2();
        out.push(NodeId {
            level: level as u8,
            index: start >> level,
        });
        start += 1 << level;
        left -= 1 << level;
    }
}

fn subtree(start: u64, end: u64, node: &impl Fn(NodeId) -> Option<Hash>) -> Result<Hash, LogError> {
    let mut peaks = Vec::new();
    cover(start, end, &mut peaks);
    let mut hash: Option<Hash> = None;
    for id in peaks.into_iter().rev() {
        let left = node(id).ok_or(LogError::MissingNode(id))?;
        hash = Some(match hash {
            Some(right) => node_hash(&left, &right),
            None => left,
        });
    }
    hash.ok_or(LogError::OutOfRange)
}

/// A tree in memory, for tests and small logs.
#[derive(Debug, Clone, Default)]
pub struct MemoryTree {
    size: u64,
    nodes: BTreeMap<NodeId, Hash>,
}

impl MemoryTree {
    /// Appends a leaf and returns its index.
    pub fn push(&mut self, leaf: Hash) -> Result<u64, LogError> {
        let new = append(self.size, leaf, &|id| self.nodes.get(&id).copied())?;
        self.nodes.extend(new);
        self.size += 1;
        Ok(self.size - 1)
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves.
    pub fn root(&self) -> Result<Hash, LogError> {
        root(self.size, &|id| self.nodes.get(&id).copied())
    }

    /// The inclusion proof of leaf `index` in the whole tree.
    pub fn proof(&self, index: u64) -> Result<Vec<Hash>, LogError> {
        proof(index, self.size, &|id| self.nodes.get(&id).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 9162 §2.1.1, word for word.
    fn defined_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&defined_root(&leaves[..k]), &defined_root(&leaves[k..]))
            }
        }
    }

    #[test]
    fn roots_and_proofs_of_every_size() {
        let mut tree = MemoryTree::default();
        let mut leaves = Vec::new();
        assert_eq!(tree.root().unwrap(), empty_root());
        for n in 0..70_u8 {
            let leaf = leaf_hash(&[n]);
            leaves.push(leaf);
            assert_eq!(tree.push(leaf).unwrap(), u64::from(n));
            let root = tree.root().unwrap();
            assert_eq!(root, defined_root(&leaves));
            for (index, leaf) in leaves.iter().enumerate() {
                let index = index as u64;
                let path = tree.proof(index).unwrap();
                assert_eq!(derive_root(leaf, index, tree.size(), &path), Some(root));
                if !path.is_empty() {
                    assert_eq!(
                        derive_root(leaf, index, tree.size(), &path[1..]).filter(|r| *r == root),
                        None
                    );
                }
                let longer = [path.as_slice(), &[root]].concat();
                assert_eq!(derive_root(leaf, index, tree.size(), &longer), None);
            }
        }
    }

    #[test]
    fn what_it_needs_is_what_it_reads() {
        let mut tree = MemoryTree::default();
        for n in 0..37_u8 {
            tree.push(leaf_hash(&[n])).unwrap();
        }
        let size = tree.size();
        let only = |needs: Vec<NodeId>| -> BTreeMap<NodeId, Hash> {
            assert!(needs.len() <= 12);
            needs.into_iter().map(|id| (id, tree.nodes[&id])).collect()
        };
        let nodes = only(root_needs(size));
        assert_eq!(
            root(size, &|id| nodes.get(&id).copied()),
            Ok(tree.root().unwrap())
        );
        assert!(append(size, [0; 32], &|id| nodes.get(&id).copied()).is_ok());
        for index in 0..size {
            let nodes = only(proof_needs(index, size).unwrap());
            assert_eq!(
                proof(index, size, &|id| nodes.get(&id).copied()).unwrap(),
                tree.proof(index).unwrap()
            );
        }
        assert_eq!(proof_needs(5, 5), Err(LogError::OutOfRange));
        assert_eq!(derive_root(&[0; 32], 5, 5, &[]), None);
        let missing = root(1, &|_| None);
        assert_eq!(missing.unwrap_err().code(), "log-node-missing");
    }

    #[test]
    fn huge_sizes_do_not_overflow() {
        assert_eq!(root_needs(u64::MAX).len(), 64);
        assert!(proof_needs(u64::MAX - 1, u64::MAX).is_ok());
        assert_eq!(derive_root(&[0; 32], 0, u64::MAX, &[[0; 32]; 3]), None);
    }
}
