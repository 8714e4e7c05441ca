//! How cost grows: with tasks, timers, connections, shards, queue depth and message size.
//!
//! Tables and pictures are what this command wrote, on the day and the machine that stand below
//! each table:
//!
//! ```sh
//! cargo run --release -p miniss-benches --bin growth -- --write-manual
//! ```
//!
//! Each point is a process of its own. The points of a curve were measured in turn, several times;
//! what is shown are medians. Both axes are logarithmic. Shapes and ratios count; absolute figures
//! belong to one machine. A dashed line is a program by hand that does the same without a runtime.
//! Where it says real-time priority, rates over two cores may be a fifth too low: the kernel takes
//! 50 ms of each second from such threads, and a point counts for 250 ms.
//!
//! # The machine
//!
//! How long a step takes. Each step begins where the last one ended and goes to a random place, 128
//! bytes or more away, in so many bytes of memory:
//!
#![doc = include_str!("growth/memory.svg")]
//!
#![doc = include_str!("growth/memory.md")]
//!
//! There are four levels. The first cache has 48 KiB, the second 1 MiB. Of the third this virtual
//! machine has about 4 MiB, whatever the data sheet says. Memory takes 150 ns and more. With pages
//! of 2 MiB (`MADV_HUGEPAGE`) only what is beyond 64 MiB is faster, by a quarter, so the
//! translation of addresses does not make the large step. Most curves below follow these levels.
//!
//! # Tasks
//!
//! Tasks wait, each with a future of 64 bytes. A task that is woken wakes another and waits again,
//! so one step is one wake and one poll. Up to 64 tasks are woken at a time. The program by hand
//! does the same walk over as many pairs of cache lines: take from a queue, call through a pointer,
//! put the next in.
//!
#![doc = include_str!("growth/tasks.svg")]
//!
#![doc = include_str!("growth/tasks.md")]
//!
//! - **Nothing depends on the number of tasks but where they are.** From 10 to 1,000 a wake and a
//!   poll cost the same. A single task pays twice as much: each turn of the executor, with its look
//!   at the ring, then polls one task only.
//! - **The knees are those of the caches.** A task takes 128 bytes, its wakers 16. About 7,000
//!   tasks fill the second level and about 28,000 the third. In the order of spawning the processor
//!   fetches the next tasks ahead, and there is hardly a step.
//! - At random among a million, a wake and a poll are one access to memory, sometimes two: the
//!   task's header when it is woken, and its future when it is polled, which the wake fetches
//!   ahead. By hand it costs half, because a processor can look further ahead in so short a loop
//!   and wait for several tasks at once.
//! - **To spawn one more costs the same** however many there are: it gets the slot that was just
//!   given back. To spawn a million that stay costs more for each than a hundred, because the
//!   kernel gives memory that was never touched page by page.
//! - Below 1,000 tasks, the runtime itself takes more memory and more time to end than the tasks,
//!   so those points are empty.
//!
//! # Timers
//!
//! Deadlines are at random over a minute, in the core alone: its clock moves only when told. The
//! clock then goes on by up to 64 deadlines at a time.
//!
#![doc = include_str!("growth/timers.svg")]
//!
#![doc = include_str!("growth/timers.md")]
//!
//! - **A timeout that does not happen costs the same among a million others.** To arm a timer
//!   appends to a list, and to cancel it unlinks it. A heap would walk down a tree.
//! - A timer that fires is filed again, from nearer, a few times in its life. Beyond the caches
//!   each time is an access to memory.
//! - **The longest turn grows with the number of timers.** When time reaches a slot of the wheel,
//!   its timers are filed again all at once. The coarsest slots in use here begin at multiples of
//!   2³⁶ ns, which is 69 s. Six of seven deadlines lie beyond the next multiple, and are filed
//!   again in the turn in which it comes. With 10,000 timers this is not noticed. A shard with a
//!   million of them pauses for some milliseconds, once in 69 s. A heap pays evenly instead, and
//!   pays in full for each timer that is cancelled.
//!
//! # Connections
//!
//! TCP echo of 64 bytes over the loopback, the server on one core and the client on the other, one
//! request in flight on each connection. The server by hand on io_uring has a table for some 3,000
//! connections; the one on epoll takes more.
//!
#![doc = include_str!("growth/connections.svg")]
//!
#![doc = include_str!("growth/connections.md")]
//!
//! - **One connection is expensive**: for each request both sides fall asleep and are woken, by an
//!   interrupt from the other core. From 4 connections on some request is always ready.
//! - **From there to 10,000 a request costs about twice as much, and the servers by hand pay as
//!   much more.** At 64 connections the kernel takes 97% of the server's time (`perf record -e
//!   cpu-clock`). The two sockets of each connection take 11 KiB of the kernel's memory (`Slab` in
//!   `/proc/meminfo`), which no cache holds from a few hundred on.
//! - **The runtime's own memory for a connection does not grow**: counted is what the server took
//!   beyond what it had after 600 earlier connections. An idle connection holds no receive buffer.
//! - At 10,000 more operations may complete at once than the completion queue holds, and the
//!   runtime says so, once. Nothing is lost.
//!   [`Builder::ring_entries`](crate::Builder::ring_entries) makes the queue longer.
//!
//! # Shards
//!
//! More shards than cores is not how to run them, but it must not break. Each has 16 tasks that
//! call other shards, one call after the other: all others in turn, or always the next one. A
//! single shard calls itself. These points run without real-time priority, because threads that
//! have it do not take turns.
//!
#![doc = include_str!("growth/shards.svg")]
//!
#![doc = include_str!("growth/shards.md")]
//!
//! - **It does not collapse.** On two cores 64 shards that all call each other get as much done as
//!   8. Where each calls the next, they get two thirds done, and each call takes half as much CPU
//!   time again.
//! - **A call to the own shard** is a queue and a task. From one shard to two, the call goes to
//!   another core; two shards on two cores stay awake for each other's answers
//!   ([`call_spin`](crate::Builder::call_spin)). From two shards to four, shards share a core, so
//!   they sleep and the kernel switches threads.
//! - **Start and end** take a tenth of a millisecond for each of a few shards, and up to a fifth
//!   for each of 64: a thread, a ring, its end. Memory is 80 KiB for each shard, and 1.6 KiB for
//!   the lane of each ordered pair. Only this term grows with the square; with 64 shards it is more
//!   than half.
//!
//! # Calls in flight
//!
//! Tasks on one shard that call another, each one call after the other, on two cores.
//!
#![doc = include_str!("growth/calls.svg")]
//!
#![doc = include_str!("growth/calls.md")]
//!
//! - **Asleep, a batch costs the same whatever its size**: twice as many calls in flight cost half
//!   as much each. What costs is one wake of each side, an interrupt and a switch. This is how it
//!   is with [`call_spin`](crate::Builder::call_spin) of zero.
//! - **By default a shard looks for answers before it sleeps**, and one call costs less than a
//!   hundredth: cache lines, and no kernel. With [`idle_spin`](crate::Builder::idle_spin), which
//!   looks before every sleep, it is a little less still, because the clock is not asked how long
//!   it took.
//! - More calls in flight then gain less, because there is less to share: the ways of the lines
//!   between the cores, of which a processor has several at once. With 256 calls in flight the
//!   lane, which has room for 128, is full at times, and callers wait until there is room again.
//! - Whether a call is a task there (`submit_to`) or not (`run_on`) makes 160 ns alone, and 20 or
//!   less where several are in flight.
//!
//! # Requests in flight on a connection
//!
//! One connection with so many requests of 64 bytes sent ahead.
//!
#![doc = include_str!("growth/pipeline.svg")]
//!
#![doc = include_str!("growth/pipeline.md")]
//!
//! - As with calls, the wake and the way through the kernel's network are shared: 256 requests sent
//!   ahead cost hardly more CPU time than one alone. The runtime stays beside the server by hand:
//!   both receive up to 256 such requests in one buffer and send it back as one.
//!
//! # Message size
//!
//! 16 connections, with one message in flight on each, there and back.
//!
#![doc = include_str!("growth/messages.svg")]
//!
#![doc = include_str!("growth/messages.md")]
//!
//! - **Up to 16 KiB, the size of a receive buffer, the message itself costs**: the rate in bytes
//!   grows with its size.
//! - **A longer one comes in pieces of 16 KiB, and each is echoed by itself.** That costs both
//!   sides more than the longer message saves; by hand, with buffers of the same size, it is the
//!   same. With buffers of 64 KiB, one setting, a byte of such messages costs about half. So a
//!   program that moves much at a time should ask for [larger
//!   buffers](crate::Builder::recv_buffers), or read into one of its own.

#![forbid(unsafe_code)]
