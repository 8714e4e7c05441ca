//! What the wheel alone has: its levels, and a bound where many timers lie close together.

use std::vec::Vec;

use super::queue::{arm_all, at};
use super::*;
use crate::timer::wheel::{LEVELS, SCAN_MAX, SLOTS};

#[test]
fn a_crowd_gives_a_bound_that_soon_gets_exact() {
    let (wheel, log) = (leaked_queue::<Wheel>(), Log::default());
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
fn the_first_slot_of_every_level_starts_where_it_should() {
    for shift in 0..u64::BITS {
        let (wheel, log) = (leaked_queue::<Wheel>(), Log::default());
        let _nodes = arm_all(wheel, &log, &[1 << shift; SCAN_MAX + 1]);
        assert_eq!(wheel.next_deadline(), Some(at(1 << shift)));
        assert_eq!(wheel.advance(at((1 << shift) - 1)), 0);
        assert_eq!(wheel.advance(at(1 << shift)), SCAN_MAX + 1);
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn sizes_stay_what_they_are() {
    assert_eq!(size_of::<TimerNode<Wheel>>(), 7 * size_of::<usize>());
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
