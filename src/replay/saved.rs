//! All that a replay memory knows, as bytes, for the process after this one.
//!
//! ```text
//! saved = clock[8] key[16] fence[8] shards[4] *( slots[4] *( slot[16] ) )
//! ```

use std::sync::{PoisonError, atomic::AtomicU64};

use siphasher::sip128::SipHasher13;

use super::memory::MemoryReplay;
use crate::time::UnixTime;

impl MemoryReplay {
    /// Appends all that it knows.
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        out.extend_from_slice(&self.clock().0.to_be_bytes());
        out.extend_from_slice(&self.hasher.key());
        out.extend_from_slice(&self.fence.0.to_be_bytes());
        out.extend_from_slice(&length(self.shards.len()));
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            out.extend_from_slice(&length(shard.len()));
            shard.taken().for_each(|slot| out.extend_from_slice(&slot.to_be_bytes()));
        }
    }

    /// Takes in what another has saved; `false` where it cannot, after which it knows nothing.
    pub(crate) fn restore(&mut self, saved: &[u8]) -> bool {
        let restored = self.take_in(saved).is_some();
        if !restored {
            self.shards.iter_mut().for_each(|shard| {
                shard.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
            });
        }
        restored
    }

    fn take_in(&mut self, saved: &[u8]) -> Option<()> {
        let (clock, saved) = saved.split_first_chunk()?;
        let (key, saved) = saved.split_first_chunk()?;
        let (fence, saved) = saved.split_first_chunk()?;
        let (shards, mut saved) = saved.split_first_chunk()?;
        // Which shard a claim is in shows nowhere but in its place.
        if u32::from_be_bytes(*shards) as usize != self.shards.len() {
            return None;
        }
        for shard in &mut self.shards {
            let shard = shard.get_mut().unwrap_or_else(PoisonError::into_inner);
            let (length, rest) = saved.split_first_chunk()?;
            saved = rest;
            for _ in 0..u32::from_be_bytes(*length) {
                let (slot, rest) = saved.split_first_chunk()?;
                saved = rest;
                shard.take_in(u128::from_be_bytes(*slot))?;
            }
        }
        self.hasher = SipHasher13::new_with_key(key);
        self.clock = AtomicU64::new(u64::from_be_bytes(*clock));
        self.fence = UnixTime(u64::from_be_bytes(*fence));
        saved.is_empty().then_some(())
    }
}
