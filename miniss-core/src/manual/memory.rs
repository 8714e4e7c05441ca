//! Memory: where every byte lives, what is bounded, what *full* answers, what is never given back.
//!
//! The rule is that what waits or runs brings its own memory. Queues are links inside the tasks,
//! timers and calls themselves. So most structures cannot be full, and the others return an error
//! when they are. Sizes here are for machines with words of 64 bits. The examples check them: a
//! figure that is out of date fails a test.
//!
//! # The executor cell
//!
//! An [`ExecutorCell`](crate::ExecutorCell) has all of an executor that others may point to, and
//! lives forever: in a `static`, or leaked once. It has the inbox, the run queue, the heads of the
//! free lists, the counters, one slot for the main future, the timer wheel, and your unparker. The
//! wheel is most of it: eleven levels of 64 lists, a word each. A port with few timers
//! [chooses](crate::Clock::Timers) a list of two words instead, or none.
//!
//! ```
//! # #[cfg(target_pointer_width = "64")] {
//! # use miniss_core::{ExecutorCell, doctest::Unparker, timer::Wheel};
//! assert_eq!(size_of::<Wheel>(), 5_752);
//! assert_eq!(size_of::<ExecutorCell<Unparker>>(), 6_528); // with an unparker of 8 bytes
//! # }
//! ```
//!
//! It is aligned to a pair of cache lines, and the half that other cores write to has a pair of its
//! own. The [`Executor`](crate::Executor) itself is a few words beside your reactor, wherever you
//! put it; a [`LocalHandle`](crate::LocalHandle) is two words and a
//! [`JoinHandle`](crate::JoinHandle) is two.
//!
//! # Tasks
//!
//! A task lives in a *slot*: a header of one line of 64 bytes, and behind it the future, later its
//! output, in whole lines. There are 16 size classes, of 64, 128, … 1,024 bytes behind the header.
//! A task takes a slot of the smallest class that fits the larger of its future and its output.
//!
//! Slots come from
//!
//! - the heap: [`LocalHandle::spawn`](crate::LocalHandle::spawn). A class without a free slot grows
//!   by a chunk of about 16 KiB. If there is no memory for a chunk, the task takes a slot of a
//!   larger class. If there is none either, the answer is
//!   [`SpawnError::NoRoom`](crate::error::SpawnError::NoRoom);
//! - a slab that was lent: [`LocalHandle::lend`](crate::LocalHandle::lend), and then `spawn` as
//!   above;
//! - a slab of the task's own: [`LocalHandle::spawn_in`](crate::LocalHandle::spawn_in), with
//!   [`task_slab!`](crate::task_slab). When its slots are taken, `NoRoom`, whatever there is
//!   elsewhere;
//! - any of the first two, ahead of time: [`LocalHandle::reserve`](crate::LocalHandle::reserve). It
//!   may answer `NoRoom`; the spawn that follows cannot;
//! - the executor cell: [`Executor::block_on`](crate::Executor::block_on) has a slot of its own for
//!   its future's task, which only refers to the future on the stack.
//!
//! A future or output of more than 1,024 bytes, or aligned to more than 64, goes into a box of its
//! own, and the slot holds the box. Without a heap the answer is
//! [`SpawnError::TooLarge`](crate::error::SpawnError::TooLarge). The box is freed with the future;
//! the slot stays.
//!
//! A [`TaskSlab`](crate::TaskSlab) has one line beside its slots, as a chunk of the heap has. The
//! line says how large the slots are and which executor cell they belong to.
//!
//! ```
//! # #[cfg(target_pointer_width = "64")] {
//! use miniss_core::{TaskSlab, future_bytes};
//!
//! const fn slab_bytes(payload: usize, slots: usize) -> usize {
//!     64 + slots * (64 + payload.next_multiple_of(64))
//! }
//! assert_eq!(size_of::<TaskSlab<64>>(), slab_bytes(64, 1));
//! assert_eq!(size_of::<TaskSlab<100, 8>>(), slab_bytes(100, 8));
//!
//! async fn sum(a: u64, b: u64) -> u64 {
//!     a + b
//! }
//! // The compiler says how large a future is, and `task_slab!` uses that:
//! assert!(future_bytes(&sum) <= 64);
//! # }
//! ```
//!
//! A task of a [`scope`](crate::Executor::scope) borrows. It lives in a slot like any other. If its
//! future is pinned on the stack and only the reference is spawned, the slot is one of the
//! smallest.
//!
//! # Promises
//!
//! `Future::new` allocates one cell for both ends: a word of state and two
//! words of waker beside the outcome. The last end out frees it. A
//! [`PromiseCell`](crate::PromiseCell) is the same cell in a `static`, for one pair at a time;
//! while a pair uses it, [`pair`](crate::PromiseCell::pair) answers `None`.
//!
//! ```
//! # #[cfg(target_pointer_width = "64")] {
//! # use miniss_core::{Future, Promise, PromiseCell};
//! assert_eq!(size_of::<PromiseCell<()>>(), 24);
//! assert_eq!(size_of::<PromiseCell<u32>>(), 32);
//! assert_eq!((size_of::<Future<u32>>(), size_of::<Promise<u32>>()), (16, 8)); // the two ends
//! # }
//! ```
//!
//! # Timers and wait lists
//!
//! The nodes are fields of the futures that wait. A [`Sleep`](crate::timer::Sleep) is a node of 56
//! bytes, its deadline and its handle to the clock. A [`Waiter`](crate::collections::Waiter) in a
//! lock, channel or event is 48 bytes and its payload. So a task pays for what it waits for with
//! its own size, and an armed timer or a thousandth waiter needs no other memory.
//!
//! ```
//! # #[cfg(target_pointer_width = "64")] {
//! # use miniss_core::{LocalHandle, timer::Sleep, doctest::Unparker};
//! # use miniss_core::collections::{WaitList, Waiter};
//! assert_eq!(size_of::<Sleep<LocalHandle<Unparker>>>(), 56 + 8 + 16);
//! assert_eq!(size_of::<Waiter<'static, ()>>(), 48);
//! assert_eq!(size_of::<WaitList<()>>(), 24);
//! # }
//! ```
//!
//! # Operations
//!
//! A slot of an [`OpTable`](crate::op::OpTable) is two lines: one for the state and one, 64 bytes,
//! for what the kernel may touch. Results of a multishot operation that no one has collected yet
//! wait in parts of 12 bytes each, which all slots share.
//!
//! On the heap a table allocates its first 32 slots when it is first used. Whenever all are taken
//! it allocates a chunk twice as large as the last one; it touches a slot when it is first needed.
//! An operation that is too large for a slot takes a block of 384 bytes, of which the table keeps
//! up to 256 for the next ones. What is larger still is boxed. [`FixedOps`](crate::op::FixedOps)
//! has all of it in a `static`: as many slots and parts as its type says, and no blocks. There,
//! large buffers are lent to the operation.
//!
//! ```
//! # #[cfg(target_pointer_width = "64")] {
//! # use miniss_core::op::FixedOps;
//! let bytes = size_of::<FixedOps<8, 16>>() - size_of::<FixedOps<0, 0>>();
//! assert_eq!(bytes, 8 * 128 + 16 * 12);
//! # }
//! ```
//!
//! # Calls
//!
//! One *node* per call, there and back: 56 bytes, and the larger of the closure and its output, in
//! whole lines.
//!
//! A `Mesh` has nodes from the heap. Each endpoint keeps up to 1,024 nodes of each size up to 512
//! bytes for the next call; others go back to the heap. A [`FixedMesh`](crate::call::FixedMesh) has
//! all in a `static`: for each core its places for calls, its endpoint, a list of unsent calls for
//! each other core and two slots for its task; and for each ordered pair of cores a lane.
//!
//! ```
//! # #[cfg(target_pointer_width = "64")] {
//! # use miniss_core::{doctest::Unparker, call::FixedMesh};
//! // 32 calls of each of two cores, with closures and outputs of up to 72 bytes: lines of 64.
//! let one = size_of::<FixedMesh<Unparker, 2, 1, 72>>();
//! let many = size_of::<FixedMesh<Unparker, 2, 33, 72>>();
//! assert_eq!(many - one, 2 * 32 * (56 + 72));
//! assert_eq!(one, 4_352); // everything else
//! // A lane has 8 bytes for each call that it holds, in whole pairs of lines: here four of them.
//! let longer = size_of::<FixedMesh<Unparker, 2, 1, 72, 32>>();
//! assert_eq!(longer - one, 4 * 16 * 8);
//! # }
//! ```
//!
//! # What the heap is asked for
//!
//! In the steady state nothing. This is what the first of each kind costs:
//!
//! ```standalone_crate
//! # #[cfg(target_pointer_width = "64")] {
//! # use std::alloc::{GlobalAlloc, Layout, System};
//! # use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
//! # use miniss_core::{Future, doctest::executor, op::{Completion, OpTable, Operation}};
//! # struct Count;
//! # static BYTES: AtomicUsize = AtomicUsize::new(0);
//! # // SAFETY: passes everything on to the system's allocator.
//! # unsafe impl GlobalAlloc for Count {
//! #     unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
//! #         BYTES.fetch_add(layout.size(), Relaxed);
//! #         unsafe { System.alloc(layout) }
//! #     }
//! #     unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
//! #         unsafe { System.dealloc(memory, layout) }
//! #     }
//! # }
//! # #[global_allocator]
//! # static COUNT: Count = Count;
//! # fn allocated(act: impl FnOnce()) -> usize {
//! #     let before = BYTES.load(Relaxed);
//! #     act();
//! #     BYTES.load(Relaxed) - before
//! # }
//! # struct Nop;
//! # impl Operation for Nop {
//! #     type Output = i32;
//! #     fn settle(self, completion: Completion) -> i32 { completion.result }
//! # }
//! # fn run(table: &OpTable) {
//! #     let key = table.insert(Nop);
//! #     table.complete(key.id(), Completion { result: 0, flags: 0 }, false);
//! #     table.orphan(key);
//! # }
//! let executor = executor();
//! let spawn = || executor.local().spawn(async {}).unwrap().detach();
//! assert_eq!(allocated(spawn), 64 + 128 * (64 + 64)); // a chunk: its line, and 128 slots
//! assert_eq!(allocated(spawn), 0);
//!
//! let table = OpTable::new();
//! assert_eq!(allocated(|| run(&table)), 32 * 128);
//! assert_eq!(allocated(|| run(&table)), 0);
//!
//! assert_eq!(allocated(|| drop(Future::<u32>::new())), 32);
//! # }
//! ```
//!
//! # With and without `alloc`
//!
//! The feature only adds. The one difference in behaviour is what happens when a task needs a slot
//! and there is none.
//!
//! | | with `alloc` | without |
//! |---|---|---|
//! | tasks | chunks from the heap, and slabs | slabs |
//! | futures over 1,024 bytes | boxed | `TooLarge`; or on the stack, in a scope |
//! | promises | `Future::new`, and `PromiseCell` | `PromiseCell` |
//! | timers, wait lists, run queue, inbox | no memory of their own | the same |
//! | operations | `OpTable::new`, and `OpTable::fixed` | `OpTable::fixed` |
//! | calls | `Mesh`, and `FixedMesh` | `FixedMesh` |
//! | channels | `bounded`, `unbounded`, and `Channel` | `Channel` |
//! | wakers of more than eight parts | 128 bytes for 64 of them | that of the task, for all |
//! | shared promises | `SharedPromise`, and `SharedCell` | `SharedCell` |
//!
//! # What is bounded, and what *full* answers
//!
//! Run queue, inbox, timers, wait lists and unsent calls are links inside the tasks, timers and
//! calls themselves. They cannot be full. The others:
//!
//! | what | its bound | when it is full |
//! |---|---|---|
//! | slots | slabs, or the heap | [`NoRoom`], and the future is dropped; or [`reserve`] first |
//! | a `PromiseCell` | one pair | `None` |
//! | operations | slots in a `static`, or the heap | [`try_insert`] gives the operation back |
//! | a lane | its slots | more calls wait on the sender's side, which is woken |
//! | replies | | they always have room, in the request's node |
//! | calls of a `FixedMesh` | `CALLS` per core | [`try_submit_to`] gives the work back |
//! | calls of a `Mesh`, promises on the heap | the heap | the program ends |
//! | a channel (not `unbounded`) | its capacity | [`try_send`] gives the value back |
//!
//! When the heap has no memory left the program ends, as allocations in Rust do. A call of
//! [`submit_to`](crate::call::Endpoint::submit_to) that finds no place in a fixed mesh ends with
//! [`CallError::NoRoom`](crate::error::CallError::NoRoom) instead.
//!
//! [`NoRoom`]: crate::error::SpawnError::NoRoom
//! [`reserve`]: crate::LocalHandle::reserve
//! [`try_insert`]: crate::op::OpTable::try_insert
//! [`try_submit_to`]: crate::call::Endpoint::try_submit_to
//! [`try_send`]: crate::sync::channel::Sender::try_send
//!
//! # What is never given back, and why
//!
//! - **An executor cell**, since wakers and handles may point at it forever.
//! - **Chunks and slabs**, since wakers point at their headers. They stay with their executor cell,
//!   and the next executor on it uses them again. So memory for tasks stays at its high-water mark:
//!   headers and what lies behind them. What futures own is freed with them.
//! - **A slot that a handle still holds**, until the handle is dropped. Then it is free again, also
//!   long after the executor has ended, or when another thread's executor uses the cell.
//! - **A slot after 2³² tasks**: its generations are used up, and it retires.
//! - **What a `FixedMesh` has for a core**: its endpoint is opened once.
//! - **Slots of an `OpTable`**, until the table goes; and then, if an operation is still in flight,
//!   forever, since the kernel may still write there.
//! - **What is forgotten**: the slot of a `JoinHandle`, `Reservation` or `OpKey`, and the node of a
//!   `Call`, that went through [`core::mem::forget`].
//!
//! # A budget for a board
//!
//! All that is static is in the image, and `size_of` knows it when the program is compiled. A
//! sensor node with one core, four kinds of long-lived tasks, up to eight short ones at a time, and
//! four promises under way:
//!
//! ```
//! # #[cfg(target_pointer_width = "64")] {
//! # use miniss_core::{ExecutorCell, PromiseCell, TaskSlab, doctest::Unparker};
//! const CELL: usize = size_of::<ExecutorCell<Unparker>>();
//! const LONG: usize = 4 * size_of::<TaskSlab<256>>(); // or `task_slab!`: just large enough
//! const SHORT: usize = size_of::<TaskSlab<128, 8>>(); // lent
//! const PROMISES: usize = 4 * size_of::<PromiseCell<u32>>();
//! assert_eq!(CELL + LONG + SHORT + PROMISES, 6_528 + 4 * 384 + 1_600 + 128);
//! assert!(CELL + LONG + SHORT + PROMISES < 10 * 1024);
//! # }
//! ```
//!
//! A second core is a second executor cell with its slabs, and a mesh:
//!
//! ```
//! # #[cfg(target_pointer_width = "64")] {
//! # use miniss_core::{ExecutorCell, TaskSlab, doctest::Unparker, call::FixedMesh};
//! const EACH: usize = size_of::<ExecutorCell<Unparker>>() + size_of::<TaskSlab<128, 8>>();
//! const MESH: usize = size_of::<FixedMesh<Unparker, 2, 16, 72>>(); // 16 calls from each core
//! assert!(2 * EACH + MESH < 25 * 1024);
//! # }
//! ```
//!
//! The stack comes in addition: a turn needs as much as the deepest poll, once per core, however
//! many tasks there are. Measure it with the tools of your target. To find out how large a task is,
//! ask [`future_bytes`](crate::future_bytes). One that is larger than expected usually keeps a
//! buffer over an await, or awaits by `async` blocks a future that it was given: those hold it
//! twice, the combinators in [`combine`](crate::combine) do not.
//!
//! # Small machines
//!
//! On machines of 32 bits pointers halve, and nothing is padded to cache lines: a header is 40
//! bytes, slots of slabs are rounded up to 8 bytes, and there are 5 size classes, up to 320 bytes.
//! A slab that is lent serves the largest class that its slots fit, from 64 bytes on; so there give
//! it a multiple of 64. A future that is aligned to more than 8 bytes needs a box.
//!
//! A port with few timers chooses [`TimerList`](crate::timer::TimerList) in its
//! [`Clock`](crate::Clock): 16 bytes instead of a wheel of 3 KiB. Then an executor cell has 296
//! bytes and the unparker.
//!
//! [`porting`](super::porting#how-small) has the sizes of whole programs.
