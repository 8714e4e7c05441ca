//! Parked tasks that wake each other in turn.
//!
//! A task that is woken wakes another and parks again, so a poll is one wake and one poll, and
//! nothing else runs beside. Up to 64 neighbours are under way at a time, and each wakes the one 64
//! places on, so that every task has its turn and none is woken while it still waits for one. This
//! is done twice: in the order in which the tasks were spawned, and in one at random, where the
//! next task is in no cache if the caches cannot hold them all.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use miniss_linux::{Pinning, Runtime, spawn};

use super::by_hand;
use crate::growth::curve::Values;
use crate::growth::process::heap_bytes;
use crate::growth::random::Random;
use crate::limits::nanos_per;

/// Wakes under way at a time, at most.
const UNDER_WAY_MAX: usize = 64;
/// Polls of a sample, at least.
pub const POLLS_MIN: usize = 400_000;
/// So many tasks take longer to end than a runtime without any, and more slots than it begins with.
const TASKS_THAT_SHOW: usize = 1_000;
/// Tasks that are spawned and then joined, and how often.
const BATCH: usize = 100;
const BATCHES: usize = 2_000;

/// How many of so many tasks are under way at a time.
pub fn under_way(tasks: usize) -> usize {
    tasks.div_ceil(2).min(UNDER_WAY_MAX)
}

/// The place of the task that the one at `place` wakes.
pub fn next(place: usize, tasks: usize) -> usize {
    let next = place + under_way(tasks);
    if next < tasks { next } else { next - tasks }
}

/// What the tasks share.
#[derive(Default)]
struct Orders {
    /// The tasks' wakers, in both orders.
    wakers: [RefCell<Vec<Waker>>; 2],
    /// The order that is under way.
    current: Cell<usize>,
    polls_left: Cell<usize>,
    under_way: Cell<usize>,
    main: Cell<Option<Waker>>,
}

impl Orders {
    fn new(count: usize) -> Self {
        let wakers = || RefCell::new(vec![Waker::noop().clone(); count]);
        Self { wakers: [wakers(), wakers()], ..Self::default() }
    }

    /// Parks `waker`'s task at its places.
    fn enter(&self, places: [u32; 2], waker: &Waker) {
        for (wakers, place) in self.wakers.iter().zip(places) {
            wakers.borrow_mut()[place as usize] = waker.clone();
        }
        self.leave();
    }

    /// The task at `place` of the current order was polled: another is woken, until all is done.
    fn pass(&self, place: usize) {
        match self.polls_left.get() {
            0 => self.leave(),
            left => {
                self.polls_left.set(left - 1);
                let wakers = self.wakers[self.current.get()].borrow();
                wakers[next(place, wakers.len())].wake_by_ref();
            }
        }
    }

    fn leave(&self) {
        self.under_way.set(self.under_way.get() - 1);
        if self.under_way.get() == 0
            && let Some(main) = self.main.take()
        {
            main.wake();
        }
    }

    async fn is_over(&self) {
        poll_fn(|cx| match self.under_way.get() {
            0 => Poll::Ready(()),
            _ => {
                self.main.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await;
    }

    /// Nanoseconds of a wake and a poll in this order.
    async fn run(&self, order: usize, polls: usize) -> f64 {
        let under_way = under_way(self.wakers[order].borrow().len());
        self.current.set(order);
        self.polls_left.set(polls);
        self.under_way.set(under_way);
        let start = Instant::now();
        for n in 0..under_way {
            self.wakers[order].borrow()[n].wake_by_ref();
        }
        self.is_over().await;
        start.elapsed().as_nanos() as f64 / polls as f64
    }
}

/// A task's future.
struct Parked {
    orders: Rc<Orders>,
    places: [u32; 2],
    has_entered: bool,
    _state: [u8; 40],
}

const _: () = assert!(size_of::<Parked>() == by_hand::FUTURE_BYTES);

impl Future for Parked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_entered {
            self.orders.pass(self.places[self.orders.current.get()] as usize);
        } else {
            self.has_entered = true;
            self.orders.enter(self.places, cx.waker());
        }
        Poll::Pending
    }
}

/// Everything about `count` tasks.
///
/// # Errors
///
/// None; it is the shape of a point.
pub fn measure(count: usize) -> Result<Values, String> {
    let builder = Runtime::builder().shards(1).pinning(Pinning::Cpus(vec![0]));
    let runtime = builder.build().map_err(|error| error.to_string())?;
    let (order, polls) = (Random::default().order(count), count.max(POLLS_MIN));
    let inside = runtime.block_on(with_tasks(&order, polls));
    let end = nanos_per(count, || drop(runtime));
    // The end of fewer is that of the runtime's ring.
    let end = if count >= TASKS_THAT_SHOW { end } else { f64::NAN };
    let by_hand = by_hand::wake_and_poll(&order, polls);
    let Inside { in_order, at_random, spawned, joined, heap_bytes } = inside;
    Ok(vec![in_order, at_random, by_hand, spawned, joined, end, heap_bytes])
}

/// What is measured while the tasks are there: bytes and nanoseconds for each.
struct Inside {
    in_order: f64,
    at_random: f64,
    spawned: f64,
    joined: f64,
    heap_bytes: f64,
}

async fn with_tasks(order: &[u32], polls: usize) -> Inside {
    // The first batch takes what the runtime needs once.
    spawn_and_join(1).await;
    let orders = Rc::new(Orders::new(order.len()));
    orders.under_way.set(order.len());
    let heap_before = heap_bytes();
    let start = Instant::now();
    for (place, &at_random) in order.iter().enumerate() {
        let (orders, places) = (orders.clone(), [place as u32, at_random]);
        let _state = black_box([1; _]);
        spawn(Parked { orders, places, has_entered: false, _state }).detach();
    }
    orders.is_over().await;
    let spawned = start.elapsed().as_nanos() as f64 / order.len() as f64;
    let grown = (heap_bytes() - heap_before) as f64 / order.len() as f64;
    let heap_bytes = if order.len() >= TASKS_THAT_SHOW { grown } else { f64::NAN };
    let in_order = orders.run(0, polls).await;
    let at_random = orders.run(1, polls).await;
    let joined = spawn_and_join(BATCHES).await;
    Inside { in_order, at_random, spawned, joined, heap_bytes }
}

async fn spawn_and_join(batches: usize) -> f64 {
    let mut handles = Vec::with_capacity(BATCH);
    let start = Instant::now();
    for _ in 0..batches {
        handles.extend((0..BATCH).map(|n| spawn(async move { black_box(n) })));
        for handle in handles.drain(..) {
            black_box(handle.await.expect("it does not panic"));
        }
    }
    start.elapsed().as_nanos() as f64 / (batches * BATCH) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gives_every_value() {
        for count in [1, 63, 300] {
            let values = measure(count).unwrap();
            assert!(values[..5].iter().all(|&value| value > 0.0), "{count}: {values:?}");
        }
    }
}
