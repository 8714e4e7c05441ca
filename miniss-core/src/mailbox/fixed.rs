//! A lane of fixed capacity that needs no heap.
//!
//! `submit_to ─▶ [lane] ─▶ doorbell ─▶ the other core`

use super::node::Chain;
use super::queue::Queue;

/// A queue of `N` chains, in place. `N` is a power of two, at most 128.
///
/// A chain holds all calls of one turn, so a few places go a long way.
///
/// ```
/// use miniss_core::mailbox::{FixedLane, Queue};
/// let lane: FixedLane<8> = FixedLane::new();
/// assert!(lane.pop().is_none());
/// ```
pub struct FixedLane<const N: usize>(heapless::mpmc::Queue<Chain, N>);

impl<const N: usize> FixedLane<N> {
    /// An empty lane.
    ///
    /// ```
    /// let lane = miniss_core::mailbox::FixedLane::<4>::new();
    /// # let _ = lane;
    /// ```
    #[expect(
        deprecated,
        reason = "the queue may look full or empty while the other side is in the middle of an \
                  operation; both sides look again after they have been told of it"
    )]
    pub const fn new() -> Self {
        Self(heapless::mpmc::Queue::new())
    }
}

impl<const N: usize> core::fmt::Debug for FixedLane<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FixedLane").field("capacity", &N).finish()
    }
}

impl<const N: usize> Default for FixedLane<N> {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: a bounded queue that owns its chains, gives each to one `pop`, and orders the two.
unsafe impl<const N: usize> Queue for FixedLane<N> {
    fn push(&self, chain: Chain) -> Result<(), Chain> {
        self.0.enqueue(chain)
    }

    fn pop(&self) -> Option<Chain> {
        self.0.dequeue()
    }
}
