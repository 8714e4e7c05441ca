//! The end of an executor: what is dropped, where, and what outlives it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};
use std::vec::Vec;

use core::future::{pending, poll_fn};
use core::task::{Poll, Waker};
use core::time::Duration;

use super::port::{cell, executor, executor_on, on_both_ports, peek, rounds};
use crate::combine::yield_now;
use crate::error::{Cancelled, SpawnError};
use crate::timer::Sleep;
use crate::{JoinHandle, LocalHandle};

/// Counts its drops, and insists on their being made by the thread that made it.
struct OnItsCore {
    owner: ThreadId,
    drops: Arc<AtomicUsize>,
}

impl OnItsCore {
    fn new(drops: &Arc<AtomicUsize>) -> Self {
        Self { owner: thread::current().id(), drops: drops.clone() }
    }
}

impl Drop for OnItsCore {
    fn drop(&mut self) {
        assert_eq!(thread::current().id(), self.owner, "dropped on another core");
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn tasks_are_dropped_on_their_core_wherever_they_are_woken_or_aborted() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let drops = Arc::new(AtomicUsize::new(0));
        let (send, receive) = mpsc::channel::<(Waker, crate::AbortHandle)>();
        let other = thread::spawn(move || {
            for (n, (waker, abort)) in receive.iter().enumerate() {
                waker.wake_by_ref();
                if n.is_multiple_of(2) {
                    abort.abort();
                }
                drop(waker);
            }
        });
        for round in 0..rounds(2_000) {
            let probe = OnItsCore::new(&drops);
            let (give, mut polls) = (send.clone(), 0);
            let own = Rc::new(RefCell::new(None));
            let abort = own.clone();
            let task = poll_fn(move |cx| {
                let _held = &probe;
                polls += 1;
                if polls == 1 {
                    let abort = abort.take().unwrap();
                    give.send((cx.waker().clone(), abort)).unwrap();
                    return Poll::Pending;
                }
                Poll::Ready(())
            });
            let handle = local.spawn(task).unwrap();
            *own.borrow_mut() = Some(handle.abort_handle());
            if round % 3 == 0 { handle.detach() } else { _ = executor.block_on(handle) }
        }
        drop(executor);
        drop(send);
        other.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed) as u64, rounds(2_000));
    });
}

#[test]
fn every_future_is_dropped_with_its_executor() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let alive = Rc::new(());
        let hold = |alive: Rc<()>| async move {
            pending::<()>().await;
            drop(alive);
        };
        let parked = local.spawn(hold(alive.clone())).unwrap();
        executor.settle();
        let mut sleeping = local.spawn(Sleep::new(local, Duration::from_secs(1))).unwrap();
        let mut unpolled = local.spawn(hold(alive.clone())).unwrap();
        local.spawn(hold(alive.clone())).unwrap().detach();
        drop(executor);
        assert_eq!(Rc::strong_count(&alive), 1);
        assert!(parked.is_finished());
        assert_eq!(peek(&mut sleeping), Poll::Ready(Err(Cancelled)));
        assert_eq!(peek(&mut unpolled), Poll::Ready(Err(Cancelled)));
    });
}

/// Tries to spawn as it is dropped.
struct Spawns(LocalHandle<super::port::Unparker>, Rc<Cell<Option<SpawnError>>>);

impl Drop for Spawns {
    fn drop(&mut self) {
        self.1.set(self.0.spawn(async {}).err());
    }
}

#[test]
fn nothing_is_spawned_once_the_executor_ends() {
    on_both_ports(|executor| {
        let local = executor.local();
        let outcome = Rc::new(Cell::new(None));
        let spawns = Spawns(local, outcome.clone());
        let task = async move {
            let _spawns = spawns;
            pending::<()>().await;
        };
        local.spawn(task).unwrap().detach();
        drop(executor);
        assert_eq!(outcome.take(), Some(SpawnError::Closed));
        assert_eq!(local.spawn(async {}).err(), Some(SpawnError::Closed));
        let _next = executor_on(local.cell());
        assert_eq!(local.spawn(async {}).err(), Some(SpawnError::Closed));
        assert_eq!(local.stats(), crate::Stats::default());
    });
}

#[test]
fn a_reactor_is_dropped_while_its_cell_is_still_its_own() {
    on_both_ports(|mut executor| {
        let cell = executor.local().cell();
        let waker = Rc::new(Cell::new(None));
        let given = waker.clone();
        let task = poll_fn(move |cx| {
            given.set(Some(cx.waker().clone()));
            Poll::<()>::Pending
        });
        executor.local().spawn(task).unwrap().detach();
        executor.settle();
        let probe = InReactor { cell, waker: waker.take() };
        let keep = std::boxed::Box::new(move || {
            let _held_by_the_reactor = &probe;
        });
        *executor.reactor().log.event.borrow_mut() = Some(keep);
    });
}

/// What a reactor may hold: a waker, and code that runs as it is dropped.
struct InReactor {
    cell: &'static crate::ExecutorCell<super::port::Unparker>,
    waker: Option<Waker>,
}

impl Drop for InReactor {
    fn drop(&mut self) {
        assert!(!self.cell.shared().claim(), "another executor could claim the cell");
        self.waker.take().unwrap().wake();
    }
}

/// Handles of a finished and of an unfinished task, whose executor is gone.
fn orphans(drops: &Arc<AtomicUsize>) -> [JoinHandle<OnItsCore>; 2] {
    let cell = cell(true);
    orphans_of(cell, drops)
}

fn orphans_of(
    cell: &'static crate::ExecutorCell<super::port::Unparker>,
    drops: &Arc<AtomicUsize>,
) -> [JoinHandle<OnItsCore>; 2] {
    let mut executor = executor_on(cell);
    let (output, never) = (OnItsCore::new(drops), OnItsCore::new(drops));
    let finished = executor.local().spawn(async { output }).unwrap();
    executor.settle();
    let unfinished = executor.local().spawn(async move {
        pending::<()>().await;
        never
    });
    [finished, unfinished.unwrap()]
}

#[test]
fn a_handle_that_outlives_its_executor_still_gives_the_result() {
    let drops = Arc::new(AtomicUsize::new(0));
    let [mut finished, mut unfinished] = orphans(&drops);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert!(matches!(peek(&mut unfinished), Poll::Ready(Err(Cancelled))));
    finished.abort();
    finished.abort_handle().abort();
    assert!(matches!(peek(&mut finished), Poll::Ready(Ok(_))));
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

#[test]
fn a_handle_dropped_after_another_executor_moved_in_returns_the_slot() {
    for knows_owner in [true, false] {
        let cell = cell(knows_owner);
        let drops = Arc::new(AtomicUsize::new(0));
        for round in 1..=50 {
            let handles = orphans_of(cell, &drops);
            let mut next = executor_on(cell);
            let before = next.local().spawn(async { 1 }).unwrap();
            drop(handles);
            let after = next.local().spawn(async { 2 }).unwrap();
            assert_eq!(next.block_on(before), Ok(1));
            assert_eq!(next.block_on(after), Ok(2));
            assert_eq!(next.local().stats().tasks_live, 0);
            assert_eq!(drops.load(Ordering::Relaxed), 2 * round);
        }
    }
}

#[test]
fn handles_are_dropped_while_an_executor_on_another_thread_uses_the_cell() {
    for knows_owner in [true, false] {
        let cell = cell(knows_owner);
        let drops = Arc::new(AtomicUsize::new(0));
        for _ in 0..rounds(200).max(2) {
            let handles: Vec<_> = {
                let executor = executor_on(cell);
                (0..50).map(|n| executor.local().spawn(async move { n }).unwrap()).collect()
            };
            let next = thread::spawn(move || {
                let mut executor = executor_on(cell);
                for n in 0..100 {
                    let task = executor.local().spawn(yield_now()).unwrap();
                    let other = executor.local().spawn(async move { n }).unwrap();
                    assert_eq!(executor.block_on(other), Ok(n));
                    assert_eq!(executor.block_on(task), Ok(()));
                }
                assert_eq!(executor.local().stats().tasks_live, 0);
            });
            drop(handles);
            next.join().unwrap();
        }
        drop(orphans_of(cell, &drops));
        assert_eq!(drops.load(Ordering::Relaxed), 2);
    }
}

#[test]
fn wakes_after_the_end_do_no_harm_to_the_next_executor() {
    for knows_owner in [true, false] {
        let cell = cell(knows_owner);
        let stop = Arc::new(AtomicBool::new(false));
        let mut wakers = Vec::new();
        let mut threads = Vec::new();
        for round in 0..4 {
            let mut executor = executor_on(cell);
            for _ in 0..8 {
                let give = Rc::new(Cell::new(None));
                let given = give.clone();
                let task = poll_fn(move |cx| {
                    given.set(Some(cx.waker().clone()));
                    Poll::<()>::Pending
                });
                executor.local().spawn(task).unwrap().detach();
                executor.settle();
                wakers.push(give.take().unwrap());
            }
            let (stale, stop) = (wakers.clone(), stop.clone());
            threads.push(thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    stale.iter().for_each(Waker::wake_by_ref);
                    thread::yield_now();
                }
            }));
            for n in 0..rounds(500) {
                let task = executor.local().spawn(async move {
                    yield_now().await;
                    n + round
                });
                assert_eq!(executor.block_on(task.unwrap()), Ok(n + round));
            }
        }
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        wakers.into_iter().for_each(Waker::wake);
        assert_eq!(executor_on(cell).block_on(async { 1 }), 1);
    }
}

#[test]
fn a_task_may_hold_what_is_left_of_its_executor() {
    let executor = executor();
    let local = executor.local();
    let handles = Rc::new(RefCell::new(Vec::new()));
    let held = handles.clone();
    let task = async move {
        pending::<()>().await;
        drop(held);
    };
    for _ in 0..3 {
        let held = handles.clone();
        let other = local.spawn(async move {
            pending::<()>().await;
            drop(held);
        });
        handles.borrow_mut().push(other.unwrap());
    }
    handles.borrow_mut().push(local.spawn(task).unwrap());
    drop(executor);
    assert_eq!(Rc::strong_count(&handles), 1);
    handles.borrow_mut().clear();
    let next = executor_on(local.cell());
    assert_eq!(next.local().stats().tasks_live, 0);
}
