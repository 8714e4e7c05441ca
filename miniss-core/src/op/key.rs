//! What names an operation: an id for the kernel, a key for whoever waits.

#![forbid(unsafe_code)]

use core::fmt;
use core::marker::PhantomData;

use super::slot::Completion;

/// Bits of an id that hold the generation; the four above are the driver's to use.
pub(super) const GENERATION_BITS: u32 = 28;

/// What names an operation to the kernel: 60 bits; the topmost four are left to the driver.
///
/// See [`to_bits`](Self::to_bits) for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpId(u64);

impl OpId {
    /// How many low bits an id takes.
    ///
    /// ```
    /// assert_eq!(miniss_core::op::OpId::BITS, 60);
    /// ```
    pub const BITS: u32 = 32 + GENERATION_BITS;

    /// The id as a number, the four topmost bits zero.
    ///
    /// ```
    /// use miniss_core::op::OpId;
    /// assert_eq!(OpId::from_bits(7).to_bits(), 7);
    /// ```
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The id with this number; the four topmost bits are ignored.
    ///
    /// ```
    /// use miniss_core::op::OpId;
    /// assert_eq!(OpId::from_bits(7 | 1 << 63), OpId::from_bits(7));
    /// ```
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    pub(super) fn new(index: u32, generation: u32) -> Self {
        Self(u64::from(index) | u64::from(generation) << 32)
    }

    pub(super) fn index(self) -> u32 {
        self.0 as u32
    }

    pub(super) fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// The right to the outcome of one operation of type `O`.
///
/// Give it back to the table by [`OpTable::poll`](super::OpTable::poll) until it is ready, or by
/// [`OpTable::orphan`](super::OpTable::orphan). A key that is dropped or forgotten leaks its slot
/// and nothing else.
///
/// See [`OpTable`](super::OpTable) for an example, and [the module](super) for a future that does
/// this in its `Drop`.
#[must_use = "dropping a key leaks its slot: give it to `OpTable::orphan`"]
pub struct OpKey<O> {
    id: OpId,
    marker: PhantomData<fn(O) -> O>,
}

impl<O> OpKey<O> {
    /// To be called once for each operation that is put in a slot.
    pub(super) fn new(id: OpId) -> Self {
        Self { id, marker: PhantomData }
    }

    /// The name of the operation.
    ///
    /// ```
    /// # use miniss_core::op::OpKey;
    /// fn name<O>(key: &OpKey<O>) -> u64 {
    ///     key.id().to_bits()
    /// }
    /// ```
    pub fn id(&self) -> OpId {
        self.id
    }
}

impl<O> fmt::Debug for OpKey<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpKey").field(&self.id).finish()
    }
}

/// One step of a multishot operation.
///
/// See [`OpTable::poll_part`](super::OpTable::poll_part) for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<T> {
    /// A completion that is not the last.
    More(Completion),
    /// The operation has ended.
    End(T),
}
