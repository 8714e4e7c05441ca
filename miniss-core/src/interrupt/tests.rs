//! Queues and signals by hand and on threads, wakers that misbehave, and executors in handlers.

use super::waker_cell::WakerCell;
use super::*;
use crate::collections::test_waker::{Counter, acting, acting_on_clone, now, panicking, poll_once};
use crate::error::NotSent;
use crate::kept::forever;
use crate::time::Instant;
use crate::timer::{Sleep, TimerList};
use crate::{Clock, Executor, ExecutorCell, Idle, LocalHandle, Reactor, TaskSlab, Unpark};
use core::pin::pin;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::vec;
use std::vec::Vec;

/// An interrupt that is noted, and a clock that is set by hand.
struct Interrupt {
    raised: AtomicU32,
    now: AtomicU64,
}

// SAFETY: `is_local` keeps its default.
unsafe impl Unpark for Interrupt {
    fn unpark(&self) {
        self.raised.fetch_add(1, Relaxed);
    }
}

impl Clock for Interrupt {
    type Timers = TimerList;

    fn now(&self) -> Instant {
        Instant::from_nanos(self.now.load(Relaxed))
    }
}

struct Port;

impl Reactor for Port {
    type Unparker = Interrupt;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _: Option<Instant>, _: Idle<'_>) {
        unreachable!("a handler does not sleep");
    }
}

/// A machine with one interrupt, whose executor has the task that `first` makes.
struct Machine<F> {
    cell: &'static ExecutorCell<Interrupt>,
    handler: &'static Handler<Port>,
    first: F,
}

impl<T: Future<Output = ()> + 'static, F: Fn(LocalHandle<Interrupt>) -> T> Machine<F> {
    fn new(first: F) -> Self {
        let interrupt = Interrupt { raised: AtomicU32::new(0), now: AtomicU64::new(0) };
        let cell = forever(ExecutorCell::new(interrupt));
        Self { cell, handler: forever(Handler::new()), first }
    }

    fn interrupt(&self) -> Option<Instant> {
        let start = || {
            let executor = Executor::new(self.cell, Port).unwrap();
            let local = executor.local();
            // Also without a heap there is room for tasks.
            local.lend(forever(TaskSlab::<{ 64 * size_of::<usize>() }, 4>::new())).unwrap();
            drop(local.spawn((self.first)(local)).unwrap());
            executor
        };
        // SAFETY: *One handler*: this thread alone calls it.
        unsafe { self.handler.run(start) }
    }

    fn raised(&self) -> u32 {
        self.cell.unparker().raised.load(Relaxed)
    }
}

fn queue<T: Send + 'static, const N: usize>() -> &'static Queue<T, N> {
    forever(Queue::new())
}

fn shared<T: Send + 'static, const N: usize>() -> &'static SharedQueue<T, N> {
    forever(SharedQueue::new())
}

fn signal<T: Send + 'static>() -> &'static Signal<T> {
    forever(Signal::new())
}

#[test]
fn values_come_in_order_over_many_laps() {
    let (queue, shared) = (queue::<u32, 4>(), shared::<u32, 3>());
    let mut receivers = (queue.receiver().unwrap(), shared.receiver().unwrap());
    for round in 0..100 {
        let values = round..round + round % 4;
        for value in values.clone() {
            queue.try_send(value).unwrap();
            shared.try_send(value).unwrap();
        }
        for value in values {
            assert_eq!(receivers.0.try_recv(), Some(value));
            assert_eq!(receivers.1.try_recv(), Some(value));
        }
        assert_eq!((receivers.0.try_recv(), receivers.1.try_recv()), (None, None));
    }
}

#[test]
fn a_value_without_room_comes_back() {
    let (queue, shared) = (queue::<u32, 3>(), shared::<u32, 2>());
    assert_eq!((queue.capacity(), shared.capacity()), (2, 2));
    for value in 0..2 {
        queue.try_send(value).unwrap();
        shared.try_send(value).unwrap();
    }
    let refused = [queue.try_send(7).unwrap_err(), shared.try_send(7).unwrap_err()];
    for refused in refused {
        assert_eq!((refused.value, refused.reason), (7, NotSent::Full));
    }
}

#[test]
fn one_receives_at_a_time_and_leaves_the_rest_to_the_next() {
    let queue = queue::<u32, 4>();
    (1..=3).for_each(|value| queue.try_send(value).unwrap());
    let mut first = queue.receiver().unwrap();
    assert!(queue.receiver().is_none());
    assert_eq!(first.try_recv(), Some(1));
    drop(first);
    let mut second = queue.receiver().unwrap();
    assert_eq!([now(second.recv()), now(second.recv())], [2, 3]);
}

#[test]
fn a_wait_is_ended_by_one_wake_and_a_dropped_one_takes_nothing() {
    let queue = shared::<u32, 4>();
    let mut receiver = queue.receiver().unwrap();
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    assert!(poll_once(pin!(receiver.recv())).is_pending());
    assert!(receiver.poll_recv(&mut cx).is_pending());
    (1..=3).for_each(|value| queue.try_send(value).unwrap());
    assert_eq!(counter.wakes(), 1, "the others find no one that waits");
    assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(1));
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn the_task_that_polled_last_is_woken() {
    let signal = signal::<u32>();
    let mut receiver = signal.receiver().unwrap();
    let ((first, first_waker), (second, second_waker)) = (Counter::new(), Counter::new());
    for waker in [&first_waker, &second_waker] {
        assert!(receiver.poll_recv(&mut Context::from_waker(waker)).is_pending());
    }
    signal.send(1).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
}

#[test]
fn a_signal_keeps_the_last_value_and_drops_each_other_once() {
    let signal = signal::<Arc<u32>>();
    let values: Vec<_> = (0..5).map(Arc::new).collect();
    for value in &values {
        signal.send(value.clone()).unwrap();
    }
    let alive: Vec<_> = values.iter().map(|value| Arc::strong_count(value) - 1).collect();
    assert_eq!(alive, [0, 0, 0, 0, 1]);
    let mut receiver = signal.receiver().unwrap();
    assert_eq!(receiver.try_recv().as_deref(), Some(&4));
    assert_eq!(receiver.try_recv(), None);
}

#[test]
fn what_is_left_is_dropped_with_the_queue() {
    let value = Arc::new(());
    let (shared, signal) = (SharedQueue::<_, 4>::new(), Signal::new());
    (0..3).for_each(|_| shared.try_send(value.clone()).unwrap());
    (0..3).for_each(|_| signal.send(value.clone()).unwrap());
    assert_eq!(Arc::strong_count(&value), 5);
    drop((shared, signal));
    assert_eq!(Arc::strong_count(&value), 1);
}

/// What a waker does as it is cloned comes in the middle of a registration's beginning; what it
/// does as it wakes, at the end of a send.
#[test]
fn a_sender_in_a_waker_finds_everything_in_order() {
    let queue = shared::<u32, 4>();
    let mut receiver = queue.receiver().unwrap();
    let waker = acting_on_clone(|| queue.try_send(1).unwrap());
    assert_eq!(receiver.poll_recv(&mut Context::from_waker(&waker)), Poll::Ready(1));
    let waker = acting(|| queue.try_send(3).unwrap());
    assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    queue.try_send(2).unwrap();
    assert_eq!((receiver.try_recv(), receiver.try_recv()), (Some(2), Some(3)));
}

#[test]
fn a_waker_that_panics_has_had_the_value_sent() {
    let queue = queue::<u32, 4>();
    let mut receiver = queue.receiver().unwrap();
    assert!(receiver.poll_recv(&mut Context::from_waker(&panicking())).is_pending());
    catch_unwind(AssertUnwindSafe(|| queue.try_send(1))).unwrap_err();
    queue.try_send(2).unwrap();
    assert_eq!((now(receiver.recv()), now(receiver.recv())), (1, 2));
}

#[test]
fn a_destructor_that_panics_has_had_the_signal_sent() {
    struct Grenade(bool);
    impl Drop for Grenade {
        fn drop(&mut self) {
            assert!(!self.0);
        }
    }
    let signal = signal::<Grenade>();
    let mut receiver = signal.receiver().unwrap();
    let (counter, waker) = Counter::new();
    assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    signal.send(Grenade(true)).unwrap();
    catch_unwind(AssertUnwindSafe(|| signal.send(Grenade(false)))).unwrap_err();
    assert_eq!(counter.wakes(), 1);
    assert!(receiver.try_recv().is_some_and(|grenade| !grenade.0));
}

#[test]
fn a_receiver_that_goes_leaves_no_waker_behind() {
    let signal = signal::<u32>();
    let mut receiver = signal.receiver().unwrap();
    let (counter, waker) = Counter::new();
    assert!(poll_once(pin!(receiver.recv())).is_pending());
    assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    drop((receiver, waker));
    assert_eq!(Arc::strong_count(&counter), 1);
}

#[test]
fn a_wake_during_a_wake_is_one_and_none_is_kept() {
    let cell: &WakerCell = forever(WakerCell::new());
    let (counter, waker) = Counter::new();
    cell.wake();
    cell.register(&waker);
    assert_eq!(counter.wakes(), 0, "that wake was before");
    cell.register(&acting(move || cell.wake()));
    cell.wake();
    cell.register(&waker);
    cell.wake();
    cell.wake();
    assert_eq!(counter.wakes(), 1);
    drop(waker);
    assert_eq!(Arc::strong_count(&counter), 1, "none is kept");
}

/// Each of three threads sends in order; the task sleeps whenever it finds nothing.
#[test]
fn each_value_of_three_threads_comes_once_and_in_order() {
    const EACH: u32 = if cfg!(debug_assertions) { 3_000 } else { 100_000 };
    let queue = shared::<(usize, u32), 4>();
    let mut receiver = queue.receiver().unwrap();
    let senders: Vec<_> = (0..3)
        .map(|sender| {
            thread::spawn(move || {
                for number in 0..EACH {
                    while queue.try_send((sender, number)).is_err() {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let mut next = [0; 3];
    block_on(async {
        while next != [EACH; 3] {
            let (sender, number) = receiver.recv().await;
            assert_eq!(number, next[sender]);
            next[sender] += 1;
        }
    });
    for sender in senders {
        sender.join().unwrap();
    }
}

/// The last number of each is never lost, whatever comes between.
#[test]
fn the_last_signal_of_two_threads_is_received() {
    const EACH: u32 = if cfg!(debug_assertions) { 3_000 } else { 100_000 };
    let signal = signal::<Vec<u32>>();
    let mut receiver = signal.receiver().unwrap();
    for _ in 0..2 {
        thread::spawn(|| (1..=EACH).for_each(|number| signal.send(vec![number]).unwrap()));
    }
    block_on(async { while receiver.recv().await != [EACH] {} });
}

/// Polls on a thread that sleeps between wakes.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_handler_s_interrupt_is_raised_once_for_all_that_wakes_its_tasks() {
    let (numbers, sums) = (shared::<u32, 8>(), signal::<u32>());
    let machine = Machine::new(|_| async {
        let (mut numbers, mut sum) = (numbers.receiver().unwrap(), 0);
        loop {
            sum += numbers.recv().await;
            sums.send(sum).unwrap();
        }
    });
    let mut results = sums.receiver().unwrap();
    numbers.try_send(1).unwrap();
    assert_eq!(machine.raised(), 0, "it has not run yet");
    machine.interrupt();
    assert_eq!(results.try_recv(), Some(1));
    for round in 1..=3 {
        (0..4).for_each(|number| numbers.try_send(number).unwrap());
        assert_eq!(machine.raised(), round);
        machine.interrupt();
        assert_eq!(results.try_recv(), Some(1 + 6 * round));
    }
    machine.interrupt();
    assert_eq!((machine.raised(), results.try_recv()), (3, None));
}

#[test]
fn what_is_woken_as_the_handler_runs_is_polled_before_it_returns() {
    let (ball, hits) = (signal::<u32>(), signal::<u32>());
    let machine = Machine::new(|local| {
        let mut ball_here = ball.receiver().unwrap();
        let other = async move {
            loop {
                let hit = ball_here.recv().await;
                hits.send(hit).unwrap();
            }
        };
        drop(local.spawn(other).unwrap());
        async {
            let mut hits = hits.receiver().unwrap();
            for hit in 0..100 {
                ball.send(hit).unwrap();
                assert_eq!(hits.recv().await, hit);
            }
            ball.send(1_000).unwrap();
        }
    });
    machine.interrupt();
    assert_eq!(machine.raised(), 0, "the handler was running");
    assert_eq!(hits.receiver().unwrap().try_recv(), Some(1_000));
}

#[test]
fn a_handler_says_when_its_next_timer_is_due() {
    let done = signal::<()>();
    let machine = Machine::new(|local| async move {
        for _ in 0..3 {
            Sleep::new(local, Duration::from_millis(10)).await;
        }
        done.send(()).unwrap();
    });
    let mut waits = 0;
    while let Some(deadline) = machine.interrupt() {
        let early = Instant::from_nanos(deadline.as_nanos() - 1);
        machine.cell.unparker().now.store(early.as_nanos(), Relaxed);
        assert_eq!(machine.interrupt(), Some(deadline));
        machine.cell.unparker().now.store(deadline.as_nanos(), Relaxed);
        waits += 1;
    }
    assert!(waits >= 3 && done.receiver().unwrap().try_recv().is_some());
    assert_eq!(machine.raised(), 0);
}

#[test]
fn a_handler_that_interrupts_itself_is_told() {
    let machine = Machine::new(|_| async {});
    let inner = || unreachable!("there is an executor already");
    let outer = || {
        // SAFETY: it is refused.
        unsafe { machine.handler.run(inner) };
        unreachable!()
    };
    // SAFETY: *One handler*, but for what is refused.
    let refused = catch_unwind(AssertUnwindSafe(|| unsafe { machine.handler.run(outer) }));
    let message = *refused.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "a handler's executor is run by one interrupt alone");
}
