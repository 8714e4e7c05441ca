//! Tasks that borrow: they end before what they borrow does.
//!
//! As [`std::thread::scope`](https://doc.rust-lang.org/std/thread/fn.scope.html) does for threads:
//! the function that owns the scope does not return, and does not unwind further, before all tasks
//! of the scope have ended. It is an ordinary function that runs the executor itself, so nothing
//! can forget it half-way.
//!
//! # Invariants
//!
//! - **Nothing outlives its scope.** A task is marked as scoped before it can be polled. At the end
//!   of the scope, however that is reached, no future of a marked task is left: on the way of
//!   success because `live` is zero, on the way of a panic because all of them are dropped, after
//!   which none can be spawned. There is one scope at a time, since it borrows the executor.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::{Future, poll_fn};
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::join::JoinHandle;
use super::spawn::LocalHandle;
use super::turn::Executor;
use crate::defer::defer;
use crate::error::SpawnError;
use crate::reactor::Reactor;
use crate::reactor::Unpark;

/// Where tasks that borrow from `'env` are spawned, see [`Executor::scope`].
pub struct Scope<'scope, 'env: 'scope, U: Unpark> {
    local: LocalHandle<U>,
    /// Tasks that have not ended.
    live: Cell<usize>,
    /// The scope ends: nothing more is spawned, not even by destructors that a panic runs.
    is_closed: Cell<bool>,
    /// The waker of `main`, which waits for the last of them.
    waiting: RefCell<Option<Waker>>,
    /// Neither lifetime may shrink or grow, as for `std`'s scope.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<R: Reactor> Executor<R> {
    /// Runs `main` and all tasks that it spawns in the scope, which may borrow from the caller's
    /// stack. Returns when all of them have ended.
    ///
    /// A scoped task lives in a slot like any other. Where slots are small or few, pin the future
    /// on the stack and spawn the pinned reference, which fits the smallest.
    ///
    /// # Panics
    ///
    /// As for [`block_on`](Self::block_on). The tasks of the scope are dropped before the panic
    /// goes on.
    ///
    /// ```
    /// # use core::{cell::Cell, pin::pin};
    /// # use miniss_core::doctest::executor;
    /// let mut executor = executor();
    /// let sum = Cell::new(0);
    /// let add = async |n| sum.set(sum.get() + n);
    /// // This future stays on the stack, and its slot holds a reference to it.
    /// let three = pin!(add(3));
    /// executor.scope(async |scope| {
    ///     scope.spawn(add(1)).unwrap().await.unwrap();
    ///     scope.spawn(add(2)).unwrap().detach();
    ///     scope.spawn(three).unwrap().detach();
    /// });
    /// assert_eq!(sum.get(), 6);
    /// ```
    ///
    /// What a task borrows must outlive the scope:
    ///
    /// ```compile_fail
    /// # let mut executor = miniss_core::doctest::executor();
    /// executor.scope(async |scope| {
    ///     let inside = 5;
    ///     scope.spawn(async { &inside; }).unwrap().detach();
    /// });
    /// ```
    pub fn scope<'env, F, T>(&mut self, main: F) -> T
    where
        F: for<'scope> AsyncFnOnce(&'scope Scope<'scope, 'env, R::Unparker>) -> T,
    {
        let scope = Scope::new(self.local());
        let end = defer(|| scope.end());
        let output = self.block_on(main(&scope));
        self.block_on(poll_fn(|cx| scope.poll_empty(cx)));
        drop(end);
        output
    }
}

impl<'scope, 'env, U: Unpark> Scope<'scope, 'env, U> {
    fn new(local: LocalHandle<U>) -> Self {
        Self {
            local,
            live: Cell::new(0),
            is_closed: Cell::new(false),
            waiting: RefCell::new(None),
            scope: PhantomData,
            env: PhantomData,
        }
    }

    /// Starts `future` as a task that ends before the scope does. Dropping or
    /// [detaching](JoinHandle::detach) the handle leaves that to the scope.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] if there is no room, or a panic ends the scope; the future is dropped.
    pub fn spawn<F>(&'scope self, future: F) -> Result<JoinHandle<F::Output>, SpawnError>
    where
        F: Future + 'scope,
        F::Output: 'scope,
    {
        if self.is_closed.get() {
            return Err(SpawnError::Closed);
        }
        let counted = Counted { future, _count: Count::new(self) };
        // SAFETY: *Nothing outlives its scope*: marked by the next line, before it is polled. An
        // output that is not taken is dropped with its handle, whose type does not outlive `'scope`
        // either, or by the task's last poll.
        let handle = unsafe { self.local.spawn_unchecked(counted) }?;
        handle.mark_scoped();
        Ok(handle)
    }

    /// Ends the tasks that a panic has left behind.
    fn end(&self) {
        self.is_closed.set(true);
        if self.live.get() > 0 {
            let owner = self.local.owner().expect("the executor is borrowed, so it lives");
            owner.drop_scoped_tasks();
        }
    }

    /// Ready when no task is left.
    fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = Some(cx.waker().clone());
        drop(self.waiting.replace(waker));
        if self.live.get() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<U: Unpark> fmt::Debug for Scope<'_, '_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("live", &self.live.get()).finish_non_exhaustive()
    }
}

/// A scoped task's future. Fields are dropped in order: the count falls when the future is gone.
struct Counted<'scope, 'env, F, U: Unpark> {
    future: F,
    _count: Count<'scope, 'env, U>,
}

impl<F: Future, U: Unpark> Future for Counted<'_, '_, F, U> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is structurally pinned: it is polled and dropped in place.
        unsafe { self.map_unchecked_mut(|counted| &mut counted.future) }.poll(cx)
    }
}

/// One of the scope's tasks, as its count knows it.
struct Count<'scope, 'env, U: Unpark>(&'scope Scope<'scope, 'env, U>);

impl<'scope, 'env, U: Unpark> Count<'scope, 'env, U> {
    fn new(scope: &'scope Scope<'scope, 'env, U>) -> Self {
        scope.live.set(scope.live.get() + 1);
        Self(scope)
    }
}

impl<U: Unpark> Drop for Count<'_, '_, U> {
    fn drop(&mut self) {
        self.0.live.set(self.0.live.get() - 1);
        if self.0.live.get() == 0 {
            let waiting = self.0.waiting.take();
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}
