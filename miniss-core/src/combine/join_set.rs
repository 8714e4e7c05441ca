//! A set of tasks: their outcomes come as they end.
//!
//! A task that ends wakes the waker of its handle, and each handle has one of its own, by
//! [`Woken`]. So a poll of the set looks at those that have ended, and at no others.

#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::finally::Spawn;
use super::woken::Woken;
use crate::coop::unconstrained;

/// An empty set keeps room for so many tasks; what grew beyond is given back.
const KEPT: usize = 64;

/// Tasks of one core that belong together. Dropping it aborts all of them.
///
/// `S` is what starts them: a [`LocalHandle`](crate::LocalHandle), or what a port has in its place.
///
/// Needs the `alloc` feature.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::combine::JoinSet;
///
/// let mut executor = executor();
/// let mut squares = JoinSet::on(executor.local());
/// let sum = executor.block_on(async {
///     (1..=3).for_each(|number| squares.spawn(async move { number * number }));
///     let mut sum = 0;
///     while let Some(square) = squares.join_next().await {
///         sum += square.unwrap();
///     }
///     sum
/// });
/// assert_eq!(sum, 14);
/// ```
#[must_use = "dropping a JoinSet aborts its tasks"]
pub struct JoinSet<T: 'static, S: Spawn> {
    spawner: S,
    /// Each where its number in `woken` is.
    places: Vec<Place<S::Task<T>>>,
    free: Vec<usize>,
    woken: Woken,
}

enum Place<H> {
    Task(H),
    /// The executor would not start it.
    Refused,
    Free,
}

/// Polls the handle of a task.
type PollTask<H> = fn(&mut H, &mut Context<'_>) -> Poll<<H as Future>::Output>;

impl<T: 'static, S: Spawn + Default> JoinSet<T, S> {
    /// A set without tasks.
    pub fn new() -> Self {
        Self::on(S::default())
    }
}

impl<T: 'static, S: Spawn + Default> Default for JoinSet<T, S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: 'static, S: Spawn> JoinSet<T, S> {
    /// A set without tasks, which will be started by `spawner`.
    pub fn on(spawner: S) -> Self {
        Self { spawner, places: Vec::new(), free: Vec::new(), woken: Woken::new(0) }
    }

    /// How many tasks there are whose outcome was not taken.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// # use miniss_core::combine::JoinSet;
    /// let executor = executor();
    /// let mut set = JoinSet::on(executor.local());
    /// set.spawn(async {});
    /// assert_eq!((set.len(), set.is_empty()), (1, false));
    /// ```
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts `future` as a task of the set. If the executor is ending or has no room, the future
    /// is dropped, and its outcome is that of a task that was aborted.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F)
    where
        F: Future<Output = T> + 'static,
    {
        let task = self.spawner.try_spawn(future);
        self.put(task.map_or(Place::Refused, Place::Task));
    }

    /// Takes in a task that was started elsewhere, under a name or in a scheduling group.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// # use miniss_core::combine::JoinSet;
    /// let mut executor = executor();
    /// let local = executor.local();
    /// let mut set = JoinSet::on(local);
    /// set.insert(local.spawn(async { 5 }).unwrap());
    /// assert_eq!(executor.block_on(set.join_next()), Some(Ok(5)));
    /// ```
    pub fn insert(&mut self, task: S::Task<T>) {
        self.put(Place::Task(task));
    }

    fn put(&mut self, place: Place<S::Task<T>>) {
        let number = self.free.pop().unwrap_or(self.places.len());
        match self.places.get_mut(number) {
            Some(free) => *free = place,
            None => self.places.push(place),
        }
        self.woken.add(number);
        // The first poll tells the task who waits for it.
        self.woken.poll(number, |cx| cx.waker().wake_by_ref());
    }

    /// The outcome of a task that has ended, once there is one; `None` if there are no tasks. Of
    /// several that have ended since the last look, any may be the first.
    ///
    /// # Cancellation
    ///
    /// Safe: an outcome that is not given stays for the next call.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use core::future::pending;
    /// use miniss_core::combine::JoinSet;
    ///
    /// let mut executor = executor();
    /// let mut set = JoinSet::on(executor.local());
    /// executor.block_on(async {
    ///     assert_eq!(set.join_next().await, None);
    ///     set.spawn(pending());
    ///     set.spawn(async { 5 });
    ///     assert_eq!(set.join_next().await, Some(Ok(5)));
    /// });
    /// ```
    pub async fn join_next(&mut self) -> Option<Result<T, S::Ended>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// [`join_next`](Self::join_next), if it need not wait.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::combine::{JoinSet, yield_now};
    ///
    /// let mut executor = executor();
    /// let mut set = JoinSet::on(executor.local());
    /// executor.block_on(async {
    ///     set.spawn(async { 5 });
    ///     assert_eq!(set.try_join_next(), None);
    ///     yield_now().await;
    ///     assert_eq!(set.try_join_next(), Some(Ok(5)));
    /// });
    /// ```
    pub fn try_join_next(&mut self) -> Option<Result<T, S::Ended>> {
        loop {
            self.woken.look();
            // No one could give way here.
            let ended = self.next_ended(|task, cx| Pin::new(&mut unconstrained(task)).poll(cx));
            if ended.is_some() || !self.woken.is_left() {
                return ended;
            }
        }
    }

    /// [`join_next`](Self::join_next), for futures written by hand.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, S::Ended>>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        self.woken.begin(cx.waker());
        let ended = self.next_ended(|task, cx| Pin::new(task).poll(cx));
        if ended.is_none() {
            self.woken.end(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(ended)
    }

    /// The first among those that were woken that has ended.
    fn next_ended(&mut self, poll: PollTask<S::Task<T>>) -> Option<Result<T, S::Ended>> {
        while let Some(number) = self.woken.next() {
            if let Poll::Ready(outcome) = self.poll_place(number, poll) {
                self.give_free(number);
                return Some(outcome);
            }
        }
        None
    }

    fn poll_place(
        &mut self,
        number: usize,
        poll: PollTask<S::Task<T>>,
    ) -> Poll<Result<T, S::Ended>> {
        match &mut self.places[number] {
            Place::Task(task) => self.woken.poll(number, |cx| poll(task, cx)),
            Place::Refused => Poll::Ready(Err(S::refused())),
            // A wake from before its end.
            Place::Free => Poll::Pending,
        }
    }

    /// What is in the place is dropped once all else is in order.
    fn give_free(&mut self, number: usize) {
        let former = core::mem::replace(&mut self.places[number], Place::Free);
        self.free.push(number);
        if self.is_empty() && self.places.len() > KEPT {
            (self.places, self.free, self.woken) = (Vec::new(), Vec::new(), Woken::new(0));
        }
        drop(former);
    }

    /// The outputs of all tasks, as they end.
    ///
    /// # Panics
    ///
    /// If a task has none: it panicked or was aborted. The others are aborted then.
    ///
    /// # Cancellation
    ///
    /// Dropping it aborts the tasks that have not ended.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// # use miniss_core::combine::JoinSet;
    /// let mut executor = executor();
    /// let mut set = JoinSet::on(executor.local());
    /// (1..=3).for_each(|number| set.spawn(async move { number }));
    /// assert_eq!(executor.block_on(set.join_all()), [1, 2, 3]);
    /// ```
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(outcome) = self.join_next().await {
            outputs.push(outcome.expect("each task of the set has an output"));
        }
        outputs
    }

    /// Aborts all tasks. Their outcomes are still to be taken; those that have ended keep theirs.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// # use miniss_core::combine::JoinSet;
    /// use miniss_core::error::Cancelled;
    ///
    /// let mut executor = executor();
    /// let mut set = JoinSet::on(executor.local());
    /// set.spawn(core::future::pending::<()>());
    /// set.abort_all();
    /// assert_eq!(executor.block_on(set.join_next()), Some(Err(Cancelled)));
    /// ```
    pub fn abort_all(&self) {
        self.tasks().for_each(S::abort);
    }

    /// Aborts all tasks and waits until they have ended. Their outcomes are dropped.
    ///
    /// # Cancellation
    ///
    /// The tasks are aborted from the first poll on; those that have not ended stay in the set.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// # use miniss_core::combine::JoinSet;
    /// let mut executor = executor();
    /// let mut set = JoinSet::on(executor.local());
    /// set.spawn(core::future::pending::<()>());
    /// executor.block_on(set.shutdown());
    /// assert!(set.is_empty());
    /// ```
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Lets all tasks go on although no one waits for them.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// # use miniss_core::combine::JoinSet;
    /// let executor = executor();
    /// let mut set = JoinSet::on(executor.local());
    /// set.spawn(async {});
    /// set.detach_all();
    /// assert!(set.is_empty());
    /// ```
    pub fn detach_all(&mut self) {
        self.free.clear();
        self.woken = Woken::new(0);
        drop(core::mem::take(&mut self.places));
    }

    fn tasks(&self) -> impl Iterator<Item = &S::Task<T>> {
        self.places.iter().filter_map(|place| match place {
            Place::Task(task) => Some(task),
            Place::Refused | Place::Free => None,
        })
    }
}

impl<T: 'static, S: Spawn> Drop for JoinSet<T, S> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T: 'static, S: Spawn> fmt::Debug for JoinSet<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
