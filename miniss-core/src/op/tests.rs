//! What drivers and futures count on: every payload is given back or dropped exactly once, every
//! cancel is offered, and foreign code that comes back into the table finds it in order.

use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::vec::Vec;

use core::task::{Context, Poll, Waker};

use super::operation::GENERATION_BITS;
use super::{
    Completion, Fixed, FixedOps, Heap, InsertError, Memory, OpId, OpKey, OpTable, Operation,
    OpsInUse, Part,
};
use crate::error::Refused;

/// A memory that tests are run over.
trait Port: Memory {
    /// How many slots a table has, if that is bounded.
    const SLOTS: Option<usize>;
    /// How many parts may wait, if that is bounded.
    const PARTS: Option<usize>;

    fn table() -> OpTable<Self>;
}

impl Port for Heap {
    const SLOTS: Option<usize> = None;
    const PARTS: Option<usize> = None;

    fn table() -> OpTable<Self> {
        OpTable::new()
    }
}

impl Port for Fixed {
    const SLOTS: Option<usize> = Some(110);
    const PARTS: Option<usize> = Some(130);

    /// A table in memory that one before it has used, if there was one that is gone.
    fn table() -> OpTable<Self> {
        type Ops = FixedOps<110, 130>;
        std::thread_local! {
            static USED: RefCell<Vec<&'static Ops>> = const { RefCell::new(Vec::new()) };
        }
        USED.with_borrow_mut(|used| {
            let free = used.iter().find_map(|ops| OpTable::fixed(ops).ok());
            free.unwrap_or_else(|| {
                used.push(crate::kept::forever(Ops::new()));
                OpTable::fixed(used[used.len() - 1]).unwrap()
            })
        })
    }
}

/// For bodies that know of nothing but `M: Port`.
trait Insert {
    fn insert<O: Operation>(&self, op: O) -> OpKey<O>;
}

impl<M: Memory> Insert for OpTable<M> {
    fn insert<O: Operation>(&self, op: O) -> OpKey<O> {
        self.try_insert(op).expect("there is room")
    }
}

/// Makes each test of its body, once for every memory.
macro_rules! on_both_memories {
    ($($body:ident),* $(,)?) => {
        mod heap {
            $(#[test] fn $body() { super::$body::<super::Heap>(); })*
        }
        mod fixed {
            $(#[test] fn $body() { super::$body::<super::Fixed>(); })*
        }
    };
}

mod fixed;
mod heap;
mod life;
mod model;
mod reentry;

/// Counts its wakes.
#[derive(Default)]
struct WakeCount(AtomicUsize);

impl WakeCount {
    fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (count.clone(), Waker::from(count))
    }

    fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What has become of the operations of a test.
#[derive(Default)]
struct Log {
    dropped: Cell<usize>,
    settled: RefCell<Vec<i32>>,
    orphans: RefCell<Vec<i32>>,
    orphan_parts: RefCell<Vec<i32>>,
}

/// An operation of `N` bytes that leaves traces.
struct Traced<const N: usize> {
    log: Rc<Log>,
    bytes: [u8; N],
}

impl<const N: usize> Traced<N> {
    fn new(log: &Rc<Log>) -> Self {
        Self { log: log.clone(), bytes: [0; N] }
    }
}

impl<const N: usize> Drop for Traced<N> {
    fn drop(&mut self) {
        self.log.dropped.set(self.log.dropped.get() + 1);
    }
}

impl<const N: usize> Operation for Traced<N> {
    type Output = (i32, Self);

    fn settle(self, completion: Completion) -> Self::Output {
        self.log.settled.borrow_mut().push(completion.result);
        (completion.result, self)
    }

    fn settle_orphan(self, completion: Completion) {
        self.log.orphans.borrow_mut().push(completion.result);
    }

    fn orphan_part(&mut self, completion: Completion) {
        self.log.orphan_parts.borrow_mut().push(completion.result);
    }
}

type Small = Traced<8>;
type Large = Traced<4096>;

fn done(result: i32) -> Completion {
    Completion { result, flags: 0 }
}

fn poll<M: Memory, O: Operation>(table: &OpTable<M>, key: &OpKey<O>) -> Poll<O::Output> {
    table.poll(key, &mut Context::from_waker(Waker::noop()))
}

fn poll_part<M: Memory, O: Operation>(table: &OpTable<M>, key: &OpKey<O>) -> Poll<Part<O::Output>> {
    table.poll_part(key, &mut Context::from_waker(Waker::noop()))
}

fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the outcome should be there"),
    }
}

fn panics(act: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(act)).is_err()
}

fn index(id: OpId) -> u32 {
    id.to_bits() as u32
}
