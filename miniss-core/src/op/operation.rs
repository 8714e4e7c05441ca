//! What an operation is, the names it goes by, and why one was not started.

use core::any::type_name;
use core::error::Error;
use core::fmt;
use core::marker::PhantomData;

/// What a driver reports of an operation, in the kernel's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// The result; below zero it is a negated error number.
    pub result: i32,
    /// Flags that the driver and the operation understand.
    pub flags: u32,
}

/// An operation: what the kernel may touch while it is in flight, and how to read the outcome.
///
/// ```
/// use miniss_core::op::{Completion, Operation};
///
/// struct Read {
///     buffer: Vec<u8>,
/// }
///
/// impl Operation for Read {
///     type Output = (i32, Vec<u8>);
///     fn settle(self, completion: Completion) -> Self::Output {
///         (completion.result, self.buffer)
///     }
/// }
/// ```
pub trait Operation: Sized + 'static {
    /// What the future gives.
    type Output;

    /// Makes the output from the terminal completion.
    fn settle(self, completion: Completion) -> Self::Output;

    /// Whether it is [told](Self::ended) of its end. What others do costs nothing more for it.
    const HEARS_END: bool = false;

    /// The terminal completion is here. Who waits for it may look late, or never: so what others
    /// wait for is released now, and the rest when the operation is settled. Only one that
    /// [hears](Self::HEARS_END) of its end relies on this; one that was given up is not told.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use miniss_core::op::{Completion, OpTable, Operation};
    ///
    /// /// Uses a file, which is closed when no one uses it any more.
    /// struct Read(Option<Rc<Cell<bool>>>);
    ///
    /// impl Operation for Read {
    ///     type Output = i32;
    ///     fn settle(self, completion: Completion) -> i32 {
    ///         completion.result
    ///     }
    ///     const HEARS_END: bool = true;
    ///     fn ended(&mut self) {
    ///         self.0 = None;
    ///     }
    /// }
    ///
    /// let file = Rc::new(Cell::new(true));
    /// let table = OpTable::new();
    /// let key = table.insert(Read(Some(file.clone())));
    /// table.complete(key.id(), Completion { result: 4, flags: 0 }, false);
    /// assert_eq!(Rc::strong_count(&file), 1); // and no one has looked yet
    /// # table.orphan(key);
    /// ```
    fn ended(&mut self) {}

    /// A completion that is not the last one has come; with it, `waiting` of them wait to be
    /// collected. `true` asks for a cancel, to end a stream that no one reads.
    ///
    /// ```
    /// use miniss_core::op::{Completion, OpTable, Operation};
    ///
    /// struct Accept;
    ///
    /// impl Operation for Accept {
    ///     type Output = i32;
    ///     fn settle(self, completion: Completion) -> i32 {
    ///         completion.result
    ///     }
    ///     fn wants_cancel_after(&mut self, _connection: Completion, waiting: u32) -> bool {
    ///         waiting == 2
    ///     }
    /// }
    ///
    /// let table = OpTable::new();
    /// let key = table.insert(Accept);
    /// for connection in [5, 6] {
    ///     assert!(!table.wants_cancel());
    ///     table.complete(key.id(), Completion { result: connection, flags: 0 }, true);
    /// }
    /// assert_eq!(table.next_cancel(), Some(key.id()));
    /// # table.complete(key.id(), Completion { result: -125, flags: 0 }, false);
    /// # table.orphan(key);
    /// ```
    fn wants_cancel_after(&mut self, completion: Completion, waiting: u32) -> bool {
        let _ = (completion, waiting);
        false
    }

    /// The terminal completion came, and no one waits any more: release what it brought (close a
    /// descriptor, return a buffer). By default the output is made and dropped.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use miniss_core::op::{Completion, OpTable, Operation};
    ///
    /// /// Counts the connections that it had to close.
    /// struct Accept(Rc<Cell<u32>>);
    ///
    /// impl Operation for Accept {
    ///     type Output = i32;
    ///     fn settle(self, completion: Completion) -> i32 {
    ///         completion.result
    ///     }
    ///     fn settle_orphan(mut self, completion: Completion) {
    ///         self.orphan_part(completion);
    ///     }
    ///     fn orphan_part(&mut self, _connection: Completion) {
    ///         self.0.set(self.0.get() + 1);
    ///     }
    /// }
    ///
    /// let closed = Rc::new(Cell::new(0));
    /// let table = OpTable::new();
    /// let key = table.insert(Accept(closed.clone()));
    /// let id = key.id();
    /// table.orphan(key);
    /// table.complete(id, Completion { result: 5, flags: 0 }, true);
    /// table.complete(id, Completion { result: 6, flags: 0 }, false);
    /// assert_eq!(closed.get(), 2);
    /// ```
    fn settle_orphan(self, completion: Completion) {
        drop(self.settle(completion));
    }

    /// A completion that is not the last one came, and no one waits any more. An operation that
    /// completes once never sees it.
    fn orphan_part(&mut self, completion: Completion) {
        let _ = completion;
    }

    /// A completion that is not the last one came, someone waits, but there is no room to keep it.
    /// The parts before it can still be collected. This one and all that follow come here, so that
    /// there is no gap before the end, and the table asks for a cancel. By default this calls
    /// [`orphan_part`](Self::orphan_part). An operation that must tell this end from another, for
    /// example to start again after the cancel, notes it here for [`settle`](Self::settle).
    ///
    /// ```
    /// # use core::task::{Context, Poll, Waker};
    /// use miniss_core::op::{Completion, FixedOps, OpTable, Operation, Part};
    ///
    /// /// A stream of bytes; whether some are missing.
    /// struct Receive(bool);
    ///
    /// impl Operation for Receive {
    ///     type Output = bool;
    ///     fn settle(self, _end: Completion) -> bool {
    ///         self.0
    ///     }
    ///     fn refuse_part(&mut self, _bytes: Completion) {
    ///         self.0 = true;
    ///     }
    /// }
    ///
    /// static OPS: FixedOps<1, 2> = FixedOps::new();
    /// let table = OpTable::fixed(&OPS).unwrap();
    /// let key = table.try_insert(Receive(false)).unwrap();
    /// let bytes = |count| Completion { result: count, flags: 0 };
    /// (1..=3).for_each(|count| table.complete(key.id(), bytes(count), true));
    /// assert_eq!((table.next_cancel(), table.parts_refused()), (Some(key.id()), 1));
    /// table.complete(key.id(), bytes(-125), false);
    /// # let cx = &mut Context::from_waker(Waker::noop());
    /// assert_eq!(table.poll_part(&key, cx), Poll::Ready(Part::More(bytes(1))));
    /// assert_eq!(table.poll_part(&key, cx), Poll::Ready(Part::More(bytes(2))));
    /// assert_eq!(table.poll_part(&key, cx), Poll::Ready(Part::End(true)));
    /// ```
    fn refuse_part(&mut self, completion: Completion) {
        self.orphan_part(completion);
    }

    /// Says what it asks for, to those who look at
    /// [what hangs](super::OpTable::for_each_in_flight). By default the name of its type.
    ///
    /// It is in flight, so the kernel may be writing to it. Hence there is no reference to it but a
    /// pointer, to read those parts that were never given to the kernel.
    ///
    /// # Safety
    ///
    /// It is called by the table, for an operation in flight that no one has a reference to. The
    /// operation stays where it is until this has returned.
    ///
    /// ```
    /// use core::fmt;
    /// use miniss_core::op::{Completion, OpTable, Operation};
    ///
    /// struct Read {
    ///     disk: u32,
    ///     /// The kernel writes here.
    ///     buffer: [u8; 16],
    /// }
    ///
    /// impl Operation for Read {
    ///     type Output = [u8; 16];
    ///     fn settle(self, _completion: Completion) -> [u8; 16] {
    ///         self.buffer
    ///     }
    ///     unsafe fn describe(this: *const Self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    ///         // SAFETY: the caller's promise; the kernel knows nothing of this number.
    ///         let disk = unsafe { (*this).disk };
    ///         write!(f, "a read of disk {disk}")
    ///     }
    /// }
    ///
    /// let table = OpTable::new();
    /// let key = table.insert(Read { disk: 2, buffer: [0; 16] });
    /// table.for_each_in_flight(|it| assert_eq!(it.to_string(), "a read of disk 2"));
    /// # table.complete(key.id(), Completion { result: 0, flags: 0 }, false);
    /// # table.orphan(key);
    /// ```
    unsafe fn describe(this: *const Self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = this;
        f.write_str(type_name::<Self>())
    }
}

/// Bits of an id that hold the generation; the driver may use the four above them.
pub(super) const GENERATION_BITS: u32 = 28;

/// What names an operation to the kernel: 60 bits; the topmost four are left to the driver.
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

    /// The number of its slot: these are small, and used again.
    ///
    /// ```
    /// assert_eq!(miniss_core::op::OpId::from_bits(7).index(), 7);
    /// ```
    pub const fn index(self) -> u32 {
        self.0 as u32
    }

    pub(super) fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// The right to the outcome of one operation of type `O`.
///
/// Use it up: [`OpTable::poll`](super::OpTable::poll) until that is ready, or give it to
/// [`OpTable::orphan`](super::OpTable::orphan). A key that is dropped or forgotten leaks its slot
/// and nothing else.
///
/// A future that does this in its `Drop` is shown by [the module](super).
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<T> {
    /// A completion that is not the last.
    More(Completion),
    /// The operation has ended.
    End(T),
}

/// Why an operation found no place in a table.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InsertError {
    /// There is no slot free, and none could be made. When others have ended, there will be.
    NoRoom,
    /// The operation does not [fit](super::OpTable::fits) a slot, and the table does not box it.
    TooLarge,
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoom => "no slot is free for the operation: wait until another has ended",
            Self::TooLarge => "the operation does not fit a slot: lend it its buffer",
        })
    }
}

impl Error for InsertError {}

/// Another table uses this memory, or one that is gone left an operation in flight there.
///
/// ```
/// use miniss_core::op::{FixedOps, OpTable, OpsInUse};
///
/// static OPS: FixedOps<4> = FixedOps::new();
///
/// let table = OpTable::fixed(&OPS).unwrap();
/// assert_eq!(OpTable::fixed(&OPS).err(), Some(OpsInUse));
/// drop(table);
/// assert!(OpTable::fixed(&OPS).is_ok());
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpsInUse;

impl fmt::Display for OpsInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table uses this memory already, or left an operation in flight there")
    }
}

impl Error for OpsInUse {}
