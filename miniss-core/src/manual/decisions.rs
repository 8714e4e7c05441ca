//! Decisions of the core: question, choices, pick, price, and what would change our mind.
//!
//! Figures: medians of interleaved rounds on a virtual machine with two cores (AMD EPYC, Linux
//! 6.18, 23 November 2026) that other programs used too, from `chrt -f 50 cargo run --release -p
//! miniss-benches --bin measure ROW`. Ratios count; absolute figures are for orientation. Words are
//! used as in [`words`](super::words).
//!
//! # A waker is an address in memory that is never given back
//!
//! **Question.** What is in a `Waker`, so that any thread may use it at any time, and the owner
//! needs no atomic read-modify-write?
//!
//! **Choices.** *Ids*: shard, slot and generation in a word, looked up; a wake from another core
//! sets a bit in a bitmap. *Biased counts*: a header that its owner counts with plain loads and
//! stores, others with atomics. *Address forever*: a header that stays a header.
//!
//! | nanoseconds (row `wakers`) | address forever | ids | biased counts |
//! |---|---|---|---|
//! | clone and drop by the owner | 2.1 | 2.1 to 2.6 | 2.1 to 2.6 |
//! | local wake: queued already, waiting | 1.7, 1.9 | 1.9, 2.4 | 1.6, 2.2 |
//! | remote wake: alone, of a thousand | 18, 17 | 19, 7 | 23, 22 |
//! | of a thousand, from another core | 18 to 69 | 9 to 23 | 48 to 187 |
//! | bytes of a waiting task | 64 | 64 | 64 |
//!
//! **Pick.** Address forever: for local wakes nothing is clearly faster, and no waker owns
//! anything. Counts lose in remote wakes, and may free a header on a foreign thread. Ids win where
//! neighbours are woken in a burst. But calls come by lanes, whose burst wakes one task; and ids
//! need a global table of shards and a bound on tasks.
//!
//! **Price.** Memory for tasks stands at its high-water mark; a stale wake costs a spurious poll.
//!
//! **What would change our mind.** Thousands of remote wakes a millisecond: then a bitmap beside
//! the headers.
//!
//! # Task slots are never given back
//!
//! **Question.** What becomes of a task's memory when the task has ended?
//!
//! **Choices.** Free it when no one holds it, which needs a count. Free chunks that are wholly
//! unused, which needs proof that no waker points there. Keep it.
//!
//! **Pick.** Keep it: free lists of 16 size classes, one list operation to spawn and one to end, no
//! allocator in the steady state. Because of this, wakers own nothing.
//!
//! **Price.** An executor that once ran a million tasks keeps a million headers and the inline part
//! of their futures. What futures own is freed; those above one KiB are boxed, and the box is
//! freed. A class lends to a smaller one only where nothing can grow. The next executor in the same
//! cell uses the memory again.
//!
//! **What would change our mind.** Reports of processes that stay large after a peak. Then: give
//! the payload pages back to the system (`madvise`) and keep the header lines.
//!
//! # A slab is a chunk in a `static`, lent or kept
//!
//! **Question.** How are tasks spawned where there is no heap, and how is a task spawned that must
//! not fail?
//!
//! **Choices.** A task type of its own for statics, as embassy has it: one pool for each `async
//! fn`, made by a procedural macro. An allocator over a static arena. The slots that there are, in
//! a static chunk.
//!
//! **Pick.** The slots that there are. A [`TaskSlab`](crate::TaskSlab) has the layout of a chunk
//! from the heap, so run queue, wakers, handles and shutdown see no difference and need no code. If
//! a slab is *lent*, its slots go into the free lists, and `spawn` works as ever. If it is *kept*,
//! it serves the spawns that name it, with slots of any size, checked when the program is compiled.
//! A `const fn` finds the size of an `async fn`'s future through the function, so a `macro_rules!`
//! macro is enough. A spawn that must not fail [reserves](crate::LocalHandle::reserve): the same
//! slot, taken earlier.
//!
//! **Price.** A line of 64 bytes for each slab beside a line for each task. A slab that is kept
//! looks for a free slot one by one. A slab belongs to its first executor cell forever, as its
//! headers do.
//!
//! **What would change our mind.** Slabs of hundreds of slots that are kept: then a free list each.
//!
//! # A task that borrows keeps its header elsewhere
//!
//! **Question.** How can a task live on the stack, when wakers may point at its header forever?
//!
//! **Choices.** Headers on the stack with a count that must be waited for: any waker that leaks
//! would hang the function. Not at all. The header in a slot, the future wherever the user has
//! pinned it.
//!
//! **Pick.** The header in a slot. [`Executor::scope`](crate::Executor::scope) is an ordinary
//! function that runs the executor until all tasks of the scope have ended. So no one can forget it
//! half-way, which is what makes scoped tasks unsound inside of futures. A pinned reference fits
//! the smallest slot.
//!
//! **Price.** A scope cannot be opened inside a task.
//!
//! **What would change our mind.** Futures that cannot be forgotten, in the language.
//!
//! # Failures that no one saw are counted for the whole program
//!
//! **Question.** Where does a failure go when its future or handle is dropped without a look?
//!
//! **Choices.** Nowhere, as in miniss. A hook for each executor: but a promise belongs to none, and
//! may be dropped on any thread. One count and one hook.
//!
//! **Pick.** One count and one hook, [`unobserved`](crate::unobserved), touched only when something
//! has failed. A broken promise and an aborted task do not count: dropping is how a program gives
//! up work in Rust, and a report on every cancelled request would be switched off on the first day.
//! The runtime cannot see into the output of a task, so an `Err` counts where the task says so, by
//! [`Unseen`](crate::unobserved::Unseen).
//!
//! **Price.** Two words of the whole program.
//!
//! **What would change our mind.** A way to see in generic code that a type is a `Result`.
//!
//! # A cleanup that waits is a task
//!
//! **Question.** How does `finally` keep its promise when its future is dropped, since a drop
//! cannot wait?
//!
//! **Choices.** Not at all. Block in the drop. Poll the cleanup once in the drop. Hand it to an
//! executor.
//!
//! **Pick.** Two methods. [`finally`](crate::combine::FutureExt::finally) polls once: a cleanup
//! that does not wait has run when the drop returns.
//! [`finally_on`](crate::combine::FutureExt::finally_on) makes the cleanup a task from the start,
//! so that it goes on whatever becomes of those who wait for it.
//!
//! **Price.** A user must know which of the two is meant.
//!
//! **What would change our mind.** Destructors that may wait, in the language.
//!
//! # A model must be seen to fail
//!
//! **Question.** How do we know that a loom model looks at the ordering that it is there for?
//!
//! **Choices.** Trust. Take an ordering away by hand now and then. A build for each mutilated
//! version. Bugs that a test plants by name.
//!
//! **Pick.** Bugs by name. In models, and only there, an ordering in the code has a name. A test
//! weakens the ordering that it names while its model runs, and demands that the model fails. What
//! ships is the ordering alone. loom and shuttle run the threads of a model on the thread of its
//! test, so a thread-local says which bug is planted, and all of them run side by side in one
//! binary.
//!
//! **Price.** An ordering is written as `ordering!(Release, "its name")`.
//!
//! **What would change our mind.** A mutation tester that knows orderings.
//!
//! # The timer wheel ticks once a nanosecond
//!
//! **Question.** At which resolution does the wheel keep deadlines?
//!
//! **Choices.** Ticks of a millisecond (tokio): six levels, late by up to a tick. Ticks of about a
//! microsecond with exact deadlines in the nodes: nodes of a tick must be sorted. Ticks of one
//! nanosecond: eleven levels, exact without a case of its own.
//!
//! **Pick.** One nanosecond. Two more levels than microseconds need are 1 KiB of list heads. To arm
//! and to cancel is O(1) at any number of levels.
//!
//! | row | nanoseconds |
//! |---|---|
//! | `sleep`: create, poll, drop; of that 24 are the clock's | 35 |
//! | `sleepers`: 10,000 tasks that sleep 1 ms, CPU for each, spawned and ended | 94 |
//!
//! **Price.** A timer that fires is filed again on its way down: for 1 ms four levels, at most
//! three times. 5.6 KiB of wheel per executor.
//!
//! **What changed our mind.** On a core with less than 32 KiB of memory the wheel is too large: see
//! the next record.
//!
//! # What keeps the timers is the port's choice
//!
//! **Question.** Where does a microcontroller with four timers keep them?
//!
//! **Choices.** A wheel with fewer levels: a nearer horizon, and still hundreds of bytes. A pairing
//! heap: no bound on what one removal takes, and three links a node. One ordered list. The choice
//! by a feature of the crate: then two executors in a program cannot differ. By a pointer to
//! functions: all are linked. By a type of the port's [`Clock`](crate::Clock).
//!
//! **Pick.** A type, [`Timers`](crate::Clock::Timers): the wheel, the list, or none. A node knows
//! the type of its queue, so the code that is not used is not there, and with none a timer does not
//! compile. The list is 16 bytes; to arm takes as many steps as there are later deadlines.
//!
//! **Price.** Each port has a line more. The futures of timers are made in the crate of the user,
//! so the compiler weighs them with all they call, and must be told to have `Sleep::poll` in line;
//! without that a sleep took 40 instructions more. Who chooses the wheel pays nothing: rows
//! `timer-cancel`, `timer-fire` and `linux-sleep` of the instruction counts.
//!
//! **What would change our mind.** A program with some hundred timers and no room for a wheel: then
//! the heap.
//!
//! # A call travels in one node, there and back
//!
//! **Question.** What does a queue between two cores carry?
//!
//! **Choices.** A message for each way, with room in a queue of its own. The calls of a turn as a
//! chain, linked through their own nodes: one entry for all. Each call by the address of its node,
//! and all that have gathered published together.
//!
//! **Pick.** Each by its address. The node that brings the request takes the reply back, so a reply
//! needs no memory of its own. A call that finds its lane full waits in a list through the nodes,
//! which cannot be full. So a reply always has room, and no two cores wait for each other's queues.
//! What has gathered becomes visible by one store, at the end of a turn and after every 16 calls
//! within it. All of them share that store and at most one unpark.
//!
//! **Price.** Up to 16 calls arrive together: the other core waits for the last of them before it
//! sees the first. A lane can be full, so a sender that waits must be woken, and the receiver
//! checks for one now and then. To publish once a turn, however long, let 64 callers run in
//! lockstep with the other core (row `call-64`, measured with chains): 74 ns each where 16 at a
//! time took 57.
//!
//! **What would change our mind.** Bursts that overflow the lanes as a rule: then chains beside the
//! lanes, for what waits.
//!
//! # The pump is an ordinary task, and the executor looks into the lanes
//!
//! **Question.** Which code looks into the lanes, and how does it learn that there is something?
//!
//! **Choices.** A task of the endpoint, woken from the other core like any task: by its header, the
//! inbox, and a word of bits for who has sent. Or a look that the executor takes in each turn, as
//! Seastar's poller.
//!
//! **Pick.** The look, and behind it the task. A core that is awake looks at its lanes once a turn,
//! and over and over while it spins; a sender owes it nothing but the push and one fence. Only a
//! core that sleeps is woken from the sender's. What the look finds, an ordinary task serves, which
//! is woken locally. So the program's code runs where it always runs, and publishing once a turn
//! follows from the queue's order. Against the wake from the other core, in interleaved runs, a
//! call between cores that are awake takes 0.69 of the time by `run_on` and 0.57 by `submit_to`,
//! and 2.3 and 2.5 times a bare cache line each way; 64 callers 0.95; between cores that sleep
//! nothing changes.
//!
//! **Price.** Each turn reads two lines for each other core. They are in the reader's cache as long
//! as no one writes to them. A core without a mesh reads one null pointer.
//!
//! **What would change our mind.** Machines with so many cores that the looks show in a profile: a
//! word of bits in which only senders to a busy core report would spare them.
//!
//! # A lane is a queue of our own
//!
//! **Question.** What queue lies between two cores?
//!
//! **Choices.** A queue for many producers and consumers, from `heapless` or `crossbeam-queue`,
//! which carries chains of calls, so that its cost is shared, as it did at first. Or a circular
//! buffer for one sender and one receiver, which carries each call by its address.
//!
//! **Pick.** The circular buffer. It has loads and stores only. A slot says by one bit whether it
//! is new, so a call that is alone costs one line on its way. And the receiver knows the next calls
//! before it has read the one at hand: it fetches four ahead, where the link of a chain lies in the
//! very line that is waited for. Over the same protocol, `crossbeam_queue::ArrayQueue` takes 1.28
//! times as long for a single call, and 1.7 to 2.0 times for 64 callers that keep both cores awake.
//! It is modelled under loom with the rest.
//!
//! **Price.** 150 lines with unsafe code. At the end of a core's life either side may empty the
//! lane, which needs a count that decides who does.
//!
//! **What would change our mind.** Nothing in sight.
//!
//! # Values between cores have one channel, over a ring of our own
//!
//! **Question.** What carries values, not calls, from core to core: over which queue, one type for
//! one sender and another for many, and when rather a call?
//!
//! **Choices.** `crossbeam_queue::ArrayQueue`. A ring for one sender, without a read-modify-write.
//! A ring of slots with stamps, claimed by a compare-and-swap. Or calls, whose lanes have wakes and
//! batches already, with a channel of one core behind them.
//!
//! | nanoseconds per value, room for | 1 | 128 |
//! |---|---|---|
//! | two threads that do not sleep: `mpsc` | 185 | 11 |
//! | a ring for one sender; with the two fences | 117; 80 | 6.2; 5.8 |
//! | `ArrayQueue`, without anything for sleepers | 283 | 48 |
//! | tokio's `mpsc` | 289 | 81 |
//! | in and out again by one thread: `mpsc`; the ring with fences | 6.6; 4.1 | 6.6; 4.1 |
//! | `ArrayQueue`; tokio | 6.4; 20 | 6.2; 20 |
//! | two shards that sleep at once: `send`, `recv` | 27,700 | 200 |
//! | two runtimes of tokio with one thread each | 26,400 | 170 |
//! | two shards with `idle_spin`: `send`, `recv` | 469 | 81 |
//! | `run_on`, that many calls at a time, there and back | 563 | 100 |
//!
//! (Medians of five rounds under `chrt -f 10`, 30 November 2026, by a program that is not kept.)
//!
//! **Pick.** Slots with stamps, for one sender and for many. The receiver writes plain stores, and
//! a value that is there costs the line of its slot; `ArrayQueue`, which is for many receivers, has
//! a compare-and-swap at that end, too. A queue for one sender alone would save five nanoseconds of
//! eleven, and a second type is a second set of models, and a choice to get wrong. A fence at each
//! end finds who sleeps, and a lock is taken only then: it keeps the order of senders that wait. No
//! one overtakes them, by a flag in the word by which senders claim their place.
//!
//! Between shards it is the sleep that costs. A call that waits for its answer keeps its shard
//! awake for a while, and a channel cannot know whether a value will come. So ask by calls, and
//! stream by channels, with room for many.
//!
//! **Price.** One that finds the lock taken spins, for a few instructions, or for as long as a
//! system lets its holder wait. A turn that was granted to a future which is then leaked keeps the
//! queue to those with turns: `try_send` says `Full` from then on, `send` goes on.
//!
//! **What would change our mind.** A program whose cores spend a share of their time in channels
//! with one sender: then the ring, behind the same ends.
//!
//! # `submit_to` is eager
//!
//! **Question.** Does a call start when it is made or when it is first polled?
//!
//! **Choices.** Lazy as a future, or eager as `spawn` and as Seastar's `submit_to`.
//!
//! **Pick.** Eager. Calls start in the order in which they are made, several run at once without a
//! combinator, and dropping the handle means the same before and after the first poll: the work
//! goes on.
//!
//! **Price.** It surprises those who expect a future to do nothing until polled; hence `must_use`
//! and a sentence in its documentation. A call cannot be taken back.
//!
//! **What would change our mind.** Nothing at present; a lazy call is `async { submit_to(…).await
//! }`.
//!
//! # A promise decides everything in one byte
//!
//! **Question.** How do future and promise, on two cores, agree on outcome, waker and memory?
//!
//! **Choices.** A lock. Two words (outcome, waker). One word whose bits say whose turn it is with
//! each field.
//!
//! **Pick.** One word. The first waker is written once, so the promise copies it and ends by one
//! compare-exchange that fails if the waker was replaced (`WAKER` without `REPLACED`); only then it
//! takes the longer way of two steps. There is no lock that an interrupt handler could find taken.
//! Every transition is a method that says what its caller now owes, and all are modelled under
//! loom.
//!
//! **Price.** 1 read-modify-write to complete and 1 for the first poll that waits, also where both
//! ends are on one core; 22 ns for make, poll, complete, poll on the heap (`cargo bench -p
//! miniss-benches --bench core`).
//!
//! **What would change our mind.** A use in which both ends are always on one core and it shows: a
//! plain-cell twin, `!Send`.
//!
//! # Of many parts each has a waker, of few none
//!
//! **Question.** How does a combinator know which of its futures were woken?
//!
//! **Choices.** Poll all that are not done: no memory, quadratic. A counted node for each part, as
//! `FuturesUnordered` has: a wake is a push, each part an allocation of some 50 bytes. A bit for
//! each part, in blocks of a word: 128 bytes for 64 parts, one list operation for the first bit of
//! a block, an `or` for the others. The crate `futures`: a dependency, outputs without numbers, and
//! none of our models.
//!
//! **Pick.** Up to eight parts: poll all, without memory. More, with a heap: blocks. The waker's
//! data word is the address of a byte of its block, so a waker is a share in the block and nothing
//! else. The waker of the whole lies in a place of one pointer that owner and wakes swap. There is
//! no state to wait for, so a task that interrupts the one that wakes it does not spin; the usual
//! cell with a lock bit makes the owner wake itself again and again while a wake is in progress.
//!
//! **Price.** A wake of a part is two read-modify-writes and a swap instead of a plain store, a
//! poll of the whole a swap and a count more; five allocations for the first poll. Without a heap
//! arrays of more than eight still poll all.
//!
//! **What would change our mind.** Wakers in memory that is `'static` without a heap, in a form
//! that users would put up with.
//!
//! # What has grown shrinks by halves
//!
//! **Question.** What does a buffer on the heap keep once its peak is over?
//!
//! **Choices.** All of it. Nothing beyond what is needed, at each step. Half of it whenever three
//! quarters are free.
//!
//! **Pick.** Halves, down to 4 KiB or four large values. A value pays for a constant number of
//! moves, and a channel that goes up and down about any size allocates seldom. Free lists of equal
//! pieces have a bound instead: 1,024 nodes of calls of a size, 256 blocks of operations. Headers
//! of tasks and slots of operations stay, because wakers and late completions may look there.
//!
//! **Price.** A channel that swings between empty and much more than 4 KiB allocates twice in each
//! swing.
//!
//! **What would change our mind.** Reports of processes that stay large because of headers or
//! slots: then their pages can be given back.
//!
//! # A leaf finds its task's budget by the waker
//!
//! **Question.** A future that is ready is to spend from the budget of its task. The core has no
//! thread-local, and a leaf knows no executor. How does it find the budget?
//!
//! **Choices.** A parameter in every constructor. A link-time hook alone. The waker: one table for
//! all wakers of tasks, known by its address, that leads to the executor.
//!
//! **Pick.** The waker. It costs a compare, a load of the header's line, which the poll has in its
//! cache, and the load and store of the budget. What depends on the kind of unparker is a function
//! in the executor cell. For wakers of others (`FuturesUnordered`) the port may say which executor
//! runs on this core, and miniss-linux does. A leaf that was refused passes once in a later poll,
//! so that none starves beside a busy neighbour.
//!
//! **Price.** Four bytes in each leaf. A wake calls through a pointer. Where no port knows the
//! executor, loops under the wakers of others are not bounded.
//!
//! **What would change our mind.** A context that carries data (`Context::ext`), once it is stable.
//!
//! # Leaves count results, they do not look at the clock
//!
//! **Question.** A chain of leaves that are ready, with 100 microseconds of other work between
//! them, gives way after 128 results: among polls that were quick until then, once after 12.8 ms.
//! (Among slow polls a turn gives fewer units.) Is that to be bounded by time?
//!
//! **Choices.** The count alone. Or leaves that look at the clock after their fourth result, and
//! then as often as the time between results wants.
//!
//! **Pick.** The count. The other way was built: the same chain held its core for 1.1 ms by the
//! manual clock. But polls that join more than four tasks paid 5 instructions a task for it (a
//! spawn 230 to 236, counted on 30 November 2026), and every program 550 bytes of code, a tenth of
//! the smallest on a Cortex-M4.
//!
//! **Price.** A task that works for long between results must ask
//! [`maybe_yield`](crate::combine::maybe_yield) itself; the stall detector of miniss-linux names
//! those that do not.
//!
//! **What would change our mind.** A clock that costs a load, as a port with a counter in a
//! register has it; or reports of latency from such chains.
//!
//! # A task that asks whether its time is over reads the clock once in 32 times
//!
//! **Question.** Long work asks in each round whether to give way, and the clock costs more than a
//! short round. Who says that the time of a turn is over?
//!
//! **Choices.** The clock, each time: 25 ns, and 57 on a busy machine. A flag that another sets: a
//! timer of the kernel's with a signal, which breaks off system calls of the program two thousand
//! times a second, and has to be armed for each sleep; a thread, which has to have a CPU of its own
//! just when the shards are busy; a timeout in a ring, whose completion is not seen before the
//! kernel is entered. A core without an operating system has none of these. Or the clock again, but
//! seldom.
//!
//! **Pick.** Seldom, as the loop does between polls. The first question in a poll notes the time.
//! Each look at the clock tells how many questions fit half of the time that is left: as many go
//! by without a look, but no more than 32. So a question costs 6 ns where the clock costs 57, on
//! every port, and nothing is shared. Steady rounds end in time to within one round.
//!
//! **Price.** Rounds that suddenly take long are noticed within 32 of them. A stretch of work
//! before the first question is not seen.
//!
//! **What would change our mind.** A clock that costs a load, on all ports.
//!
//! # The loop knows groups, wakes do not
//!
//! **Question.** Scheduling groups split a core's time by shares. Most programs have one group. How
//! do those pay nothing?
//!
//! **Choices.** A run queue per group that wakes push to: each wake finds its group's queue first.
//! One run queue, which the loop distributes over the groups where there are several.
//!
//! **Pick.** The second. A wake is what it was. A turn asks one byte whether tasks are polled in
//! the order they were woken, in place of the look whether there is a shuffle. The way through
//! groups is a function that the first group brings along, so a program without any does not even
//! link it, and the table of groups is taken from the heap with the first, or lent. Virtual time as
//! in Seastar: the least goes first, a group that was idle enters at the floor. The clock is read
//! once a slice. A group whose tasks have yielded keeps its turn, or two loops that yield would
//! take turns whatever their shares. To destroy a group moves its tasks to the main group: to
//! refuse it would need counts in each spawn, and a call that is under way could still come too
//! late. While only the main group has work, as in a server with a group for what it does in the
//! background, turns take the loop without groups: each begins with a look at the tasks that are
//! ready, and ends as one among groups if it meets another group's. What the main group has done
//! meanwhile is charged then, from counters that there are anyway.
//!
//! **Price.** Two instructions in a spawn, for the task's group. With groups, a poll takes some ten
//! more while the main group has all the work. Else a task is moved once more for each poll, and a
//! turn reads the clock twice or more. A wake within another group's slice waits for that slice to
//! end, half a millisecond at most unless a single poll takes longer; a wake by a main task that
//! had no rival, for the turn to end. The main group's time has no slices then, and the reactor's
//! time counts as its own.
//!
//! **What would change our mind.** A group whose delay must be below the budget of a turn: then a
//! wake into it would have to end the slice.
