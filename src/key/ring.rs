//! The ring: all keys of a snapshot, immutable, indexed by id and by bare value.

use std::{
    hash::{BuildHasher, Hasher},
    sync::Arc,
};

use foldhash::{SharedSeed, quality::SeedableRandomState};

use super::{
    KeyRecord, Registered,
    flat::{Keys, name_of},
    index::Index,
};
use crate::{
    ct,
    material::{KeyError, Material},
    scheme::Facts,
    wire::SchemeName,
};

/// One column per scheme of the registry, in its order.
#[derive(Debug)]
pub(crate) struct Ring {
    columns: Box<[Column]>,
}

impl Ring {
    /// A ring with room for so many keys of each scheme, to be added before it is
    /// [indexed](Self::indexed).
    ///
    /// `seed` is random and secret: ids come from strangers, who must not be able to choose where
    /// they fall in the index.
    pub(crate) fn new(schemes: &[Arc<dyn Registered>], rooms: &[usize], seed: u64) -> Self {
        let columns = schemes.iter().zip(rooms);
        Self {
            columns: columns.filter_map(|(s, room)| Column::new(s.as_ref(), *room, seed)).collect(),
        }
    }

    pub(crate) fn indexed(mut self) -> Self {
        self.columns.iter_mut().for_each(Column::index);
        self
    }

    #[inline]
    pub(crate) fn column(&self, scheme: usize) -> Option<&Column> {
        self.columns.get(scheme)
    }

    pub(crate) fn column_mut(&mut self, scheme: usize) -> Option<&mut Column> {
        self.columns.get_mut(scheme)
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The place of the scheme of this name.
    #[inline]
    pub(crate) fn scheme(&self, name: SchemeName) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The place of the scheme that may be bare.
    #[inline]
    pub(crate) fn bare_scheme(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.facts.may_be_bare)
    }
}

/// All keys of one scheme, and what is known of them at the same slots.
pub(crate) struct Column {
    name: SchemeName,
    facts: &'static Facts,
    hasher: SeedableRandomState,
    keys: Box<dyn Keys>,
    by_id: Index,
    by_value: Index,
}

/// Where a look-up ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'r> {
    /// Of the key that was meant, or else of another, chosen by the hash, for the same work to be
    /// done on, so that time does not tell which keys exist.
    pub(crate) slot: usize,
    /// The record of the key that was meant.
    pub(crate) record: Option<&'r KeyRecord>,
}

impl Column {
    fn new(scheme: &dyn Registered, room: usize, seed: u64) -> Option<Self> {
        let facts = scheme.facts();
        Some(Self {
            name: name_of(facts)?,
            facts,
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_random()),
            keys: scheme.no_keys(room),
            by_id: Index::default(),
            by_value: Index::default(),
        })
    }

    /// Adds a key. It is found once the ring is indexed.
    pub(crate) fn push(&mut self, record: KeyRecord, material: &Material) -> Result<(), KeyError> {
        self.keys.push(record, material)
    }

    fn index(&mut self) {
        let ids: Vec<_> = self.records().map(|record| self.hash(record.id.as_bytes())).collect();
        self.by_id = Index::new(&ids);
        if self.facts.may_be_bare {
            let values: Vec<_> = (0..self.keys.len())
                .map(|slot| self.hash(self.keys.bare(slot).unwrap_or_default()))
                .collect();
            self.by_value = Index::new(&values);
        }
    }

    #[inline]
    pub(crate) fn facts(&self) -> &'static Facts {
        self.facts
    }

    #[inline]
    pub(crate) fn keys(&self) -> &dyn Keys {
        self.keys.as_ref()
    }

    /// All records, in the order of their slots.
    pub(crate) fn records(&self) -> impl Iterator<Item = &KeyRecord> {
        (0..self.keys.len()).filter_map(|slot| self.keys.record(slot))
    }

    /// The key of this id.
    #[inline]
    pub(crate) fn find_id(&self, id: &[u8]) -> Found<'_> {
        let hash = self.hash(id);
        self.found(&self.by_id, hash, |_, record| record.id.as_bytes() == id)
    }

    /// The key of this bare value.
    #[inline]
    pub(crate) fn find_value(&self, value: &[u8]) -> Found<'_> {
        let hash = self.hash(value);
        let is = |slot, _: &_| self.keys.bare(slot).is_some_and(|bare| ct::eq(bare, value));
        self.found(&self.by_value, hash, is)
    }

    #[inline]
    fn found(&self, index: &Index, hash: u64, is: impl Fn(usize, &KeyRecord) -> bool) -> Found<'_> {
        let mut record = None;
        let slot = index.find(hash, |slot| {
            record = self.keys.record(slot).filter(|record| is(slot, record));
            record.is_some()
        });
        let slot = slot.unwrap_or_else(|| hash as usize % self.keys.len().max(1));
        Found { slot, record }
    }

    #[inline]
    fn hash(&self, text: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(text);
        hasher.finish()
    }
}

impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Column")
            .field("scheme", &self.facts.id)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}
