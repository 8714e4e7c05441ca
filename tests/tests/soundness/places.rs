//! Where a future can wait in the core, and what makes that come which it waits for.

#![forbid(unsafe_code)]

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use miniss_core::call::{Endpoint, Mesh};
use miniss_core::collections::{WaitList, Waiter};
use miniss_core::combine::JoinSet;
use miniss_core::op::{Completion, OpKey, OpTable, Operation};
use miniss_core::sync::{CancellationToken, Mutex, Semaphore};
use miniss_core::timer::{Interval, Sleep, Timeout};
use miniss_core::{Future, PromiseCell};

use crate::port::{Core, LocalHandle, Unparker, keep};

/// A future that waits, and how it comes what it waits for.
pub struct Wait {
    pub future: BoxFuture,
    pub come: Box<dyn FnMut()>,
}

pub type BoxFuture = Pin<Box<dyn std::future::Future<Output = ()>>>;
pub type Place = fn(&Core) -> Wait;

const LONG: Duration = Duration::from_secs(1);

impl Wait {
    fn new<T>(
        future: impl std::future::Future<Output = T> + 'static,
        come: impl FnMut() + 'static,
    ) -> Self {
        let future = async { drop(future.await) };
        Self { future: Box::pin(future), come: Box::new(come) }
    }

    pub fn poll(&mut self, waker: &Waker) -> Poll<()> {
        self.future.as_mut().poll(&mut Context::from_waker(waker))
    }
}

fn clock_runs(local: LocalHandle) -> impl FnMut() {
    move || local.cell().unparker().advance(2 * LONG)
}

pub fn a_join_handle(core: &Core) -> Wait {
    let (gate, mut key) = (Rc::new(Semaphore::new(0)), Some(()));
    let behind = gate.clone();
    let task = core.local().spawn(async move { drop(behind.acquire(1).await) }).unwrap();
    Wait::new(task, move || key.take().into_iter().for_each(|()| gate.release(1)))
}

pub fn a_set_of_tasks(core: &Core) -> Wait {
    let (gate, mut key) = (Rc::new(Semaphore::new(0)), Some(()));
    let behind = gate.clone();
    let mut set = JoinSet::on(core.local());
    set.spawn(pending());
    set.spawn(async move { drop(behind.acquire(1).await) });
    let ended = async move { set.join_next().await };
    Wait::new(ended, move || key.take().into_iter().for_each(|()| gate.release(1)))
}

pub fn a_promise(_: &Core) -> Wait {
    let (future, promise) = Future::<Rc<()>>::new();
    let mut promise = Some(promise);
    Wait::new(future, move || drop(promise.take().map(|promise| promise.complete(Rc::new(())))))
}

pub fn a_promise_in_a_cell(_: &Core) -> Wait {
    let cell: &'static PromiseCell<Rc<()>> = keep(PromiseCell::new());
    let (future, promise) = cell.pair().unwrap();
    let mut promise = Some(promise);
    Wait::new(future, move || drop(promise.take().map(|promise| promise.complete(Rc::new(())))))
}

pub fn a_sleep(core: &Core) -> Wait {
    Wait::new(Sleep::new(core.local(), LONG), clock_runs(core.local()))
}

pub fn a_timeout(core: &Core) -> Wait {
    let timeout = Timeout::new(core.local(), LONG, pending::<()>());
    Wait::new(timeout, clock_runs(core.local()))
}

pub fn an_interval(core: &Core) -> Wait {
    let mut interval = Interval::new(core.local(), LONG);
    interval.reset();
    Wait::new(async move { interval.tick().await }, clock_runs(core.local()))
}

pub fn a_semaphore(_: &Core) -> Wait {
    let semaphore = Rc::new(Semaphore::new(0));
    let gate = semaphore.clone();
    Wait::new(async move { drop(gate.acquire(1).await) }, move || semaphore.release(1))
}

pub fn a_mutex(_: &Core) -> Wait {
    let mutex: &'static Mutex<Rc<()>> = keep(Mutex::new(Rc::new(())));
    let mut guard = mutex.try_lock();
    Wait::new(async { drop(mutex.lock().await) }, move || drop(guard.take()))
}

pub fn a_token(_: &Core) -> Wait {
    let token = CancellationToken::new();
    Wait::new(token.clone().cancelled_owned(), move || token.cancel())
}

pub fn a_token_below_another(_: &Core) -> Wait {
    let token = CancellationToken::new();
    let work = token.child_token().child_token().run_until_cancelled_owned(pending::<()>());
    Wait::new(work, move || token.cancel())
}

pub fn a_wait_list(_: &Core) -> Wait {
    let list: &'static WaitList<u8> = keep(WaitList::new());
    let waiter = Box::pin(Waiter::new(list, 0));
    waiter.as_ref().enqueue();
    let served = poll_fn(move |cx| {
        waiter.register(cx.waker());
        if waiter.is_queued() { Poll::Pending } else { Poll::Ready(()) }
    });
    Wait::new(served, move || {
        list.wake_first(1);
    })
}

pub fn a_call(core: &Core) -> Wait {
    let mesh = Arc::new(Mesh::<Unparker, 4>::new(1));
    let end = Endpoint::open(mesh, 0, core.local()).unwrap();
    let (future, promise) = Future::<u8>::new();
    let call = end.submit_to(0, async move || future.await);
    let mut promise = Some(promise);
    Wait::new(call, move || {
        let _open = &end;
        _ = promise.take().map(|promise| promise.complete(1));
    })
}

/// Its memory stays in the table while it is in flight.
struct Read(#[expect(dead_code, reason = "it has a destructor")] Rc<()>);

impl Operation for Read {
    type Output = i32;

    fn settle(self, completion: Completion) -> i32 {
        completion.result
    }
}

struct Reading {
    table: Rc<OpTable>,
    key: Option<OpKey<Read>>,
}

impl std::future::Future for Reading {
    type Output = i32;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<i32> {
        let Some(key) = &self.key else { panic!("polled again") };
        let poll = self.table.poll(key, cx);
        if poll.is_ready() {
            self.key = None;
        }
        poll
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.key.take().into_iter().for_each(|key| self.table.orphan(key));
    }
}

pub fn an_operation(_: &Core) -> Wait {
    let table = Rc::new(OpTable::new());
    let key = table.insert(Read(Rc::new(())));
    let id = key.id();
    let reading = Reading { table: table.clone(), key: Some(key) };
    Wait::new(reading, move || table.complete(id, Completion { result: 0, flags: 0 }, false))
}
