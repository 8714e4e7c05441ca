//! An unparker is foreign code: what a panic in it may not destroy.

use core::cell::Cell;
use core::future::{Future, poll_fn};
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
use crate::timer::Wheel;
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
    type Timers = Wheel;

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

#[test]
fn what_a_core_expects_for_several_reasons_it_expects() {
    let asks = forever(Cell::new((false, false)));
    let cell = forever(ExecutorCell::new(Unparker(AtomicBool::new(false))));
    let mut near = Executor::new(cell, Listening(asks)).unwrap();
    let (_, mut far) = core(Port(forever(Cell::new(false))));
    let meshes = [(); 2].map(|()| Arc::new(Mesh::<_, 4>::new(2)));
    let ends = meshes.map(|mesh| {
        let end = Endpoint::open(mesh.clone(), 0, near.local()).unwrap();
        (end, Endpoint::open(mesh, 1, far.local()).unwrap())
    });
    while near.turn() || far.turn() {}
    let _calls = ends.each_ref().map(|(end, _)| end.run_on(1, || ()));
    while near.turn() {}
    assert_eq!(asks.get(), (true, true), "two replies are to come");
    while far.turn() || near.turn() {}
    let _call = ends[0].0.run_on(1, || ());
    while near.turn() {}
    drop(ends[0].1.run_on(0, || ()));
    ends[0].1.flush();
    for _ in 0..8 {
        near.turn();
        assert_eq!(asks.get(), (true, true), "a reply is to come, whether or not it has answered");
    }
}

#[test]
fn a_core_whose_executor_ended_serves_the_meshes_of_its_next_one() {
    let port = Port(forever(Cell::new(false)));
    let ((cell, first), (_, mut far)) = (core(port), core(port));
    drop(first);
    for _ in 0..3 {
        let mut near = Executor::new(cell, port).unwrap();
        let meshes = [(); 3].map(|()| Arc::new(Mesh::<_, 4>::new(2)));
        let ends = meshes.map(|mesh| {
            let end = Endpoint::open(mesh.clone(), 0, near.local()).unwrap();
            (end, Endpoint::open(mesh, 1, far.local()).unwrap())
        });
        turn_both(&mut near, &mut far);
        for (end, _other) in &ends {
            let call = end.run_on(1, || 7);
            turn_both(&mut near, &mut far);
            assert_eq!(near.block_on(call), Ok(7));
        }
    }
}

#[test]
fn a_core_that_is_awake_is_not_woken_for_a_call() {
    let port = Port(forever(Cell::new(false)));
    let ((_, mut near), (_, mut far)) = (core(port), core(port));
    let mesh = Arc::new(Mesh::<_, 4>::new(2));
    let end = Endpoint::open(mesh.clone(), 0, near.local()).unwrap();
    let _other = Endpoint::open(mesh, 1, far.local()).unwrap();
    turn_both(&mut near, &mut far);
    let wakes = far.local().stats().wakes_remote;
    for _ in 0..10 {
        let call = end.run_on(1, || ());
        turn_both(&mut near, &mut far);
        assert_eq!(near.block_on(call), Ok(()));
    }
    assert_eq!(far.local().stats().wakes_remote, wakes);
}

type Event = Box<dyn FnOnce()>;

/// A port in whose sleep something comes, and which notes what it saw before and after that.
#[derive(Clone, Copy)]
struct Spinning {
    event: &'static Cell<Option<Event>>,
    saw: &'static Cell<[(bool, bool); 2]>,
}

impl Spinning {
    fn look(idle: &Idle<'_>) -> (bool, bool) {
        (idle.has_work(), idle.has_calls())
    }
}

impl Reactor for Spinning {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _: Option<Instant>, idle: Idle<'_>) {
        let before = Self::look(&idle);
        if let Some(event) = self.event.take() {
            event();
        }
        self.saw.set([before, Self::look(&idle)]);
    }
}

#[test]
fn a_core_that_spins_sees_tasks_of_its_own_wakes_from_elsewhere_and_calls() {
    let spinning =
        Spinning { event: forever(Cell::new(None)), saw: forever(Cell::new(Default::default())) };
    let cell = forever(ExecutorCell::new(Unparker(AtomicBool::new(false))));
    let mut near = Executor::new(cell, spinning).unwrap();
    let (_, mut far) = core(Port(forever(Cell::new(false))));
    let mesh = Arc::new(Mesh::<_, 4>::new(2));
    let _end = Endpoint::open(mesh.clone(), 0, near.local()).unwrap();
    let other = Endpoint::open(mesh, 1, far.local()).unwrap();
    let given = forever(Cell::new(None));
    let waits = poll_fn(|cx| {
        given.set(Some(cx.waker().clone()));
        Poll::<()>::Pending
    });
    let local = near.local();
    local.spawn(waits).unwrap().detach();
    let mut saw_after = |event: Event| {
        while near.turn() || far.turn() {}
        spinning.event.set(Some(event));
        near.turn();
        spinning.saw.get()
    };
    let nothing = (false, false);
    assert_eq!(saw_after(Box::new(|| ())), [nothing, nothing]);
    let spawn = move || local.spawn(async {}).unwrap().detach();
    assert_eq!(saw_after(Box::new(spawn)), [nothing, (true, false)]);
    // The unparker does not know its own core, so each wake comes from elsewhere.
    let wake = || given.take().map(Waker::wake).unwrap();
    assert_eq!(saw_after(Box::new(wake)), [nothing, (true, false)]);
    let call = move || {
        drop(other.run_on(0, || ()));
        other.flush();
    };
    assert_eq!(saw_after(Box::new(call)), [nothing, (true, true)]);
}
