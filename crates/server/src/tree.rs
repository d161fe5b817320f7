//! The log's Merkle tree (RFC 9162 §2.1) over stored subtree hashes: appending and proving touch O(log n) rows.

use infoblood_agreement::log::{empty_root, node_hash};
use infoblood_agreement::receipt::Inclusion;

use crate::storage::{LogStorage, StorageError, Stored};

/// Adds a leaf hash as the last one and returns where it stands, with its path, lowest sibling first. The caller adds
/// its entry in the same transaction.
pub async fn append(tx: &mut impl LogStorage, leaf: &[u8; 32]) -> Stored<Inclusion> {
    let index = tx.tree_size().await?;
    // The new leaf is the rightmost: each of its siblings is a complete subtree to the left, one per set bit of `index`.
    let path = peaks(tx, index).await?;

    let (mut hash, mut at) = (*leaf, index);
    tx.add_node(0, at, &hash).await?;
    let mut level = 0;
    while at % 2 == 1 {
        let left = tx
            .node(level, at - 1)
            .await?
            .ok_or(StorageError::Damaged("log_nodes"))?;
        hash = node_hash(&left, &hash);
        level += 1;
        at /= 2;
        tx.add_node(level, at, &hash).await?;
    }
    Ok(Inclusion {
        tree_size: index + 1,
        leaf_index: index,
        path,
    })
}

/// Root of the whole tree; of the empty one SHA-256 of nothing.
pub async fn root(tx: &mut impl LogStorage) -> Stored<(u64, [u8; 32])> {
    let size = tx.tree_size().await?;
    let root = peaks(tx, size)
        .await?
        .into_iter()
        .reduce(|right, left| node_hash(&left, &right));
    Ok((size, root.unwrap_or_else(empty_root)))
}

/// The complete subtrees of the first `size` leaves, smallest (rightmost) first.
async fn peaks(tx: &mut impl LogStorage, size: u64) -> Stored<Vec<[u8; 32]>> {
    let mut peaks = Vec::new();
    for level in 0..u64::BITS {
        if size >> level & 1 == 1 {
            let idx = (size >> level) - 1;
            peaks.push(
                tx.node(level, idx)
                    .await?
                    .ok_or(StorageError::Damaged("log_nodes"))?,
            );
        }
    }
    Ok(peaks)
}

#[cfg(test)]
mod tests {
    use infoblood_agreement::log::{derive_root, leaf_hash};

    use super::*;
    use crate::storage::sqlite::SqliteDatabase;
    use crate::storage::{Database, Entry};

    /// The definition, word for word (RFC 9162 §2.1.1).
    fn reference_root(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            many => {
                let k = many.len().next_power_of_two() / 2;
                node_hash(&reference_root(&many[..k]), &reference_root(&many[k..]))
            }
        }
    }

    #[tokio::test]
    async fn every_size_up_to_70_has_the_root_of_the_definition() {
        let dir = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(&dir.path().join("t.db"), true)
            .await
            .unwrap();
        let mut tx = database.write().await.unwrap();
        let mut leaves = Vec::new();
        assert_eq!(root(&mut tx).await.unwrap(), (0, reference_root(&[])));
        for n in 0_u64..70 {
            let leaf = leaf_hash(&n.to_be_bytes());
            leaves.push(leaf);
            let at = append(&mut tx, &leaf).await.unwrap();
            let entry = Entry {
                leaf_index: n,
                leaf,
                kind: "acceptance".into(),
                statement: vec![1],
                receipt: vec![2],
                registered_at: 0,
            };
            tx.add_entry(&entry).await.unwrap();
            let expected = reference_root(&leaves);
            assert_eq!(
                derive_root(&leaf, at.leaf_index, at.tree_size, &at.path),
                Some(expected)
            );
            assert_eq!(root(&mut tx).await.unwrap(), (n + 1, expected));
            assert!(at.path.len() <= 7);
        }
    }
}
