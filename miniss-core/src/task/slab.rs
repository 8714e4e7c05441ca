//! Slots in a `static`: tasks where there is no heap, or where a bound is wanted.
//!
//! The slots are the very ones that the heap's chunks have, with the same header and the same
//! stage; only where the memory comes from differs, and who may use it:
//!
//! - [lent](crate::LocalHandle::lend) to an executor, a slab's slots are free for every task that
//!   fits;
//! - [spawned in](crate::LocalHandle::spawn_in), a slab keeps them for its own tasks.
//!
//! How large a slot has to be is found without naming a type. The type of an `async fn`'s future
//! has no name, but the function has: the compiler finds the future through the function's `Fn`
//! implementation, and a `const fn` tells its size ([`future_bytes`]).
//!
//! # Invariants
//!
//! - **One owner.** A slab belongs to the executor cell that used it first, in the way that it was
//!   used first, forever: the owner word changes once, from null. Only the owner of that executor
//!   cell touches the rest of the memory.

use core::cell::UnsafeCell;
use core::fmt;
use core::future::Future;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

use super::cell::{CellAddress, Header, TaskCell};
use super::slots::{Chunk, INLINE_BYTES_MAX, OWN_CLASS, SLOT_ALIGN, STEP_BYTES, Slots, class_for};
use crate::error::SpawnError;
use crate::prim::{Ordering, const_fn, planted};

/// Memory for `SLOTS` tasks whose futures and outputs take up to `BYTES` bytes each, to be declared
/// in a `static`.
///
/// Spawn into it with [`LocalHandle::spawn_in`](crate::LocalHandle::spawn_in), or give all its
/// slots to an executor with [`LocalHandle::lend`](crate::LocalHandle::lend).
/// [`task_slab!`](crate::task_slab) declares one that is just large enough for an `async fn`.
///
/// Each slot takes a line of 64 bytes beside its future; `BYTES` is rounded up to whole lines. On
/// machines of 32 bits it takes 40, and `BYTES` is rounded up to a multiple of 8.
///
/// ```
/// use miniss_core::TaskSlab;
/// # use miniss_core::doctest::executor;
///
/// static SLAB: TaskSlab<128, 2> = TaskSlab::new();
///
/// let mut executor = executor();
/// let local = executor.local();
/// let sum = executor.block_on(async move {
///     let a = local.spawn_in(&SLAB, async { 1 }).unwrap();
///     let b = local.spawn_in(&SLAB, async { 2 }).unwrap();
///     a.await.unwrap() + b.await.unwrap()
/// });
/// assert_eq!(sum, 3);
/// ```
///
/// A slab without slots is refused when the program is compiled:
///
/// ```compile_fail
/// # use miniss_core::TaskSlab;
/// static EMPTY: TaskSlab<128, 0> = TaskSlab::new();
/// ```
pub struct TaskSlab<const BYTES: usize, const SLOTS: usize = 1> {
    memory: UnsafeCell<Memory<BYTES, SLOTS>>,
}

/// What a chunk of the heap looks like, too.
#[repr(C)]
struct Memory<const BYTES: usize, const SLOTS: usize> {
    chunk: Chunk,
    slots: [MaybeUninit<Slot<BYTES>>; SLOTS],
}

#[repr(C)]
struct Slot<const BYTES: usize> {
    header: Header,
    payload: [u8; BYTES],
}

// SAFETY: no one uses a slab before it is `'static` and stays where it is.
unsafe impl<const BYTES: usize, const SLOTS: usize> Send for TaskSlab<BYTES, SLOTS> {}
// SAFETY: *One owner*: the memory is touched on one core only.
unsafe impl<const BYTES: usize, const SLOTS: usize> Sync for TaskSlab<BYTES, SLOTS> {}

/// How a slab is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Its slots are free for every task of the executor.
    Lent,
    /// Its slots are for tasks that name the slab.
    Own,
}

/// The word that says who owns a slab: the executor cell's address, and one bit more for how it is
/// used.
fn owner_word(cell: CellAddress, usage: Use) -> *mut () {
    cell.as_ptr().as_ptr().wrapping_byte_add((usage == Use::Own).into())
}

impl<const BYTES: usize, const SLOTS: usize> TaskSlab<BYTES, SLOTS> {
    const SLOT_BYTES: usize = size_of::<Slot<BYTES>>();
    /// What a slot has for tasks of a size class: whole steps.
    const LENT_BYTES: usize = (Self::SLOT_BYTES - size_of::<Header>()) / STEP_BYTES * STEP_BYTES;

    const_fn! {
        /// A slab that no one uses yet.
        pub const fn new() -> Self {
            const { assert!(SLOTS > 0, "SLOTS: one task at least") };
            let chunk = Chunk::empty();
            let memory = Memory { chunk, slots: [const { MaybeUninit::uninit() }; SLOTS] };
            Self { memory: UnsafeCell::new(memory) }
        }
    }

    /// The slab without its type, for tasks of type `F`, which fit its slots.
    pub(crate) fn for_tasks<F: Future>(&'static self) -> ErasedSlab {
        const {
            assert!(
                size_of::<TaskCell<F>>() <= Self::SLOT_BYTES,
                "the future or its output is larger than the slab's BYTES"
            );
            assert!(align_of::<TaskCell<F>>() <= SLOT_ALIGN, "the future is aligned to over 64");
        }
        self.erased()
    }

    fn erased(&'static self) -> ErasedSlab {
        let chunk = NonNull::new(self.memory.get()).expect("a reference is not null").cast();
        ErasedSlab { chunk, slot_bytes: Self::SLOT_BYTES, slots: SLOTS }
    }

    /// Gives all slots to an executor.
    ///
    /// # Safety
    /// As for [`ErasedSlab::take`].
    pub(crate) unsafe fn lend(
        &'static self,
        slots: &Slots,
        cell: CellAddress,
    ) -> Result<(), SpawnError> {
        const {
            assert!(
                BYTES > 0 && BYTES <= INLINE_BYTES_MAX,
                "slots of 1 to 1024 bytes, 320 on 32 bits; larger ones: spawn_in"
            );
            assert!(Self::LENT_BYTES > 0, "on this machine, slots of 64 bytes at least");
        }
        let class = const { class_for(size_of::<Header>() + Self::LENT_BYTES, SLOT_ALIGN) };
        let class = class.expect("checked above");
        // SAFETY: the caller's promise; the class is that of our slots' size.
        unsafe { self.erased().claim(slots, cell, Use::Lent, class) }
    }
}

/// A slab without its type, so that all slabs share the code below.
#[derive(Clone, Copy)]
pub(crate) struct ErasedSlab {
    /// From here all slots may be reached.
    chunk: NonNull<Chunk>,
    slot_bytes: usize,
    slots: usize,
}

impl ErasedSlab {
    /// Takes a free slot.
    ///
    /// # Safety
    /// *Owner only*: the slots are those of the executor cell's present executor, on whose core we
    /// are.
    pub(crate) unsafe fn take(
        self,
        slots: &Slots,
        cell: CellAddress,
    ) -> Result<NonNull<Header>, SpawnError> {
        // SAFETY: the caller's promise; our own slots may have any size.
        unsafe { self.claim(slots, cell, Use::Own, OWN_CLASS) }?;
        // SAFETY: adopted by these slots with that class, just now or before.
        unsafe { slots.take_of(self.chunk) }.ok_or(SpawnError::NoRoom)
    }

    /// Makes the slab the executor cell's, unless it is already.
    ///
    /// # Safety
    /// As for [`take`](Self::take); `class` is `OWN_CLASS` or that of our slots' size.
    unsafe fn claim(
        self,
        slots: &Slots,
        cell: CellAddress,
        usage: Use,
        class: u8,
    ) -> Result<(), SpawnError> {
        let owner = owner_word(cell, usage);
        // Relaxed: only the owner goes on from here. It wrote the word on this core, or on another
        // before the executor cell changed hands, which orders the two.
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        // SAFETY: this line of the memory is only ever shared, and its owner word is an atomic.
        let word = unsafe { &self.chunk.as_ref().owner };
        match word.compare_exchange(ptr::null_mut(), owner, success, failure) {
            Ok(_) => {
                // SAFETY: *One owner*: it is this executor cell, since just now. The memory is
                // `'static` and as large as the chunk says.
                unsafe { slots.adopt(self.chunk, (self.slot_bytes, self.slots), class, cell) };
                Ok(())
            }
            Err(present) if present == owner || planted("slab: whose it is") => Ok(()),
            Err(_) => Err(SpawnError::InUse),
        }
    }
}

impl<const BYTES: usize, const SLOTS: usize> Default for TaskSlab<BYTES, SLOTS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BYTES: usize, const SLOTS: usize> fmt::Debug for TaskSlab<BYTES, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSlab").field("bytes", &BYTES).field("slots", &SLOTS).finish()
    }
}

/// A function of up to eight arguments that returns a future: what an `async fn` is.
///
/// `Arguments` is the tuple of its arguments; the compiler finds it out.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an async fn of up to eight arguments",
    label = "name the function and do not call it: `task_slab!(blink)`"
)]
pub trait TaskFn<Arguments> {
    /// The future that the function returns.
    type Future: Future;
}

macro_rules! task_fn {
    ($($argument:ident)*) => {
        impl<Function, Fut, $($argument),*> TaskFn<($($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Fut,
            Fut: Future,
        {
            type Future = Fut;
        }
    };
}

task_fn!();
task_fn!(A);
task_fn!(A B);
task_fn!(A B C);
task_fn!(A B C D);
task_fn!(A B C D E);
task_fn!(A B C D E F);
task_fn!(A B C D E F G);
task_fn!(A B C D E F G H);

/// How many bytes a task slot needs for the future that `function` returns, or its output.
///
/// ```
/// use miniss_core::{TaskSlab, future_bytes};
///
/// async fn sum(a: u64, b: u64) -> u64 {
///     a + b
/// }
///
/// static SLAB: TaskSlab<{ future_bytes(&sum) }, 4> = TaskSlab::new();
/// # let executor = miniss_core::doctest::executor();
/// # let _ = executor.local().spawn_in(&SLAB, sum(1, 2)).unwrap();
/// ```
pub const fn future_bytes<Function: TaskFn<Arguments>, Arguments>(_function: &Function) -> usize {
    let future = size_of::<Function::Future>();
    let output = size_of::<<Function::Future as Future>::Output>();
    if future > output { future } else { output }
}

/// Declares a [`TaskSlab`](crate::TaskSlab) for the futures of an `async fn`, just large enough,
/// and gives a `&'static` to it. One slot, or as many as are said.
///
/// Each place in the program where it stands has a slab of its own; executed again, it is the same
/// one, which belongs to the first executor that spawns in it: on a second core it is
/// [`InUse`](crate::error::SpawnError::InUse). It cannot stand where the function depends on a
/// generic parameter or on `Self`: declare a `TaskSlab` of a fixed size there.
///
/// ```
/// use miniss_core::task_slab;
/// # use miniss_core::{doctest::executor, error::SpawnError};
///
/// async fn blink(times: u32) -> u32 {
///     times
/// }
///
/// let mut executor = executor();
/// let local = executor.local();
/// let blinking = local.spawn_in(task_slab!(blink), blink(3)).unwrap();
/// assert_eq!(executor.block_on(blinking), Ok(3));
///
/// let two = task_slab!(blink, 2);
/// let _first = local.spawn_in(two, blink(1)).unwrap();
/// let _second = local.spawn_in(two, blink(2)).unwrap();
/// assert_eq!(local.spawn_in(two, blink(3)).unwrap_err(), SpawnError::NoRoom);
/// ```
#[macro_export]
macro_rules! task_slab {
    ($function:expr $(,)?) => {
        $crate::task_slab!($function, 1)
    };
    ($function:expr, $slots:expr $(,)?) => {{
        static TASK_SLAB_OF_THIS_PLACE: $crate::TaskSlab<
            { $crate::future_bytes(&$function) },
            { $slots },
        > = $crate::TaskSlab::new();
        &TASK_SLAB_OF_THIS_PLACE
    }};
}
