//! Porting: from a timer and a way to sleep to an executor of your own.
//!
//! `task ─▶ run queue ─▶ executor ─▶ [reactor and bell] ─▶ whatever there is`
//!
//! A port is two types. The *reactor* is a value that the executor owns and asks for events. The
//! *bell* is the small part of it that everybody may reach, from any core and from interrupt
//! handlers. There is nothing to link, no global to define and no macro: two executors on two
//! ports live in one program side by side.
//!
//! This chapter walks through `examples/own-reactor/port.rs`, a port to Linux over `ppoll`. Run it
//! with `cargo run --example own-reactor`. `examples/no-libc` is nearly the same port without std
//! and libc, and `examples/bare-metal` has one for interrupts and `hlt`.
//!
//! # The bell
//!
//! A [`Doorbell`](crate::Doorbell) has three methods. **`ring`** ends the sleep of the core that
//! the bell belongs to. Here it writes to an eventfd:
//!
//! ```text
//! fn ring(&self) {
//!     let _ = (&self.eventfd).write(&1_u64.to_ne_bytes());
//! ```
//!
//! It is called at most once per sleep, and only when the core has announced one, so it may be as
//! dear as a system call or an interrupt to another processor. What it must be is *sticky*: a ring
//! that comes between the last look and the sleep must end that sleep at once. An eventfd that has
//! been written to makes `ppoll` return; an interrupt that is pending ends `sti; hlt`.
//!
//! **`now`** is a clock that never goes back, in nanoseconds from anywhere.
//!
//! **`is_home`** answers whether the caller runs on the executor's own core, outside of any
//! handler. It makes the trait unsafe, for what it guards is not atomic. The default, `false`, is
//! always sound: then every wake takes the way of the foreign ones, one compare-and-swap. With
//! `true` a wake at home is a few plain loads and stores. The example compares thread numbers; on
//! bare metal one core id register does, if handlers are told apart.
//!
//! # The reactor
//!
//! A [`Reactor`](crate::Reactor) has two. **`poll`** takes what has happened, wakes its tasks, and
//! never blocks. **`park`** may sleep until the deadline, an event or the bell, whichever is first.
//! Both are the same code here, but for one question:
//!
//! ```text
//! fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
//!     if idle.confirmed() {
//!         self.wait(deadline);
//! ```
//!
//! [`Idle::confirmed`](crate::Idle::confirmed) announces the sleep and looks once more. Call it at
//! the point from which on a ring ends the sleep that follows. Over `ppoll` that is any time before
//! the call, since the eventfd stays readable. With interrupts it is between `cli` and `sti; hlt`,
//! for an interrupt that comes in between stays pending. That one line is all the care about lost
//! wakes that a port has to take.
//!
//! Nothing else is asked for. What the reactor knows of descriptors, pins or queues is between it
//! and the futures that it comes with: here a set of descriptors and wakers, which both ends share.
//!
//! # The anchor
//!
//! Wakers outlive everything, so what they point to is never given back: the
//! [`Anchor`](crate::Anchor), one per core, in a `static` or leaked. It holds the bell, the run
//! queue, the inbox for foreign wakes, the timers and the slots of the tasks. An
//! [`Executor`](crate::Executor) borrows it for as long as it lives, and the next one may have it
//! afterwards.
//!
//! # Without a heap
//!
//! Without the `alloc` feature everything is there but what grows:
//!
//! | instead of | take |
//! |---|---|
//! | tasks on the heap | [`TaskSlab`](crate::TaskSlab): [`spawn_in`](crate::Local::spawn_in) with [`task_slab!`](crate::task_slab), or [`lend`](crate::Local::lend) and `spawn` as usual |
//! | a spawn that may fail | [`reserve`](crate::Local::reserve) first |
//! | tasks that own what they use | [`Executor::scope`](crate::Executor::scope): tasks that borrow |
//! | `Future::new` | [`PromiseCell`](crate::PromiseCell) |
//! | `Mesh::new` | [`FixedMesh`](crate::mailbox::FixedMesh) |
//! | `OpTable::new` | [`FixedOps`](crate::op::FixedOps) |
//! | `channel::bounded` | [`Channel`](crate::sync::channel::Channel) |
//!
//! # Interrupts and other cores
//!
//! A waker may be used in an interrupt handler, be it of the same core. The wake is lock-free and
//! takes a bounded number of steps unless another core wakes at the very same moment. It allocates
//! nothing, runs no destructor, and rings only if the core sleeps. `examples/bare-metal` wakes
//! tasks from the timer's and the serial port's interrupts.
//!
//! Two cores are two anchors, two executors and one [mesh](crate::mailbox). The second kernel in
//! `examples/bare-metal` sends 2,000 requests from one to the other and counts the interrupts.
//!
//! # What a port may rely on, and where it is shown
//!
//! | | shown by |
//! |---|---|
//! | one trait, a value; two executors in one program | `examples/own-reactor/main.rs`, run by `tests/tests/bare/main.rs`; `miniss-core/src/executor/tests/port.rs` |
