//! Models of wakes, aborts and sleep, each named for the race it rules out. They run the code that
//! ships: the main thread is the owner, the others are
//! remote.

use std::boxed::Box;

use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use ::loom::cell::UnsafeCell;
use ::loom::sync::Arc;
use ::loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use ::loom::thread;

use super::cell::{ExecutorCell, OwnerState};
use super::run::{Claim, run_task};
use super::spawn::LocalHandle;
use super::wake::raw_waker;
use crate::JoinHandle;
use crate::error::Cancelled;
use crate::reactor::{Clock, Unpark};
use crate::task::cell::{Header, class_of};
use crate::task::slots::MAIN_CLASS;
use crate::time::Instant;
use crate::timer::Wheel;

/// Counts its unparks. Relaxed, so that it adds no ordering of its own.
struct Unparker(AtomicUsize);

// SAFETY: `is_local` keeps its default.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Clock for Unparker {
    type Timers = Wheel;

    fn now(&self) -> Instant {
        Instant::ZERO
    }
}

type Core = &'static ExecutorCell<Unparker>;

/// Runs `body` with an executor cell that lives until all its threads are joined.
fn model(body: impl Fn(Core) + Send + Sync + 'static) {
    ::loom::model(move || {
        let cell = Box::into_raw(Box::new(ExecutorCell::new(Unparker(AtomicUsize::new(0)))));
        // SAFETY: freed below, when the body has joined its threads.
        body(unsafe { &*cell });
        // SAFETY: made above.
        drop(unsafe { Box::from_raw(cell) });
    });
}

/// One executor's stay at an executor cell, without the loop.
struct Owner {
    core: Core,
    local: LocalHandle<Unparker>,
    _claim: Claim<Unparker>,
}

impl Owner {
    fn new(core: Core) -> Self {
        let epoch = core.claim().expect("one owner at a time");
        // SAFETY: the models keep it on its thread.
        let local = unsafe { LocalHandle::new(core, epoch) };
        Self { core, local, _claim: Claim(core) }
    }

    fn owner(&self) -> &'static OwnerState {
        self.local.owner().expect("we are the owner")
    }

    /// Starts a task in the one slot that needs no heap; `None` if that is taken.
    fn start<F: Future>(&self, future: F) -> Option<(JoinHandle<F::Output>, Waker)> {
        assert_eq!(class_of::<F>(), Some(0), "too large for the main slot");
        let slot = self.owner().slots.take(MAIN_CLASS)?;
        // SAFETY: free, large enough, and the models' futures own what they use.
        let handle = unsafe { self.local.start(self.owner(), slot, future) };
        // SAFETY: *Our table, our header*.
        let waker = unsafe { Waker::from_raw(raw_waker(slot)) };
        Some((handle, waker))
    }

    /// A turn without a reactor. Why it yields is told in the models of the inbox.
    fn turn(&self) {
        thread::yield_now();
        let owner = self.owner();
        owner.drain_inbox(self.core.shared());
        owner.queue.append(&owner.behind);
        while let Some(slot) = owner.queue.pop() {
            run_task(owner, slot);
        }
    }
}

fn result<T>(mut handle: JoinHandle<T>) -> Option<Result<T, Cancelled>> {
    match Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// A future that is ready once the sum of all that was added is `sum`.
fn until(added: &Arc<AtomicUsize>, sum: usize) -> impl Future<Output = ()> + use<> {
    let added = added.clone();
    poll_fn(move |_| {
        let there = added.load(Ordering::Relaxed) == sum;
        if there { Poll::Ready(()) } else { Poll::Pending }
    })
}

/// Adds, and then wakes, on a thread of its own.
fn add_and_wake(added: &Arc<AtomicUsize>, more: usize, waker: &Waker) -> thread::JoinHandle<()> {
    let (added, waker) = (added.clone(), waker.clone());
    thread::spawn(move || {
        added.fetch_add(more, Ordering::Relaxed);
        waker.wake();
    })
}

#[test]
fn loom_wake_during_poll_is_not_lost() {
    model(|core| {
        let owner = Owner::new(core);
        let added = Arc::new(AtomicUsize::new(0));
        let (handle, waker) = owner.start(until(&added, 3)).unwrap();
        let wakers = [1, 2].map(|more| add_and_wake(&added, more, &waker));
        owner.turn();
        owner.turn();
        wakers.map(|waker| waker.join().unwrap());
        owner.turn();
        assert_eq!(result(handle), Some(Ok(())), "a wake was lost");
    });
}

#[test]
fn loom_wake_against_completion_is_harmless() {
    model(|core| {
        let owner = Owner::new(core);
        let (ends, stale) = owner.start(async { 1 }).unwrap();
        let stale = thread::spawn(move || stale.wake());
        owner.turn();
        assert_eq!(result(ends), Some(Ok(1)));
        // The stale wake may come in while the slot is free…
        thread::yield_now();
        owner.turn();
        assert_eq!(owner.owner().slots.live(), 0, "the stale wake revived a free slot");

        // …or when it is the next task's.
        let added = Arc::new(AtomicUsize::new(0));
        let (next, waker) = owner.start(until(&added, 1)).expect("the slot is free again");
        let timely = add_and_wake(&added, 1, &waker);
        owner.turn();
        stale.join().unwrap();
        timely.join().unwrap();
        owner.turn();
        assert_eq!(result(next), Some(Ok(())), "the stale wake swallowed the timely one");
        assert_eq!(owner.owner().slots.live(), 0);
    });
}

#[test]
fn loom_abort_against_finish_hits_the_right_task_or_none() {
    model(|core| {
        let owner = Owner::new(core);
        let (ends, _) = owner.start(async { 1 }).unwrap();
        let abort = ends.abort_handle();
        let aborts = thread::spawn(move || abort.abort());
        owner.turn();
        assert!(matches!(result(ends), Some(Ok(1) | Err(Cancelled))));

        let (next, waker) = owner.start(async { 2 }).unwrap();
        owner.turn();
        aborts.join().unwrap();
        waker.wake();
        owner.turn();
        assert_eq!(result(next), Some(Ok(2)), "the abort hit the next task");
    });
}

#[test]
fn loom_late_abort_of_a_former_task_does_not_hide_a_timely_one() {
    model(|core| {
        let owner = Owner::new(core);
        let (former, _) = owner.start(async {}).unwrap();
        let stale = former.abort_handle();
        owner.turn();
        assert_eq!(result(former), Some(Ok(())));

        let (task, _) = owner.start(core::future::pending::<()>()).unwrap();
        let timely = task.abort_handle();
        let aborts = [stale, timely].map(|abort| thread::spawn(move || abort.abort()));
        owner.turn();
        aborts.map(|abort| abort.join().unwrap());
        owner.turn();
        assert_eq!(result(task), Some(Err(Cancelled)), "the abort was lost");
    });
}

#[test]
fn loom_sleep_handshake_with_two_wakers_loses_no_wake_and_unparks_once_per_sleep() {
    model(|core| {
        let headers = [0, 1].map(|_| Box::new(Header::new(core.address(), 0)));
        let slots = headers.each_ref().map(|header| core::ptr::NonNull::from(&**header));
        let wakers = slots.map(|slot| thread::spawn(move || core.wake_remote(slot)));
        let unparks = || core.unparker().0.load(Ordering::Relaxed);

        thread::yield_now();
        core.shared().inbox().drain(|_| {});
        let asleep = core.shared().announce_sleep();
        wakers.map(|waker| waker.join().unwrap());
        let (unparked, work) = (unparks(), !core.shared().inbox().is_empty());
        assert!(unparked <= 1, "one unpark per sleep");
        assert!(!(asleep && work) || unparked == 1, "asleep, with work, and not unparked");
        core.shared().awake();
    });
}

#[test]
fn loom_a_wake_between_two_sleeps_ends_the_second_or_is_seen_before_it() {
    model(|core| {
        let header = Box::new(Header::new(core.address(), 0));
        let slot = core::ptr::NonNull::from(&*header);
        let waker = thread::spawn(move || core.wake_remote(slot));
        let mut seen = 0;
        let first = core.shared().announce_sleep();
        // The first sleep ends for a reason of its own.
        core.shared().awake();
        core.shared().inbox().drain(|_| seen += 1);
        let second = core.shared().announce_sleep();
        waker.join().unwrap();
        let unparks = core.unparker().0.load(Ordering::Relaxed);
        assert!(seen == 1 || !second || unparks == 1, "the second sleep lasts forever");
        assert!(unparks <= usize::from(first) + 1);
    });
}

#[test]
fn loom_a_handle_dropped_while_another_executor_claims_the_cell_returns_its_slot_once() {
    model(|core| {
        // Stands for the memory of the slot: loom sees who is in it.
        let memory = Arc::new(UnsafeCell::new(0_u32));
        let owner = Owner::new(core);
        let output = Enters(memory.clone());
        let (handle, _) = owner.start(async { output }).unwrap();
        owner.turn();
        drop(owner);

        let next = thread::spawn(move || {
            // Lets loom begin with the handle's drop: the free list is not among what it watches.
            thread::yield_now();
            let owner = Owner::new(core);
            if let Some((handle, _)) = owner.start(async { Enters(memory) }) {
                owner.turn();
                drop(handle);
            }
        });
        drop(handle);
        next.join().unwrap();

        let owner = Owner::new(core);
        let slots = &owner.owner().slots;
        assert!(slots.take(MAIN_CLASS).is_some(), "the slot was lost");
        assert!(slots.take(MAIN_CLASS).is_none(), "the slot came back twice");
    });
}

/// An output whose drop, in the slot, is a use of the slot's memory.
struct Enters(Arc<UnsafeCell<u32>>);

impl Drop for Enters {
    fn drop(&mut self) {
        // SAFETY: this is what loom checks.
        self.0.with_mut(|memory| unsafe { *memory += 1 });
    }
}

#[test]
fn loom_an_executor_that_claims_a_cell_sees_what_the_former_one_left() {
    model(|core| {
        // Stands for the plain half of the executor cell.
        let half = Arc::new((UnsafeCell::new(0_u32), AtomicBool::new(false)));
        // SAFETY: this is what loom checks.
        let use_it = |half: &UnsafeCell<u32>| half.with_mut(|owner| unsafe { *owner += 1 });
        let former = half.clone();
        let other = thread::spawn(move || {
            if core.shared().claim() {
                use_it(&former.0);
                core.shared().release();
            }
        });
        if core.shared().claim() {
            use_it(&half.0);
            core.shared().release();
        }
        other.join().unwrap();
        assert!(core.shared().claim());
    });
}

#[test]
fn loom_abort_against_the_end_of_its_executor_reaches_no_task_of_the_next() {
    model(|core| {
        let former = Owner::new(core);
        let (task, _) = former.start(core::future::pending::<()>()).unwrap();
        let abort = task.abort_handle();
        let late = thread::spawn(move || abort.abort());
        task.end_now(former.owner());
        assert_eq!(result(task), Some(Err(Cancelled)));
        drop(former);

        let next = Owner::new(core);
        let added = Arc::new(AtomicUsize::new(0));
        let (task, waker) = next.start(until(&added, 1)).expect("the slot is free again");
        let timely = add_and_wake(&added, 1, &waker);
        next.turn();
        late.join().unwrap();
        timely.join().unwrap();
        next.turn();
        assert_eq!(result(task), Some(Ok(())), "the late wake swallowed the timely one");
    });
}

// What the models must find out.
crate::prim::bugs! {
    loom_without_the_owner_s_fence_a_wake_is_slept_through:
        loom_sleep_handshake_with_two_wakers_loses_no_wake_and_unparks_once_per_sleep
        with "park: owner announces its sleep" as Relaxed
        says "asleep, with work, and not unparked";
    loom_without_the_waker_s_fence_a_sleeper_is_overlooked:
        loom_sleep_handshake_with_two_wakers_loses_no_wake_and_unparks_once_per_sleep
        with "park: a waker looks for a sleeper" as Relaxed
        says "asleep, with work, and not unparked";
    loom_without_a_full_fence_of_the_owner_a_wake_is_slept_through:
        loom_sleep_handshake_with_two_wakers_loses_no_wake_and_unparks_once_per_sleep
        with "park: owner announces its sleep" as AcqRel
        says "asleep, with work, and not unparked";
    loom_without_a_full_fence_of_the_waker_a_sleeper_is_overlooked:
        loom_sleep_handshake_with_two_wakers_loses_no_wake_and_unparks_once_per_sleep
        with "park: a waker looks for a sleeper" as AcqRel
        says "asleep, with work, and not unparked";
    loom_without_a_last_look_a_wake_is_slept_through:
        loom_sleep_handshake_with_two_wakers_loses_no_wake_and_unparks_once_per_sleep
        without "park: owner looks once more"
        says "asleep, with work, and not unparked";
    loom_without_the_swap_of_asleep_two_wakers_unpark:
        loom_sleep_handshake_with_two_wakers_loses_no_wake_and_unparks_once_per_sleep
        without "park: one unpark per sleep"
        says "one unpark per sleep";
    loom_without_acquire_an_owner_meets_its_predecessor:
        loom_an_executor_that_claims_a_cell_sees_what_the_former_one_left
        with "cell: claim" as Relaxed
        says "Causality violation";
    loom_without_release_an_owner_meets_its_successor:
        loom_an_executor_that_claims_a_cell_sees_what_the_former_one_left
        with "cell: release" as Relaxed
        says "Causality violation";
    loom_without_generations_an_abort_hits_the_next_task:
        loom_abort_against_finish_hits_the_right_task_or_none without "abort: of this very task"
        says "the abort hit the next task";
    loom_without_the_highest_generation_a_late_abort_hides_a_timely_one:
        loom_late_abort_of_a_former_task_does_not_hide_a_timely_one
        without "abort: the highest generation wins"
        says "the abort was lost";
    loom_without_a_look_at_the_epoch_a_handle_is_local_anywhere:
        loom_a_handle_dropped_while_another_executor_claims_the_cell_returns_its_slot_once
        without "handle: only its owner"
        says "the slot came back twice";
    loom_without_a_look_at_the_state_a_stale_wake_revives_a_free_slot:
        loom_wake_against_completion_is_harmless without "wake: what is free stays free"
        says "maximum number of branches";
}
