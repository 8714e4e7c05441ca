//! The design that ships: the waker is the address of a header in memory that is never given back.
//!
//! `completion ─▶ [waker] ─▶ run queue ─▶ executor ─▶ task`

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use miniss_core::Executor;

use super::Design;
use crate::port::{Port, executor};

/// An executor of miniss-core.
#[derive(Debug)]
pub struct Real {
    executor: Executor<Port>,
    wakers: Vec<Waker>,
    ran: Rc<Cell<usize>>,
}

impl Design for Real {
    const NAME: &'static str = "address forever (ships)";
    /// Asserted in the core: the header is one cache line.
    const TASK_BYTES: usize = 64;

    fn new(tasks: usize) -> Self {
        let mut executor = executor();
        let wakers = Rc::new(RefCell::new(Vec::new()));
        let ran = Rc::new(Cell::new(0));
        for _ in 0..tasks {
            let (wakers, ran, mut is_first) = (wakers.clone(), ran.clone(), true);
            let task = poll_fn(move |cx| {
                if is_first {
                    wakers.borrow_mut().push(cx.waker().clone());
                }
                is_first = false;
                ran.set(ran.get() + 1);
                Poll::<()>::Pending
            });
            drop(executor.local().spawn(task).expect("there is room"));
        }
        while executor.turn() {}
        let wakers = wakers.take();
        assert_eq!(wakers.len(), tasks);
        Self { executor, wakers, ran }
    }

    fn wakers(&self) -> &[Waker] {
        &self.wakers
    }

    fn know_local(&self, yes: bool) {
        self.executor.local().cell().unparker().know_local(yes);
    }

    /// A foreign wake is queued at the end of a turn and runs in the next, so it takes two.
    fn turn(&mut self) -> usize {
        let before = self.ran.get();
        self.executor.turn();
        self.executor.turn();
        self.ran.get() - before
    }
}
