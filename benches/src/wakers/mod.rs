//! Three designs of a waker behind one interface, to be weighed against each other.
//!
//! `completion ─▶ [waker] ─▶ run queue ─▶ executor ─▶ task`
//!
//! - [`ids`]: the waker is a number: shard, slot and generation.
//! - [`counted`]: the waker is a pointer to a header that counts its holders, its owner plainly.
//! - [`real`]: what miniss-core does: a pointer to a header that is never given back.
//!
//! The first two are models: tasks that do nothing, and just enough around them
//! that a wake does all that it must, locally, remotely and after the end.

pub mod counted;
pub mod ids;
pub mod real;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Waker;
use std::time::{Duration, Instant};

/// An executor of one design with parked tasks, on the thread that made it.
pub trait Design {
    /// What the design is called in tables.
    const NAME: &'static str;
    /// Memory of a parked task beside its future.
    const TASK_BYTES: usize;

    /// An executor with `tasks` tasks that have been polled once and are parked.
    fn new(tasks: usize) -> Self;

    /// A waker of each task.
    fn wakers(&self) -> &[Waker];

    /// Whether wakes on this thread take the short way.
    fn know_local(&self, yes: bool);

    /// Takes in foreign wakes and runs what is ready, once; returns how many tasks ran.
    fn turn(&mut self) -> usize;

    /// Turns until nothing is ready.
    fn settle(&mut self) {
        while self.turn() > 0 {}
    }
}

/// Tasks of each measurement: more than fit the first-level cache with their futures.
pub const TASKS: usize = 1000;

/// Nanoseconds to clone and drop a waker on its own thread.
pub fn clone_and_drop<D: Design>(rounds: usize) -> f64 {
    let design = D::new(TASKS);
    per_wake(rounds, || design.wakers().iter().for_each(|waker| drop(hide(waker).clone())))
}

/// Nanoseconds of a local wake of a task that is queued already.
pub fn wake_queued<D: Design>(rounds: usize) -> f64 {
    let mut design = D::new(TASKS);
    wake_all(&design);
    let ns = per_wake(rounds, || wake_all(&design));
    design.settle();
    ns
}

/// Nanoseconds of a wake of a parked task on its own thread; with `knows_local` unset, by the way
/// that foreign threads take.
pub fn wake_parked<D: Design>(rounds: usize, knows_local: bool) -> f64 {
    let mut design = D::new(TASKS);
    design.know_local(knows_local);
    let mut ns = 0.0;
    for _ in 0..rounds {
        ns += per_wake(1, || wake_all(&design));
        design.settle();
    }
    ns / rounds as f64
}

/// As [`wake_parked`] the foreign way, of tasks too far from each other to share a word of a
/// bitmap: what a wake costs that comes alone.
pub fn wake_alone<D: Design>(rounds: usize) -> f64 {
    let mut design = D::new(TASKS);
    design.know_local(false);
    let alone: Vec<_> = design.wakers().iter().step_by(64).cloned().collect();
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let start = Instant::now();
        alone.iter().for_each(|waker| hide(waker).wake_by_ref());
        total += start.elapsed();
        design.settle();
    }
    total.as_nanos() as f64 / (rounds * alone.len()) as f64
}

/// Nanoseconds of a wake of a parked task and of its turn, which finds it by its waker.
pub fn wake_and_run<D: Design>(rounds: usize, knows_local: bool) -> f64 {
    let mut design = D::new(TASKS);
    design.know_local(knows_local);
    per_wake(rounds, || {
        wake_all(&design);
        design.settle();
    })
}

/// Nanoseconds of a wake from another thread while the owner turns without pause.
pub fn wake_remote<D: Design>(rounds: usize) -> f64 {
    let mut design = D::new(TASKS);
    let wakers = design.wakers().to_vec();
    let served = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let waking = scope.spawn(|| {
            let mut ns = 0.0;
            for round in 1..=rounds {
                ns += per_wake(1, || wakers.iter().for_each(|waker| hide(waker).wake_by_ref()));
                while served.load(Relaxed) < round * TASKS {
                    std::hint::spin_loop();
                }
            }
            ns / rounds as f64
        });
        while !waking.is_finished() {
            let ran = design.turn();
            if ran > 0 {
                served.fetch_add(ran, Relaxed);
            }
        }
        waking.join().expect("no panic")
    })
}

fn wake_all(design: &impl Design) {
    design.wakers().iter().for_each(|waker| hide(waker).wake_by_ref());
}

/// Keeps the compiler from seeing which vtable a waker has.
fn hide(waker: &Waker) -> &Waker {
    std::hint::black_box(waker)
}

fn per_wake(rounds: usize, mut body: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..rounds).for_each(|_| body());
    start.elapsed().as_nanos() as f64 / (rounds * TASKS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_wake_is_served_once<D: Design>() {
        let mut design = D::new(5);
        assert_eq!(design.turn(), 0, "{}: all parked", D::NAME);
        for knows_local in [true, false] {
            design.know_local(knows_local);
            for _ in 0..2 {
                design.wakers()[3].wake_by_ref();
                design.wakers()[1..2].iter().cloned().for_each(Waker::wake);
            }
            assert_eq!(design.turn(), 2, "{}", D::NAME);
            assert_eq!(design.turn(), 0, "{}", D::NAME);
        }
    }

    fn wakers_outlive_everything<D: Design>() {
        let mut design = D::new(5);
        let wakers = design.wakers().to_vec();
        wakers[0].wake_by_ref();
        design.settle();
        drop(design);
        wakers.iter().for_each(Waker::wake_by_ref);
        std::thread::spawn(move || wakers.into_iter().for_each(Waker::wake)).join().unwrap();
    }

    fn foreign_wakes_arrive<D: Design>() {
        assert!(wake_remote::<D>(3) > 0.0);
    }

    macro_rules! for_each_design {
        ($($test:ident)*) => { $(
            mod $test {
                #[test]
                fn ids() { super::$test::<crate::wakers::ids::Ids>(); }
                #[test]
                fn counted() { super::$test::<crate::wakers::counted::Counted>(); }
                #[test]
                fn real() { super::$test::<crate::wakers::real::Real>(); }
            }
        )* };
    }
    for_each_design!(every_wake_is_served_once wakers_outlive_everything foreign_wakes_arrive);
}
