//! An unparker is foreign code: what a panic in it may not destroy.

use core::cell::Cell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::vec::Vec;

use crate::call::{Endpoint, Mesh};
use crate::kept::forever;
use crate::time::Instant;
use crate::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

/// Panics when it is called, once, if it is told to.
struct Unparker(AtomicBool);

// SAFETY: no one sleeps in earnest, so no one has to be woken.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {
        assert!(!self.0.swap(false, SeqCst), "the unparker is broken");
    }
}

impl Clock for Unparker {
    fn now(&self) -> Instant {
        Instant::ZERO
    }
}

/// A port whose sleep unwinds if it is told to, so that its core counts as asleep from then on.
#[derive(Clone, Copy)]
struct Port(&'static Cell<bool>);

impl Reactor for Port {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _: Option<Instant>, idle: Idle<'_>) {
        assert!(!(self.0.get() && idle.confirmed()), "the sleep is broken");
    }
}

type Core = (&'static ExecutorCell<Unparker>, Executor<Port>);

fn core(port: Port) -> Core {
    let cell = forever(ExecutorCell::new(Unparker(AtomicBool::new(false))));
    (cell, Executor::new(cell, port).unwrap())
}

fn unwinds(executor: &mut Executor<Port>) -> bool {
    catch_unwind(AssertUnwindSafe(|| executor.turn())).is_err()
}

fn turn_both(near: &mut Executor<Port>, far: &mut Executor<Port>) {
    for _ in 0..8 {
        near.turn();
        far.turn();
    }
}

#[test]
fn an_unparker_that_panics_while_room_is_reported_destroys_no_call() {
    let port = Port(forever(Cell::new(false)));
    let ((sleeper, mut near), (_, mut far)) = (core(port), core(port));
    let mesh = Arc::new(Mesh::<_, 1>::new(2));
    let end = Endpoint::open(mesh.clone(), 0, near.local()).unwrap();
    let _other = Endpoint::open(mesh, 1, far.local()).unwrap();
    turn_both(&mut near, &mut far);
    // One is in the lane; the others wait for room, and the core that made them falls asleep.
    let mut calls: Vec<_> = (0..3).map(|n| end.run_on(1, move || Box::new(n))).collect();
    near.turn();
    port.0.set(true);
    while !unwinds(&mut near) {}
    port.0.set(false);
    sleeper.unparker().0.store(true, SeqCst);
    let unwound = (0..8).filter(|_| unwinds(&mut far)).count();
    assert_eq!(unwound, 1, "the unparker was called");
    turn_both(&mut near, &mut far);
    let cx = &mut Context::from_waker(Waker::noop());
    for (number, call) in calls.iter_mut().enumerate() {
        let Poll::Ready(Ok(answer)) = Pin::new(call).poll(cx) else { panic!("{number} is lost") };
        assert_eq!(*answer, number);
    }
}

#[test]
fn an_unparker_that_panics_in_a_flush_leaves_no_call_behind() {
    let port = Port(forever(Cell::new(false)));
    let cores = [(); 3].map(|()| core(port));
    let [(_, mut near), (sleeper, mut far), (_, mut third)] = cores;
    let mesh = Arc::new(Mesh::<_, 1>::new(3));
    let end = Endpoint::open(mesh.clone(), 0, near.local()).unwrap();
    let _others = [
        Endpoint::open(mesh.clone(), 1, far.local()).unwrap(),
        Endpoint::open(mesh, 2, third.local()).unwrap(),
    ];
    turn_both(&mut near, &mut far);
    third.turn();
    port.0.set(true);
    while !unwinds(&mut far) {}
    port.0.set(false);
    // More than the lane to the sleeper holds, and one for a core behind it.
    let mut calls: Vec<_> = (0..3).map(|n| end.run_on(1, move || Box::new(n))).collect();
    calls.push(end.run_on(2, || Box::new(3)));
    sleeper.unparker().0.store(true, SeqCst);
    let flush = AssertUnwindSafe(|| end.flush());
    assert!(catch_unwind(flush).is_err(), "the unparker was called");
    for _ in 0..8 {
        turn_both(&mut near, &mut far);
        third.turn();
    }
    let cx = &mut Context::from_waker(Waker::noop());
    for (number, call) in calls.iter_mut().enumerate() {
        let Poll::Ready(Ok(answer)) = Pin::new(call).poll(cx) else { panic!("{number} is lost") };
        assert_eq!(*answer, number);
    }
}

/// A port that never sleeps, and notes what it could ask before it would.
struct Listening(&'static Cell<(bool, bool)>);

impl Reactor for Listening {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _: Option<Instant>, idle: Idle<'_>) {
        self.0.set((idle.expects_calls(), idle.expects_calls()));
    }
}

#[test]
fn a_core_expects_calls_from_the_call_to_its_reply_and_once_behind_an_answer() {
    let (near_asks, far_asks) =
        (forever(Cell::new((false, false))), forever(Cell::new((false, false))));
    let listening = |asks| {
        let cell = forever(ExecutorCell::new(Unparker(AtomicBool::new(false))));
        Executor::new(cell, Listening(asks)).unwrap()
    };
    let (mut near, mut far) = (listening(near_asks), listening(far_asks));
    let mesh = Arc::new(Mesh::<_, 4>::new(2));
    let end = Endpoint::open(mesh.clone(), 0, near.local()).unwrap();
    let _other = Endpoint::open(mesh, 1, far.local()).unwrap();
    (0..8).for_each(|_| _ = (near.turn(), far.turn()));
    assert_eq!((near_asks.get(), far_asks.get()), ((false, false), (false, false)));
    let call = end.run_on(1, || ());
    (0..8).for_each(|_| _ = near.turn());
    assert_eq!(near_asks.get(), (true, true), "the reply is still to come");
    far_asks.set((false, false));
    let asks = (0..8).map(|_| (far.turn(), far_asks.get()).1).find(|asks| asks.0);
    far_asks.set(asks.unwrap_or_default());
    assert_eq!(far_asks.get(), (true, false), "who was answered may go on, for once");
    (0..8).for_each(|_| _ = near.turn());
    assert_eq!(near_asks.get(), (false, false), "it has come");
    drop(call);
}
