//! A value that one future at a time may use, across its awaits.
//!
//! On one core a plain `RefCell` protects a value between two awaits. This lock is for what must
//! stay untouched *over* an await.
//!
//! # Invariants
//!
//! - **One unit, one user.** The semaphore starts with one unit, is never closed, and nothing but
//!   a guard holds that unit. So there is at most one guard, and only it reaches the value.
//!
//! # No poisoning
//!
//! A body that fails or panics leaves the lock free, not poisoned. A panic here ends one task while
//! the others go on, and most values are whole again once the body's own locals are dropped. A
//! poisoned lock would spread the failure to every later user, and an error that a body returns,
//! which is the common case, would not be noticed by it anyway. Where a half-made change matters,
//! make the change in one step at the end, or keep a flag beside the value.

use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

use super::{Closed, Semaphore, TryAcquireError, Units};

/// A lock held across awaits, for futures of one core, first come first served.
///
/// ```
/// use miniss_core::sync::Mutex;
///
/// async fn append(log: &Mutex<Vec<u32>>, line: u32) {
///     let mut log = log.lock().await;
///     log.push(line);
/// }
/// # let log = Mutex::new(Vec::new());
/// # let appending = core::pin::pin!(append(&log, 1));
/// # let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
/// # assert!(appending.poll(&mut cx).is_ready());
/// # assert_eq!(*log.try_lock().unwrap(), [1]);
/// ```
///
/// It stays on its core:
///
/// ```compile_fail
/// fn share<T: Sync>(_: T) {}
/// share(miniss_core::sync::Mutex::new(0));
/// ```
pub struct Mutex<T: ?Sized> {
    unit: Semaphore,
    value: UnsafeCell<T>,
}

impl<T> Mutex<T> {
    /// A free lock around `value`.
    ///
    /// ```
    /// # use miniss_core::sync::Mutex;
    /// let config = Mutex::new("loaded");
    /// ```
    pub const fn new(value: T) -> Self {
        Self { unit: Semaphore::new(1), value: UnsafeCell::new(value) }
    }

    /// The value.
    ///
    /// ```
    /// # use miniss_core::sync::Mutex;
    /// assert_eq!(Mutex::new(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock. It is handed over in the order in which it was asked for.
    ///
    /// # Cancellation
    ///
    /// Safe. A future that is dropped while queued, or after the lock was handed to it, lets the
    /// next one have it. Only its place in the queue is lost.
    ///
    /// ```
    /// # use miniss_core::sync::Mutex;
    /// async fn count(visits: &Mutex<u32>) -> u32 {
    ///     let mut visits = visits.lock().await;
    ///     *visits += 1;
    ///     *visits
    /// }
    /// ```
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        let unit = never_closed(self.unit.acquire(1).await);
        MutexGuard { value: &self.value, _unit: unit }
    }

    /// The lock, if it is free and no one waits for it.
    ///
    /// ```
    /// # use miniss_core::sync::Mutex;
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_none());
    /// ```
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let unit = self.try_take_unit()?;
        Some(MutexGuard { value: &self.value, _unit: unit })
    }

    /// As [`lock`](Self::lock), for a guard that owns a share in the lock, as a task needs it that
    /// borrows nothing. The future owns such a share, too.
    ///
    /// Needs the `alloc` feature.
    ///
    /// # Panics
    ///
    /// When polled after it was ready.
    ///
    /// # Cancellation
    ///
    /// Safe. A future that is dropped while queued, or after the lock was handed to it, lets the
    /// next one have it. Only its place in the queue is lost.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use std::rc::Rc;
    /// use miniss_core::sync::Mutex;
    ///
    /// # let mut executor = executor();
    /// let log = Rc::new(Mutex::new(Vec::new()));
    /// let lock = log.lock_owned();
    /// let task = executor.local().spawn(async move { lock.await.push("started") }).unwrap();
    /// executor.block_on(task).unwrap();
    /// assert_eq!(*log.try_lock().unwrap(), ["started"]);
    /// ```
    #[cfg(feature = "alloc")]
    pub fn lock_owned(self: &Rc<Self>) -> impl Future<Output = OwnedMutexGuard<T>> + use<T> {
        let mutex = Rc::clone(self);
        async move {
            never_closed(mutex.unit.acquire(1).await).forget();
            OwnedMutexGuard { mutex }
        }
    }

    /// As [`try_lock`](Self::try_lock), for a guard that owns a share in the lock.
    ///
    /// Needs the `alloc` feature.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::Mutex;
    /// let mutex = Rc::new(Mutex::new(1));
    /// let guard = mutex.try_lock_owned().unwrap();
    /// assert!(mutex.try_lock_owned().is_none());
    /// ```
    #[cfg(feature = "alloc")]
    pub fn try_lock_owned(self: &Rc<Self>) -> Option<OwnedMutexGuard<T>> {
        self.try_take_unit()?.forget();
        Some(OwnedMutexGuard { mutex: Rc::clone(self) })
    }

    /// Runs `body` with the lock held and frees the lock however `body` ends: with a value, with an
    /// error, by a panic, or by being dropped.
    ///
    /// # Cancellation
    ///
    /// As safe as `body`: dropped while it waits, it leaves no trace; dropped later, it drops
    /// `body` where it stands and frees the lock.
    ///
    /// ```
    /// # use miniss_core::sync::Mutex;
    /// async fn withdraw(balance: &Mutex<u32>, amount: u32) -> Result<(), &'static str> {
    ///     let body = async |balance: &mut u32| {
    ///         *balance = balance.checked_sub(amount).ok_or("too little")?;
    ///         Ok(())
    ///     };
    ///     balance.with_lock(body).await
    /// }
    /// # let balance = Mutex::new(1);
    /// # let withdrawing = core::pin::pin!(withdraw(&balance, 2));
    /// # let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
    /// # assert_eq!(withdrawing.poll(&mut cx), core::task::Poll::Ready(Err("too little")));
    /// # assert!(balance.try_lock().is_some());
    /// ```
    pub async fn with_lock<R>(&self, body: impl AsyncFnOnce(&mut T) -> R) -> R {
        let mut guard = self.lock().await;
        body(&mut guard).await
    }

    /// The value, without locking: `&mut self` shows that no one else has it.
    ///
    /// ```
    /// # use miniss_core::sync::Mutex;
    /// let mut mutex = Mutex::new(1);
    /// *mutex.get_mut() = 2;
    /// assert_eq!(mutex.into_inner(), 2);
    /// ```
    pub const fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// How many futures wait for the lock.
    ///
    /// ```
    /// # use miniss_core::sync::Mutex;
    /// assert_eq!(Mutex::new(()).waiters(), 0);
    /// ```
    pub const fn waiters(&self) -> usize {
        self.unit.waiters()
    }

    fn try_take_unit(&self) -> Option<Units<'_>> {
        match self.unit.try_acquire(1) {
            Err(TryAcquireError::NoUnits) => None,
            Err(TryAcquireError::Closed) => never_closed(Err(Closed)),
            Ok(unit) => Some(unit),
        }
    }
}

/// The unit that was acquired.
fn never_closed<U>(acquired: Result<U, Closed>) -> U {
    acquired.unwrap_or_else(|Closed| unreachable!("\"One unit, one user\": never closed"))
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(guard) => out.field("value", &&*guard),
            None => out.field("value", &format_args!("<locked>")),
        };
        out.finish_non_exhaustive()
    }
}

/// The lock in hand; dropping it lets the next one have it.
///
/// ```
/// # use miniss_core::sync::Mutex;
/// let mutex = Mutex::new(1);
/// *mutex.try_lock().unwrap() += 1;
/// assert_eq!(*mutex.try_lock().unwrap(), 2);
/// ```
#[must_use = "a lock that is not kept is freed at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    value: &'a UnsafeCell<T>,
    _unit: Units<'a>,
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: *One unit, one user*: this guard is the only one, and it is borrowed shared.
        unsafe { &*self.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: *One unit, one user*: this guard is the only one, and it is borrowed uniquely.
        unsafe { &mut *self.value.get() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The lock in hand, and a share in it; dropping it lets the next one have it. See
/// [`Mutex::lock_owned`].
///
/// Needs the `alloc` feature.
///
/// ```
/// # use std::rc::Rc;
/// use miniss_core::sync::{Mutex, OwnedMutexGuard};
///
/// let mutex = Rc::new(Mutex::new(1));
/// let mut guard: OwnedMutexGuard<u32> = mutex.try_lock_owned().unwrap();
/// *guard += 1;
/// drop(guard);
/// assert_eq!(*mutex.try_lock().unwrap(), 2);
/// ```
#[cfg(feature = "alloc")]
#[must_use = "a lock that is not kept is freed at once"]
pub struct OwnedMutexGuard<T: ?Sized> {
    /// This guard holds its unit.
    mutex: Rc<Mutex<T>>,
}

#[cfg(feature = "alloc")]
impl<T: ?Sized> OwnedMutexGuard<T> {
    /// The lock that this one holds. An associated function, so that it hides no method of `T`.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::{Mutex, OwnedMutexGuard};
    /// let mutex = Rc::new(Mutex::new(1));
    /// let guard = mutex.try_lock_owned().unwrap();
    /// assert!(Rc::ptr_eq(OwnedMutexGuard::mutex(&guard), &mutex));
    /// ```
    pub const fn mutex(this: &Self) -> &Rc<Mutex<T>> {
        &this.mutex
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        self.mutex.unit.release(1);
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: *One unit, one user*: this guard is the only one, and it is borrowed shared.
        unsafe { &*self.mutex.value.get() }
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: *One unit, one user*: this guard is the only one, and it is borrowed uniquely.
        unsafe { &mut *self.mutex.value.get() }
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
