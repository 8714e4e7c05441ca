//! The queues by hand: order, edges, and wakers that meddle.

use std::boxed::Box;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use super::*;

over_each_queue! {
    timers_fire_by_deadline
    equal_deadlines_fire_in_arm_order_across_refiling
    rearming_goes_behind_others_of_the_same_deadline
    zero_and_past_deadlines_fire_at_the_next_advance
    a_clock_that_steps_back_does_not_move_time
    the_end_of_time_is_never
    a_lone_timer_is_exact_however_far_away
    a_dropped_node_is_gone
    a_waker_may_drop_cancel_and_arm_others
    a_waker_that_arms_itself_again_does_not_hold_up_the_turn
    a_waker_may_advance_time
    after_a_panic_the_rest_is_woken_at_the_next_advance
    clear_wakes_all_and_leaves_nothing
    after_a_clear_the_clock_may_begin_again
    clear_leaves_nothing_even_if_wakers_panic_or_arm
}

type Node<Q> = Pin<Box<TimerNode<Q>>>;

pub(super) const fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn node_with<Q: HasTimers>(waker: &core::task::Waker) -> Node<Q> {
    let node = Box::pin(TimerNode::new());
    node.register(waker);
    node
}

/// Arms a node for each deadline; it logs its index.
pub(super) fn arm_all<Q: HasTimers>(
    queue: &'static Q,
    log: &Log,
    deadlines: &[u64],
) -> Vec<Node<Q>> {
    let arm = |(id, &deadline): (usize, &u64)| {
        let node = node_with(&log.waker(id));
        queue.arm(node.as_ref(), at(deadline));
        node
    };
    deadlines.iter().enumerate().map(arm).collect()
}

fn timers_fire_by_deadline<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    let _nodes = arm_all(queue, &log, &[30_000_000, 10_000_000, 20_000_000, 10_000_001]);
    assert_eq!(queue.next_deadline(), Some(at(10_000_000)));
    assert_eq!(queue.advance(at(9_999_999)), 0);
    assert_eq!(queue.advance(at(10_000_000)), 1);
    assert_eq!(queue.next_deadline(), Some(at(10_000_001)));
    assert_eq!(queue.advance(at(40_000_000)), 3);
    assert_eq!(log.take(), [1, 3, 2, 0]);
    assert!(queue.is_empty());
    assert_eq!(queue.next_deadline(), None);
}

fn equal_deadlines_fire_in_arm_order_across_refiling<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    let deadline = 5_000_000_000;
    let mut nodes = vec![];
    for (id, now) in [0, 1, 4_000_000_000, 4_999_000_000, 4_999_999_999].into_iter().enumerate() {
        queue.advance(at(now));
        let node = node_with(&log.waker(id));
        queue.arm(node.as_ref(), at(deadline));
        nodes.push(node);
    }
    assert_eq!(queue.advance(at(deadline)), 5);
    assert_eq!(log.take(), [0, 1, 2, 3, 4]);
}

fn rearming_goes_behind_others_of_the_same_deadline<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    let nodes = arm_all(queue, &log, &[100, 100]);
    queue.arm(nodes[0].as_ref(), at(100));
    assert_eq!(queue.len(), 2);
    queue.advance(at(100));
    assert_eq!(log.take(), [1, 0]);
}

fn zero_and_past_deadlines_fire_at_the_next_advance<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    queue.advance(at(1_000));
    let _nodes = arm_all(queue, &log, &[0, 999, 1_000]);
    assert_eq!(log.take(), [], "never inline");
    assert_eq!(queue.next_deadline(), Some(at(1_000)));
    assert_eq!(queue.advance(at(1_000)), 3);
    assert_eq!(log.take(), [0, 1, 2]);
}

fn a_clock_that_steps_back_does_not_move_time<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    queue.advance(at(1_000));
    let _nodes = arm_all(queue, &log, &[1_000, 1_001]);
    assert_eq!(queue.advance(at(3)), 1);
    let _past = arm_all(queue, &log, &[0]);
    assert_eq!(queue.next_deadline(), Some(at(1_000)));
    assert_eq!(log.take(), [0]);
}

fn the_end_of_time_is_never<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    let nodes = arm_all(queue, &log, &[u64::MAX, u64::MAX - 1]);
    assert_eq!(queue.len(), 1);
    assert!(nodes[0].is_idle());
    assert_eq!(queue.next_deadline(), Some(at(u64::MAX - 1)));
    assert_eq!(queue.advance(Instant::MAX), 1);
    assert_eq!(log.take(), [1]);
    queue.arm(nodes[1].as_ref(), at(5));
    assert_eq!(queue.advance(Instant::MAX), 1, "goes on at the end of time");
}

fn a_lone_timer_is_exact_however_far_away<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    let in_500_years = 500 * 365 * 86_400 * 1_000_000_000 + 123;
    let _nodes = arm_all(queue, &log, &[in_500_years]);
    assert_eq!(queue.next_deadline(), Some(at(in_500_years)));
    assert_eq!(queue.advance(at(in_500_years - 1)), 0);
    assert_eq!(queue.next_deadline(), Some(at(in_500_years)));
    assert_eq!(queue.advance(at(in_500_years)), 1);
}

fn a_dropped_node_is_gone<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    let mut nodes = arm_all(queue, &log, &[10, 10, 10, 5_000]);
    nodes.remove(1);
    nodes.pop();
    assert_eq!(queue.len(), 2);
    assert_eq!(queue.advance(at(10_000)), 2);
    assert_eq!(log.take(), [0, 2]);
}

fn a_waker_may_drop_cancel_and_arm_others<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    let others = Rc::new(RefCell::new(vec![]));
    let meddler = node_with(&calling({
        let others = others.clone();
        move || {
            let mut others: Vec<Node<Q>> = others.take();
            others.remove(0).cancel();
            queue.arm(others[0].as_ref(), at(0));
            crate::kept::forever(others);
        }
    }));
    queue.arm(meddler.as_ref(), at(7));
    others.replace(arm_all(queue, &log, &[7, 8, 9]));
    assert_eq!(queue.advance(at(9)), 2, "one is gone, one has been armed again");
    assert_eq!(log.take(), [2]);
    assert_eq!(queue.advance(at(9)), 1);
    assert_eq!(log.take(), [1]);
}

fn a_waker_that_arms_itself_again_does_not_hold_up_the_turn<Q: HasTimers>() {
    let queue = leaked_queue::<Q>();
    let node: &'static Node<Q> = crate::kept::forever(Box::pin(TimerNode::new()));
    node.register(&calling(move || queue.arm(node.as_ref(), at(0))));
    queue.arm(node.as_ref(), at(0));
    assert_eq!(queue.advance(at(1)), 1);
    assert_eq!(queue.len(), 1);
    assert_eq!(queue.advance(at(1)), 1);
}

fn a_waker_may_advance_time<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    let first = node_with(&calling(move || assert_eq!(queue.advance(at(20)), 2)));
    queue.arm(first.as_ref(), at(1));
    let _nodes = arm_all(queue, &log, &[15, 5]);
    assert_eq!(queue.advance(at(10)), 1);
    assert_eq!(log.take(), [1, 0]);
    let _past = arm_all(queue, &log, &[0]);
    assert_eq!(queue.next_deadline(), Some(at(20)));
}

fn after_a_panic_the_rest_is_woken_at_the_next_advance<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    let _before = arm_all(queue, &log, &[3]);
    let bomb = node_with(&calling(|| panic!("as told")));
    queue.arm(bomb.as_ref(), at(4));
    let _after = arm_all(queue, &log, &[5, 6, 50]);
    assert!(catch_unwind(AssertUnwindSafe(|| queue.advance(at(10)))).is_err());
    assert_eq!(log.take(), [0]);
    assert!(bomb.has_fired());
    assert_eq!(queue.len(), 3);
    assert_eq!(queue.next_deadline(), Some(at(10)), "not to be slept through");
    assert_eq!(queue.advance(at(50)), 3);
    assert_eq!(log.take(), [0, 1, 2]);
}

fn clear_wakes_all_and_leaves_nothing<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    let nodes = arm_all(queue, &log, &[1, 1_000, 1 << 40]);
    queue.clear();
    assert!(queue.is_empty());
    assert_eq!(log.take(), [0, 1, 2]);
    assert!(nodes.iter().all(|node| node.is_idle()));
    drop(nodes);
    assert_eq!(queue.advance(Instant::MAX), 0);
}

fn after_a_clear_the_clock_may_begin_again<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    assert_eq!(queue.advance(at(1 << 40)), 0);
    let stays = arm_all(queue, &log, &[1 << 41]);
    assert_eq!(queue.advance(at(1 << 40)), 0);
    queue.clear();
    assert_eq!(log.take(), [0]);
    let _nodes = arm_all(queue, &log, &[9, 5, 1 << 20]);
    assert_eq!((queue.next_deadline(), queue.advance(at(4))), (Some(at(5)), 0));
    for (now, woken) in [(5, 1), (9, 0), (1 << 20, 2)] {
        assert_eq!(queue.advance(at(now)), 1);
        assert_eq!(log.take(), [woken]);
    }
    drop(stays);
}

fn clear_leaves_nothing_even_if_wakers_panic_or_arm<Q: HasTimers>() {
    let (queue, log) = (leaked_queue::<Q>(), Log::default());
    let stubborn: &'static Node<Q> = crate::kept::forever(Box::pin(TimerNode::new()));
    stubborn.register(&calling(move || queue.arm(stubborn.as_ref(), at(0))));
    queue.arm(stubborn.as_ref(), at(1));
    queue.clear();
    assert!(queue.is_empty());

    let bomb = node_with(&calling(|| panic!("as told")));
    queue.arm(bomb.as_ref(), at(1));
    let nodes = arm_all(queue, &log, &[2]);
    assert!(catch_unwind(AssertUnwindSafe(|| queue.clear())).is_err());
    assert!(queue.is_empty() && nodes[0].is_idle());
    assert_eq!(log.take(), []);
}
