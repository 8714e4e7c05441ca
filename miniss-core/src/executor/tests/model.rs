//! Random steps against a naive model: a list of ready tasks, and what has become of each.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::vec::Vec;

use core::future::poll_fn;
use core::ptr::NonNull;
use core::task::{Poll, Waker};

use proptest::prelude::*;

use super::port::{Port, cell, executor_on, peek};
use crate::error::Cancelled;
use crate::task::cell::Header;
use crate::{AbortHandle, Budget, Executor, JoinHandle};

#[derive(Debug, Clone)]
enum Step {
    Spawn,
    /// Wakes the task on its own core.
    Wake(usize),
    /// Lets the task end in its next poll; wakes no one.
    Allow(usize),
    /// Makes the task wake itself in its next poll.
    Spin(usize),
    Abort(usize),
    /// Aborts by way of the handle that may be used anywhere.
    AbortFromAfar(usize),
    DropHandle(usize),
    /// Looks for the result.
    Join(usize),
    Turn,
}

fn step() -> impl Strategy<Value = Step> {
    let task = 0..12_usize;
    prop_oneof![
        3 => Just(Step::Spawn),
        4 => task.clone().prop_map(Step::Wake),
        3 => task.clone().prop_map(Step::Allow),
        2 => task.clone().prop_map(Step::Spin),
        1 => task.clone().prop_map(Step::Abort),
        1 => task.clone().prop_map(Step::AbortFromAfar),
        2 => task.clone().prop_map(Step::DropHandle),
        2 => task.prop_map(Step::Join),
        4 => Just(Step::Turn),
    ]
}

/// What a task and its test share.
#[derive(Default)]
struct Script {
    may_end: Cell<bool>,
    spins: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// The naive view of a task.
struct Task {
    slot: NonNull<Header>,
    script: Rc<Script>,
    handle: Option<JoinHandle<Rc<()>>>,
    abort: AbortHandle,
    /// Counts the future and the output.
    alive: Rc<()>,
    ready: bool,
    aborted: bool,
    outcome: Option<Result<(), Cancelled>>,
}

struct World {
    executor: Executor<Port>,
    tasks: Vec<Task>,
    ready: VecDeque<usize>,
    polled: Rc<RefCell<Vec<usize>>>,
    expected: Vec<usize>,
}

impl World {
    fn new() -> Self {
        let mut executor = executor_on(cell(true));
        executor.set_shuffle(0);
        executor.set_budget(Budget { polls_max: u32::MAX, ..Budget::default() });
        executor.reactor().log.naps.set(true);
        let (tasks, ready, expected) = (Vec::new(), VecDeque::new(), Vec::new());
        Self { executor, tasks, ready, polled: Rc::default(), expected }
    }

    fn spawn(&mut self) {
        let (id, script, alive) = (self.tasks.len(), Rc::<Script>::default(), Rc::new(()));
        let (log, own, output) = (self.polled.clone(), script.clone(), alive.clone());
        let future = poll_fn(move |cx| {
            log.borrow_mut().push(id);
            *own.waker.borrow_mut() = Some(cx.waker().clone());
            if own.spins.take() {
                cx.waker().wake_by_ref();
            }
            if own.may_end.get() { Poll::Ready(output.clone()) } else { Poll::Pending }
        });
        let handle = self.executor.local().spawn(future).unwrap();
        let mut slot = NonNull::dangling();
        handle.with_slot(|of_task| slot = of_task);
        let (abort, handle) = (handle.abort_handle(), Some(handle));
        let (ready, aborted, outcome) = (true, false, None);
        self.tasks.push(Task { slot, script, handle, abort, alive, ready, aborted, outcome });
        self.ready.push_back(id);
    }

    /// A waker means the task that is in its slot now: the price of its being free.
    fn make_ready(&mut self, id: usize) {
        let slot = self.tasks[id].slot;
        let here = |task: &Task| task.slot == slot && task.outcome.is_none();
        let Some(id) = self.tasks.iter().position(here) else { return };
        if !core::mem::replace(&mut self.tasks[id].ready, true) {
            self.ready.push_back(id);
        }
    }

    /// What a turn must do, in the plainest words.
    fn expect_turn(&mut self) {
        let mut behind = Vec::new();
        while let Some(id) = self.ready.pop_front() {
            let task = &mut self.tasks[id];
            task.ready = false;
            if task.aborted {
                task.outcome = Some(Err(Cancelled));
                continue;
            }
            self.expected.push(id);
            if task.script.may_end.get() {
                task.outcome = Some(Ok(()));
            } else if task.script.spins.get() {
                task.ready = true;
                behind.push(id);
            }
        }
        self.ready.extend(behind);
    }

    fn take(&mut self, step: &Step) {
        let id = match *step {
            Step::Spawn => return self.spawn(),
            Step::Turn => {
                self.expect_turn();
                // An ended task that had been woken may still stand in the queue.
                assert!(self.executor.turn() || self.ready.is_empty());
                return;
            }
            Step::Wake(id) | Step::Allow(id) | Step::Spin(id) | Step::Abort(id) => id,
            Step::AbortFromAfar(id) | Step::DropHandle(id) | Step::Join(id) => id,
        };
        if id < self.tasks.len() {
            self.take_with(step, id);
        }
    }

    fn take_with(&mut self, step: &Step, id: usize) {
        let task = &mut self.tasks[id];
        match step {
            Step::Allow(_) => task.script.may_end.set(true),
            Step::Spin(_) => task.script.spins.set(true),
            Step::DropHandle(_) => drop(task.handle.take()),
            Step::Join(_) => self.join(id),
            Step::Wake(_) => {
                let Some(waker) = task.script.waker.borrow().clone() else { return };
                waker.wake();
                self.make_ready(id);
            }
            Step::Abort(_) => {
                let Some(handle) = &task.handle else { return };
                handle.abort();
                if task.outcome.is_none() {
                    task.aborted = true;
                    self.make_ready(id);
                }
            }
            _ => {
                task.abort.abort();
                task.aborted = true;
                self.make_ready(id);
            }
        }
    }

    fn join(&mut self, id: usize) {
        let task = &mut self.tasks[id];
        let Some(mut handle) = task.handle.take() else { return };
        match (peek(&mut handle), task.outcome) {
            (Poll::Pending, None) => task.handle = Some(handle),
            (Poll::Ready(result), Some(outcome)) => assert_eq!(result.map(drop), outcome),
            (real, naive) => panic!("task {id} is {real:?}, but should be {naive:?}"),
        }
    }

    fn check(&self) {
        assert_eq!(*self.polled.borrow(), self.expected);
        let mut live = 0;
        for task in &self.tasks {
            let future = task.outcome.is_none();
            let output = task.outcome == Some(Ok(())) && task.handle.is_some();
            assert_eq!(Rc::strong_count(&task.alive), 1 + usize::from(future | output));
            live += usize::from(future || task.handle.is_some());
        }
        let stale = self.executor.local().stats().tasks_live - live;
        assert!(stale <= self.tasks.len(), "slots are held by no one");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: super::port::rounds(3_000) as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_executor_does_what_a_naive_one_would(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            world.check();
        }
        let World { executor, tasks, .. } = world;
        let local = executor.local();
        drop(executor);
        for task in tasks {
            let unread = task.outcome == Some(Ok(())) && task.handle.is_some();
            assert_eq!(Rc::strong_count(&task.alive), 1 + usize::from(unread));
            drop(task.handle);
            assert_eq!(Rc::strong_count(&task.alive), 1);
        }
        assert_eq!(executor_on(local.cell()).local().stats().tasks_live, 0);
    }
}
