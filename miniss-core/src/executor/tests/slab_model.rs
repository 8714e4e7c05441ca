//! A slab of task slots beside its model: a `Vec` of the slots in use.

use std::rc::Rc;
use std::vec::Vec;

use core::cell::Cell;

use proptest::prelude::*;

use super::port::{Port, executor};
use crate::error::SpawnError;
use crate::{Executor, JoinHandle, TaskSlab};

/// What is done to a slab, and to the model beside it.
#[derive(Debug, Clone)]
enum Step {
    Spawn,
    /// Ends the task with this number, modulo how many there are.
    Finish(usize),
    Abort(usize),
    DropHandle(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0..8_usize;
    prop_oneof![
        3 => Just(Step::Spawn),
        1 => number.clone().prop_map(Step::Finish),
        1 => number.clone().prop_map(Step::Abort),
        1 => number.prop_map(Step::DropHandle),
    ]
}

/// A slot in use, as the model knows it.
struct Used {
    handle: Option<JoinHandle<usize>>,
    finish: Rc<Cell<bool>>,
    waker: Rc<Cell<Option<core::task::Waker>>>,
    runs: bool,
}

const SLOTS: usize = 5;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: super::port::rounds(200) as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A `Vec` of the slots in use tells when there is room, however the tasks end.
    #[test]
    fn a_slab_has_room_when_its_model_has(steps in prop::collection::vec(step(), 1..60)) {
        let slab: &'static TaskSlab<128, SLOTS> = crate::kept::forever(TaskSlab::new());
        let mut executor = executor();
        let mut used: Vec<Used> = Vec::new();
        for step in steps {
            match step {
                Step::Spawn => spawn_one(&executor, slab, &mut used)?,
                Step::Finish(number) => with(&mut used, number, |task| {
                    task.finish.set(true);
                    task.runs = false;
                    if let Some(waker) = task.waker.take() {
                        waker.wake();
                    }
                }),
                Step::Abort(number) => with(&mut used, number, |task| {
                    if let Some(handle) = &task.handle {
                        handle.abort();
                        task.runs = false;
                    }
                }),
                Step::DropHandle(number) => with(&mut used, number, |task| task.handle = None),
            }
            executor.settle();
            used.retain(|task| task.runs || task.handle.is_some());
            prop_assert_eq!(executor.local().stats().tasks_live, used.len());
        }
    }
}

fn with(used: &mut [Used], number: usize, act: impl FnOnce(&mut Used)) {
    if let Some(len) = core::num::NonZero::new(used.len()) {
        act(&mut used[number % len]);
    }
}

fn spawn_one(
    executor: &Executor<Port>,
    slab: &'static TaskSlab<128, SLOTS>,
    used: &mut Vec<Used>,
) -> Result<(), TestCaseError> {
    let (finish, waker) = (Rc::new(Cell::new(false)), Rc::default());
    let ends = finish.clone();
    let waits = super::port::wait_until(&waker, move || ends.get());
    let number = used.len();
    let spawned = executor.local().spawn_in(slab, async move {
        waits.await;
        number
    });
    match spawned {
        Ok(handle) => used.push(Used { handle: Some(handle), finish, waker, runs: true }),
        Err(error) => prop_assert_eq!((error, used.len()), (SpawnError::NoRoom, SLOTS)),
    }
    prop_assert!(used.len() <= SLOTS);
    Ok(())
}
