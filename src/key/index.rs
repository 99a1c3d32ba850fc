//! From a hash to a slot: one probe of one cache line, with ten keys and with a million.

/// An open-addressing table, at most half full. It holds no keys, only 32 bits of their hash.
#[derive(Debug, Default)]
pub(crate) struct Index {
    cells: Box<[Cell]>,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    tag: u32,
    slot: u32,
}

const EMPTY: u32 = u32::MAX;

impl Index {
    /// An index of `hashes`, the first of which belongs to slot 0.
    pub(crate) fn new(hashes: &[u64]) -> Self {
        if hashes.is_empty() {
            return Self::default();
        }
        let size = (hashes.len() * 2).next_power_of_two();
        let mut cells = vec![Cell { tag: 0, slot: EMPTY }; size];
        for (slot, hash) in hashes.iter().enumerate() {
            let free = probe(*hash, size).find(|at| cells.get(*at).is_some_and(Cell::is_empty));
            if let Some(cell) = free.and_then(|at| cells.get_mut(at)) {
                *cell = Cell { tag: tag_of(*hash), slot: slot as u32 };
            }
        }
        Self { cells: cells.into() }
    }

    /// The slot of this hash for which `is` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(usize) -> bool) -> Option<usize> {
        for at in probe(hash, self.cells.len()) {
            let cell = self.cells.get(at)?;
            if cell.is_empty() {
                return None;
            }
            if cell.tag == tag_of(hash) && is(cell.slot as usize) {
                return Some(cell.slot as usize);
            }
        }
        None
    }
}

impl Cell {
    #[inline]
    fn is_empty(&self) -> bool {
        self.slot == EMPTY
    }
}

/// The cells that may hold a hash, of a table whose size is a power of two.
#[inline]
fn probe(hash: u64, size: usize) -> impl Iterator<Item = usize> {
    let mask = size.wrapping_sub(1);
    (0..size).map(move |step| (hash as usize).wrapping_add(step) & mask)
}

/// The half of a hash that does not choose the cell.
#[inline]
fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_holds_and_nothing_else() {
        for count in [0, 1, 2, 3, 10, 1000] {
            let hashes: Vec<u64> =
                (0..count).map(|i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
            let index = Index::new(&hashes);
            for (slot, hash) in hashes.iter().enumerate() {
                assert_eq!(index.find(*hash, |found| found == slot), Some(slot));
            }
            assert_eq!(index.find(12345, |_| false), None);
        }
    }

    #[test]
    fn equal_hashes_are_told_apart() {
        let index = Index::new(&[7; 5]);
        for slot in 0..5 {
            assert_eq!(index.find(7, |found| found == slot), Some(slot));
        }
        assert_eq!(index.find(7, |_| false), None);
    }
}
