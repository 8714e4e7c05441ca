//! Porting: from a timer and a way to sleep to an executor of your own.
//!
//! A port is two types. The *reactor* is a value that the executor owns and asks for events. The
//! *unparker* is the small part that every core and interrupt handler may use. There is nothing to
//! link, no global to define and no macro: two executors on two ports can run in one program.
//!
//! This chapter walks through `examples/own-reactor/port.rs`, a port to Linux over `ppoll`. Run it
//! with `cargo run --example own-reactor`. `examples/no-libc` is nearly the same port without std
//! and libc, and `examples/bare-metal` has one for interrupts and `hlt`. `examples/machines` has
//! ports of a page each to a Cortex-M4, to RISC-V of 32 bits and to AArch64, under one program.
//!
//! # The unparker
//!
//! The unparker implements [`Unpark`](crate::Unpark) and [`Clock`](crate::Clock). **`unpark`** ends
//! the sleep of the core that the unparker belongs to. Here it writes to an eventfd:
//!
//! ```text
//! fn unpark(&self) {
//!     let _ = (&self.eventfd).write(&1_u64.to_ne_bytes());
//! ```
//!
//! It is called at most once per sleep, and only when the core has announced one. So it may cost as
//! much as a system call or an interrupt to another processor. It must be *sticky*: a call that
//! comes between the last look and the sleep must end that sleep at once. An eventfd that has been
//! written to makes `ppoll` return; an interrupt that is pending ends `sti; hlt`.
//!
//! **`now`** is a clock that never goes back, in nanoseconds from anywhere. A timer of 32 bits
//! becomes one of 64 with an interrupt at each half of its range, which counts the halves. Read the
//! count first and the timer after it. The result is right as long as that interrupt is late by
//! less than half the range:
//!
//! ```
//! fn ticks(halves: u32, timer: u32) -> u64 {
//!     (u64::from(halves) << 31) + u64::from(timer ^ (halves & 1) << 31)
//! }
//! assert_eq!(ticks(0, 0x7fff_ffff), 0x7fff_ffff);
//! assert_eq!(ticks(0, 0x8000_0000), 0x8000_0000); // not counted yet
//! assert_eq!(ticks(1, 0x8000_0000), 0x8000_0000);
//! assert_eq!(ticks(1, 0), 0x1_0000_0000); // nor is the second half
//! assert_eq!(ticks(2, 0), 0x1_0000_0000);
//! ```
//!
//! Ticks become nanoseconds by [`from_ticks`](crate::time::Instant::from_ticks), and the deadline
//! of `park` becomes ticks by [`to_ticks`](crate::time::Instant::to_ticks). Both are exact for 584
//! years, where `ticks * 1_000_000_000 / 32_768` overflows after 6 days.
//!
//! **`is_local`** answers whether the caller runs on the executor's own core, outside of any
//! handler. It makes the trait unsafe, because what it guards is not atomic. The default, `false`,
//! is always sound: then every wake is a remote one, with one compare-and-swap. With `true` a local
//! wake is a few plain loads and stores. The example compares thread numbers. On bare metal the
//! register with the core's number is enough, if handlers are told apart.
//!
//! # The reactor
//!
//! A [`Reactor`](crate::Reactor) has two. **`poll`** takes what has happened, wakes its tasks, and
//! never blocks. **`park`** may sleep until the deadline, an event or the unparker, whichever is
//! first. Both are the same code here, but for one question:
//!
//! ```text
//! fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
//!     if idle.confirmed() {
//!         self.wait(deadline);
//! ```
//!
//! [`Idle::confirmed`](crate::Idle::confirmed) announces the sleep and looks once more. Call it at
//! the point after which an unpark ends the sleep that follows. Over `ppoll` that is any time
//! before the call, because the eventfd stays readable. With interrupts it is between `cli` and
//! `sti; hlt`, because an interrupt that comes in between stays pending. With that one line a port
//! loses no wake.
//!
//! The executor asks for nothing else. Descriptors, pins or queues are between the reactor and its
//! own futures: here a set of descriptors and wakers, which both share.
//!
//! # The executor cell
//!
//! Wakers may outlive everything, so the memory that they point to is never given back: the
//! [`ExecutorCell`](crate::ExecutorCell), one per core, in a `static` or leaked. It holds the
//! unparker, the run queue, the inbox for remote wakes, the timers and the slots of the tasks. An
//! [`Executor`](crate::Executor) uses it for as long as it lives, and the next one may use it
//! afterwards.
//!
//! # Without a heap
//!
//! Without the `alloc` feature only what grows is missing:
//!
//! | instead of | take |
//! |---|---|
//! | tasks on the heap | [`TaskSlab`](crate::TaskSlab): [`spawn_in`](crate::LocalHandle::spawn_in) with [`task_slab!`](crate::task_slab), or [`lend`](crate::LocalHandle::lend) and `spawn` as usual |
//! | a spawn that may fail | [`reserve`](crate::LocalHandle::reserve) first |
//! | tasks that own what they use | [`Executor::scope`](crate::Executor::scope): tasks that borrow |
//! | `Future::new` | [`PromiseCell`](crate::PromiseCell) |
//! | `SharedFuture::new` | [`SharedCell`](crate::sync::SharedCell) |
//! | `Mesh::new` | [`FixedMesh`](crate::call::FixedMesh) |
//! | `OpTable::new` | [`FixedOps`](crate::op::FixedOps) |
//! | `channel::bounded` | [`Channel`](crate::sync::channel::Channel) |
//! | `watch::channel` | [`Watch`](crate::sync::watch::Watch) |
//! | `broadcast::channel` | [`Broadcast`](crate::sync::broadcast::Broadcast) |
//! | `Rc<Gate>`, `Rc<AbortSource>` and the like | references to one on the stack of `main`, see below |
//! | `max_concurrent_for_each` | [`max_concurrent_for_each_fixed`](crate::combine::max_concurrent_for_each_fixed) |
//! | `when_all` over a `Vec` | [`when_all`](crate::combine::when_all) over a tuple or an array |
//!
//! ## What tasks share
//!
//! A gate, a channel or a table of operations belongs to one core and is not `Sync`, so it cannot
//! stand in a `static`. It stands on the stack of `main`, and the tasks that use it run in a
//! [scope](crate::Executor::scope):
//!
//! ```
//! use core::pin::pin;
//! use miniss_core::TaskSlab;
//! use miniss_core::sync::{Gate, channel::Channel};
//! # use miniss_core::doctest::executor;
//!
//! static TASKS: TaskSlab<64, 2> = TaskSlab::new();
//!
//! let mut executor = executor();
//! executor.local().lend(&TASKS).unwrap();
//!
//! let gate = Gate::new();
//! let mut channel = Channel::<u32, 4>::new();
//! let (sender, mut receiver) = channel.split();
//! let produce = pin!(gate.with(async move { sender.send(7).await }));
//! let consume = pin!(async move {
//!     while let Some(number) = receiver.recv().await {
//!         assert_eq!(number, 7);
//!     }
//! });
//! executor.scope(async |scope| {
//!     scope.spawn(produce).unwrap().detach();
//!     scope.spawn(consume).unwrap().detach();
//!     gate.close().await; // waits until `produce` has ended
//! });
//! ```
//!
//! The two futures lie on the stack as well, pinned, so a slot needs room only for a reference.
//!
//! Tasks that are spawned from elsewhere must be `'static`, and so must be what they use. For them
//! a cell in a `static` takes a value once and hands out `&'static mut`; the crate `static_cell`
//! has one, and this is all there is to it:
//!
//! ```
//! use core::cell::UnsafeCell;
//! use core::mem::MaybeUninit;
//! use core::sync::atomic::{AtomicBool, Ordering};
//! use miniss_core::sync::channel::Channel;
//! # use miniss_core::doctest::executor;
//!
//! struct Once<T>(AtomicBool, UnsafeCell<MaybeUninit<T>>);
//!
//! // SAFETY: the core that puts the value in is the only one that gets at it.
//! unsafe impl<T> Sync for Once<T> {}
//!
//! impl<T> Once<T> {
//!     const fn new() -> Self {
//!         Self(AtomicBool::new(false), UnsafeCell::new(MaybeUninit::uninit()))
//!     }
//!
//!     fn put(&'static self, value: T) -> &'static mut T {
//!         assert!(!self.0.swap(true, Ordering::Relaxed), "it takes one value");
//!         // SAFETY: no one was here before us, and no one comes after.
//!         unsafe { &mut *self.1.get() }.write(value)
//!     }
//! }
//!
//! static CHANNEL: Once<Channel<u32, 4>> = Once::new();
//!
//! let (sender, mut receiver) = CHANNEL.put(Channel::new()).split();
//! let mut executor = executor();
//! let sending = executor.local().spawn(async move { sender.send(7).await }).unwrap();
//! assert_eq!(executor.block_on(receiver.recv()), Some(7));
//! # sending.detach();
//! ```
//!
//! # How small
//!
//! What is not used is not linked, and on machines of 32 bits nothing is padded to cache lines. The
//! choice that matters is [`Timers`](crate::Clock::Timers), of the port's `Clock`: a
//! [`Wheel`](crate::timer::Wheel) has 3 KiB there, a [`TimerList`](crate::timer::TimerList) 16
//! bytes, and with [`NoTimers`](crate::timer::NoTimers) no code of timers is linked.
//!
//! Four programs for a Cortex-M4, and the same on embassy-executor 0.10, in bytes. Code has the
//! vectors, 1,024. Memory has the tasks, and not the stack.
//!
//! | program | code | embassy | memory | embassy |
//! |---|---|---|---|---|
//! | `blink`: a task that switches a light | 5,480 | 2,060 | 432 | 136 |
//! | `two_tasks`: one sleeps for 20 ms, the other awaits it | 5,968 | 2,336 | 512 | 192 |
//! | `interrupt`: one sleeps, the other waits for the handler of an interrupt | 6,048 | 2,360 | 520 | 200 |
//! | `calls`: of a function on another executor; on embassy two channels | 11,340 | 2,364 | 2,072 | 240 |
//!
//! Both have opt-level z, fat LTO and panics that abort at once
//! (`-Zunstable-options -Cpanic=immediate-abort`, with `core` built for it); panics that keep their
//! messages take about 300 bytes more. Of the memory the executor cell has 280. Measured on
//! 2026-12-01 by `tests/sizes/measure`, which builds both, looks that nothing unused is linked,
//! runs them in QEMU and compares with `tests/sizes/expected.txt`.
//!
//! So embassy is smaller. We pay for what it does not have: budgets in polls and in time, handles
//! with outputs, an executor that may end and begin again, wakers that may outlive it, statistics;
//! and calls that carry any closure there and its output back.
//!
//! # Interrupts and other cores
//!
//! A waker may be used in an interrupt handler, also of the same core. The wake is lock-free and
//! takes a bounded number of steps unless another core wakes at the same moment. It allocates
//! nothing, runs no destructor, and unparks the core only if it sleeps. `examples/bare-metal` wakes
//! tasks from the timer's and the serial port's interrupts.
//!
//! | a handler may use | it must not use |
//! |---|---|
//! | a `Waker` of a task; the sending ends of [`interrupt`](crate::interrupt) | what is in [`sync`](crate::sync) |
//! | [`Promise::complete`](crate::Promise::complete) and [`fail`](crate::Promise::fail), of a [`PromiseCell`](crate::PromiseCell) | [`LocalHandle`](crate::LocalHandle) and timers |
//! | [`AbortHandle::abort`](crate::AbortHandle::abort) | an [`Endpoint`](crate::call::Endpoint) or a `Call` |
//! | the unparker: [`Unpark::unpark`](crate::Unpark::unpark), [`now`](crate::Clock::now) | an [`OpTable`](crate::op::OpTable) |
//!
//! Nothing in the right column is `Sync`, so safe code cannot use it there. A promise from the heap
//! may free its memory as it completes, which is seldom right in a handler.
//!
//! **A value from a handler to a task** goes by one of [`interrupt`](crate::interrupt): each value
//! by a queue, the last one alone by a signal. Both are `static`, and both wake the task.
//!
//! **A handler that runs tasks** has an executor of its own, a
//! [`Handler`](crate::interrupt::Handler): they go before all that the interrupt interrupts. A wake
//! raises the interrupt. `examples/machines/src/urgent.rs` has one.
//!
//! ```
//! use miniss_core::interrupt::SharedQueue;
//! # use miniss_core::doctest::executor;
//!
//! static EVENTS: SharedQueue<&str, 8> = SharedQueue::new();
//!
//! fn on_timer() {
//!     let _ = EVENTS.try_send("tick"); // without room it is lost
//! }
//!
//! fn on_button() {
//!     let _ = EVENTS.try_send("pressed");
//! }
//!
//! # on_timer();
//! # on_button();
//! let mut events = EVENTS.receiver().unwrap();
//! executor().block_on(async {
//!     assert_eq!(events.recv().await, "tick");
//!     assert_eq!(events.recv().await, "pressed");
//! });
//! ```
//!
//! **A handler that cannot be turned off** (an NMI) may wake and send like any other: there is no
//! lock to find taken, and what it has interrupted goes on where it was. Two things it cannot have.
//! Without compare-and-swap a step is made whole by turning interrupts off, which does not hold it
//! up. And it may interrupt the port's own `unpark`, so that must bear being called in the middle
//! of itself.
//!
//! **An operation in a table** is ended by the reactor. The handler knows the operation as a
//! number, `key.id().to_bits()`. It writes number and result to atomics and calls `unpark`. `poll`
//! and `park` report them by [`complete`](crate::op::OpTable::complete), which wakes the future.
//! The call of `unpark` keeps `park` from sleeping if the interrupt came after the last look.
//! [`op`](crate::op) has the future that belongs to it.
//!
//! Two cores are two executor cells, two executors and one [mesh](crate::call). The second
//! kernel in `examples/bare-metal` sends 2,000 requests from one to the other and counts the
//! interrupts. The program in `examples/machines` does so on other machines, on four cores too.
//!
//! # Crates of the field
//!
//! What is written for any executor runs on this one. A driver over `embedded-hal-async` needs a
//! bus and a `DelayNs`, which is a [`Sleep`](crate::timer::Sleep) of its nanoseconds. A protocol
//! over `embedded-io-async` reads from a [receiver](crate::interrupt::Receiver) of bytes. What
//! `embassy-sync` has wakes our tasks, from interrupts too; its `CriticalSectionRawMutex` wants an
//! implementation of `critical-section` from the crate for the chip. `tests/tests/field.rs` does
//! all of it, with the driver of a sensor over a bus that is made up.
//!
//! With the feature `defmt` the errors of this crate can be logged by the crate of that name. What
//! a panic says is for the panic handler of the program: `panic-probe` prints it so.
//!
//! # From embassy
//!
//! | embassy | here | what differs |
//! |---|---|---|
//! | `#[embassy_executor::main]`, `Spawner` | [`Executor::block_on`](crate::Executor::block_on), [`LocalHandle`](crate::LocalHandle) | the port is yours: `examples/microcontroller` has one of a page |
//! | `#[embassy_executor::task]` | [`task_slab!`](crate::task_slab) and [`spawn_in`](crate::LocalHandle::spawn_in) | generic functions, too; a [`TaskSlab`](crate::TaskSlab) of many is `pool_size` |
//! | a task that returns nothing | [`JoinHandle`](crate::JoinHandle) | it has the output, and can end the task |
//! | `InterruptExecutor` | [`interrupt::Handler`](crate::interrupt::Handler) | |
//! | `Timer::after`, `Ticker` | [`Sleep`](crate::timer::Sleep), [`Interval`](crate::timer::Interval) | they take the executor's clock; one late tick is made up for, or not, as you say |
//! | `with_timeout` | [`Timeout`](crate::timer::Timeout) | |
//! | `embassy_time::Instant`, ticks | [`time::Instant`](crate::time::Instant), nanoseconds | [`from_ticks`](crate::time::Instant::from_ticks) is exact |
//! | a time driver, a timer queue | [`Clock`](crate::Clock), and the deadline of [`park`](crate::Reactor::park) | each executor has a clock and a queue of its own |
//! | `Channel` between tasks | [`sync::channel::Channel`](crate::sync::channel::Channel) | no raw mutex to choose: the tasks are on one core |
//! | `Channel` from an interrupt | [`interrupt::Queue`](crate::interrupt::Queue), [`SharedQueue`](crate::interrupt::SharedQueue) | they turn no interrupts off |
//! | `Signal` | [`interrupt::Signal`](crate::interrupt::Signal) | within a core: [`sync::Event`](crate::sync::Event) |
//! | `Mutex`, `Watch`, `PubSubChannel` | [`sync`](crate::sync): `Mutex`, `watch`, `broadcast` | |
//! | `select`, `join` | [`when_any`](crate::combine::when_any), [`when_all`](crate::combine::when_all) | those of embassy-futures and futures work, too |
//! | `embassy_sync` as it is | the same | it knows no executor, nor do the traits of `embedded-hal-async` |
//! | `embassy-net`, `embassy-usb`, HALs | none | those that ask for a waker alone run here; those that ask for embassy's timers need its time driver beside ours |
//!
//! What embassy has no name for: [calls](crate::call) between cores, with the output back; a
//! [`Promise`](crate::Promise); [operations](crate::op) that outlive their future; tasks that
//! [borrow](crate::Executor::scope); [groups](crate::SchedulingGroup) with shares; a budget that
//! keeps one task from holding up the others; an executor that ends, and begins again.
//!
//! Stay with embassy if its HAL for your chip is what you came for, if every kilobyte counts (see
//! [how small](#how-small)), or if you need what is tried on hardware: ours has run in QEMU alone.
//!
//! # What the hardware must have
//!
//! Compare-and-swap on 8 bits, 32 bits and a pointer. No atomics of 64 bits are used.
//!
//! A processor without, such as a Cortex-M0, is refused when the crate is compiled, unless the
//! feature `portable-atomic` is on. The crate of that name then makes up for it, and the program
//! says how by a feature of that crate: `unsafe-assume-single-core`, or `critical-section` with an
//! implementation from the crate for the chip. Either turns interrupts off for some instructions.
//! The feature goes without `alloc`, because such a processor has no `Arc`. On all others nothing
//! changes with it.
//!
//! # What a port may rely on, and where it is shown
//!
//! Tests are named as they are; those of a module stand in its `tests.rs` or beside it. Models run
//! under loom. Each has planted bugs that it must find.
//!
//! ## Port, tasks and wakes
//!
//! | | shown by |
//! |---|---|
//! | one trait, a value | `examples/own-reactor/port.rs`, walked through above |
//! | two executors in one program | `two_executors_over_ppoll_run_in_one_program`, `executors_on_two_threads_in_turn_share_an_executor_cell_and_its_slabs` |
//! | a task on the heap, boxed | `a_task_on_the_heap_lives_and_dies`, `a_task_in_a_box_lives_and_dies` |
//! | in a `static`, sized by a macro | `a_task_in_a_slab_of_its_own_lives_and_dies`, `the_macro_makes_a_slab_of_the_size_of_the_function` |
//! | in a fixed slab, reserved and reused | `a_task_in_a_slab_that_was_lent_lives_and_dies`, `a_task_in_a_reserved_slot_lives_and_dies`, `a_reservation_keeps_its_room_and_gives_it_back`, `a_slab_has_room_when_its_model_has` (against a `Vec`) |
//! | scoped, on the stack | `scoped_tasks_borrow_from_the_stack`, `a_panic_drops_what_borrows_from_the_scope_before_it_goes_on` |
//! | all but the heap without `alloc` | `examples/no-libc`, `examples/bare-metal`; the core's tests run without it, too |
//! | join, abort, detach on each of them | the five `…lives_and_dies` have one body |
//! | the result survives an abort that comes too late | `an_abort_that_comes_too_late_keeps_the_result`, and the same body |
//! | a wake from an interrupt | `on_one_core_timers_and_serial_bytes_wake_tasks`, `the_program_runs_on_a_cortex_m4` |
//! | values from handlers to a task, each or the last | `each_value_of_three_threads_comes_once_and_in_order`, `a_signal_keeps_the_last_value_and_drops_each_other_once`, the models `loom_interrupt_…` |
//! | an executor in a handler, whose tasks interrupt the others | `a_handler_s_interrupt_is_raised_once_for_all_that_wakes_its_tasks`, `the_program_runs_on_a_cortex_m4` |
//! | a processor without compare-and-swap | `the_program_runs_on_a_cortex_m0_without_compare_and_swap` |
//! | other machines than x86-64, in QEMU | `the_program_runs_on_a_cortex_m4`, `the_program_runs_on_two_cores_of_risc_v`, `the_program_runs_on_four_cores_of_aarch64` |
//! | from another core, lock-free and bounded, no spinning consumer | `loom_a_push_against_a_drain_is_drained_once`, `loom_a_header_pushed_again_while_it_is_drained_stands_in_the_inbox_once`; `executor/wake.rs` |
//! | an unpark only if the target sleeps or has said that it will | `loom_sleep_handshake_with_two_wakers_loses_no_wake_and_unparks_once_per_sleep`, `two_cores_interrupt_each_other_once_at_most_for_each_halt_they_announce` |
//! | request and reply to another core, without a heap | `two_cores_interrupt_each_other_once_at_most_for_each_halt_they_announce`; `call/tests.rs`, over both memories |
//! | counters: polls, wakes, parks, busy and idle time | `the_counters_tell_what_happened` |
//! | a failure that no one saw is counted and reported | `unobserved/tests.rs`, `what_fails_unseen_is_reported_and_what_is_seen_is_not` |
//! | 32 bits: counts that wrap, generations to their end | `.ci/thirty-two-bits` runs the core's tests; `generations_begin_again_after_the_last_one_and_leave_the_drivers_bits_alone`, `a_slot_whose_generations_are_used_up_is_not_used_again` |
//! | drivers over `embedded-hal-async`, `embassy-sync`, `defmt` | `tests/tests/field.rs` |
//! | from an empty folder to a light that blinks | `examples/microcontroller`, `the_light_of_the_microcontroller_blinks`, `the_page_of_the_microcontroller_shows_its_files` |
//! | sizes | `nothing_has_grown_or_shrunk_unnoticed`, `a_parked_task_costs_one_line_beside_its_future`, `the_images_are_as_large_as_expected`; beside embassy `tests/sizes/measure` |
//!
//! ## Timers
//!
//! | | shown by |
//! |---|---|
//! | under foreign wakers: `join!`, `select!`, `FuturesUnordered` | `sleeps_in_join_wait_side_by_side`, `a_thousand_sleeps_in_futures_unordered_end_by_deadline_and_are_polled_when_woken` |
//! | a million armed, 99 of 100 cancelled | `of_a_million_sleeps_the_one_in_a_hundred_that_is_not_cancelled_fires_in_order` |
//! | the next deadline is handed to `park` | `the_reactor_sleeps_until_the_earliest_timer` |
//! | as a `BTreeMap` would | `timer/tests/model.rs` |
//! | counters of 32 kHz to 1 GHz lose nothing over days | `an_interval_loses_nothing_in_thirty_days`, `ticks_and_back_are_never_early_and_at_most_a_tick_late` |
//!
//! ## Futures
//!
//! | | shown by |
//! |---|---|
//! | `and_then`, `map_ok`, `then_wrapped`, `or_else`, `forward_to` | `combine/chain/tests.rs` |
//! | `finally` on both outcomes and on cancellation, waits, keeps both errors | `combine/finally/tests.rs`: `dropped_in_the_middle_the_body_goes_first_and_then_the_cleanup_runs`, `dropped_at_any_moment_the_cleanup_runs_to_its_end_once`, `the_errors_of_both_are_kept` |
//! | `when_all`, `when_any` | `combine/when_all/tests.rs`, `combine/when_any/tests.rs` |
//! | `parallel_for_each` waits for all after a failure, `max_concurrent_for_each` | `all_start_at_once_in_order_and_all_are_waited_for_after_a_failure`; `combine/for_each/tests.rs` |
//! | `map_reduce` | `outputs_are_folded_in_the_order_of_the_items` |
//! | `repeat`, `do_until`, `yield_now`, `maybe_yield` | `it_gives_way_when_the_budget_is_spent`, `do_until_asks_first_and_stops_at_the_first_error`, `a_long_loop_lets_a_ticker_tick` |
//! | what the `futures` crate has works here | `tests/tests/futures_crate.rs` |
//!
//! ## Synchronisation
//!
//! | | shown by |
//! |---|---|
//! | semaphore | `sync/semaphore/tests.rs`, `sync/model/semaphore.rs` |
//! | mutex | `sync/mutex/tests.rs` |
//! | rwlock, writers not starved | `a_writer_is_not_starved_by_readers_that_come_after_it`, `sync/model/rwlock.rs` |
//! | event | `sync/event/tests.rs`, `sync/model/event.rs` |
//! | condition variable, FIFO, remembers a signal | `one_signal_wakes_one_waiter_first_come_first_served`, `a_signal_that_finds_no_one_is_remembered_once`, `sync/model/condvar.rs` |
//! | channel, bounded and unbounded | `sync/channel/tests.rs`, `sync/channel/model.rs` |
//! | watch, broadcast | `sync/watch/tests.rs`, `sync/broadcast/tests.rs`, and a `model.rs` beside each |
//! | barrier | `sync/barrier/tests.rs`, `sync/model/barrier.rs` |
//! | gate: close waits, entering fails, a dropped closer loses nothing | `close_waits_for_the_last_one_and_wakes_once`, `an_empty_gate_closes_at_once_and_forever`, `a_dropped_closer_loses_nothing` |
//! | abort source, reasons, children | `the_first_reason_counts`, `a_child_is_aborted_with_its_parent_or_alone` |
//! | shared future, each waiter with its own timeout | `each_waiter_has_a_deadline_of_its_own`, `when_the_poller_goes_the_next_takes_over` |
//! | polling 100 times registers one waiter | a test of each, named `polling_a_hundred_times_…` |
//!
//! ## Proofs
//!
//! | | shown by |
//! |---|---|
//! | every structure that cores share is modelled, and each planted bug is found | the `loom.rs` of `executor`, `executor/wake`, `task`, `promise`, `call` and `mpsc`; with three cores and room for one, the `shuttle.rs` of `call` and `mpsc` |
//! | forget, panics in poll, drop and wake, reentrant wakes, wakers after the end | `tests/tests/soundness/main.rs`, one line each |
//! | no leaks, no use after free | the same and the core's own tests, under AddressSanitizer and LeakSanitizer in `.ci/run` |
//! | operations under a hostile driver, whatever it does | a minute of fuzzing in `.ci/run`, and `tests/tests/hostile.rs` |
//! | no test depends on the order of polling | all tests with `MINISS_SHUFFLE` set, in `.ci/run` |
