//! Safety: each invariant that unsafe code stands on, who upholds it, and what shows that it holds.
//!
//! A module with unsafe code names its invariants at its top, in bold, and each `SAFETY:` note
//! cites one. This chapter has all of them, with the files that declare them below
//! `miniss-core/src`. A test (`tests/tests/manual.rs` of the repository) fails if one is missing
//! here, or if a test that is named here is not there.
//!
//! What shows it is of these kinds:
//!
//! - a *model*: loom runs the code that ships in every order of its atomic accesses, with up to
//!   three preemptions. Models are in files called `loom.rs`; the step "The loom models pass" of
//!   `.ci/run` runs all of them. What is too large for it, such as three cores whose lanes have
//!   room for one, is in files called `shuttle.rs`: shuttle runs it in some thousand orders, chosen
//!   by chance and by PCT, with each access sequentially consistent;
//! - a *test*; those of the core also run under AddressSanitizer, which finds a use of freed memory
//!   and memory that is lost, and those on threads under ThreadSanitizer, which finds two accesses
//!   that nothing puts in order;
//! - an *oracle*: a naive implementation that random steps are compared with;
//! - the *compiler*: a bound, a type that is not `Send`, an example that must not compile;
//! - an *assertion*: `debug_assert!` on hot paths, `assert!` elsewhere.
//!
//! A model that cannot fail shows nothing. So in models, and only there, each ordering and check
//! on which an argument stands has a name, as in `ordering!(Release, "inbox: push")`. A test takes
//! it away by that name while a model runs, and demands that the model fails. The end of each
//! such file lists which bugs are planted in which model. Two more tests demand that no such
//! ordering is without a name, and no name without a bug that a model finds
//! (`loom_every_ordering_that_carries_an_argument_has_a_name`,
//! `loom_every_named_spot_has_a_bug_that_a_model_finds`).
//!
//! # Tasks
//!
//! - **Headers are forever.** `task/mod.rs`. A header's memory is never given back and never
//!   becomes anything else. Upheld by `task/slots.rs`, which has no way to free a chunk; by
//!   [`TaskSlab`](crate::TaskSlab), used by `&'static` only; and by
//!   [`ExecutorCell`](crate::ExecutorCell), likewise. Shown by the tests
//!   `eight_threads_wake_tasks_that_have_long_ended` and
//!   `wakes_after_the_end_do_no_harm_to_the_next_executor`, and the model
//!   `loom_wake_against_completion_is_harmless`.
//! - **Our table, our header.** `executor/wake.rs`. The data word of a waker with our table is a
//!   header's address. Upheld by `raw_waker`, which makes them all; the executor cell of the
//!   header names the function for its unparker's type. Shown by the tests of `coop`, where wakers
//!   of others meet ours.
//! - **Owner only.** `task/mod.rs`. Only the owner touches what is not atomic, or, once the
//!   executor is gone, the handle that still holds the slot. Upheld by the compiler, since
//!   [`Executor`](crate::Executor), [`LocalHandle`](crate::LocalHandle), [`Scope`](crate::Scope),
//!   [`JoinHandle`](crate::JoinHandle) and [`Reservation`](crate::Reservation) are not `Send`; and
//!   by the [`Unpark`](crate::Unpark), whose `is_local` lets a waker in. Shown by the tests
//!   `tasks_are_dropped_on_their_core_wherever_they_are_woken_or_aborted` and
//!   `handles_are_dropped_while_an_executor_on_another_thread_uses_the_cell`, and the model
//!   `loom_a_handle_dropped_while_another_executor_claims_the_cell_returns_its_slot_once`.
//! - **Stage follows state.** `task/mod.rs`. The stage holds a future exactly while the state word
//!   says so, an output likewise, never both. Upheld by `task/cell.rs`: the bit is cleared before a
//!   destructor runs and set after a write. Shown by the oracle
//!   `the_executor_does_what_a_naive_one_would`, by all of `executor/tests/panics.rs`, and by
//!   `futures_and_outputs_of_every_size_run_and_are_dropped`.
//! - **Queued once.** `executor/wake.rs`. `QUEUED` is set exactly while a header is linked in the
//!   queue. Upheld by `State::wake`, which says `Queue` only as it sets the bit, and by
//!   `State::start_poll`, which clears it. Shown by
//!   `a_task_is_queued_once_however_often_it_is_woken`.
//! - **The link goes with the flag.** `executor/wake.rs`. `inbox_next` belongs to the waker that
//!   raised `in_inbox`, then to the owner, then to no one. Upheld by `Inbox::push` and
//!   `Inbox::drain`, which reads the link before it lowers the flag. Shown by the models
//!   `loom_a_push_against_a_drain_is_drained_once`,
//!   `loom_a_header_pushed_again_while_it_is_drained_stands_in_the_inbox_once` and
//!   `loom_what_is_written_before_a_push_that_finds_the_flag_set_is_seen_after_the_drain`.
//! - **One owner.** `task/slab.rs`. A slab belongs to the executor cell that used it first, as it
//!   was used first; so does a table of scheduling groups. Upheld by `TaskSlab::claim` and
//!   `GroupTable::claim`: the owner word changes once, from null. Shown by
//!   `a_slab_belongs_to_one_executor_in_one_way`, `a_table_that_was_lent_is_one_executor_cells`,
//!   the oracle `a_slab_has_room_when_its_model_has`,
//!   and an example that must not compile, of a future too large for its slab.
//! - **Reserved is free.** `executor/join.rs`. A reserved slot is in no free list and holds
//!   nothing. Upheld by the reservation, which alone knows the slot. Shown by
//!   `a_reservation_keeps_its_room_and_gives_it_back`.
//!
//! # Executor
//!
//! - **One claim.** `executor/cell.rs`. One executor uses an executor cell at a time, each
//!   with an epoch of its own. Upheld by `Shared::claim` and `Shared::release`, the last thing an
//!   executor does. Shown by `an_executor_cell_has_one_owner_at_a_time` and the model
//!   `loom_an_executor_that_claims_a_cell_sees_what_the_former_one_left`.
//! - **Nothing outlives its scope.** `executor/scope.rs`. No future of a scoped task is left when
//!   the scope ends. Upheld by [`Executor::scope`](crate::Executor::scope), an ordinary function
//!   whose frame no one can forget, and by its guard on the way of a panic. Shown by
//!   `a_scope_waits_for_its_last_task`,
//!   `a_panic_drops_what_borrows_from_the_scope_before_it_goes_on` and an example that must not
//!   compile.
//!
//! The sleep is not about memory, but about lost wakes: the models
//! `loom_sleep_handshake_with_two_wakers_loses_no_wake_and_unparks_once_per_sleep`,
//! `loom_a_wake_between_two_sleeps_ends_the_second_or_is_seen_before_it` and
//! `loom_wake_during_poll_is_not_lost`; on threads
//! `no_wake_is_lost_by_an_executor_that_keeps_falling_asleep`.
//!
//! # Promises
//!
//! - **Two ends.** `promise/cell.rs`. A link that is used points to a live, open cell;
//!   the last end out closes it. Upheld by the transitions of `promise/state.rs`, whose answers are
//!   `#[must_use]`. Shown by the models `loom_complete_against_drop_of_the_future`,
//!   `loom_complete_and_free_against_poll_without_a_join` and
//!   `loom_reuse_of_a_cell_against_its_former_ends`.
//! - **Outcome turn.** `promise/cell.rs`. The outcome is touched by the end whose turn it
//!   is. Upheld by the same transitions. Shown by the models
//!   `loom_complete_against_the_first_poll`, `loom_complete_against_try_take` and
//!   `loom_two_step_complete_against_take_and_free`, and by `every_value_is_dropped_exactly_once`.
//! - **Waker turn.** `promise/cell.rs`. The waker in the slot has one owner, who
//!   alone turns the copied words back into one. Upheld by the same transitions. Shown by the
//!   models `loom_waker_replacement_against_complete`,
//!   `loom_second_waker_replacement_against_complete` and
//!   `loom_two_step_break_against_drop_of_the_future`.
//!
//! That a promise for a `&'static` value is not taken for one of a shorter life is an example that
//! must not compile. `two_threads_and_a_hundred_thousand_pairs` does it all on real threads.
//!
//! # Timers
//!
//! - **Linked means pinned.** `timer/list.rs`. A linked node neither moves nor dies. Upheld by
//!   `Arm::arm`, which takes it pinned, and by its `Drop`. Shown by `a_dropped_node_is_gone` and
//!   `it_is_armed_by_the_first_poll_and_disarmed_by_drop`.
//! - **One thread.** `timer/list.rs`. All that happens to linked nodes happens on one thread.
//!   Upheld by the compiler: a node is neither `Send` nor `Sync`. Shown by
//!   `it_stays_on_its_thread_and_where_it_is`.
//! - **Linked in one list.** `timer/list.rs`. A node that is linked is in one list, between two
//!   neighbours that point to it. Upheld by `List::push_back`, `List::insert` and `List::unlink`.
//!   Shown by the oracles `the_wheel_does_what_an_ordered_map_does` and
//!   `the_list_does_what_an_ordered_map_does`.
//! - **The place tells the list.** `timer/wheel.rs`. Each linked node is in the list that its
//!   `place` names. Upheld by `Wheel::file`, `Wheel::remove` and `Wheel::drain`, and by
//!   `TimerList::arm`, `remove` and `advance`. Shown by the same oracles.
//! - **Filed by deadline.** `timer/wheel.rs`. Deadline and time determine the list, and no deadline
//!   is before the time. No unsafe code stands on it: if it failed, timers would be late. Shown by
//!   the same oracles and `equal_deadlines_fire_in_arm_order_across_refiling`.
//! - **In order.** `timer/timer_list.rs`. The nodes of the list are in order of deadline, and then
//!   of arming. No unsafe code stands on it either. Upheld by `List::insert`. Shown by the oracle.
//! - **Whole before foreign code.** `timer/queue.rs`. A waker's code runs only while the queue is
//!   whole, and no reference to a node is used after it. Upheld by `List::fire` and
//!   `Arm::take_out`, which unlink before they wake. Shown by
//!   `a_waker_may_drop_cancel_and_arm_others`, `a_waker_may_advance_time` and
//!   `after_a_panic_the_rest_is_woken_at_the_next_advance`.
//! - **The node stays put.** `timer/sleep.rs`. The node of a pinned `Sleep` does not move. Upheld
//!   by that file, which hands out no `&mut` to it. Shown by
//!   `it_stays_on_its_thread_and_where_it_is`.
//! - **Both stay put.** `timer/sleep.rs`. The future and the timer of a pinned `Timeout` do not
//!   move. Upheld in the same way. Shown by its tests, with futures that must not move.
//! - **Pin Invariant.** `sync/abort/hooks.rs`. Fields that are structurally
//!   pinned are never moved out of. Upheld by these files, which hand out no `&mut` to them and
//!   have no `Drop` that would. Shown by
//!   `it_stays_on_its_thread_and_where_it_is` and `what_is_leaked_is_still_served`.
//!
//! # Wait lists
//!
//! - **Linked means pinned.** `collections/list.rs`. A list points only to live nodes that do not
//!   move. Upheld by `Waiter::enqueue`, which takes it pinned, and by its `Drop`. Shown by
//!   `leaving_from_front_middle_and_back_keeps_the_rest_in_order` and the oracle
//!   `behaves_like_a_plain_queue`.
//! - **Own list.** `collections/list.rs`. A waiter links only into the list it borrows, and leaves
//!   the one in which it stands. Upheld by the compiler, and by the aborts, which alone take a list
//!   over. Shown by `a_leaked_waiter_outlives_a_move_of_its_list` and
//!   `a_waiter_leaves_the_list_that_took_its_own_over`.
//! - **Whole before foreign code.** `collections/list.rs`. A waker's code runs only when all links
//!   are complete. Upheld by `pop_front_if`, which unlinks and gives the waker back. Shown by
//!   `a_wake_may_drop_its_neighbours_and_join_again`,
//!   `decide_may_empty_the_list_under_its_own_feet` and
//!   `a_waker_that_panics_does_not_strand_those_behind_it`.
//!
//! # Prefetch
//!
//! - **A hint.** `prefetch.rs`. To ask the processor for a line reads nothing, so any address is
//!   allowed. Upheld by the instruction. Shown by every test that wakes a task.
//!
//! # Operations
//!
//! All of these are also looked at while a fuzzer, under AddressSanitizer, chooses what a hostile
//! driver does: `.ci/fuzz`, or the same lives without a fuzzer, `tests/tests/hostile.rs`.
//!
//! - **Owned while in flight.** `op/mod.rs`. A payload is in its slot before the kernel hears of
//!   it, and until the terminal completion. Upheld by [`OpTable`](crate::op::OpTable), and by the
//!   driver, which must report a terminal completion only when the kernel is done. Shown by
//!   `an_orphan_keeps_its_payload_until_the_terminal_completion`,
//!   `a_table_that_is_dropped_with_an_operation_in_flight_leaves_the_memory_alone` and the oracles
//!   `a_table_from_the_heap_does_what_a_naive_one_would_do` and
//!   `a_fixed_table_does_what_a_naive_one_would_do`.
//! - **A key fits its slot.** `op/mod.rs`. Index and generation name one operation, and the type is
//!   checked. Upheld by `OpTable::slot_of`. Shown by
//!   `a_key_of_another_table_is_refused_if_the_type_tells`.
//! - **No one else inside.** `op/mod.rs`. While code of an operation has its payload, no one else
//!   gets it. Upheld by `Slot::enter`, which hides the vtable; a second entry panics. Shown
//!   by `with_op_refuses_to_lend_the_same_operation_twice` and
//!   `an_operation_cannot_be_entered_from_inside_of_it`.
//! - **A cancel is never lost.** `op/mod.rs`. An orphan stands in the cancel list until the driver
//!   takes it. No unsafe code stands on it. Shown by
//!   `cancels_are_offered_once_each_and_in_order_however_many` and
//!   `a_slot_is_not_reused_while_the_cancel_list_holds_it`.
//! - **No gap.** `op/mod.rs`. Parts are collected in order, and the operation is told of each that
//!   is not. No unsafe code stands on it. Shown by
//!   `a_multishot_gives_its_parts_in_order_and_then_its_end` and
//!   `every_part_that_no_one_collects_reaches_the_orphan`.
//! - **Chunks stay.** `op/pool.rs`. Elements below the count are initialised and stay where they
//!   are until no one can look them up. Upheld by `Chunks::grow`, which only adds, and by the room,
//!   which frees nothing while an operation is in a slot. Shown by the same oracles and
//!   `large_payloads_stay_where_they_are_too`.
//! - **Blocks are free or used.** `op/blocks.rs`. A block in a table's list holds nothing; one that
//!   holds an operation is in no list. Upheld by `Blocks::put` and `take`, which move a block from
//!   one to the other. Shown by `large_operations_use_the_same_blocks_again` and the same oracles.
//! - **One table.** `op/memory.rs`. One table at a time touches fixed memory. Upheld by its claim,
//!   an atomic word. Shown by `memory_serves_one_table_at_a_time`,
//!   `memory_travels_from_thread_to_thread_and_only_one_has_it` and
//!   `memory_that_the_kernel_may_write_to_stays_taken_forever`.
//! - **Set up once.** `op/memory.rs`. Fixed slots are initialised by the first claim. Upheld by the
//!   same word, which tells the first claim from the others. Shown by
//!   `all_slots_and_parts_are_places_of_their_own`.
//!
//! # Calls
//!
//! Most of their tests run twice, over a mesh on the heap and one in a `static`.
//!
//! - **One holder.** `call/mod.rs`. A node is held by one of: a list of messages, a lane, the core
//!   that runs it, the late replies of a peer, the endpoint that takes the reply. Upheld by the
//!   types `Message` and `Chain`, which are neither `Copy` nor `Clone`, and by the lane. Shown by
//!   the models `send_against_receive_hands_over_what_is_sent`,
//!   `send_against_close_returns_or_delivers` and
//!   `leave_late_reply_against_receive_loses_no_reply`.
//! - **One at each end.** `call/lane.rs`. A lane has one sender and one receiver at a time. Upheld
//!   by the callers of its unsafe methods, that is by *Claimed once*, and by `Lane::drain`, of
//!   which one at a time takes. Shown by the models `a_batch_is_seen_whole` and
//!   `send_against_close_returns_or_delivers`.
//! - **Claimed once.** `call/peer.rs`. Each core's place in a mesh is taken once, and stays on one
//!   thread; so does what a fixed mesh has for it. Upheld by `Peers::claim`, which raises an atomic
//!   flag that is never lowered, and by endpoints not being `Send`. Shown by the model
//!   `send_against_close_returns_or_delivers`, and by all tests that run over a fixed mesh.
//! - **Caller only.** `call/mod.rs`. `waker`, `outcome` and `abandoned` belong to the caller's
//!   core. Upheld by `call/call.rs` and `Inner::settle`, which alone use them. Shown by
//!   `outputs_that_no_one_awaits_are_dropped_by_the_caller` and
//!   `calls_that_outlive_their_executor_end`.
//! - **Back to the caller.** `call/mod.rs`. A node is recycled by the endpoint that made it.
//!   Upheld by `Inner::send_back` and the destructor of `Reply`. Shown by
//!   `a_place_is_used_again_and_again_however_its_call_ended` and
//!   `cores_that_come_and_go_under_load_leave_nothing_behind`.
//! - **Wakers are forever.** `call/peer.rs`. What a peer holds is the waker of a task, which
//!   owns nothing, and its executor cell. Upheld by the pump, the only caller of `Peers::open`;
//!   it rests on *Headers are forever*. Shown by the model `send_against_open_and_sleep_wakes`.
//! - **Listed is there.** `executor/watch.rs`. A watch on an executor's list is there, and what it
//!   looks at is. Upheld by the pump, which keeps its endpoint and takes its watch off the list
//!   when it ends. Shown by `handles_and_executors_go_in_any_order`.
//! - **Mesh outlives.** `call/inner.rs`. Lanes, peers and lists of the unsent are there as long as
//!   the inside of an endpoint. Upheld by an `Arc` beside it, or by being `'static`. Shown by
//!   `handles_and_executors_go_in_any_order`.
//! - **Counted.** `call/call.rs`. While a reference to an endpoint exists, its inside does. Upheld
//!   by `EndpointRef`, which is not `Send`, so its count needs no atomics. Shown by
//!   `handles_and_executors_go_in_any_order`.
//! - **Comes first.** `call/call.rs`. A header is the beginning of the inside of its endpoint.
//!   Upheld by `#[repr(C)]` and the two places that make one. Shown by each test that makes a call.
//! - **Listed calls live.** `call/call.rs`. A node in the list of calls that are awaited outside of
//!   the executor is that of a call which is not over. Upheld by `EndpointHeader::recycle`, which
//!   takes it out. Shown by `calls_that_are_awaited_elsewhere_are_forgotten_when_they_are_over`.
//! - **Free is no one's.** `call/memory.rs`. Memory in a free list is large enough and known to
//!   no one else. Upheld by `Memory::put`. Shown by the oracle `memory_that_is_out_is_exclusive`.
//!
//! # Values between cores
//!
//! - **A claim is a place.** `collections/ring.rs`. A slot is its sender's from the claim until its
//!   stamp says `FULL`, and the receiver's from then on until the next stamp. Upheld by the one
//!   compare-and-swap on the tail, and by `pop`. Shown by the models
//!   `loom_sends_of_two_against_sleep` and `loom_room_for_a_batch_is_found_by_two_that_wait`.
//! - **One receiver.** `collections/ring.rs`, `mpsc/channel.rs`. One thread at a time takes values.
//!   Upheld by `Receiver`, which takes them through `&mut self`, and by the lock when it is gone.
//!   Shown by the model `loom_no_value_stays_behind_a_receiver_that_goes`.
//!   And `interrupt/receiver.rs`: by `Receiver::claim`. Shown by the model
//!   `loom_interrupt_two_receivers_take_turns`.
//! - **One step at a time.** `interrupt/waker_cell.rs`. The waker is touched by the one that
//!   has led the state word from idle. Upheld by `register` and `wake`, which alone touch it. Shown
//!   by the models `loom_interrupt_send_against_wait_wakes` and
//!   `loom_interrupt_sends_of_two_against_waits`.
//! - **Split once.** `interrupt/queue.rs`. The ends of the queue are made once, and there before
//!   they are used. Upheld by `Queue::split`. Shown by the model
//!   `loom_interrupt_ends_are_made_once`.
//! - **One sender.** `interrupt/queue.rs`. One at a time has the producer. Upheld by
//!   `Queue::try_send`, which refuses a second. Shown by the model
//!   `loom_interrupt_one_sends_at_a_time`.
//! - **A slot has one owner.** `interrupt/signal.rs`. A slot is filled and read by who has taken it
//!   from the free ones, or out of `latest`. Upheld by `Signal::claim` and `Signal::take_out`.
//!   Shown by the models `loom_interrupt_signals_of_two_have_a_slot_each` and
//!   `loom_interrupt_slots_are_used_again`.
//! - **One handler.** `interrupt/handler.rs`. An executor in a handler is used by one interrupt of
//!   one core. Upheld by the callers of `Handler::run`, which promise it. Shown by
//!   `a_handler_that_interrupts_itself_is_told`.
//! - **Locked.** `mpsc/channel.rs`. Who sleeps is noted, and looked up, by one thread at a time.
//!   Upheld by `Locked::with`, and by `Turn`, whose node is out of the list before it goes. Shown
//!   by `each_value_of_four_threads_comes_once_and_in_order` under ThreadSanitizer, and by the
//!   model `shuttle_sends_that_are_given_up_leave_their_turn_to_the_next`.
//! - **No lock over foreign code.** `mpsc/channel.rs`. No waker and no value runs code under the
//!   lock. Upheld by each that takes it, which hands out what is to be woken or dropped. Shown by
//!   `all_are_told_of_the_end_even_if_a_waker_panics`.
//! - **A turn is room.** `mpsc/channel.rs`. There is room for each turn that is not used. Upheld by
//!   `grant_one`, and by the flag in the tail that keeps out who has none. Shown by the models
//!   `loom_room_for_a_batch_is_found_by_two_that_wait`,
//!   `loom_one_place_is_for_two_senders_in_turn` and
//!   `shuttle_three_senders_to_one_with_room_for_one`.
//!
//! # Locks and other waits
//!
//! - **One unit, one user.** `sync/mutex.rs`. At most one guard, and only it reaches the value.
//!   Upheld by the semaphore, whose only unit the guard holds. Shown by
//!   `the_lock_excludes_others_over_an_await` and
//!   `a_body_dropped_over_an_await_leaves_the_lock_free`.
//! - **One unit, one reader.** `sync/rwlock.rs`. A read guard holds one unit. Upheld by the
//!   semaphore. Shown by `many_read_or_one_writes`.
//! - **All units, one writer.** `sync/rwlock.rs`. A write guard holds all. Upheld by the semaphore.
//!   Shown by `many_read_or_one_writes` and `a_downgrade_lets_in_readers_up_to_the_next_writer`.
//! - **No overtaking.** `sync/semaphore.rs`. Units go to the front of the queue or to no one. No
//!   unsafe code stands on it. Shown by `a_small_request_does_not_overtake_a_large_one`.
//! - **Granted is taken.** `sync/semaphore.rs`. Granted units are not available to others. No
//!   unsafe code stands on it, but locks do. Shown by
//!   `a_panic_in_a_wake_strands_no_one_and_loses_no_unit`.
//! - **Nothing affordable waits.** `sync/semaphore.rs`. Whatever could let the first waiter go on
//!   grants. No unsafe code stands on it. Shown by
//!   `dropped_while_queued_lets_those_behind_it_pass`.
//! - **Closed is empty.** `sync/semaphore.rs`. A closed semaphore has no waiters. No unsafe code
//!   stands on it. Shown by `close_fails_all_now_and_later_but_keeps_what_was_granted`.
//! - **The waiter stays put.** `sync/semaphore.rs`. `waiter` is structurally pinned. Upheld by that
//!   file. Shown by `a_wake_may_drop_the_waiters_that_come_next`.
//! - **Granted is owned.** `sync/semaphore.rs`. A granted request owns its units, which delivery or
//!   drop takes, not both. No unsafe code there stands on it, but locks do. Shown by
//!   `dropped_after_being_granted_passes_the_units_on`.
//! - **Closed is forever.** `sync/gate.rs`. No one enters a closed gate. No unsafe code stands on
//!   it. Shown by `an_empty_gate_closes_at_once_and_forever`.
//! - **Set when done.** `sync/gate.rs`. The event of a closed gate is set when the last one leaves.
//!   No unsafe code stands on it. Shown by `close_waits_for_the_last_one_and_wakes_once`.
//! - **The work stays put.** `sync/gate.rs`. `future` is structurally pinned. Upheld by that
//!   file. Shown by `the_work_is_held_once`.
//! - **The work goes first.** `sync/gate.rs`. The work is dropped before the gate is left. No
//!   unsafe code stands on it. Shown by
//!   `the_gate_is_left_only_after_the_work_is_gone_whether_polled_or_not`.
//! - **One poller.** `sync/shared.rs`. Only the holder of the unit touches the inner future.
//!   Upheld by a semaphore of one unit. Shown by
//!   `a_future_may_wait_for_itself_as_it_is_polled_and_dropped` and
//!   `a_panic_in_the_future_lets_the_next_one_poll`.
//! - **The future stays put.** `sync/shared.rs`. `future` is structurally pinned. Upheld by
//!   that file. Shown by `when_the_poller_goes_the_next_takes_over`.
//! - **An outcome is for good.** `sync/shared.rs`. It is set once, before anyone is woken. No
//!   unsafe code stands on it. Shown by `all_who_wait_and_all_who_come_later_get_a_clone`.
//! - **The output comes first.** `sync/shared.rs`. The future's place is empty only after the
//!   output is there. No unsafe code stands on it. Shown by `one_polls_and_all_get_the_output`.
//!
//! That locks and events are not `Sync` is an example that must not compile at each of them.
//!
//! # Aborts
//!
//! - **Linked means alive.** `sync/abort/hooks.rs`. An entry is in a list only as long as its
//!   waiter lives. Upheld by the order of fields and by pinning. Shown by
//!   `a_callback_may_drop_itself_its_child_source_and_those_that_come_next`.
//! - **No stops on the way.** `sync/abort/hooks.rs`. No foreign code runs between reading an entry
//!   and having taken its action out. Upheld by the round in `sync/abort.rs`. Shown by
//!   `a_callback_may_abort_again_and_wait` and `a_panic_in_a_callback_or_a_wake_strands_no_one`.
//! - **The hook stays put.** `sync/abort/hooks.rs`. Both its fields are structurally pinned. Upheld
//!   by that file. Shown by `what_is_leaked_is_still_served`.
//! - **The child stays put.** `sync/abort/hooks.rs`. `link` and `source` are structurally pinned.
//!   Upheld by that file. Shown by `a_child_that_is_dropped_unregisters`.
//! - **Parents last longer.** `sync/abort.rs`. A parent outlives every reference to its child's
//!   source. Upheld by the compiler: the child borrows it. Shown by
//!   `a_child_is_aborted_with_its_parent_or_alone`.
//! - **A token keeps its parents.** `sync/cancellation.rs`. A node has a share in the node whose
//!   source its link borrows, and gives it up after the link. Upheld by its `Drop`. Shown by
//!   `a_child_hears_of_its_root_although_what_lies_between_was_let_go` and
//!   `a_task_may_drop_the_last_tokens_of_a_tree_while_it_is_cancelled`.
//! - **The token stays put.** `sync/cancellation.rs`. A node is pinned in its `Rc`. Upheld by that
//!   type.
//! - **The tree is told at once.** `sync/abort.rs`. An abort gives its reason to all sources below
//!   and takes their lists over before foreign code runs. Upheld by `take_over_children`. Shown by
//!   `a_deep_tree_is_built_asked_aborted_and_dropped_on_a_small_stack`.
//! - **Aborted is for good.** `sync/abort.rs`. A reason stays, and nothing is linked from then on.
//!   No unsafe code stands on it. Shown by `the_first_reason_counts`.
//!
//! # Combinators
//!
//! The first four say that a future is polled and dropped where it is, the others that the wakers
//! of many parts may be used anywhere and at any time.
//!
//! - **Stages are pinned.** `combine/chain.rs`. Upheld by `Pin::set`, by which alone a stage
//!   changes. Shown by `the_first_future_is_gone_before_the_second_is_made`.
//! - **Slots are pinned.** `combine/slots.rs`. Upheld in the same way. Shown by
//!   `one_that_is_done_is_not_polled_again_and_is_dropped_at_once`.
//! - **Slots stay put.** `combine/when_all.rs`. Upheld by `WhenAll`, which has no `Drop`. Shown by
//!   `futures_that_must_not_move_stay_put`.
//! - **A row is pinned whole.** `combine/slots.rs`. Upheld by that file, which only walks over it.
//!   Shown by the same test.
//! - **Blocks last as long as their owner.** `combine/woken.rs`. Whatever the list of woken parts
//!   leads to is there. Upheld by `Woken`, which keeps its blocks and only adds to them. Shown by
//!   `parts_are_told_in_the_order_of_their_numbers_and_those_left_over_come_first`.
//! - **Bits are a place in the list.** `combine/woken.rs`. A block that has bits stands in the
//!   list once. Upheld by read-modify-writes of its bits. Shown by the model
//!   `loom_a_part_woken_again_while_it_is_polled_is_polled_again`.
//! - **A waker is a share.** `combine/woken.rs`. A part's waker keeps its block. Upheld by the
//!   four functions of its table. Shown by the model
//!   `loom_a_waker_may_outlive_its_whole_and_wakes_nothing`.
//! - **The place is a share.** `combine/woken.rs`. The side that swaps the waker of the whole out
//!   owns it. Upheld by that file. Shown by the same model.
//!
//! # Without an invariant
//!
//! `unobserved.rs` and `coop.rs` turn a pointer back into a function, which `set_hook` and
//! `set_current` made from one of that very type; `executor/cell.rs` one that `claim`
//! made.
//!
//! # What safe code cannot break
//!
//! **Forgetting.** [`core::mem::forget`] leaks, and does nothing else. A forgotten `JoinHandle`,
//! `Reservation`, `OpKey` or `Call` keeps its slot; a forgotten `Executor` keeps its executor cell;
//! a forgotten `Promise` leaves its future waiting. What is linked in a list is pinned, so its
//! memory is not used again. Tests: `a_forgotten_key_leaks_its_slot_and_nothing_else`,
//! `a_leaked_waiter_outlives_a_move_of_its_list`,
//! `a_leaked_waiter_stays_in_line_and_takes_its_units_with_it`, and on Linux
//! `r8_forgotten_reads_neither_hang_the_end_nor_write_after_it`.
//!
//! **Panics.** The core catches none, and stays whole while one passes through it:
//!
//! | a panic | shown by |
//! |---|---|
//! | in a poll | `in_a_poll_of_a_task_that_woke_itself`, `in_the_main_future` |
//! | as a future is dropped | `as_an_aborted_future_is_dropped` |
//! | as an output is dropped | `as_an_output_that_no_one_wants_is_dropped` |
//! | in a wake | `in_the_waker_of_the_joiner`, `in_a_waker_as_the_executor_clears_its_timers` |
//! | as the executor ends | `as_the_executor_drops_its_tasks` |
//! | in a promise's value | `panicking_drop_of_a_value_leaves_the_cell_free` |
//! | in an operation | `a_panic_in_settle_orphan_leaves_the_table_usable` |
//! | in work for another core | `a_core_whose_work_panics_goes_on_serving_in_order` |
//!
//! A second panic while the first one unwinds ends the program, as always in Rust.
//!
//! **Code that comes back.** A waker's clone, wake and drop, a destructor, a poll and an
//! operation's methods may call anything they can reach, also the object that is calling them.
//! Nothing is borrowed meanwhile, and what was known before is checked again afterwards. Tests:
//! `a_waker_whose_clone_runs_the_task_to_its_end_finds_the_result`,
//! `a_handle_may_be_dropped_inside_its_own_task`,
//! `a_deadline_that_passes_while_the_waker_is_cloned_is_seen`,
//! `waking_may_drop_the_future_at_once`, `code_of_an_operation_may_start_and_end_others`.
//!
//! **Wakers after the end.** They may be cloned, woken and dropped when the task, the executor and
//! the runtime are gone, on any thread. Tests: `eight_threads_wake_tasks_that_have_long_ended`,
//! `wakes_after_the_end_do_no_harm_to_the_next_executor`, and on Linux
//! `t5_t6_wakers_are_used_from_eight_threads_long_after_their_task_and_runtime`.
//!
//! **Handles after the end.** A `JoinHandle` still gives its result, a `LocalHandle` refuses to
//! spawn, a `Reservation` gives its slot back, a call ends with an error. Tests:
//! `a_handle_that_outlives_its_executor_still_gives_the_result`,
//! `nothing_is_spawned_once_the_executor_ends`,
//! `a_reservation_that_outlives_its_executor_spawns_nothing_and_gives_its_slot_back`,
//! `calls_that_outlive_their_executor_end`.
//!
//! **Numbers that run out.** A slot whose generations are used up retires; an executor cell whose
//! epochs are stays in use; with too many handles of one endpoint it panics before the count wraps.
//!
//! # What an unsafe trait asks of an implementation
//!
//! [`Unpark`](crate::Unpark): that `is_local` says `true` only on the core or thread of the
//! executor that it belongs to, while that executor exists, and never in an interrupt or signal
//! handler. An implementation that keeps the default has nothing to prove. That `unpark` ends the
//! sleep is not about memory: if it does not, tasks hang.
//!
//! [`Timers`](crate::timer::Timers): that the queue stays on the calling thread until its executor
//! has taken all timers out, and that from then on the answer is `None`. An implementation that
//! passes on the answer of another, asked again each time, needs no other proof.
//!
//! [`Reactor`](crate::Reactor) is a safe trait: a wrong one loses time or sleeps forever, and
//! breaks no memory. A driver hands the kernel pointers into an operation by unsafe code of its
//! own. It must report a completion as the last only when it is the last.
//!
//! # What is not proven
//!
//! - Models are explored with up to three preemptions in `.ci/run`, and each has two or three
//!   threads. Races that need more are not seen; those that are found by chance may not be either.
//! - loom takes sequentially consistent accesses for weaker ones; so the core uses none, but
//!   fences, which it does model.
//! - The models leave out the user's code and the unparker, and have a lock of loom's or shuttle's
//!   for the one that spins (`prim/lock.rs`): they would not come to an end.
//! - Tests run on x86-64, which orders more than the language does. On machines with weaker order
//!   only the models speak. On x86-64 every load acquires, every store releases, and every
//!   read-modify-write is a full fence. So no test there would notice that the processor needs an
//!   `Acquire` or a `Release` that is missing. Nor would it notice that of the fence in
//!   `wake_remote`, which stands behind the compare-and-swap of the inbox. The other fences stand
//!   between a store and a load, which x86-64 does exchange: those in `announce_sleep`, in
//!   `Lane::wait_for_room`, in `call/peer.rs` and most of those in `mpsc/channel.rs`.
//! - `examples/machines` runs on AArch64 and on RISC-V in QEMU alone. Its emulation on x86-64 has
//!   the order of x86-64, more or less, also with a thread for each core: that the calls between
//!   four cores come to their end there proves nothing about weaker order. Nor does the soak of
//!   them, `.ci/soak-aarch64`, which makes a hundred thousand of each core.
//! - AddressSanitizer sees memory that was given back or lost, not whether a pointer was used as
//!   the language allows. Miri would, but needs a nightly compiler: no step of `.ci/run` uses it,
//!   and nothing here rests on it. Tests that would take it hours are shorter under `cfg!(miri)`.
//! - ThreadSanitizer does not model fences. It has not complained about what they order so far, and
//!   it would not see that one is missing; the loom models do.
//! - An [`OpId`](crate::op::OpId) is 60 bits. A completion that comes 2²⁸ operations of one slot
//!   too late would be mistaken for another's.
//! - Nothing is shown by a proof assistant, and nothing by inspection of machine code.
