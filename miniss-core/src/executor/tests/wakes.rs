//! Wakes from other threads: none is lost, and none does harm.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::vec::Vec;

use core::cell::Cell;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;

use super::port::{on_both_ports, rounds, wait_until};
use crate::random::{random, seed};
use crate::timer::Sleep;

/// Numbers sent from one thread to a task on another, the next one only after the last was seen,
/// so that a single lost wake stops everything.
#[derive(Default)]
struct Wire {
    sent: AtomicU64,
    seen: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

impl Wire {
    /// Sends `count` numbers, each after a random delay: a few turns of a loop, a time slice, or
    /// long enough for the executor to fall asleep.
    fn send_all(&self, count: u64, mut seed: u64) {
        for number in 1..=count {
            match random(&mut seed) % 64 {
                0 => thread::sleep(core::time::Duration::from_micros(random(&mut seed) % 100)),
                1..8 => thread::yield_now(),
                _ => (0..random(&mut seed) % 500).for_each(|_| core::hint::spin_loop()),
            }
            // Relaxed: it is the wake that has to carry it over.
            self.sent.store(number, Ordering::Relaxed);
            let waker = self.waker.lock().unwrap().clone();
            waker.expect("the task has been polled").wake();
            while self.seen.load(Ordering::Acquire) != number {
                thread::yield_now();
            }
        }
    }

    async fn receive_all(self: Arc<Self>, count: u64) {
        poll_fn(|_| {
            let sent = self.sent.load(Ordering::Relaxed);
            self.seen.store(sent, Ordering::Release);
            if sent == count { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[test]
fn no_wake_is_lost_by_an_executor_that_keeps_falling_asleep() {
    const SENDERS: u64 = 2;
    let seed = seed();
    on_both_ports(|mut executor| {
        let (local, count) = (executor.local(), rounds(50_000) / SENDERS);
        let unparks = local.cell().unparker().unparks();
        let mut senders = Vec::new();
        let mut tasks = Vec::new();
        for n in 0..SENDERS {
            let wire = Arc::new(Wire::default());
            let receiver = wire.clone();
            let task = async move {
                let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                *receiver.waker.lock().unwrap() = Some(waker);
                receiver.receive_all(count).await;
            };
            tasks.push(local.spawn(task).unwrap());
            executor.settle();
            senders.push(thread::spawn(move || wire.send_all(count, seed.wrapping_add(n) | 1)));
        }
        for task in tasks {
            assert_eq!(executor.block_on(task), Ok(()));
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        let stats = local.stats();
        assert!(stats.wakes_remote >= SENDERS * count);
        let unparks = local.cell().unparker().unparks() - unparks;
        assert!(unparks <= stats.parks, "{unparks} unparks in {} sleeps", stats.parks);
    });
}

#[test]
fn a_million_clones_of_a_waker_cost_nothing_and_all_wake_the_task() {
    on_both_ports(|mut executor| {
        let given = Rc::new(Cell::new(None));
        let polls = Rc::new(Cell::new(0));
        let counted = polls.clone();
        let task = wait_until(&given, move || {
            counted.set(counted.get() + 1);
            false
        });
        executor.local().spawn(task).unwrap().detach();
        executor.settle();
        let waker = given.take().unwrap();
        let kept: Vec<_> = (0..rounds(100_000)).map(|_| waker.clone()).collect();
        for _ in 0..rounds(1_000_000) {
            drop(waker.clone());
        }
        assert!(kept.iter().all(|clone| clone.will_wake(&waker)));
        kept.into_iter().for_each(Waker::wake);
        executor.settle();
        assert_eq!(polls.get(), 2, "one poll for all of them");
        drop(executor);
        waker.wake();
    });
}

#[test]
fn eight_threads_wake_tasks_that_have_long_ended() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let shared = Arc::new(Mutex::new(Vec::<Waker>::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let (shared, stop) = (shared.clone(), stop.clone());
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let some: Vec<_> =
                            shared.lock().unwrap().iter().skip(n).step_by(8).cloned().collect();
                        some.into_iter().for_each(Waker::wake);
                        thread::yield_now();
                    }
                })
            })
            .collect();
        for round in 0..rounds(4_000) {
            let give = shared.clone();
            let mut polls = 0;
            let task = poll_fn(move |cx| {
                polls += 1;
                if polls == 1 {
                    give.lock().unwrap().push(cx.waker().clone());
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(round)
            });
            let task = local.spawn(task).unwrap();
            assert_eq!(executor.block_on(task), Ok(round));
            let mut wakers = shared.lock().unwrap();
            let surplus = wakers.len().saturating_sub(64);
            wakers.drain(..surplus);
        }
        drop(executor);
        thread::sleep(core::time::Duration::from_millis(2));
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_remote_wake_after_a_sleep_that_its_deadline_ended_unparks_no_one() {
    on_both_ports(|mut executor| {
        let (waker, unparker) = (Rc::new(Cell::new(None)), executor.local().cell().unparker());
        let task = executor.local().spawn(wait_until(&waker, || false)).unwrap();
        executor.reactor().log.naps.set(true);
        executor.turn();
        let waker = waker.take().unwrap();
        for round in 1..=10 {
            let local = executor.local();
            let sleeps = local.spawn(Sleep::new(local, Duration::from_millis(1))).unwrap();
            while !sleeps.is_finished() {
                executor.turn();
            }
            let parks = executor.local().stats().parks;
            assert!(parks >= round, "it has slept");
            // The core is awake, although no unpark has ended its sleep.
            let waker = waker.clone();
            thread::spawn(move || waker.wake()).join().unwrap();
            assert_eq!(unparker.unparks(), 0);
            executor.turn();
        }
        task.abort();
    });
}

#[test]
fn remote_wakes_are_served_in_the_order_they_came() {
    on_both_ports(|mut executor| {
        executor.set_shuffle(0);
        let log = Rc::new(core::cell::RefCell::new(Vec::new()));
        let mut wakers = Vec::new();
        for id in 0..5 {
            let (given, log) = (Rc::new(Cell::new(None)), log.clone());
            let task = wait_until(&given, move || {
                log.borrow_mut().push(id);
                false
            });
            executor.local().spawn(task).unwrap().detach();
            executor.settle();
            wakers.push(given.take().unwrap());
        }
        log.borrow_mut().clear();
        thread::spawn(move || {
            for id in [3, 1, 4, 1, 0, 3, 2] {
                wakers[id].wake_by_ref();
            }
        })
        .join()
        .unwrap();
        executor.settle();
        assert_eq!(*log.borrow(), [3, 1, 4, 0, 2]);
        assert_eq!(executor.local().stats().wakes_remote % 5, 0);
    });
}
