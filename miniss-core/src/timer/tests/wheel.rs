//! The wheel by hand: order, edges, and wakers that meddle.

use std::boxed::Box;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::timer::wheel::{LEVELS, SCAN_MAX, SLOTS};

type Node = Pin<Box<TimerNode>>;

const fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn node_with(waker: &core::task::Waker) -> Node {
    let node = Box::pin(TimerNode::new());
    node.register(waker);
    node
}

/// Arms a node for each deadline; it logs its index.
fn arm_all(wheel: &'static Wheel, log: &Log, deadlines: &[u64]) -> Vec<Node> {
    let arm = |(id, &deadline): (usize, &u64)| {
        let node = node_with(&log.waker(id));
        wheel.arm(node.as_ref(), at(deadline));
        node
    };
    deadlines.iter().enumerate().map(arm).collect()
}

#[test]
fn timers_fire_by_deadline() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let _nodes = arm_all(wheel, &log, &[30_000_000, 10_000_000, 20_000_000, 10_000_001]);
    assert_eq!(wheel.next_deadline(), Some(at(10_000_000)));
    assert_eq!(wheel.advance(at(9_999_999)), 0);
    assert_eq!(wheel.advance(at(10_000_000)), 1);
    assert_eq!(wheel.next_deadline(), Some(at(10_000_001)));
    assert_eq!(wheel.advance(at(40_000_000)), 3);
    assert_eq!(log.take(), [1, 3, 2, 0]);
    assert!(wheel.is_empty());
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn equal_deadlines_fire_in_arm_order_across_refiling() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let deadline = 5_000_000_000;
    let mut nodes = vec![];
    for (id, now) in [0, 1, 4_000_000_000, 4_999_000_000, 4_999_999_999].into_iter().enumerate() {
        wheel.advance(at(now));
        let node = node_with(&log.waker(id));
        wheel.arm(node.as_ref(), at(deadline));
        nodes.push(node);
    }
    assert_eq!(wheel.advance(at(deadline)), 5);
    assert_eq!(log.take(), [0, 1, 2, 3, 4]);
}

#[test]
fn rearming_goes_behind_others_of_the_same_deadline() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let nodes = arm_all(wheel, &log, &[100, 100]);
    wheel.arm(nodes[0].as_ref(), at(100));
    assert_eq!(wheel.len(), 2);
    wheel.advance(at(100));
    assert_eq!(log.take(), [1, 0]);
}

#[test]
fn zero_and_past_deadlines_fire_at_the_next_advance() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    wheel.advance(at(1_000));
    let _nodes = arm_all(wheel, &log, &[0, 999, 1_000]);
    assert_eq!(log.take(), [], "never inline");
    assert_eq!(wheel.next_deadline(), Some(at(1_000)));
    assert_eq!(wheel.advance(at(1_000)), 3);
    assert_eq!(log.take(), [0, 1, 2]);
}

#[test]
fn a_clock_that_steps_back_does_not_move_time() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    wheel.advance(at(1_000));
    let _nodes = arm_all(wheel, &log, &[1_000, 1_001]);
    assert_eq!(wheel.advance(at(3)), 1);
    assert_eq!(wheel.now(), at(1_000));
    assert_eq!(log.take(), [0]);
}

#[test]
fn the_end_of_time_is_never() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let nodes = arm_all(wheel, &log, &[u64::MAX, u64::MAX - 1]);
    assert_eq!(wheel.len(), 1);
    assert!(nodes[0].is_idle());
    assert_eq!(wheel.next_deadline(), Some(at(u64::MAX - 1)));
    assert_eq!(wheel.advance(Instant::MAX), 1);
    assert_eq!(log.take(), [1]);
    wheel.arm(nodes[1].as_ref(), at(5));
    assert_eq!(wheel.advance(Instant::MAX), 1, "goes on at the end of time");
}

#[test]
fn a_lone_timer_is_exact_however_far_away() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let in_500_years = 500 * 365 * 86_400 * 1_000_000_000 + 123;
    let _nodes = arm_all(wheel, &log, &[in_500_years]);
    assert_eq!(wheel.next_deadline(), Some(at(in_500_years)));
    assert_eq!(wheel.advance(at(in_500_years - 1)), 0);
    assert_eq!(wheel.next_deadline(), Some(at(in_500_years)));
    assert_eq!(wheel.advance(at(in_500_years)), 1);
}

#[test]
fn a_crowd_gives_a_bound_that_soon_gets_exact() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let deadlines: Vec<u64> = (0..100).map(|i| 10_000_000 + i * 1_000).collect();
    let _nodes = arm_all(wheel, &log, &deadlines);
    let mut looks = 0;
    while wheel.len() == 100 {
        let next = wheel.next_deadline().unwrap();
        assert!(next <= at(10_000_000));
        wheel.advance(next);
        looks += 1;
    }
    assert!(looks <= LEVELS, "{looks}");
    assert_eq!(log.take(), [0]);
}

#[test]
fn a_dropped_node_is_gone() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let mut nodes = arm_all(wheel, &log, &[10, 10, 10, 5_000]);
    nodes.remove(1);
    nodes.pop();
    assert_eq!(wheel.len(), 2);
    assert_eq!(wheel.advance(at(10_000)), 2);
    assert_eq!(log.take(), [0, 2]);
}

#[test]
fn a_waker_may_drop_cancel_and_arm_others() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let others = Rc::new(RefCell::new(vec![]));
    let meddler = node_with(&calling({
        let others = others.clone();
        move || {
            let mut others: Vec<Node> = others.take();
            others.remove(0).cancel();
            wheel.arm(others[0].as_ref(), at(0));
            crate::kept::forever(others);
        }
    }));
    wheel.arm(meddler.as_ref(), at(7));
    others.replace(arm_all(wheel, &log, &[7, 8, 9]));
    assert_eq!(wheel.advance(at(9)), 2, "one is gone, one has been armed again");
    assert_eq!(log.take(), [2]);
    assert_eq!(wheel.advance(at(9)), 1);
    assert_eq!(log.take(), [1]);
}

#[test]
fn a_waker_that_arms_itself_again_does_not_hold_up_the_turn() {
    let wheel = leaked_wheel();
    let node: &'static Node = crate::kept::forever(Box::pin(TimerNode::new()));
    node.register(&calling(move || wheel.arm(node.as_ref(), at(0))));
    wheel.arm(node.as_ref(), at(0));
    assert_eq!(wheel.advance(at(1)), 1);
    assert_eq!(wheel.len(), 1);
    assert_eq!(wheel.advance(at(1)), 1);
}

#[test]
fn a_waker_may_advance_the_wheel() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let first = node_with(&calling(move || assert_eq!(wheel.advance(at(20)), 2)));
    wheel.arm(first.as_ref(), at(1));
    let _nodes = arm_all(wheel, &log, &[15, 5]);
    assert_eq!(wheel.advance(at(10)), 1);
    assert_eq!(log.take(), [1, 0]);
    assert_eq!(wheel.now(), at(20));
}

#[test]
fn after_a_panic_the_rest_is_woken_at_the_next_advance() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let _before = arm_all(wheel, &log, &[3]);
    let bomb = node_with(&calling(|| panic!("as told")));
    wheel.arm(bomb.as_ref(), at(4));
    let _after = arm_all(wheel, &log, &[5, 6, 50]);
    assert!(catch_unwind(AssertUnwindSafe(|| wheel.advance(at(10)))).is_err());
    assert_eq!(log.take(), [0]);
    assert!(bomb.has_fired());
    assert_eq!(wheel.len(), 3);
    assert_eq!(wheel.next_deadline(), Some(at(10)), "not to be slept through");
    assert_eq!(wheel.advance(at(50)), 3);
    assert_eq!(log.take(), [0, 1, 2]);
}

#[test]
fn clear_wakes_all_and_leaves_nothing() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let nodes = arm_all(wheel, &log, &[1, 1_000, 1 << 40]);
    wheel.clear();
    assert!(wheel.is_empty());
    assert_eq!(log.take(), [0, 1, 2]);
    assert!(nodes.iter().all(|node| node.is_idle()));
    drop(nodes);
    assert_eq!(wheel.advance(Instant::MAX), 0);
}

#[test]
fn clear_leaves_nothing_even_if_wakers_panic_or_arm() {
    let (wheel, log) = (leaked_wheel(), Log::default());
    let stubborn: &'static Node = crate::kept::forever(Box::pin(TimerNode::new()));
    stubborn.register(&calling(move || wheel.arm(stubborn.as_ref(), at(0))));
    wheel.arm(stubborn.as_ref(), at(1));
    wheel.clear();
    assert!(wheel.is_empty());

    let bomb = node_with(&calling(|| panic!("as told")));
    wheel.arm(bomb.as_ref(), at(1));
    let nodes = arm_all(wheel, &log, &[2]);
    assert!(catch_unwind(AssertUnwindSafe(|| wheel.clear())).is_err());
    assert!(wheel.is_empty() && nodes[0].is_idle());
    assert_eq!(log.take(), []);
}

#[test]
fn the_first_slot_of_every_level_starts_where_it_should() {
    for shift in 0..u64::BITS {
        let (wheel, log) = (leaked_wheel(), Log::default());
        let _nodes = arm_all(wheel, &log, &[1 << shift; SCAN_MAX + 1]);
        assert_eq!(wheel.next_deadline(), Some(at(1 << shift)));
        assert_eq!(wheel.advance(at((1 << shift) - 1)), 0);
        assert_eq!(wheel.advance(at(1 << shift)), SCAN_MAX + 1);
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn sizes_stay_what_they_are() {
    assert_eq!(size_of::<TimerNode>(), 7 * size_of::<usize>());
    assert!(size_of::<Wheel>() <= 5_760, "{}", size_of::<Wheel>());
}

/// Of a duration as people write it, in nanoseconds.
fn nanos(duration: &str) -> f64 {
    let (number, unit) = duration.split_once(' ').expect("a number and its unit");
    let unit = match unit {
        "ns" => 1.0,
        "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "min" => 60e9,
        "days" => 86_400e9,
        "years" => 365.25 * 86_400e9,
        other => panic!("{other} is no unit"),
    };
    number.parse::<f64>().expect("a number") * unit
}

#[test]
fn the_levels_are_as_the_table_in_the_docs_says() {
    let rows = include_str!("../wheel.rs").lines().filter(|line| line.starts_with("//! | "));
    let rows: Vec<Vec<&str>> = rows.skip(1).map(|row| row.split(" | ").collect()).collect();
    assert_eq!(rows.len(), LEVELS);
    for (level, row) in rows.iter().enumerate() {
        let ["//!", number, slot, reach] = row[..] else { panic!("{row:?} has not three columns") };
        assert_eq!(number, std::format!("{level}"));
        let width = (SLOTS as f64).powi(level as i32);
        assert!((nanos(slot) / width - 1.0).abs() < 0.01, "{row:?}: {width}");
        let end = (width * SLOTS as f64).min(u64::MAX as f64);
        let said = reach.split([',', '|']).next().expect("it is not empty").trim();
        assert!((nanos(said) / end - 1.0).abs() < 0.01, "{row:?}: {end}");
    }
    assert_eq!(u64::MAX >> (6 * (LEVELS - 1)), 15, "the top level has 16 slots that are used");
}
