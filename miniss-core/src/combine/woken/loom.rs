//! Models of wakes against polls, each named for the race it rules out. They run the code that
//! ships: the main thread polls the whole, the others wake its parts.

use core::task::Waker;
use std::sync::Arc;
use std::task::Wake;
use std::vec::Vec;

use ::loom::cell::UnsafeCell;
use ::loom::sync::atomic::{AtomicUsize, Ordering};
use ::loom::thread;

use super::{PARTS, Woken};

/// Counts its wakes. What comes before a wake comes before a look at it, as executors have it.
struct Unparker {
    wakes: AtomicUsize,
    /// Written as it is made, and read as it wakes: loom sees one that wakes before it is there.
    made: UnsafeCell<bool>,
}

impl Unparker {
    fn new() -> Arc<Self> {
        let unparker = Self { wakes: AtomicUsize::new(0), made: UnsafeCell::new(false) };
        // SAFETY: no one else knows it.
        unparker.made.with_mut(|made| unsafe { *made = true });
        Arc::new(unparker)
    }

    fn wakes(&self) -> usize {
        self.wakes.load(Ordering::Acquire)
    }
}

// SAFETY: `made` is written before it is shared.
unsafe impl Sync for Unparker {}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // SAFETY: written before it was shared, which is what the models look at.
        assert!(self.made.with(|made| unsafe { *made }));
        self.wakes.fetch_add(1, Ordering::Release);
    }
}

/// A whole, polled as often as it is woken.
struct Whole {
    woken: Woken,
    unparker: Arc<Unparker>,
    /// The wakes that were followed by a poll.
    heard: usize,
    /// Which parts were polled.
    polled: Vec<usize>,
}

impl Whole {
    /// A whole of `parts`, each polled once, and the wakers of `wanted`.
    fn new<const N: usize>(parts: usize, wanted: [usize; N]) -> (Self, [Waker; N]) {
        let unparker = Unparker::new();
        let mut whole = Self { woken: Woken::new(parts), unparker, heard: 0, polled: Vec::new() };
        whole.poll();
        assert_eq!(whole.polled, (0..parts).collect::<Vec<_>>(), "all are polled first");
        whole.polled.clear();
        let wakers = wanted.map(|part| whole.woken.poll(part, |cx| cx.waker().clone()));
        (whole, wakers)
    }

    fn poll(&mut self) {
        self.heard = self.unparker.wakes();
        let waker = Waker::from(self.unparker.clone());
        self.woken.begin(&waker);
        while let Some(part) = self.woken.next() {
            self.polled.push(part);
        }
        self.woken.end(&waker);
    }

    fn poll_while_woken(&mut self) {
        while self.unparker.wakes() > self.heard {
            self.poll();
        }
    }
}

/// Polls once, woken or not, then as often as woken, while `wakes` run on threads of their own.
fn race<const N: usize>(parts: usize, wanted: [usize; N], wakes: [fn([Waker; N]); N]) {
    ::loom::model(move || {
        let (mut whole, wakers) = Whole::new(parts, wanted);
        let threads = wakes.map(|wake| {
            let wakers = wakers.clone();
            thread::spawn(move || wake(wakers))
        });
        drop(wakers);
        // So that the exploration begins with runs in which there is something to see.
        thread::yield_now();
        whole.poll();
        whole.poll_while_woken();
        threads.map(|thread| thread.join().unwrap());
        whole.poll_while_woken();
        whole.polled.sort_unstable();
        whole.polled.dedup();
        assert_eq!(whole.polled, wanted, "a wake was lost");
        let Whole { woken, unparker, .. } = whole;
        drop(woken);
        assert_eq!(Arc::strong_count(&unparker), 1, "a waker leaked");
    });
}

fn nothing<const N: usize>(_: [Waker; N]) {}

#[test]
fn loom_two_wakes_of_one_block_against_a_poll_are_not_lost() {
    race(PARTS, [0, 1], [|[first, _]| first.wake(), |[_, second]| second.wake()]);
}

#[test]
fn loom_two_wakes_of_two_blocks_against_a_poll_are_not_lost() {
    race(2 * PARTS, [0, PARTS], [|[first, _]| first.wake(), |[_, second]| second.wake()]);
}

#[test]
fn loom_one_thread_that_wakes_two_blocks_against_a_poll_loses_none() {
    let both = |wakers: [Waker; 2]| wakers.into_iter().for_each(Waker::wake);
    race(2 * PARTS, [0, PARTS], [both, nothing]);
}

#[test]
fn loom_what_is_written_before_a_wake_is_seen_by_the_poll_after_it() {
    ::loom::model(|| {
        let (mut whole, [waker]) = Whole::new(1, [0]);
        let written = ::loom::sync::Arc::new(AtomicUsize::new(0));
        let threads = [1, 2].map(|bit| {
            let (written, waker) = (written.clone(), waker.clone());
            thread::spawn(move || {
                written.fetch_add(bit, Ordering::Relaxed);
                waker.wake();
            })
        });
        // What the part has seen when it was last polled.
        let mut seen = 0;
        let mut look = |whole: &mut Whole| {
            if !core::mem::take(&mut whole.polled).is_empty() {
                seen = written.load(Ordering::Relaxed);
            }
        };
        thread::yield_now();
        whole.poll();
        look(&mut whole);
        // Joined without order: the unparker alone says that there is something to see.
        while whole.unparker.wakes() > whole.heard {
            whole.poll();
            look(&mut whole);
        }
        threads.map(|thread| thread.join().unwrap());
        whole.poll_while_woken();
        look(&mut whole);
        assert_eq!(seen, 3, "what was written was not seen");
    });
}

#[test]
fn loom_a_whole_that_moves_to_another_task_wakes_that() {
    ::loom::model(|| {
        let (mut whole, [waker]) = Whole::new(1, [0]);
        let thread = thread::spawn(move || waker.wake());
        whole.unparker = Unparker::new();
        whole.poll();
        thread.join().unwrap();
        whole.poll_while_woken();
        assert_eq!(whole.polled, [0], "a wake was lost");
    });
}

#[test]
fn loom_a_part_woken_again_while_it_is_polled_is_polled_again() {
    ::loom::model(|| {
        let (mut whole, [waker]) = Whole::new(1, [0]);
        waker.wake_by_ref();
        let thread = thread::spawn(move || waker.wake());
        whole.poll();
        let before = whole.polled.len();
        assert_eq!(before, 1, "it was woken before");
        thread.join().unwrap();
        whole.poll_while_woken();
        assert!(whole.polled.len() <= 2);
    });
}

#[test]
fn loom_a_waker_may_outlive_its_whole_and_wakes_nothing() {
    ::loom::model(|| {
        let (whole, [first, second]) = Whole::new(2 * PARTS, [0, PARTS]);
        let threads = [first, second].map(|waker| thread::spawn(move || waker.clone().wake()));
        let Whole { woken, unparker, .. } = whole;
        drop(woken);
        threads.map(|thread| thread.join().unwrap());
        assert_eq!(Arc::strong_count(&unparker), 1, "a waker leaked");
    });
}

// What the models must find out.
crate::prim::bugs! {
    loom_without_release_a_push_publishes_no_link:
        loom_two_wakes_of_two_blocks_against_a_poll_are_not_lost
        with "woken: push" as Relaxed
        says "Causality violation";
    loom_without_acquire_the_list_is_read_without_its_links:
        loom_two_wakes_of_two_blocks_against_a_poll_are_not_lost
        with "woken: take all" as Relaxed
        says "Causality violation";
    loom_without_acquire_taken_parts_hide_what_was_written:
        loom_what_is_written_before_a_wake_is_seen_by_the_poll_after_it
        with "woken: take parts" as Release
        says "what was written was not seen";
    loom_without_release_taken_parts_give_a_link_that_is_read:
        loom_a_part_woken_again_while_it_is_polled_is_polled_again
        with "woken: take parts" as Acquire
        says "Causality violation";
    loom_without_release_a_woken_part_hides_what_was_written:
        loom_what_is_written_before_a_wake_is_seen_by_the_poll_after_it
        with "woken: part" as Acquire
        says "what was written was not seen";
    loom_without_acquire_a_woken_part_gives_a_link_that_is_read:
        loom_a_part_woken_again_while_it_is_polled_is_polled_again
        with "woken: part" as Release
        says "Causality violation";
    loom_without_release_a_waker_is_left_before_it_is_there:
        loom_a_whole_that_moves_to_another_task_wakes_that
        with "whole: put" as Acquire
        says "Causality violation";
    loom_without_acquire_the_owner_does_not_see_what_a_wake_has_left:
        loom_two_wakes_of_two_blocks_against_a_poll_are_not_lost
        with "whole: put" as Release
        says "a wake was lost";
    loom_without_acquire_a_waker_is_taken_that_is_not_there:
        loom_a_whole_that_moves_to_another_task_wakes_that
        with "whole: take" as Release
        says "Causality violation";
    loom_without_release_a_wake_that_found_no_waker_is_lost:
        loom_two_wakes_of_two_blocks_against_a_poll_are_not_lost
        with "whole: take" as Acquire
        says "a wake was lost";
}
