//! The hashes of the log's Merkle tree (RFC 9162 §2.1, SHA-256), and the root that a proof leads to.
//!
//! How the tree is stored is the server's business; whoever holds a leaf and its proof needs only this.

use sha2::{Digest, Sha256};

/// A SHA-256 hash: of a leaf, a node or a root.
pub type Hash = [u8; 32];

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

/// Derives the root of a tree of `size` leaves from leaf `index` and its proof, leaf to root (RFC 9162 §2.1.3.2). `None`: the
/// proof has another length than this place in the tree needs.
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A tree by the definitions of RFC 9162 §2.1.1 and §2.1.3.1, word for word.
    #[derive(Default)]
    pub(crate) struct Tree {
        leaves: Vec<Hash>,
    }

    impl Tree {
        pub(crate) fn push(&mut self, leaf: Hash) -> u64 {
            self.leaves.push(leaf);
            self.size() - 1
        }

        pub(crate) fn size(&self) -> u64 {
            self.leaves.len() as u64
        }

        pub(crate) fn proof(&self, index: u64) -> Vec<Hash> {
            path(usize::try_from(index).unwrap(), &self.leaves)
        }
    }

    fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&root(left), &root(right))
            }
        }
    }

    fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut inner, sibling) = if index < left.len() {
            (path(index, left), root(right))
        } else {
            (path(index - left.len(), right), root(left))
        };
        inner.push(sibling);
        inner
    }

    #[test]
    fn every_leaf_of_every_size_leads_to_the_root() {
        let mut tree = Tree::default();
        assert_eq!(
            hex::encode(root(&tree.leaves)),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for n in 0..70_u8 {
            tree.push(leaf_hash(&[n]));
            let expected = root(&tree.leaves);
            for index in 0..tree.size() {
                let leaf = &tree.leaves[index as usize];
                let path = tree.proof(index);
                let derive = |path: &[Hash]| derive_root(leaf, index, tree.size(), path);
                assert_eq!(derive(&path), Some(expected));
                assert_eq!(derive(&[path.as_slice(), &[expected]].concat()), None);
                if let Some((_, shorter)) = path.split_first() {
                    assert_ne!(derive(shorter), Some(expected));
                }
                assert_ne!(
                    derive_root(&[0; 32], index, tree.size(), &path),
                    Some(expected)
                );
            }
        }
    }

    #[test]
    fn no_place_outside_the_tree() {
        assert_eq!(derive_root(&[0; 32], 5, 5, &[]), None);
        assert_eq!(derive_root(&[0; 32], 0, 0, &[]), None);
        assert_eq!(derive_root(&[0; 32], 0, u64::MAX, &[[0; 32]; 3]), None);
        assert_eq!(
            derive_root(&[0; 32], u64::MAX - 1, u64::MAX, &[[0; 32]; 65]),
            None
        );
    }
}
