//! What safe code may do to the core without harm: forget, unwind anywhere, come back from inside
//! of a wake, and keep everything longer than its executor lives.
//!
//! Every kind of future of the core is a *place* where something is waited for, and every abuse is
//! tried at every place, over a port that knows when it is on its own thread and over one that does
//! not. What belongs to one place alone stands in files of its own, line by line. What only the
//! inside can see (counts of slots, of drops and of polls) is asserted by the core's own tests in
//! `executor/tests/{panics, ending, handles, wakes}.rs`, `promise/tests.rs` and `op/tests`.
//!
//! All of it also runs under AddressSanitizer and LeakSanitizer.

mod abuses;
mod afterlife;
mod forgotten;
mod places;
mod port;
mod shards;
mod unwinding;

/// Every abuse at every place.
macro_rules! every_abuse_at {
    ($($place:ident)+) => {$(
        mod $place {
            use crate::{abuses, places};

            crate::every_abuse_at! { @ $place
                it_is_forgotten_and_then_it_comes
                it_is_forgotten_and_the_executor_ends
                it_is_forgotten_inside_a_task
                it_is_dropped_and_then_it_comes
                it_is_dropped_after_the_executor
                it_comes_after_the_executor_has_ended
                the_waker_panics_when_it_is_woken
                the_waker_panics_when_it_is_replaced
                the_waker_panics_when_it_is_dropped
                the_wake_drops_the_future
                the_wake_polls_the_future
                the_wake_spawns_a_task
                the_wake_ends_a_task_by_its_handle
                the_task_unwinds_while_it_waits
                the_task_is_aborted_while_it_waits
                it_is_waited_for_by_one_task_after_another
            }
        }
    )+};
    (@ $place:ident $($abuse:ident)+) => {$(
        #[test]
        fn $abuse() {
            abuses::$abuse(places::$place);
        }
    )+};
}
use every_abuse_at;

every_abuse_at! {
    a_join_handle
    a_set_of_tasks
    a_promise
    a_promise_in_a_cell
    a_sleep
    a_timeout
    an_interval
    a_semaphore
    a_mutex
    a_token
    a_token_below_another
    a_wait_list
    a_call
    an_operation
}
