//! The state's commitment: a binary Merkle trie over hashed keys.
//!
//! A key's path is the bits of BLAKE3(key), most significant first. A subtree
//! with no key is empty (32 zero bytes), one with a single key is that key's
//! leaf, any other is a branch on the next bit. So the shape depends on the set
//! of keys alone, never on the order of changes, and a change costs a path, not
//! the state.
//!
//! - leaf = BLAKE3 keyed with [`LEAF_KEY`] of (BLAKE3(key) ‖ BLAKE3(value))
//! - branch = BLAKE3 keyed with [`BRANCH_KEY`] of (left ‖ right)

/// The key of a leaf's hash.
pub const LEAF_KEY: &[u8; 32] = b"lode/state/1 leaf...............";

/// The key of a branch's hash.
pub const BRANCH_KEY: &[u8; 32] = b"lode/state/1 branch.............";

type Hash = [u8; 32];

/// A change of one key: its path, and the hash of its new leaf (`None`: it is gone).
#[derive(Clone, Copy, Debug)]
pub(super) struct LeafChange {
    path: Hash,
    leaf: Option<Hash>,
}

impl LeafChange {
    pub(super) fn new(key: &[u8], value: Option<&[u8]>) -> Self {
        let path = *blake3::hash(key).as_bytes();
        let leaf = value.map(|value| pair(LEAF_KEY, &path, blake3::hash(value).as_bytes()));
        Self { path, leaf }
    }

    fn head(&self) -> u64 {
        let (head, _) = self.path.split_at(8);
        u64::from_be_bytes(head.try_into().expect("eight bytes"))
    }
}

fn pair(domain: &[u8; 32], left: &Hash, right: &Hash) -> Hash {
    let mut block = [0; 64];
    block[..32].copy_from_slice(left);
    block[32..].copy_from_slice(right);
    *blake3::keyed_hash(domain, &block).as_bytes()
}

/// The trie.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    root: Node,
}

/// A subtree. Its hash lies beside its place in the parent, so that hashing a
/// parent does not fetch the half that no change touched.
#[derive(Clone, Debug, Default)]
enum Node {
    #[default]
    Empty,
    Leaf {
        path: Hash,
        hash: Hash,
    },
    Branch {
        hash: Hash,
        halves: Box<Halves>,
    },
}

#[derive(Clone, Debug)]
struct Halves {
    left: Node,
    right: Node,
}

impl Tree {
    /// Applies changes, each path at most once, and returns the new root.
    pub(super) fn update(&mut self, mut changes: Vec<LeafChange>) -> Hash {
        // Paths are hashes: the first eight bytes decide nearly always.
        changes.sort_unstable_by(|a, b| {
            let by_head = a.head().cmp(&b.head());
            by_head.then_with(|| a.path.cmp(&b.path))
        });
        debug_assert!(changes.windows(2).all(|pair| pair[0].path < pair[1].path));
        self.root.update(0, &changes);
        self.root()
    }

    /// The root; 32 zero bytes for no keys.
    pub(super) fn root(&self) -> Hash {
        self.root.hash()
    }
}

fn bit(path: &Hash, depth: usize) -> bool {
    path[depth / 8] & (0x80 >> (depth % 8)) != 0
}

/// Divides sorted changes into those left and right of the bit at `depth`.
fn divide(changes: &[LeafChange], depth: usize) -> (&[LeafChange], &[LeafChange]) {
    changes.split_at(changes.partition_point(|change| !bit(&change.path, depth)))
}

impl Node {
    fn hash(&self) -> Hash {
        match self {
            Self::Empty => [0; 32],
            Self::Leaf { hash, .. } | Self::Branch { hash, .. } => *hash,
        }
    }

    /// Applies changes in place: what no change touches is not even looked at.
    fn update(&mut self, depth: usize, changes: &[LeafChange]) {
        if changes.is_empty() {
            return;
        }
        match self {
            Self::Empty => *self = Self::build(depth, changes),
            Self::Leaf { path, hash } => {
                let kept = LeafChange {
                    path: *path,
                    leaf: Some(*hash),
                };
                *self = match changes.binary_search_by_key(path, |change| change.path) {
                    Ok(_) => Self::build(depth, changes),
                    Err(place) => {
                        let mut all = changes.to_vec();
                        all.insert(place, kept);
                        Self::build(depth, &all)
                    }
                };
            }
            Self::Branch { hash, halves } => {
                let (left, right) = divide(changes, depth);
                halves.left.update(depth + 1, left);
                halves.right.update(depth + 1, right);
                match halves.collapse() {
                    Some(single) => *self = single,
                    None => *hash = halves.pair(),
                }
            }
        }
    }

    /// The subtree of the keys that are there after `changes`.
    fn build(depth: usize, changes: &[LeafChange]) -> Self {
        match changes {
            [] => Self::Empty,
            [LeafChange { path, leaf }] => match leaf {
                Some(hash) => Self::Leaf {
                    path: *path,
                    hash: *hash,
                },
                None => Self::Empty,
            },
            _ => {
                let (left, right) = divide(changes, depth);
                Halves::join(Self::build(depth + 1, left), Self::build(depth + 1, right))
            }
        }
    }
}

impl Halves {
    /// The subtree of two halves.
    fn join(left: Node, right: Node) -> Node {
        let mut halves = Self { left, right };
        halves.collapse().unwrap_or_else(|| Node::Branch {
            hash: halves.pair(),
            halves: Box::new(halves),
        })
    }

    /// What takes the place of a branch with at most one leaf: a single leaf moves up.
    fn collapse(&mut self) -> Option<Node> {
        match (&mut self.left, &mut self.right) {
            (Node::Empty, Node::Empty) => Some(Node::Empty),
            (leaf @ Node::Leaf { .. }, Node::Empty) | (Node::Empty, leaf @ Node::Leaf { .. }) => {
                Some(std::mem::take(leaf))
            }
            _ => None,
        }
    }

    fn pair(&self) -> Hash {
        pair(BRANCH_KEY, &self.left.hash(), &self.right.hash())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn change(key: u16, value: Option<u8>) -> LeafChange {
        LeafChange::new(
            &key.to_le_bytes(),
            value.map(|value| [value]).as_ref().map(|v| &v[..]),
        )
    }

    proptest! {
        #[test]
        fn the_root_depends_on_the_entries_alone(
            batches in proptest::collection::vec(
                proptest::collection::btree_map(0u16..200, proptest::option::of(any::<u8>()), 0..40),
                0..8,
            )
        ) {
            let mut tree = Tree::default();
            let mut entries = BTreeMap::new();
            for batch in batches {
                tree.update(batch.iter().map(|(&key, &value)| change(key, value)).collect());
                for (key, value) in batch {
                    match value {
                        Some(value) => entries.insert(key, value),
                        None => entries.remove(&key),
                    };
                }
                let mut fresh = Tree::default();
                fresh.update(entries.iter().map(|(&key, &value)| change(key, Some(value))).collect());
                prop_assert_eq!(tree.root(), fresh.root());
                prop_assert_eq!(tree.root() == [0; 32], entries.is_empty());
            }
        }

        #[test]
        fn another_value_gives_another_root(
            entries in proptest::collection::btree_map(any::<u16>(), any::<u8>(), 1..40),
            pick in any::<prop::sample::Index>(),
        ) {
            let mut tree = Tree::default();
            let before =
                tree.update(entries.iter().map(|(&key, &value)| change(key, Some(value))).collect());
            let (&key, &value) = entries.iter().nth(pick.index(entries.len())).unwrap();
            let after = tree.update(vec![change(key, Some(value.wrapping_add(1)))]);
            prop_assert_ne!(before, after);
            prop_assert_eq!(tree.update(vec![change(key, Some(value))]), before);
        }
    }
}
