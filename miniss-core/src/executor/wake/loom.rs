//! Models of the inbox, each named for the race it rules out. They run the code that ships.

use std::boxed::Box;
use std::vec::Vec;

use core::ptr::NonNull;

use ::loom::sync::Arc;
use ::loom::sync::atomic::{AtomicUsize, Ordering};
use ::loom::thread;

use super::Inbox;
use crate::task::cell::{CellAddress, Header};

/// An inbox with two headers, which live as long as the model.
struct Two {
    inbox: Inbox,
    headers: [Box<Header>; 2],
    /// What the wakers write before they wake.
    written: AtomicUsize,
}

impl Two {
    fn new() -> Arc<Self> {
        let header = || Box::new(Header::new(CellAddress::new(NonNull::dangling()), 0));
        let written = AtomicUsize::new(0);
        Arc::new(Self { inbox: Inbox::new(), headers: [header(), header()], written })
    }

    fn push(&self, header: usize) -> bool {
        self.inbox.push(NonNull::from(&*self.headers[header]))
    }

    /// What stood in the inbox, by number, oldest first.
    ///
    /// It yields first, so that the exploration begins with runs in which there is something to
    /// drain: loom notes only the last look at an atomic, so from runs in which the drain comes too
    /// early it may not find its way to the others.
    fn drain(&self) -> Vec<usize> {
        thread::yield_now();
        let mut drained = Vec::new();
        let number = |slot| self.headers.iter().position(|header| NonNull::from(&**header) == slot);
        self.inbox.drain(|slot| drained.push(number(slot).unwrap()));
        drained
    }
}

#[test]
fn loom_a_push_against_a_drain_is_drained_once() {
    ::loom::model(|| {
        let two = Two::new();
        let pushers = [0, 1].map(|header| {
            let two = two.clone();
            thread::spawn(move || assert!(two.push(header), "no one else pushes it"))
        });
        let mut drained = two.drain();
        pushers.map(|pusher| pusher.join().unwrap());
        drained.extend(two.drain());
        drained.sort_unstable();
        assert_eq!(drained, [0, 1]);
        assert!(two.inbox.is_empty());
    });
}

#[test]
fn loom_a_header_pushed_again_while_it_is_drained_stands_in_the_inbox_once() {
    ::loom::model(|| {
        let two = Two::new();
        assert!(two.push(0));
        assert!(two.push(1));
        let other = two.clone();
        let pusher = thread::spawn(move || usize::from(other.push(0)));
        let first = two.drain();
        let again = pusher.join().unwrap();
        assert_eq!(first, [0, 1], "in the order they came");
        assert_eq!(two.drain().len(), again, "pushed as often as it was drained");
    });
}

#[test]
fn loom_what_is_written_before_a_push_that_finds_the_flag_set_is_seen_after_the_drain() {
    ::loom::model(|| {
        let two = Two::new();
        let pushers = [1, 2].map(|bit| {
            let two = two.clone();
            thread::spawn(move || {
                two.written.fetch_add(bit, Ordering::Relaxed);
                _ = two.push(0);
            })
        });
        // What the owner has seen when it last had a reason to look.
        let mut seen = 0;
        let look = |seen: &mut usize| {
            if !two.drain().is_empty() {
                *seen = two.written.load(Ordering::Relaxed);
            }
        };
        look(&mut seen);
        pushers.map(|pusher| pusher.join().unwrap());
        look(&mut seen);
        assert_eq!(seen, 3, "a wake was lost");
    });
}

// What the models must find out.
crate::prim::bugs! {
    loom_without_the_flag_a_header_is_pushed_twice:
        loom_a_header_pushed_again_while_it_is_drained_stands_in_the_inbox_once
        without "inbox: a header stands here once"
        says "maximum number of branches";
    loom_without_release_a_push_publishes_no_link:
        loom_a_push_against_a_drain_is_drained_once with "inbox: push" as Relaxed
        says "Causality violation";
    loom_without_acquire_a_drain_reads_no_link:
        loom_a_push_against_a_drain_is_drained_once with "inbox: take all" as Relaxed
        says "Causality violation";
    loom_without_release_a_raised_flag_hides_what_was_written:
        loom_what_is_written_before_a_push_that_finds_the_flag_set_is_seen_after_the_drain
        with "inbox: raise the flag" as Acquire
        says "a wake was lost";
    loom_without_acquire_a_raised_flag_gives_a_link_that_is_read:
        loom_a_header_pushed_again_while_it_is_drained_stands_in_the_inbox_once
        with "inbox: raise the flag" as Release
        says "Causality violation";
    loom_without_acquire_a_lowered_flag_hides_what_was_written:
        loom_what_is_written_before_a_push_that_finds_the_flag_set_is_seen_after_the_drain
        with "inbox: lower the flag" as Release
        says "a wake was lost";
    loom_without_release_a_lowered_flag_gives_a_link_that_is_read:
        loom_a_header_pushed_again_while_it_is_drained_stands_in_the_inbox_once
        with "inbox: lower the flag" as Acquire
        says "Causality violation";
}
