//! Journey: one request from `async fn` to the kernel and back, with every stop on the way.
//!
//! ```text
//!  future ─▶ op table ─▶ driver ─▶ kernel
//!    ▲                               │
//!  executor ◀─ queue ◀─ waker ◀─ completion
//!
//!  core A: submit_to ─▶ lane A▸B ─▶ core B (unparked if it sleeps)
//!  core A: waker ◀───── lane B▸A ◀─ runs the call, replies
//! ```
//!
//! Files are named as they lie below `miniss-core/src`. Read this beside them: each section is one
//! file or two. The chapter also answers the three questions the project began with: [how a waker
//! works](#how-does-a-waker-work-here), [how tasks are
//! scheduled](#how-are-tasks-scheduled-efficiently) and [what the least API
//! is](#what-is-the-least-api-we-need).
//!
//! The *owner* is the core, or thread, that runs the executor. What happens there is *local*. What
//! comes from another core, a foreign thread or an interrupt handler is *remote*.
//!
//! # Spawn
//!
//! `executor/spawn.rs`, then `task/slots.rs` and `task/cell.rs`.
//!
//! [`LocalHandle::spawn`](crate::LocalHandle::spawn) knows the future's size when it is compiled,
//! so the size class is a constant (`class_of`, `task/cell.rs`). At run time it checks whether the
//! executor is still there (`open_owner`) and takes the first free slot of that class
//! (`Slots::take`). It writes the future behind the slot's header and sets the state word
//! (`place`), puts the header at the back of the run queue (`Fifo::push`, `executor/wake.rs`), and
//! returns a [`JoinHandle`](crate::JoinHandle) of two words.
//!
//! Only if no slot is free it goes on to `free_slot_slowly`: slots that handles gave back late,
//! then a new chunk from the heap, then a slot of a larger class.
//!
//! *Cache lines:* the head of the free list, the queue and a counter, all of the owner's; the
//! slot's header; the future's own lines; and the header of the task that was last in the queue,
//! whose link now points here. Nothing atomic is modified: the epoch and the state word are relaxed
//! loads and stores.
//!
//! # Poll
//!
//! `executor/turn.rs`, then `executor/run.rs` and `task/cell.rs`.
//!
//! `poll_ready` pops the front of the queue and hands it to `run_task`. `State::start_poll` decides
//! what to do: poll, drop an aborted future, release the slot, or nothing. To poll, `poll_task`
//! makes a waker out of the header's address, which costs nothing and need not be dropped, and
//! calls the future through the task's vtable.
//!
//! - `Pending`: one store (`State::end_poll`), and the task waits. No list knows it. Someone who
//!   has its waker can bring it back.
//! - `Ready`: the future is dropped where it is, the output is written in its place, and the task
//!   that awaits the handle is woken (`finish`). Without a handle the output is dropped at once,
//!   and the slot goes back to its free list.
//!
//! # The state word
//!
//! `task/state.rs`. One word per task, at most one writer at a time. Its bits are private; each
//! change is a method, named by what happens.
//!
//! | method | bits before | bits after | called by |
//! |---|---|---|---|
//! | `spawn` | none | `LIVE FUTURE QUEUED HANDLE` | `place`, `task/cell.rs` |
//! | `start_poll` | `QUEUED` | `RUNNING` instead | `run_task` |
//! | `start_poll`, ended | `QUEUED` | none: perhaps the last to let go | `run_task` |
//! | `end_poll` | `RUNNING` | none of the two: it waits | `poll_task`, after `Pending` |
//! | `wake`, while it waits | | `QUEUED` | `OwnerState::wake`, `OwnerState::drain_inbox` |
//! | `wake`, in its own poll | `RUNNING` | `RUNNING QUEUED` | the same |
//! | `wake`, queued or done | | unchanged | the same |
//! | `request_abort` | `FUTURE` | `FUTURE ABORT` | `JoinHandle::abort` |
//! | `take_future` | `FUTURE` | none | `drop_future`, before the destructor runs |
//! | `put_output` | | `OUTPUT` | `poll`, `task/cell.rs` |
//! | `finish` | `RUNNING`, perhaps `ABORT` | neither | `finish`, `executor/run.rs` |
//! | `take_output` | `OUTPUT` | none | the handle, or `drop_unwanted_output` |
//! | `drop_handle` | `HANDLE` | none | the handle, as it is dropped |
//! | `release` | nothing but `LIVE` and marks | 0 | `Slots::put` |
//!
//! Two marks stay until the release: `SCOPED` (the task borrows from a
//! [`scope`](crate::Executor::scope)) and `FAILED` (a panic ended it). A slot is released by the
//! last of future, output, handle and queue to let go, in whatever order they do.
//!
//! # Wait
//!
//! A future that must wait leaves its waker where the event will come by: in a timer's node, in a
//! wait list ([`collections`](crate::collections)), in an operation's slot, in a promise's cell, in
//! a call's node. All of these are memory that is there already, so to wait allocates nothing.
//!
//! # Local wake
//!
//! `executor/wake.rs`.
//!
//! `wake` reads the executor cell's address from the header and asks the unparker whether the
//! caller [is local](crate::Unpark::is_local). If so, `OwnerState::wake` asks the state word. A
//! task that waits is put at the back of the queue. A task that is queued, done or gone is left
//! alone. A task that wakes itself while it runs is put in the list `behind`.
//!
//! *Cache lines:* the task's header, the unparker (which no one writes to), the owner's queue, and
//! the header of the last task in it. No atomic read-modify-write.
//!
//! # Remote wake
//!
//! `executor/cell.rs`, then `executor/wake.rs`.
//!
//! `wake_remote` raises the flag `in_inbox` in the header. If it was up already, the wake is done:
//! a task stands in the inbox at most once. Otherwise the header is pushed on the inbox, a stack
//! that is linked through the headers, by one compare-exchange. A full fence follows, and a look at
//! `asleep`. If the owner sleeps, the waker that takes that flag down unparks it. So there is one
//! unpark per sleep, however many wakers, and none while the owner is awake.
//!
//! The owner takes the whole stack with one swap, turns it round so that wakes are served in the
//! order they came, and takes each flag down. From then on it is a local wake
//! (`OwnerState::drain_inbox`).
//!
//! *Cache lines:* the task's header and the shared half of the executor cell, both of which move to
//! the waker's core and back. The owner's half is on lines of its own and stays where it is.
//!
//! # A turn
//!
//! `executor/turn.rs`. Once round the loop is:
//!
//! 1. `run_ready`: poll what is in the queue, front to back, until it is empty or the
//!    [budget](crate::Budget) is spent.
//! 2. `gather`: ask the reactor. If anything is ready, [`Reactor::poll`](crate::Reactor::poll),
//!    which does not block; else [`Reactor::park`](crate::Reactor::park), which may.
//! 3. At its end, fire the timers that are due, append the list `behind`, and take in the remote
//!    wakes.
//!
//! [`Executor::block_on`](crate::Executor::block_on) goes round until its own future, which is an
//! ordinary task in a slot of the executor cell, has ended.
//! [`Executor::turn`](crate::Executor::turn) goes round once, for programs that have a loop of
//! their own.
//!
//! # Park
//!
//! `reactor.rs` has the handshake as a drawing.
//!
//! With nothing to run, the executor calls `park` with the earliest deadline of its timers. The
//! reactor calls [`Idle::confirmed`](crate::Idle::confirmed) at the point after which an unpark
//! ends the sleep that follows. That sets `asleep`, passes a full fence and looks at the inbox
//! again. Waker and sleeper both write, pass a fence and then read what the other wrote, so not
//! both can miss the other: either the owner finds the push and stays awake, or the waker finds the
//! flag and unparks.
//!
//! # Timer
//!
//! `timer/sleep.rs`, `timer/wheel.rs`, `timer/list.rs`.
//!
//! The first poll of a [`Sleep`](crate::timer::Sleep) keeps the waker in the node, which is a field
//! of the future, and files the node in the wheel: count the leading zeros of deadline xor present,
//! append to that list. To drop the future unlinks the node. At the end of a turn the wheel is
//! advanced to the present time. Nodes that are due go to one list in order of deadline, and are
//! woken from there one by one. An executor without timers does not even read the clock for it.
//! `next_deadline` is what `park` gets.
//!
//! # Operation
//!
//! `op/table.rs`, `op/slot.rs`.
//!
//! A driver moves what the kernel will touch into a slot ([`OpTable::insert`](crate::op::OpTable))
//! and hands the request over under the id of the key. The future polls with that key and leaves
//! its waker in the slot. When the reactor polls or parks, it reports each completion by id
//! (`complete`), which notes the result and wakes. The task is polled in the next turn, takes the
//! payload out, and reads the result from it (`settle`).
//!
//! If the future is dropped first, the slot stays. The operation is an *orphan* then. It stands in
//! the list of what is to be cancelled, and its terminal completion clears it up. So no future ever
//! owns memory that the kernel may write to.
//!
//! # Promise
//!
//! `promise/state.rs`, `promise/cell.rs`.
//!
//! One value from anywhere to anywhere: [`Promise::complete`](crate::Promise::complete) writes the
//! outcome, copies the waker, and goes to `DONE` by one compare-exchange. Then it wakes, locally or
//! remotely. The future's first poll that has to wait is one compare-exchange too. The last end
//! frees the cell, or leaves it free for the next pair.
//!
//! # A call to another core
//!
//! `call/endpoint.rs`, `call/inner.rs`, `call/peer.rs`, `call/pump.rs`, `call/node.rs`.
//!
//! On core A:
//!
//! 1. [`submit_to`](crate::call::Endpoint::submit_to) takes memory for a *node* (`Memory::take`),
//!    writes the closure into it, and puts it in the lane to core B (`Inner::put`), where B does
//!    not see it yet. The first call of a turn wakes the endpoint's task, the *pump*. The pump
//!    stands behind all tasks that are ready now, so it finds the calls that those made too.
//! 2. The pump publishes them: one store makes all of them visible. Only if B is asleep it wakes
//!    B's pump, by a remote wake as for any task. After every 16 calls they are published without
//!    waiting for the pump.
//!
//! On core B:
//!
//! 3. The executor looks at the lanes to it (`executor/watch.rs`) after each turn, and over and
//!    over while it spins. If there is something, it wakes the pump locally. The pump empties the
//!    lanes and serves each node in order. Work of [`run_on`](crate::call::Endpoint::run_on) runs
//!    right there. Work of `submit_to` is spawned as a task.
//! 4. When the work is done, or dropped, or has panicked, the destructor of `Reply`
//!    (`call/pump.rs`) puts the node in the lane to A. The output lies where the closure was, so
//!    the reply needs no memory. The pump publishes it.
//!
//! On core A again:
//!
//! 5. The pump finds the reply (`Inner::settle`) and wakes the task that awaits the
//!    [`Call`](crate::call::Call). That takes the output and gives the node's memory back.
//!
//! *Cache lines:* per call the node's own, there and back. Per eight calls that of their slots in
//! the lane. The peer's line and the shared half of the executor cell are only read as long as no
//! one sleeps.
//!
//! # How does a waker work here?
//!
//! A [`Waker`](core::task::Waker) is two words: the address of a task's header, and that of the one
//! table of four functions that all of them have (`TABLE`, `executor/wake.rs`).
//!
//! - **Clone and drop do nothing.** A waker owns nothing and counts nothing. This is sound because
//!   the header's memory is never given back: chunks, slabs and the executor cell are forever.
//! - **A local wake** is the state word and a push on a list.
//! - **A remote wake** is a flag, a compare-exchange, a fence, and an unpark if the owner sleeps.
//! - **A stale wake** finds that its task has ended, and does nothing. Or it finds the slot's next
//!   task, which is then polled once too often. `Future` allows that.
//! - **No destructor runs in a wake.** A future is dropped by its own core, always.
//!
//! The price is that memory for tasks stays at its high-water mark; [`decisions`](super::decisions)
//! has the alternatives and what they cost.
//!
//! ```
//! # use core::{future::poll_fn, task::{Poll, Waker}};
//! # use miniss_core::doctest::executor;
//! # let mut executor = executor();
//! let wakers: Vec<Waker> = executor.block_on(poll_fn(|cx| {
//!     assert_eq!(size_of_val(cx.waker()), 2 * size_of::<usize>());
//!     Poll::Ready(vec![cx.waker().clone(); 1_000]) // copies of two words
//! }));
//! // The task has ended. Its wakers are good for any thread, forever.
//! std::thread::spawn(move || wakers.into_iter().for_each(Waker::wake)).join().unwrap();
//! drop(executor);
//! ```
//!
//! # How are tasks scheduled efficiently?
//!
//! **One queue, first in, first out.** The oldest wake is served first, so a task that is ready is
//! polled after those that were ready before it. Nothing is sorted and nothing is searched: push
//! and pop are a few loads and stores. The links are in the headers, and a task is queued at most
//! once, so the queue needs no memory and cannot be full. A last-in-first-out slot for the task
//! just woken would be warmer in cache, but two tasks that wake each other could keep all others
//! waiting.
//!
//! **A task that wakes itself goes behind the reactor.** A task that yields is ready again at once.
//! In the queue it would be polled again in this very turn, and two such tasks would keep the loop
//! from ever asking the reactor. In the list `behind` it waits until reactor and timers have been
//! asked. Then it stands after all that these woke, and before the remote wakes, which are younger.
//! If the unparker cannot tell who is local, the inbox has the same effect, because it is emptied
//! after the reactor. So a loop around [`yield_now`](crate::combine::yield_now) starves neither I/O
//! nor timers.
//!
//! **A budget ends a turn** (`executor/budget.rs`): by default 256 polls or half a millisecond,
//! whichever is first. Tasks that wake each other never empty the queue, and then only the budget
//! gets the reactor its turn. The clock is read once in 32 polls as long as they are quick, and
//! more often once they took long, down to each poll. Tasks that remain keep their place. A poll
//! that takes long is not interrupted, because there is no way to. It may ask
//! [`maybe_yield`](crate::combine::maybe_yield), and if its time is up, the turn ends with it:
//! tasks that wait go to the list `behind`.
//!
//! **Groups share the time** (`executor/group_table.rs`), if the program has made some. Wakes are
//! as before. While the main group has all the work, turns are as without groups, up to the first
//! task of another group that the loop meets. Else a turn first moves the tasks that are ready to
//! the queues of their groups. Then the group that has used least, in proportion to its shares,
//! runs until its queue is empty or the turn ends. The clock is read between two groups, not
//! between two tasks.
//!
//! **A budget ends a poll** (`coop.rs`): a future that is ready does not come back to the loop, so
//! a loop around such futures would never end its poll. In each poll the leaves of a task may give
//! 128 results. Then the next one wakes its task and is pending, as if it had to wait. It finds the
//! budget by the task's waker: header, executor cell, owner.
//!
//! **No task is polled without a reason.** A turn touches the tasks that were woken and no others,
//! so a million waiting tasks cost memory and no time. However often a task is woken before its
//! turn comes, it is polled once.
//!
//! **No stealing.** A task runs where it was spawned. Another core gets work by a
//! [call](crate::call), which is a message. So there is no lock and no atomic read-modify-write in
//! the queue, in timers, or in the semaphores and channels that tasks of one core share.
//!
//! **Reactor last, and once.** The reactor and the pump come after the tasks. So all requests of a
//! turn's tasks are handed over at once, and calls to another core become visible together, or
//! after every 16. An executor that has nothing to do makes one call, `park`, and comes back when
//! there is something to do.
//!
//! The order can be seen from outside:
//!
//! ```
//! use std::{cell::RefCell, rc::Rc};
//! use miniss_core::combine::yield_now;
//! # let mut executor = miniss_core::doctest::executor();
//! # let local = executor.local();
//!
//! let order = Rc::new(RefCell::new(Vec::new()));
//! for name in ["a", "b"] {
//!     let order = order.clone();
//!     local.spawn(async move {
//!         order.borrow_mut().push(name);
//!         yield_now().await; // behind every task that is ready, and behind the reactor
//!         order.borrow_mut().push(name);
//!     }).unwrap().detach();
//! }
//! executor.turn();
//! assert_eq!(*order.borrow(), ["a", "b"]);
//! executor.turn();
//! assert_eq!(*order.borrow(), ["a", "b", "a", "b"]);
//! assert_eq!(local.stats().polls, 4);
//! ```
//!
//! # What is the least API we need?
//!
//! Between a task and its executor there is only what the language has: [`core::future::Future`],
//! [`Context`](core::task::Context), [`Waker`](core::task::Waker). Futures of other crates run
//! here, and most futures of this crate run elsewhere. Between the executor and the world there are
//! three traits and one question:
//!
//! | what | methods | who has it |
//! |---|---|---|
//! | [`Unpark`](crate::Unpark) | `unpark`; `is_local`, for speed | every thread, forever |
//! | [`Clock`](crate::Clock) | `now` | the same |
//! | [`Reactor`](crate::Reactor) | `poll`, `park` | the executor, by value |
//! | [`Idle`](crate::Idle) | `confirmed` | `park` calls it before it sleeps |
//!
//! And three types to use them: [`ExecutorCell`](crate::ExecutorCell), in a `static`;
//! [`Executor`](crate::Executor), with `new` and `block_on`; [`LocalHandle`](crate::LocalHandle),
//! with `spawn` and `now`. Operations, calls, locks, channels and combinators are built on these. A
//! program that does not use them does not link them. Timers are the exception:
//! what keeps them is part of the executor, since `park` must know the next deadline. The port
//! chooses it: a wheel, a list, or none.
//!
//! What is not there: no global that must be defined, no symbol that the linker must find, no macro
//! around `main`, no `Send` asked of tasks, no registration of pollers, no allocator.
//!
//! This is a whole port and a program on it. It never sleeps, so it needs no unparker:
//!
//! ```
//! use core::time::Duration;
//! use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, TaskSlab, Unpark};
//! use miniss_core::time::Instant;
//! use miniss_core::timer::{Sleep, TimerList};
//!
//! struct Counter;
//!
//! // SAFETY: `is_local` keeps its default.
//! unsafe impl Unpark for Counter {
//!     fn unpark(&self) {}
//! }
//!
//! impl Clock for Counter {
//!     type Timers = TimerList; // for a few; for many, a wheel
//!
//!     fn now(&self) -> Instant {
//! #       static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
//! #       let start = START.get_or_init(std::time::Instant::now);
//! #       let ticks_ns = || start.elapsed().as_nanos() as u64;
//!         Instant::from_nanos(ticks_ns()) // a counter of the machine
//!     }
//! }
//!
//! struct Spin;
//!
//! impl Reactor for Spin {
//!     type Unparker = Counter;
//!     fn poll(&mut self) -> usize {
//!         0
//!     }
//!     fn park(&mut self, _deadline: Option<Instant>, _idle: Idle<'_>) {}
//! }
//!
//! static CORE: ExecutorCell<Counter> = ExecutorCell::new(Counter);
//! static TASKS: TaskSlab<256, 4> = TaskSlab::new();
//!
//! let mut executor = Executor::new(&CORE, Spin).unwrap();
//! let local = executor.local();
//! local.lend(&TASKS).unwrap();
//! let task = local.spawn(async move {
//!     Sleep::new(local, Duration::from_millis(1)).await;
//!     6 * 7
//! });
//! assert_eq!(executor.block_on(task.unwrap()), Ok(42));
//! ```
//!
//! [`porting`](super::porting) makes one that sleeps.
