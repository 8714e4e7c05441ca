//! Both kinds of spinning, without a driver: when they look for work, and for how long.

use super::*;

#[test]
fn without_a_short_sleep_there_is_no_spinning() {
    let mut spin = CallSpin::new(50_000);
    assert_eq!(spin.window_ns(), 0);
    spin.slept(50_001);
    assert_eq!(spin.window_ns(), 0);
    spin.slept(30_000);
    assert_eq!(spin.window_ns(), 30_000);
    spin.slept(50_000);
    assert_eq!(spin.window_ns(), 50_000);
}

#[test]
fn the_window_follows_what_comes_early() {
    let mut spin = CallSpin::new(50_000);
    spin.slept(40_000);
    spin.hit(1_000);
    assert_eq!(spin.window_ns(), 20_000, "one that came early is no rule yet");
    (0..10).for_each(|_| spin.hit(1_000));
    assert_eq!(spin.window_ns(), MARGIN * 1_000);
    (0..10).for_each(|_| spin.hit(100));
    assert_eq!(spin.window_ns(), WINDOW_MIN_NS);
    spin.hit(1_000_000);
    assert_eq!(spin.window_ns(), 50_000);
}

#[test]
fn spinning_in_vain_becomes_rare() {
    let mut spin = CallSpin::new(50_000);
    let (mut sleeps, mut spins) = (0, 0);
    while sleeps < 10_000 {
        if spin.window_ns() > 0 {
            spins += 1;
            spin.miss();
        }
        sleeps += 1;
        spin.slept(10_000);
    }
    assert!(spins < 50, "{spins} spins");
    spin.hit(1_000);
    assert!(spin.window_ns() > 0);
}

#[test]
fn after_each_spin_in_vain_it_waits_twice_as_long_and_begins_again() {
    let mut spin = CallSpin::new(50_000);
    for passed_by in [2, 4, 8] {
        spin.miss();
        for _ in 0..passed_by {
            spin.slept(10_000);
            assert_eq!(spin.window_ns(), 0);
        }
        spin.slept(10_000);
        assert_eq!(spin.window_ns(), 10_000);
    }
}

#[test]
fn a_spin_that_is_off_stays_off() {
    let mut spin = CallSpin::new(0);
    assert!(!spin.is_on());
    spin.slept(0);
    assert_eq!(spin.window_ns(), 0);
}

#[test]
fn idle_spinning_that_pays_again_goes_on() {
    let mut spin = IdleSpin::new(100);
    assert_eq!(spin.window_ns(), 100);
    (0..MISSES_MAX).for_each(|_| spin.miss());
    assert_eq!(spin.window_ns(), 0);
    spin.hit();
    assert_eq!(spin.window_ns(), 100);
}

#[test]
fn idle_spinning_in_vain_becomes_rare() {
    let mut spin = IdleSpin::new(100);
    let spins = (0..640).filter(|_| {
        let spins = spin.window_ns() > 0;
        if spins {
            spin.miss();
        }
        spins
    });
    assert_eq!(spins.count(), MISSES_MAX as usize + 640 / RETRY_EVERY as usize);
}
