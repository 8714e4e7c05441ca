//! Decisions of the Linux side: question, choices, pick, price, and what would change our mind.
//!
//! `user future ─▶ task ─▶ run queue ─▶ executor ─▶ driver ─▶ kernel`, seen from above
//!
//! Figures: medians of interleaved rounds on a virtual machine with two cores (AMD EPYC, Linux
//! 6.18, 23 November 2026) that other programs used too, from `chrt -f 50 cargo run --release -p
//! miniss-benches --bin measure ROW`. Ratios count; absolute figures are for orientation. The
//! decisions of the core stand in `miniss_core::manual::decisions`.
//!
//! # The doorbell is an eventfd
//!
//! **Question.** How does one shard end another's sleep?
//!
//! **Choices.** Write to an eventfd that the sleeper's ring watches: a system call at once. Or post
//! a message from ring to ring (`MSG_RING`), which leaves with the caller's next enter.
//!
//! | row `doorbells` | eventfd | `MSG_RING` |
//! |---|---|---|
//! | call and reply, both asleep | 29.0 us | 30.4 us |
//! | CPU of such a call, both shards | 44.8 us | 45.9 us |
//! | busy shard calls a sleeping one: its own time | 7.9 us | 8.4 us |
//! | the same: until the work runs, 20 us of other work in the turn | 41 us | 40 us |
//! | 64 callers, per call | 516 ns | 532 ns |
//! | system calls per ring (`strace -f -c`, rows `profile-…`) | 2.0 | 1.5 |
//!
//! **Pick.** Eventfd by default; [`DoorbellKind::MsgRing`](crate::DoorbellKind) stays a setting.
//! Half a system call less is not seen in time: interrupt and scheduler cost the same either way,
//! and they are what is expensive. So robustness decides: the eventfd works from every thread and
//! on every kernel, cannot fail for want of memory, and does not wait for the ringer's next enter.
//! Others report lost messages on 5.19 and 6.1.
//!
//! **Price.** A system call for each sleep that a call ends.
//!
//! **What would change our mind.** A machine with many cores where the write shows in a profile and
//! a message does not; the row is there to look.
//!
//! # Lanes are `crossbeam_queue::ArrayQueue`
//!
//! **Question.** What queue lies between two shards?
//!
//! **Choices.** One queue for each receiver (many producers); one for each ordered pair, of our own
//! making with one producer and one consumer; the same from `crossbeam-queue`.
//!
//! **Pick.** `ArrayQueue`, one for each ordered pair, of 64 chains. It is well kept and proven;
//! that it would allow several producers is needed once, when a shard ends and the sender takes
//! back what was left. Since a chain holds all calls of a turn, its cost is shared by them.
//!
//! **Price.** Compare-exchanges where stores would do. n² queues of about 1.3 KiB: 1.3 MiB at 32
//! shards.
//!
//! **What would change our mind.** A trial with a ring of plain stores made `submit_to` between
//! cores that are awake 10 to 17% faster and `run_on` not at all. If the rest of that path shrinks,
//! 40 lines of our own will be worth it.
//!
//! # A stream pauses its receive when buffers wait unread
//!
//! **Question.** A multishot receive takes provided buffers whether or not anybody reads. What
//! stops one slow reader from taking all buffers of its shard?
//!
//! **Choices.** Nothing: others then get `ENOBUFS`. Single receives: a system call's worth of work
//! for each. Copying out: unbounded memory. Cancelling the receive when enough of its buffers wait,
//! and starting it again when they have been read.
//!
//! **Pick.** The last; the bound is `UNREAD_MAX` in `op/recv_pool.rs`. While paused the data stays
//! in the socket, and TCP tells the sender to wait. What came before the cancel took effect is kept
//! and read in order.
//!
//! **Price.** A cancel and a new receive in each pause; a reader that is a little too slow may
//! pause often. With 4 KiB buffers one stream may hold up to the bound, so 512 buffers feed as many
//! slow readers as the bound goes into it.
//!
//! **What would change our mind.** Bulk transfers that pause all the time: then larger buffers or
//! bundles (`RECVSEND_BUNDLE`, Linux 6.10) first, a higher bound second.
