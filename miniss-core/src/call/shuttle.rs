//! Three cores with executors that sleep, and lanes with room for one. Where a wake is lost, or
//! each core waits for room that another is to make, shuttle finds all threads asleep and says
//! "deadlock".

use std::boxed::Box;
use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc as Owned;
use std::vec::Vec;

use core::future::poll_fn;
use core::task::{Poll, Waker};

use ::shuttle::sync::{Arc, Condvar, Mutex};
use ::shuttle::thread::{self, JoinHandle, ThreadId};

use super::{Call, Endpoint, Mesh};
use crate::error::CallError;
use crate::prim::explore::explore;
use crate::time::Instant;
use crate::timer::Wheel;
use crate::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

const SCHEDULES: usize = 1_000;
const CORES: usize = 3;

type Net = Owned<Mesh<Unparker, 1>>;
type End = Endpoint<Unparker, 1>;

::shuttle::thread_local! {
    /// What work that is served here may want: the endpoint.
    static HERE: RefCell<Option<End>> = const { RefCell::new(None) };
}

struct Unparker {
    home: ThreadId,
    is_called: Mutex<bool>,
    changed: Condvar,
}

// SAFETY: a model's thread drops its executor as it ends.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {
        *self.is_called.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn is_local(&self) -> bool {
        thread::current().id() == self.home
    }
}

impl Clock for Unparker {
    type Timers = Wheel;

    fn now(&self) -> Instant {
        Instant::ZERO
    }
}

struct Port(&'static ExecutorCell<Unparker>);

impl Reactor for Port {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _deadline: Option<Instant>, idle: Idle<'_>) {
        if !idle.confirmed() {
            return;
        }
        let unparker = self.0.unparker();
        let mut is_called = unparker.is_called.lock().unwrap();
        while !*is_called {
            is_called = unparker.changed.wait(is_called).unwrap();
        }
        *is_called = false;
    }
}

fn executor() -> Executor<Port> {
    let unparker = Unparker {
        home: thread::current().id(),
        is_called: Mutex::new(false),
        changed: Condvar::new(),
    };
    let cell: &'static _ = Box::leak(Box::new(ExecutorCell::new(unparker)));
    Executor::new(cell, Port(cell)).expect("a new cell is free")
}

/// Where all cores wait until the last has arrived, and serve meanwhile.
struct Line(Mutex<(usize, Vec<Waker>)>);

impl Line {
    fn new(cores: usize) -> Owned<Self> {
        Owned::new(Self(Mutex::new((cores, Vec::new()))))
    }

    fn arrive(&self) {
        let mut line = self.0.lock().unwrap();
        line.0 -= 1;
        let wakers = if line.0 == 0 { core::mem::take(&mut line.1) } else { Vec::new() };
        drop(line);
        wakers.into_iter().for_each(Waker::wake);
    }

    async fn all(&self) {
        poll_fn(|cx| {
            let mut line = self.0.lock().unwrap();
            if line.0 == 0 {
                return Poll::Ready(());
            }
            line.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Runs `body` on core `me` of `net`, which serves until all have come to the line.
fn core(
    net: &Net,
    me: usize,
    line: &Owned<Line>,
    body: impl AsyncFn(End) + Send + 'static,
) -> JoinHandle<()> {
    let (net, line) = (net.clone(), line.clone());
    thread::spawn(move || {
        let mut executor = executor();
        let end = End::open(net, me, executor.local()).unwrap();
        HERE.with(|here| here.replace(Some(end.clone())));
        executor.block_on(async {
            body(end).await;
            line.arrive();
            line.all().await;
        });
        HERE.with(|here| here.replace(None));
    })
}

fn here() -> End {
    HERE.with(|here| here.borrow().clone()).expect("a core")
}

/// Runs `body` on three cores, and waits for their ends.
fn on_three(body: impl AsyncFn(End) + Clone + Send + 'static) {
    let (net, line) = (Net::new(Mesh::new(CORES)), Line::new(CORES));
    let cores: Vec<_> = (0..CORES).map(|me| core(&net, me, &line, body.clone())).collect();
    join(cores);
}

fn join(cores: impl IntoIterator<Item = JoinHandle<()>>) {
    cores.into_iter().for_each(|core| core.join().unwrap());
}

fn others(end: &End) -> [usize; 2] {
    [1, 2].map(|step| (end.me() + step) % CORES)
}

#[test]
fn shuttle_three_cores_that_all_call_all_with_lanes_for_one() {
    explore(SCHEDULES, all_call_all);
}

/// Twice as many calls as there is room for, in one batch, to both others.
fn all_call_all() {
    on_three(async |end| {
        let me = end.me();
        let calls = [0, 1, 2, 3].map(|call| end.run_on(others(&end)[call % 2], move || me));
        for call in calls {
            assert_eq!(call.await, Ok(me));
        }
    });
}

#[test]
fn shuttle_calls_that_call_on_from_core_to_core_with_lanes_for_one() {
    explore(SCHEDULES, forwarded);
}

/// A call to the next core, which calls the one after, which calls back: both lanes of each pair
/// are full at a time.
fn forwarded() {
    on_three(async |end| {
        let calls = [(); 2].map(|()| end.submit_to(others(&end)[0], async || forward(2).await));
        for call in calls {
            assert_eq!(call.await, Ok(3));
        }
    });
}

fn forward(steps: usize) -> Pin<Box<dyn Future<Output = usize>>> {
    Box::pin(async move {
        if steps == 0 {
            return 1;
        }
        let end = here();
        end.submit_to(others(&end)[0], async move || forward(steps - 1).await).await.unwrap() + 1
    })
}

#[test]
fn shuttle_a_core_that_ends_amid_calls_answers_or_refuses_each() {
    explore(SCHEDULES, one_ends);
}

/// Core 2 ends without a word. What two others ask of it, and what it asks of them, has an end, and
/// no value stays behind.
fn one_ends() {
    let (net, line) = (Net::new(Mesh::new(CORES)), Line::new(2));
    let value = Arc::new(());
    let (its_net, its_value, asked) = (net.clone(), value.clone(), value.clone());
    let ends = thread::spawn(move || {
        let mut executor = executor();
        let end = End::open(its_net, 2, executor.local()).unwrap();
        let [first, _given_up] = [0, 1].map(|core| {
            let value = its_value.clone();
            end.run_on(core, move || value)
        });
        assert!(executor.block_on(first).is_ok());
    });
    let body = async move |end: End| {
        let calls = [(); 2].map(|()| {
            let value = asked.clone();
            end.run_on(2, move || value)
        });
        for call in calls {
            assert!(matches!(call.await, Ok(_) | Err(CallError::Gone)));
        }
    };
    let cores = [0, 1].map(|me| core(&net, me, &line, body.clone()));
    drop(body);
    join(cores.into_iter().chain([ends]));
    drop(net);
    assert_eq!(Arc::strong_count(&value), 1, "a value was left behind");
}

#[test]
fn shuttle_calls_that_are_given_up_hold_up_no_other() {
    explore(SCHEDULES, given_up);
}

/// Of the calls of each batch one is awaited; the lanes are full of the others.
fn given_up() {
    let value = Arc::new(());
    let kept = value.clone();
    on_three(async move |end| {
        for to in others(&end) {
            let call = || -> Call<Arc<()>> {
                let value = kept.clone();
                end.run_on(to, move || value)
            };
            let (given_up, awaited) = ([call(), call()], call());
            drop(given_up);
            assert!(awaited.await.is_ok());
        }
    });
    assert_eq!(Arc::strong_count(&value), 1, "a value was left behind");
}

#[test]
fn shuttle_cores_that_end_in_every_order_answer_or_refuse_each_call() {
    explore(SCHEDULES, all_end);
}

/// Each ends when its own calls have, whether or not the others still call it.
fn all_end() {
    let net = Net::new(Mesh::new(CORES));
    let value = Arc::new(());
    let cores = [0, 1, 2].map(|me| {
        let (net, value) = (net.clone(), value.clone());
        thread::spawn(move || {
            let mut executor = executor();
            let end = End::open(net, me, executor.local()).unwrap();
            let calls = [0, 1, 2, 3].map(|call| {
                let value = value.clone();
                end.submit_to(others(&end)[call % 2], async move || value)
            });
            executor.block_on(async {
                for call in calls {
                    assert!(matches!(call.await, Ok(_) | Err(CallError::Gone)));
                }
            });
        })
    });
    join(cores);
    drop(net);
    assert_eq!(Arc::strong_count(&value), 1, "a value was left behind");
}

// What the models must find out.
crate::prim::bugs! {
    shuttle_without_a_look_at_the_lanes_a_sleeper_overlooks_a_call:
        shuttle_three_cores_that_all_call_all_with_lanes_for_one
        without "park: owner looks at the lanes once more" says "deadlock";
    shuttle_without_a_look_for_senders_a_full_lane_stays_full:
        shuttle_three_cores_that_all_call_all_with_lanes_for_one
        without "peer: a look for so many messages" says "deadlock";
    shuttle_without_a_look_back_calls_to_a_core_that_ends_have_no_end:
        shuttle_a_core_that_ends_amid_calls_answers_or_refuses_each
        without "peer: what no one receives is taken back" says "deadlock";
}
