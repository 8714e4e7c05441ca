//! Decisions of the Linux side: question, choices, pick, price, and what would change our mind.
//!
//! Figures: medians of interleaved rounds on a virtual machine with two cores (AMD EPYC, Linux
//! 6.18, 23 November 2026) that other programs used too, from `chrt -f 50 cargo run --release -p
//! miniss-benches --bin measure ROW`. Ratios count; absolute figures are for orientation. The
//! decisions of the core stand in `miniss_core::manual::decisions`.
//!
//! # An operation asks by a value, and two backends fulfil it
//!
//! **Question.** One program is to run on io_uring and, where that is forbidden, on epoll. Where do
//! the two part?
//!
//! **Choices.** Two sets of sockets. Or operations that make an entry of a ring, and a driver that
//! translates entries into system calls. Or operations that say what they want as a plain value.
//!
//! **Pick.** The value: `Request`, an enum with a variant for each kernel operation. What a socket
//! does with bytes that came too early, with two writers, with a close or a dropped future is hard
//! enough to write once; it stands above the requests, and so does the table of operations, whose
//! slots own the memory. A backend only performs and reports. The choice between the two is an enum
//! with two variants, looked at once per call: a trait object would hide the requests from the
//! optimiser. Over the ring, `prepare` and the translation become the same stores as before: 2,828
//! instructions for an echo before, 2,802 since (callgrind, 30 November 2026).
//!
//! What never waits is no request: to make a socket, to bind it, its options. Those are system
//! calls on both, made through one gate, `op::fd::Fd`.
//!
//! **Price.** A request is a copy of 24 bytes, and epoll keeps it while it waits. Completing an
//! operation had to be told to be inlined: with two callers the compiler no longer did, and an echo
//! took 7 in 100 more.
//!
//! **What would change our mind.** A third backend, such as a simulation, that cannot be served by
//! values.
//!
//! # Over epoll a short read has read everything, if the socket is TCP
//!
//! **Question.** epoll tells each change once. After a read, is there more?
//!
//! **Choices.** Read again until the answer is `EAGAIN`: a system call more for each request. Or
//! take it that a read which brought less than it had room for has brought all.
//!
//! **Pick.** The second, for TCP alone and only while neither an end, an error nor urgent data was
//! told: a read stops short at urgent data, and an end that was told with the bytes is told no
//! second time. A Unix socket stops short at a message that carries descriptors. Those are read
//! again until `EAGAIN`. Tests: `driver/tests/readiness.rs`.
//!
//! **Price.** A system call that asks for the protocol when a descriptor is first waited for.
//!
//! **What would change our mind.** A protocol over TCP in the kernel whose reads stop short.
//!
//! # Over epoll small reads and writes are no operations
//!
//! **Question.** An operation owns its memory in a slot of the table, for a kernel that goes on by
//! itself. Over epoll the call that receives or sends has done everything when it returns. What is
//! the slot for?
//!
//! **Choices.** The same way for both drivers. Or none, where nothing needs one.
//!
//! **Pick.** A receive of bytes into the pool and a write of one buffer are tried where they are
//! polled. A write that finds no room becomes an operation. A reader that finds nothing leaves its
//! waker with the descriptor, and takes no slot while it waits. So nothing of a stream is received
//! ahead of its reader. That took an echo of 64 connections from 2,034 instructions to 1,098
//! (callgrind, 30 November 2026), and an idle connection lost its slot and its record among the
//! requests, 160 bytes. Messages still come ahead, so that an error of the network is told behind
//! those that came before it, as over io_uring.
//!
//! **Price.** A second way through the stream, which tests of sockets take on one driver only.
//!
//! **What would change our mind.** A third driver that is called and done as well: then the two
//! methods become part of its interface.
//!
//! # A write without a copy is asked for, and begins at 64 KiB
//!
//! **Question.** The kernel can send out of the program's own buffer (`SEND_ZC`, 6.0). When does
//! that pay?
//!
//! **Choices.** Always above a size. Or only in a method of its own.
//!
//! **Pick.** [`Stream::write_all_zero_copy`](crate::net::Stream::write_all_zero_copy). Its buffer
//! comes back when the peer has acknowledged everything, a round trip later, which changes what a
//! program sees; so it is asked for. Pages are pinned, and a second completion comes. The price of
//! that shows on the loopback, where the kernel copies in the end, so that nothing is saved. CPU
//! time of the sending thread per write, medians of 7 rounds, 30 November 2026, on a machine that
//! other programs used:
//!
//! | bytes | copied | without a copy |
//! |---|---|---|
//! | 4,096 | 2.1 us | 7.0 us |
//! | 16,384 | 3.0 us | 7.9 us |
//! | 32,768 | 5.2 us | 8.7 us |
//! | 65,536 | 13.9 us | 13.4 us |
//! | 262,144 | 34.7 us | 31.6 us |
//!
//! A fixed 5 us, against about 0.1 ns for each byte copied: even at some 50 KB. So smaller buffers
//! are copied also there.
//!
//! **Price.** A peer that reads nothing holds the buffer. It does not hold the connection, nor the
//! turn to write, once all bytes are queued.
//!
//! **What would change our mind.** Figures from a network card; there is none here.
//!
//! # All shards of a runtime have the same driver
//!
//! **Question.** `Driver::Auto` finds io_uring for the first shards, and none for a later one, for
//! instance because too little memory may be locked. What then?
//!
//! **Choices.** Each shard has what works for it. Or all have io_uring, or all have epoll.
//!
//! **Pick.** All the same. [`Runtime::driver`](crate::Runtime::driver) has one answer, a connection
//! that moves between shards needs no change of its descriptor, and a program does not behave
//! differently by shard. If one shard is refused, the runtime begins again on epoll; only if there
//! is no descriptor left is that the error, for epoll would be refused as well.
//!
//! **Price.** Rings that could have been used are given back.
//!
//! **What would change our mind.** Machines where this happens for want of memory at many shards.
//!
//! # What blocks has one pool of threads, and a line for each shard
//!
//! **Question.** A library that blocks, or a system call that waits for a disk, would stop a shard.
//! Which thread does it, and where does it wait for one?
//!
//! **Choices.** A thread beside each shard, as in Seastar. A pool for each shard. One pool, with
//! one queue for all; with a queue that has a bound, and a line on each shard behind it; with a
//! line for each shard and nothing else.
//!
//! **Pick.** One pool: what blocks seldom comes from all shards alike, and one thread that hangs
//! must not stop the rest. A line for each shard, all behind one lock: threads serve the lines in
//! turn, so a shard that asks for much delays no other by more than a job, and each line keeps its
//! order. A lock because it is held for less than a hundred instructions, and a job that is worth a
//! thread takes thousands. A bound of the queue would only move jobs into another queue of the same
//! process: what bounds them is that callers wait for their handles. A thread is started by the
//! thread that was started before it, so that a shard never pays for more than one at a time. All
//! end with the runtime, within its shutdown timeout.
//!
//! **Price.** A caller that does not wait can fill the memory with jobs, as it can with tasks. A
//! hundred jobs that hang keep all others waiting: that is reported. A shard
//! waits if the kernel preempts a thread that holds the lock: one more reason to have few threads
//! for computations.
//!
//! **What would change our mind.** A profile that shows the lock.
//!
//! # The unparker is an eventfd
//!
//! **Question.** How does one shard end another's sleep?
//!
//! **Choices.** Write to an eventfd that the sleeper's driver watches: a system call at once. Or
//! post a message from ring to ring (`MSG_RING`), which leaves with the caller's next enter.
//!
//! | row `unpark` | eventfd | `MSG_RING` |
//! |---|---|---|
//! | call and reply, both asleep | 29.0 us | 30.4 us |
//! | CPU of such a call, both shards | 44.8 us | 45.9 us |
//! | busy shard calls a sleeping one: its own time | 7.9 us | 8.4 us |
//! | the same: until the work runs, 20 us of other work in the turn | 41 us | 40 us |
//! | 64 callers, per call | 516 ns | 532 ns |
//! | system calls per unpark (`strace -f -c`, rows `profile-…`) | 2.0 | 1.5 |
//!
//! **Pick.** The eventfd, and nothing else. A shard is woken once per sleep, by the first who wants
//! it; all others rely on that one. If that one's message waits in its ring because its turn goes
//! on for long, the sleeper sleeps on although others have called it: a shard that stalls stops two
//! others. A test of shards that stall hung so in 3 of 100 runs on a full machine. Half a system
//! call less does not show in time, either: interrupt and scheduler cost the same, and they are
//! what is expensive. The eventfd works from every thread and on every kernel, cannot fail for want
//! of memory, and outlives a ring that breaks. Messages were a setting until 30 November 2026.
//!
//! **Price.** A system call for each sleep that a call ends.
//!
//! **What would change our mind.** A machine with many cores where the write shows in a profile,
//! and a message that leaves at once (`SEND_MSG_RING`, 6.13, is a system call, too).
//!
//! # A signal is written to an eventfd of each listener, by a handler
//!
//! **Question.** How does a signal become the wake of a task?
//!
//! **Choices.** `signalfd`: no handler at all, but the signal has to be blocked in every thread,
//! also in those that were there before the runtime or that libraries start, and child processes
//! inherit the mask. A thread in `sigwait`: the same, and a thread. One pipe for the process that a
//! handler writes to: some runtime has to read it for all others. An eventfd for each listener.
//!
//! **Pick.** The last. The counter is the pending signal, and reading it takes it: so a wait that
//! is dropped loses nothing, and signals of one moment are one, without a flag of our own. Shards
//! and runtimes know nothing of each other. The handler walks places that are never freed. Before
//! an eventfd is closed, its listener waits until no handler runs. The second signal of a
//! [`GracefulShutdown`](crate::signal::GracefulShutdown) ends the process in the handler itself:
//! shards that are stuck are what it is for.
//!
//! A handler that is found is called, and put back at the end. One that came over ours is believed
//! to call ours, as in other libraries: to install ours over that one a second time could make the
//! two call each other without end.
//!
//! **Price.** A descriptor for each listener. The end of a listener waits for handlers on other
//! threads, some microseconds.
//!
//! **What would change our mind.** A kernel that gives signals to a descriptor without a mask.
//!
//! # Direct reads and writes are handed over before the turn ends
//!
//! **Question.** A turn hands over what has gathered with one system call, at its end. What is read
//! past the kernel's memory waits for a device, which has nothing to do until then. When is it
//! handed over?
//!
//! **Choices.** At the end of the turn, as all others. Each at once, as fio does. Or in batches.
//!
//! **Pick.** Batches that grow in a turn: after 2, 4, 8, 16 of them. So the device begins early,
//! and always has about as much to do as we prepare meanwhile. With 32 reads of 4 KiB at once a
//! virtual disk came to 58,000 to 71,000 a second at the end of the turn, and to 84,000 to 87,000
//! in batches; to hand over each at once came to no more, and took a third more CPU time. With 128
//! at once all three are within 5 in 100, for the disk has enough to do. One read alone still takes
//! one system call.
//!
//! **Price.** Up to five system calls where there was one. What is in the kernel's memory anyhow
//! would gain nothing and take up to 5 in 100 longer, so usual files stay as they are.
//!
//! **What would change our mind.** A device that is told of each batch at a high price.
//!
//! # A child is std's, started on the pool, and its end is a pidfd
//!
//! **Question.** std starts children and can wait for them. What does a shard need beside it?
//!
//! **Choices.** To start: on the shard, which stands still for as long as fork and exec take; or on
//! the blocking pool. To wait: `SIGCHLD`, which belongs to the whole process; a thread for each; a
//! pidfd. What reads and writes pipes: requests of their own; or calls that do not wait, and a poll
//! where they would have to.
//!
//! **Pick.** The pool, whose threads are pinned nowhere, so that a child is not, either. The pidfd,
//! by the poll that both drivers have; it takes no signal from the program. Where it is refused, a
//! timer looks. A child that no one waits for goes to one thread of the process, which is there
//! only as long as such children are: a task could not do it, for children outlive runtimes. Pipes
//! take the calls that do not wait: a dropped read has taken nothing, and a write that is dropped
//! knows at once what went out.
//!
//! **Price.** A command is behind a lock, shared with the thread that starts it. A pipe costs a
//! system call for each read over io_uring, too. A child whose parent blocks signals is started by
//! `fork`, which copies the tables of the memory.
//!
//! **What would change our mind.** Programs whose bulk of work goes through pipes: then requests,
//! which io_uring makes with its next enter.
//!
//! # A program's exit code comes from `run_to_exit`
//!
//! **Question.** `run` gives a vector of outputs. Which of them is the exit code?
//!
//! **Choices.** `run` itself gives an `ExitCode`: that takes the outputs away from those who want
//! them. A method beside it.
//!
//! **Pick.** [`Runtime::run_to_exit`](crate::Runtime::run_to_exit), for outputs that `main` could
//! return ([`Termination`](std::process::Termination)). The first shard that did not succeed
//! decides, and each error is told. `block_on` needs nothing: `main` returns what it gives.
//!
//! **Price.** One method.
//!
//! **What would change our mind.** Nothing in sight.
//!
//! # Lanes are the core's queue, not `crossbeam_queue::ArrayQueue`
//!
//! **Question.** What queue lies between two shards?
//!
//! **Choices.** `ArrayQueue`, one for each ordered pair. Or the
//! lane of [`miniss_core::call`], the core's queue for one sender and one receiver.
//!
//! **Pick.** The core's, with room for 128 calls. Shards look into their lanes themselves, so the
//! queue is a good part of what is left of a call: over `ArrayQueue` a call between shards that are
//! awake takes 1.28 times as long, and 64 callers 1.7 to 2.0 times (interleaved, spinning). What
//! comes from threads that are no shards still goes through `crossbeam_queue::SegQueue`, which many
//! threads may push to.
//!
//! **Price.** n² lanes of 1.4 KiB: 1.4 MiB at 32 shards.
//!
//! **What would change our mind.** A queue for one producer and one consumer that is as fast and
//! that someone else maintains.
//!
//! # A shard that expects a call looks for it before it sleeps
//!
//! **Question.** Two shards that call each other in turn each sleep while they wait for the other.
//! So each side pays for a sleep and a wake in each round, some 30 us in a virtual machine, for
//! work of one or two. Is that left to those who set `idle_spin`?
//!
//! **Choices.** Only `idle_spin`, which looks before every sleep. A fixed short spin wherever calls
//! are in flight. A spin that learns whether it pays.
//!
//! **Pick.** It learns ([`Builder::call_spin`](crate::Builder::call_spin), on by default). A shard
//! looks only if it has a call in flight, or has answered one since its last sleep. It begins when
//! a call has ended a sleep of less than 50 us, and looks for no longer than that sleep took. So it
//! spends at most what it may spare, and where sleeps are that cheap this is a few microseconds.
//! From then on it looks for four times as long as the last call took to come. If it looks once in
//! vain, it stops, and begins again only after two such sleeps, then four, and so on to 256. What
//! comes from the kernel does not count as a success: a server with a call that lasts forever does
//! not spin for its connections.
//!
//! Ratios to the same without it (interleaved, 5 to 9 rounds, `chrt -f 50`, two virtual cores),
//! elapsed and CPU time per call:
//!
//! | | elapsed | CPU |
//! |---|---|---|
//! | 64 callers at once | 0.09 | 0.13 |
//! | one caller, one call after the other | 0.015 | 0.02 |
//! | one caller, work of 30 us | 0.47 | 0.79 |
//! | one caller, work of 100 us | 0.82 | 0.86 |
//! | one call in 200 us, in 1 ms | 0.95, 0.98 | 0.84, 0.83 |
//! | 64 callers, 8 shards on the two CPUs | 0.45 | 0.50 |
//! | the same, 64 shards | 0.92 | 0.93 |
//! | two shards on one CPU: one caller, 64 callers | 1.05, 1.01 | 1.05, 1.01 |
//!
//! **Price.** Two looks at the clock for each sleep in which a call is expected. Where shards share
//! a CPU, a look in vain now and then.
//!
//! **What would change our mind.** A program in which it costs CPU time and brings nothing.
//!
//! # A stream pauses its receive when buffers wait unread
//!
//! **Question.** A multishot receive takes buffers from the pool whether or not the program reads.
//! What stops one slow reader from taking all buffers of its shard?
//!
//! **Choices.** Nothing: others then get `ENOBUFS`. Single receives: a system call's worth of work
//! for each. Copying out: unbounded memory. Cancelling the receive when enough of its buffers wait,
//! and starting it again when the program has read them.
//!
//! **Pick.** The last. The bounds are `UNREAD_MAX`, 8, and `UNREAD_MAX_IF_SHORT`, 1, for a stream
//! that no one reads while less than half of the pool is free. While it is paused the data stays in
//! the socket, and TCP tells the sender to wait. What came before the cancel took effect is kept
//! and read in order.
//!
//! **Price.** A cancel and a new receive in each pause; a reader that is a little too slow may
//! pause often. The kernel may fill up to 32 more buffers before it hears of the cancel, if so much
//! comes at once. So some hundred streams that no one reads, or a dozen that are flooded, can still
//! hold every buffer. The others then receive into memory of their own, for as long as the program
//! looks at a message. The pool is the bound of what is received ahead.
//!
//! **What would change our mind.** Bulk transfers that pause all the time: then larger buffers or
//! bundles (`RECVSEND_BUNDLE`, Linux 6.10) first, a higher bound second.
//!
//! # Receive buffers have 16 KiB
//!
//! **Question.** How large are the buffers that a shard receives into, and how many are there?
//!
//! **Choices.** 4 KiB, as most runtimes have; 16 KiB, fewer of them; 16 KiB, as many.
//!
//! **Pick.** As many: 512 of 16 KiB. Echo of messages of 16 KiB moves 2.3 GB/s with them and moved
//! 0.42 with buffers of 4 KiB, for a sixth of the CPU time per byte; of longer ones it moves 1.7 to
//! 1.9 ([`growth`](super::growth), curve `messages`). Short messages cost the same. Fewer would run
//! out when many connections have something to say at once. Their memory is asked for in one piece
//! that is not touched before bytes arrive, so with short messages a buffer takes a page.
//!
//! **Price.** 8 MiB of addresses for each shard that receives, and as much memory once long
//! messages have filled every buffer.
//!
//! **What would change our mind.** Kernels that fill one buffer with several messages (`INC`, Linux
//! 6.12) everywhere: then fewer and larger ones.
//!
//! # Buffers of the pool have one size
//!
//! **Question.** Would it pay to have small buffers beside those of 16 KiB, for short messages?
//!
//! **Choices.** One size; or two groups, of 2 and of 16 KiB, and each connection receives into that
//! which its last message would have fitted.
//!
//! **Pick.** One size. A buffer takes memory by the page, as bytes reach it. A process whose shard
//! holds 500 messages had 4.8 MB with those of 100 B, 6.9 MB with 4,000 B, and 11.0 MB with 16 KiB.
//! So small buffers would save short messages half a page each, 1 MB at most, and what remains of
//! long ones, 6 MB for each shard that has filled every buffer once. A receive names its group
//! before it knows the length, and one that names the wrong one moves bulk at a fifth of the speed.
//!
//! Who finds no buffer does not wait for one, but has memory of its own, so there is no queue in
//! which to be fair: `r13_readers_that_hold_every_buffer_stop_no_one` and
//! `r13_a_hundred_busy_sockets_share_four_buffers` show that each goes on, with the pool again once
//! it has some.
//!
//! **Price.** After long messages a shard keeps 8 MiB.
//!
//! **What would change our mind.** Kernels that fill one buffer with several messages, as above.
//!
//! # An idle connection is small, at the price of futures written by hand
//!
//! **Question.** What does a connection cost in user space while nothing happens on it?
//!
//! **Choices.** Leave it to the compiler: streams with their parts side by side, and `async fn` all
//! the way. Or count. A task that receives and writes back had a future of 472 bytes then, 288 for
//! the receive and 224 for the write: an `async fn` keeps its arguments beside the locals that they
//! are moved to, and room for every wait that might come.
//!
//! **Pick.** Count. What a stream shares with its operations is one allocation of 184 bytes, and
//! the stream is a pointer to it. The receive is one poll function. The write is a state machine of
//! 48 bytes; its buffer is either in it or in the operation. Waits that seldom come (another write
//! before ours, a message without a pool buffer) are boxed. A slot for operations has 64 bytes for
//! what the kernel may touch, where it had 128. What is larger takes a block of 384 bytes that the
//! table keeps for the next one, so vectored writes no longer allocate either. Together this is
//! under 512 bytes: 176 the task, 128 the slot of its receive, 200 the connection. Over epoll what
//! is known of the descriptor stands in the place of the slot, with 40.
//!
//! **Price.** A write to a stream on which another task is writing allocates. Three functions of
//! `TcpStream` are `fn … -> impl Future` where `async fn` would read better.
//!
//! **What would change our mind.** A compiler that lays out futures as well (rust-lang/rust#62958).
//!
//! # A receive looks for data before it takes a buffer
//!
//! **Question.** A multishot receive takes its buffer from the pool first and then looks for data.
//! With no buffer free, each receive that is started ends at once with `ENOBUFS`, data or not.
//! Where does an idle receive wait?
//!
//! **Choices.** In a plain receive with a buffer of its own, 16 KiB each. In a poll, then a
//! receive. In the multishot receive itself, told to poll first (`IORING_RECVSEND_POLL_FIRST`). In
//! a single receive from the pool, told to poll first.
//!
//! **Pick.** The last, where the multishot receive has found no buffer. A multishot receive that
//! polls first reads the data that is there, and then waits for an event: it overlooks an end or a
//! reset that was there as well, and its reader waits forever. The single one ends with its data,
//! and the next looks again. Its `ENOBUFS` means that data is here. So memory is taken only for
//! bytes that can be read at once, and a receive that waits goes on with the pool as soon as
//! buffers are back. Where there is no pool, a poll comes first.
//!
//! **Price.** One look for data when a receive is started, which is once for many messages, and a
//! second receive for each message while the pool is empty.
//!
//! **What would change our mind.** Nothing known.
//!
//! # After a write that was given up, the program asks the stream
//!
//! **Question.** A write that is dropped in flight may have sent a part of its bytes. How does a
//! protocol learn of it?
//!
//! **Choices.** An error on the next write, once. A `cancel` on the write's future. A question to
//! the stream.
//!
//! **Pick.** The question, [`cancelled_write_bytes`](crate::net::TcpStream::cancelled_write_bytes).
//! It works also when the write's future is gone, with its task or in a `select`; a method of the
//! future does not. And it leaves programs alone that write bytes without frames: an error on the
//! next write would fail a write that has done nothing wrong.
//!
//! **Price.** A protocol that does not ask, and does not close after a timeout either, sends the
//! next message behind a torn one, as with every other runtime. One word for each connection.
//!
//! **What would change our mind.** Programs that forget to ask: then the error, for streams that
//! were told to.
//!
//! # A descriptor that was lent stays open
//!
//! **Question.** A stream can be closed by `&self`, while someone holds a `BorrowedFd` of it, which
//! must stay open. How can there be both?
//!
//! **Choices.** No `AsFd`. No close but by value. A duplicate for each loan, which costs a
//! descriptor for each connection. Another file in the socket's place.
//!
//! **Pick.** The last, for sockets that were lent: the close puts a file there that answers
//! everything with `EBADF` (one opened with `O_PATH`), and the number is free when its owner goes.
//! Sockets that were never lent are closed as before.
//!
//! **Price.** One descriptor for the whole process, once a lent socket was closed.
//!
//! **What would change our mind.** Nothing in sight.
//!
//! # A connection moves by value, with its bytes
//!
//! **Question.** A connection is accepted on one shard and belongs on another, perhaps when its
//! first bytes have been read. What crosses?
//!
//! **Choices.** A stream that is `Send`, with a lock or a check at each use. A duplicate of the
//! descriptor. A form that only moves: the descriptor and the bytes that were received and not
//! read.
//!
//! **Pick.** The last, [`DetachedStream`](crate::net::DetachedStream). Only a stream by value
//! becomes one, so no read or write can be awaited meanwhile, and what was dropped in flight is
//! waited for: its bytes come along, or have gone out before those of the new owner. What was
//! received ahead is copied, since the buffers of the pool stay with their shard.
//!
//! **Price.** A move costs a cancel of the receive that waits, and a copy of at most a few buffers.
//! A connection that has failed does not move: the error tells it on the old shard.
//!
//! **What would change our mind.** Servers that move each connection many times.
//!
//! # A batch of messages is sent by one call, and received from what came ahead
//!
//! **Question.** A socket of messages that sends or receives thousands a second wants several for
//! each system call. How, with the same results on both drivers?
//!
//! **Choices.** To send: a request for each message, all in one submission, which over epoll is a
//! call for each; or `sendmmsg(2)`, which io_uring lacks. To receive: `recvmmsg(2)`; or what the
//! receive into the pool has brought ahead. Segments (`UDP_SEGMENT`, `UDP_GRO`), too, or not.
//!
//! **Pick.** `sendmmsg`, called directly on both: it does not wait, and needs no place among the
//! operations. Of messages of 100 B on the loopback, 64 at a time, each takes 2.1 to 2.3 us of CPU,
//! where single sends take 3.4 to 3.7 over io_uring and 3.0 to 3.2 over epoll. To receive, what
//! came ahead: 0.6 to 0.75 us over io_uring, against 1.6 for a single receive. A bound of 32
//! messages ahead in place of 8 gained a tenth there and nothing over epoll, so it is that of
//! streams. No segments: `UDP_SEGMENT` can be set as an option of the socket.
//!
//! **Price.** Over epoll a batch is received by a call for each message, 1.0 us, as single receives
//! are. `sendmmsg` hides an error behind the first message. That message is sent again, which tells
//! the error; but a report of the network is lost.
//!
//! **What would change our mind.** A server of datagrams that has to run on epoll: then `recvmmsg`
//! there. An opcode for batches.
//!
//! # A polled stream makes system calls
//!
//! **Question.** The traits of `futures-io` and of tokio lend a buffer for the time of one call.
//! How does a stream that is moved by operations serve them?
//!
//! **Choices.** To read: receive ahead into the pool and copy from there; or wait until there is
//! something, and have the kernel copy into the lent buffer. To write: copy into memory of our own
//! and send that; or send by a call that does not wait.
//!
//! **Pick.** The calls that do not wait. In CPU time per exchange of 64 B over io_uring the two
//! ways to read are equal within the noise (12 to 14 us for both sides, on a busy machine); of 8
//! KiB the call takes a fifth less. Of bulk data it takes about as much into 4 KiB, a fifth less
//! into 16 KiB, and a third to a half less into 64 KiB or more. It holds no buffer of the pool, and
//! pressure goes back to the sender at once. The pool serves `AsyncBufRead`, which lends. A write
//! tells its result at once, as its callers expect, and copies nothing twice.
//!
//! **Price.** A call for each read and each write: with 64 connections, an exchange of 64 B takes a
//! third more than by `recv` and `write_all`. Over epoll small messages take a tenth more than by
//! the pool. Where bytes are received ahead, reads stay with the pool.
//!
//! **What would change our mind.** Lent buffers that are registered with the kernel.
//!
//! # Aligned buffers are cut from chunks that the kernel knows
//!
//! **Question.** A file that is read past the kernel's memory wants aligned buffers, often one for
//! each page that a program keeps. Where do they come from, and is the kernel told of them ahead
//! (fixed buffers)?
//!
//! **Choices.** From the allocator. From a list of free ones. Cut from chunks, each registered with
//! the ring. Bound to a shard, or free to go to others.
//!
//! **Pick.** Chunks of 64 blocks of 4 KiB with a word that says which are free: what is registered
//! must stay where it is until the kernel is told otherwise, so it cannot go back to the allocator
//! one by one. A program by hand that reads 4 KiB at random, 32 at a time, takes 3.5 to 4.1 us of
//! CPU time for each with such memory, where it takes 3.9 to 4.5 with other: 9 to 11% less, as
//! medians of 24 to 40 rounds in turn; of 64 KiB, 30% less. With the runtime it is 10 to 11%, and
//! 32%. A request does not say what memory it names: the ring looks it up. Any thread gives blocks
//! back, so a page may be worked on elsewhere. All shards together register a quarter of what the
//! user may lock, so that rings find room, and a refusal changes nothing else. Buffers are not
//! cleared: that costs 0.4 us for 4 KiB, as much as is saved, and 2.8 us for 64 KiB.
//!
//! **Price.** The first buffer takes 256 KiB. A buffer of 512 bytes takes 4 KiB. A program that
//! writes a page must fill it, or old bytes go to the disk.
//!
//! **What would change our mind.** Chunks of 2 MiB, if huge pages show in a profile.
//!
//! # Descriptors of files are not registered
//!
//! **Question.** A ring can keep descriptors in a table of its own. A request by its number there
//! spares the kernel a look-up. Is it worth that for files?
//!
//! **Choices.** All files that are opened; those that ask for it; none.
//!
//! **Pick.** None. The program by hand takes 0 to 2% less CPU time for direct reads of 4 KiB, 32 at
//! a time, whether the process has one thread or two; of 64 KiB nothing; and 5% less, which is 0.05
//! us, for reads from the kernel's memory. A read by the runtime takes several times that. A table
//! has a bound, is one more thing to take back at the end of a file, and a descriptor that is lent
//! or closed needs its number all the same.
//!
//! **Price.** Those 0.05 us.
//!
//! **What would change our mind.** A process with many threads in which `fget` shows in a profile.
//!
//! # What others share is left as it is
//!
//! **Question.** The file behind stdin is that of the shell, too, and may be a terminal, a pipe, a
//! socket or a file. How is it read without a wait on the shard?
//!
//! **Choices.** `O_NONBLOCK`, which the shell would see. Opening `/proc/self/fd/0` again, which
//! works for neither sockets nor another user's terminal. A thread that reads ahead. Calls that say
//! that they do not wait (`RWF_NOWAIT`), and a poll where they would.
//!
//! **Pick.** The last. Files, terminals and FIFOs know no such call, and there the poll comes
//! first, then a read by the ring or by a thread of the pool. So nothing is taken before someone
//! wants it, and a program that gives up leaves the next line to the shell. The read has memory of
//! its own and belongs to the reader: dropped, it is for the next one.
//!
//! **Price.** A terminal or a FIFO takes at most 4 KiB with each write, since more might wait. If
//! others take first what the poll told of, a thread waits with them over epoll.
//!
//! **What would change our mind.** Terminals that know `RWF_NOWAIT`.
//!
//! # The first MiB of a file is copied into a stream, and the rest goes as pages
//!
//! **Question.** [`send_file`](crate::fs::send_file) may read into memory and send from there,
//! which copies twice. Or it splices pages of the file into a pipe, and from there into the socket.
//! `splice(2)` cannot be told not to wait for a socket that waits, as ours are over io_uring, so
//! the kernel gives it to a thread.
//!
//! **Choices.** Always memory. Always pages. Memory first and pages for what is left, from some
//! size on. `sendfile(2)` over epoll.
//!
//! **Pick.** Memory, then pages, on both drivers, through a pipe of 1 MiB. A program by hand sends
//! a file that is in the kernel's memory over the loopback. This is its CPU time in us, the least
//! of three runs in each of three sweeps (of one, up to 64 KiB) on a machine that was busy with
//! other things:
//!
//! | file | ring: read and send | pages, pipe of 64 KiB | pages, pipe of 1 MiB | pool: read and send | pages, pipe of 1 MiB |
//! |---|---|---|---|---|---|
//! | 4 KiB | 3.5 | 16 | 16 | 15 | |
//! | 64 KiB | 11 | 47 | 21 | 21 | |
//! | 1 MiB | 150 to 174 | 316 to 467 | 90 to 297 | 249 to 616 | 244 to 271 |
//! | 8 MiB | 1,820 to 4,010 | 2,590 to 4,010 | 736 to 1,810 | 2,350 to 7,530 | 900 to 2,330 |
//! | 32 MiB | 8,220 to 8,320 | 10,330 to 15,510 | 5,400 to 7,510 | 9,100 to 10,290 | 2,200 to 5,950 |
//!
//! To make the pipe costs 8 us more. `sendfile(2)` by the pool took 14 us for 4 KiB, and 500 to
//! 1,240 for 8 MiB, with one call where pages take two; but it would be a second way, for one
//! driver.
//!
//! **Price.** Over io_uring a peer that does not read holds a thread of the kernel's: so a shard
//! has at most 16 such pipes, and other files are copied to their end. Over epoll none is held: the
//! call ends where it would wait. Two descriptors for each pipe.
//!
//! **What would change our mind.** A splice that polls its socket.
//!
//! # What the runtime reports goes to `log`
//!
//! **Question.** Some events reach no error: accepting pauses, a queue overflowed, a shard was left
//! behind. Where are they reported?
//!
//! **Choices.** Standard error, each write unchecked. A callback that the program sets. The facade
//! `log`, or `tracing`.
//!
//! **Pick.** `log`: one small dependency that nearly every program has already, whose cost without
//! a logger is one load; `tracing` takes its events by a bridge. All events are also counted. Each
//! event has one line, then at most one in five seconds with a count of what was left out. The
//! logger is called while nothing of ours is borrowed, never from within itself, and its panics end
//! there.
//!
//! **Price.** A program without a logger sees nothing; before, it saw lines on standard error. A
//! logger that blocks stops its shard: the manual shows one that does not.
//!
//! **What would change our mind.** Structured fields that users ask for: then `tracing`, as a
//! feature.
//!
//! # A stall is seen by a thread that watches, while it lasts
//!
//! **Question.** A poll that blocks holds all else on its shard. Who sees it, and who tells where
//! the code stands?
//!
//! **Choices.** The loop, which looks at the clock before and after: it tells when all is over, and
//! not where. A timer of the kernel for each shard, as Seastar has, whose signal finds the code:
//! one that counts CPU time does not see a poll that sleeps, and one that counts all time is set
//! again for each sleep of the shard, by a system call. Or a thread that looks at a count.
//!
//! **Pick.** The thread. The shard adds to a count in a line of memory of its own, once a turn, and
//! when it goes to sleep and comes back; the thread looks at it four times in what counts as a
//! stall, and rests while all shards sleep. It reports while the stall lasts, so that a poll that
//! never ends is seen, and on a thread that is not held. The loop also counts the stalls that it
//! sees when they are over, in all builds, where it looks at the clock anyway. Where the code
//! stands, a signal finds out: `SIGURG`, which a program without a handler does not notice.
//!
//! **Price.** A thread for each runtime, and up to four wakes of it in 25 ms while a shard is
//! awake: so it is on in debug builds, and asked for in others. With it off, a turn has one more
//! branch. A shard without a CPU to run on looks held.
//!
//! **What would change our mind.** Clocks that a thread can read of another at no cost: then the
//! two could be told apart.
//!
//! # A clock that stands still waits for the kernel, but not for long
//!
//! **Question.** A test that sleeps for hours should take no time. When may its clock be set
//! forward, while sockets and files have something in progress?
//!
//! **Choices.** Never while an operation is in flight: then no clock ever moves beside a listener.
//! At once, as in tokio: then a timeout ends a read whose bytes were on their way. Only by hand.
//! Or for code that is generic over its clock alone, which the core has.
//!
//! **Pick.** Threads that work for the runtime end first, however long they take; the kernel gets a
//! millisecond, in which all that stays on this machine comes. Nothing is waited for if nothing is
//! in progress. It takes one shard, so that no other is left behind, and holds from the start of
//! the runtime to its end, so that no timer is armed by another clock.
//!
//! **Price.** One load in each look at the time, in programs that never stop a clock. Beside a
//! listener each step of such a clock takes a millisecond. A peer that is slower than that may find
//! its time over.
//!
//! **What would change our mind.** Simulated sockets and files, which say when they are done.
//!
//! # A shard that dies ends `run`, and `block_on` after a grace
//!
//! **Question.** A panic of a waker, or a ring that the kernel refuses, ends a shard. What becomes
//! of the others?
//!
//! **Choices.** They go on, and callers read `ShardGone`. The process aborts. `run` ends and says
//! why.
//!
//! **Pick.** `run` and `try_run` end at once, in order: their main futures are on all shards. The
//! future in `block_on` is the program's own, and its calls tell it by `ShardGone`. It gets the
//! shutdown timeout to come to an end; then `block_on` panics, unless the program asked for
//! `Runtime::failure`. If a main future panics in `run`, its shard does not die: the panic goes on
//! when all are done.
//!
//! **Price.** A program that means to outlive a shard must say so by asking.
//!
//! **What would change our mind.** Shards that can be started again.
//!
//! # A socket belongs to its shard, and a wrong place panics
//!
//! **Question.** A stream, which is not `Send`, can be awaited in another runtime of its thread.
//! Then its own ring does not turn while the task waits.
//!
//! **Choices.** Let it hang. Turn the other ring, too. An error. A panic.
//!
//! **Pick.** A panic that names the remedy: it is an error of the program, found at the first use.
//! Operations check when they start and whenever they would wait, with a load and a compare. A
//! sleep belongs to no shard and may move.
//!
//! **Price.** An `Rc` of a stream that two runtimes share and use in turn no longer works by luck.
//!
//! **What would change our mind.** Nothing in sight.
//!
//! # What a shard keeps for others is named by a number
//!
//! **Question.** An instance of a [`Sharded`](crate::sharded::Sharded) need not be `Send`. What do
//! the other shards hold of it?
//!
//! **Choices.** A pointer in a counted handle, with unsafe code that keeps others from using it. Or
//! a number, under which only its own shard finds it in its storage.
//!
//! **Pick.** The number. It is `Copy`, so a call takes it along without a count that all cores
//! would write to, an instance that knows its siblings makes no circle, and the code is safe. What
//! is left when a shard ends is dropped there, after the tasks, the last first. A number that finds
//! nothing is an answer, [`NotRunning`](crate::CallError::NotRunning).
//!
//! **Price.** Each use searches a tree, which is small. Between the shards that start a service
//! there is no moment at which all begin: a sibling may not be there yet.
//!
//! **What would change our mind.** A profile in which the search shows.
//!
//! # Many calls are all waited for, and the first in the order of the shards is the error
//!
//! **Question.** Of calls to all shards, one fails. When is the caller told, and of which error?
//!
//! **Choices.** At once, of the first in time, while the rest goes on unseen. Or when all have
//! ended, of the first in the order of the shards.
//!
//! **Pick.** The second, which is Seastar's, too: after the error nothing is under way any more, so
//! what the work used may be taken down; and the error does not depend on who was faster.
//! [`Calls::outcomes`](crate::sharded::Calls::outcomes) tells of each call.
//!
//! **Price.** A shard that hangs delays the error of another.
//!
//! **What would change our mind.** Nothing in sight: a caller in a hurry has `timeout`.
//!
//! # Random numbers are xoshiro256++, and each shard jumps ahead
//!
//! **Question.** Which generator has each shard, and how do the shards' numbers differ?
//!
//! **Choices.** A crate (`rand`, `fastrand`), whose generators are per thread and seeded by
//! themselves. Or one of the small published ones, seeded by the runtime.
//!
//! **Pick.** xoshiro256++, in twenty lines: what a program learns at random is to come again with
//! its seed, on whichever thread a shard runs. All shards begin with one state, and each jumps
//! 2^128 numbers further than the one before, so their stretches never meet, which different seeds
//! would only make unlikely.
//!
//! **Price.** 256 steps for a jump: the last of 1,024 shards makes 262,000 steps when it starts.
//!
//! **What would change our mind.** A program that needs numbers no one can foresee asks the kernel
//! (`getrandom`).
//!
//! # A group's bound is split among the shards that call, and its order is a level
//!
//! **Question.** [`ServiceGroup`](crate::sharded::ServiceGroup) bounds the calls in flight to a
//! shard, which many shards make. Who counts them? And what keeps shards from waiting for each
//! other in a circle?
//!
//! **Choices.** The called shard counts, and what is too much waits there, where it takes up the
//! memory that was to be saved. Or one count that all shards write to. Or each calling shard has a
//! part of the bound. For the order: any graph without circles, found out while it runs; or
//! numbers.
//!
//! **Pick.** Parts, as Seastar has them: no message and no shared line, and a call waits where it
//! is made. For the order, a level in the declaration: a reader sees it, and a call that goes down
//! is reported at once and each time, not only when a circle closes under load. The check is that
//! of debug builds, for the set of groups does not change with the load.
//!
//! **Price.** A shard cannot use what others leave: with a bound of 64 and nine shards, each has 8.
//! Only what work awaits itself is followed, not the tasks that it spawns.
//!
//! **What would change our mind.** Loads in which one shard makes nearly all calls.
//!
//! # The crate may have 20,000 lines
//!
//! **Question.** Its plan said: under 15,000 lines of code, without comments and tests. With files,
//! processes, signals and the tools for shards it has them. What goes, or what is added?
//!
//! **Choices.** Crates of their own, for files or for the tools: each needs what only the driver
//! and the shard know, which would become public. Features left out. Or more lines.
//!
//! **Pick.** More lines, 20,000 at most, in folders that use each other one way. In November 2026
//! monoio had 27,000 without processes, signals or tools for shards, glommio 42,000, compio 52,000.
//!
//! **Price.** More to read for those who want to know all of it. The way of one `read().await` is
//! as long as before.
//!
//! **What would change our mind.** A part that uses what is public alone: then it moves out.
