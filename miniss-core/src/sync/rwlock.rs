//! A value that many futures may read or one may write, across their awaits.
//!
//! A semaphore does the work: a reader takes one unit, a writer takes all there are. Whatever holds
//! of its queue holds here: a writer waits for the readers before it and is not overtaken by those
//! behind it, so neither side starves.
//!
//! # Invariants
//!
//! - **One unit, one reader.** The semaphore starts with `READERS_MAX` units, is never closed, and
//!   gets none but those that it gave. A read guard holds one of them.
//! - **All units, one writer.** A write guard holds all of them, so there is no other guard.

use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

use super::{Closed, Semaphore, TryAcquireError, Units};

const READERS_MAX: usize = Semaphore::UNITS_MAX;

/// A reader-writer lock held across awaits, for futures of one core, first come first served.
///
/// ```
/// use miniss_core::sync::RwLock;
///
/// async fn greet(names: &RwLock<Vec<String>>) -> String {
///     let names = names.read().await;
///     format!("hello, {}", names.join(" and "))
/// }
/// # let names = RwLock::new(vec!["you".into()]);
/// # assert_eq!(miniss_core::doctest::executor().block_on(greet(&names)), "hello, you");
/// ```
///
/// It stays on its core:
///
/// ```compile_fail
/// fn share<T: Sync>(_: T) {}
/// share(miniss_core::sync::RwLock::new(0));
/// ```
pub struct RwLock<T: ?Sized> {
    units: Semaphore,
    value: UnsafeCell<T>,
}

impl<T> RwLock<T> {
    /// A free lock around `value`.
    ///
    /// ```
    /// # use miniss_core::sync::RwLock;
    /// let config = RwLock::new("loaded");
    /// ```
    pub const fn new(value: T) -> Self {
        Self { units: Semaphore::new(READERS_MAX), value: UnsafeCell::new(value) }
    }

    /// The value.
    ///
    /// ```
    /// # use miniss_core::sync::RwLock;
    /// assert_eq!(RwLock::new(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until the value may be read: until no writer has it, or asked for it earlier.
    ///
    /// A future that holds one read guard and waits for another one waits forever if a writer
    /// asked in between.
    ///
    /// # Cancellation
    ///
    /// Safe. A future that is dropped while queued, or after the lock was handed to it, lets the
    /// next one have it. Only its place in the queue is lost.
    ///
    /// ```
    /// # use miniss_core::{doctest::executor, sync::RwLock};
    /// # executor().block_on(async {
    /// let lock = RwLock::new(5);
    /// let (first, second) = (lock.read().await, lock.read().await);
    /// assert_eq!((*first, *second), (5, 5));
    /// # });
    /// ```
    pub async fn read(&self) -> RwLockReadGuard<'_, T> {
        self.reader(self.wait_for(1).await)
    }

    /// Waits until the value may be written: until all who have it, or asked for it earlier, are
    /// done.
    ///
    /// # Cancellation
    ///
    /// Safe, as [`read`](Self::read): a writer that gives up lets the readers behind it pass.
    ///
    /// ```
    /// # use miniss_core::{doctest::executor, sync::RwLock};
    /// # executor().block_on(async {
    /// let lock = RwLock::new(5);
    /// *lock.write().await += 1;
    /// assert_eq!(lock.into_inner(), 6);
    /// # });
    /// ```
    pub async fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.writer(self.wait_for(READERS_MAX).await)
    }

    /// The value for reading, if no writer has it and no one waits.
    ///
    /// ```
    /// # use miniss_core::sync::RwLock;
    /// let lock = RwLock::new(1);
    /// let reader = lock.try_read().unwrap();
    /// assert!(lock.try_read().is_some());
    /// assert!(lock.try_write().is_none());
    /// ```
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.try_for(1).map(|unit| self.reader(unit))
    }

    /// The value for writing, if no one has it and no one waits.
    ///
    /// ```
    /// # use miniss_core::sync::RwLock;
    /// let lock = RwLock::new(1);
    /// let writer = lock.try_write().unwrap();
    /// assert!(lock.try_read().is_none());
    /// ```
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.try_for(READERS_MAX).map(|all| self.writer(all))
    }

    /// The value, without locking: `&mut self` shows that no one else has it.
    ///
    /// ```
    /// # use miniss_core::sync::RwLock;
    /// let mut lock = RwLock::new(1);
    /// *lock.get_mut() = 2;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub const fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// How many futures wait, to read or to write.
    ///
    /// ```
    /// # use miniss_core::sync::RwLock;
    /// assert_eq!(RwLock::new(()).waiters(), 0);
    /// ```
    pub const fn waiters(&self) -> usize {
        self.units.waiters()
    }

    async fn wait_for(&self, units: usize) -> Units<'_> {
        match self.units.acquire(units).await {
            Ok(units) => units,
            Err(Closed) => unreachable!("\"One unit, one reader\": never closed"),
        }
    }

    fn try_for(&self, units: usize) -> Option<Units<'_>> {
        match self.units.try_acquire(units) {
            Ok(units) => Some(units),
            Err(TryAcquireError::NoUnits) => None,
            Err(TryAcquireError::Closed) => unreachable!("\"One unit, one reader\": never closed"),
        }
    }

    const fn reader<'a>(&'a self, unit: Units<'a>) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard { value: &self.value, _unit: unit }
    }

    const fn writer<'a>(&'a self, all: Units<'a>) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard { value: &self.value, all }
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RwLock");
        match self.try_read() {
            Some(guard) => out.field("value", &&*guard),
            None => out.field("value", &format_args!("<locked>")),
        };
        out.finish_non_exhaustive()
    }
}

/// The value in hand for reading; dropping it may let a writer have it.
///
/// ```
/// # use miniss_core::sync::RwLock;
/// let lock = RwLock::new(1);
/// let reader = lock.try_read().unwrap();
/// assert_eq!(*reader, 1);
/// ```
#[must_use = "a lock that is not kept is freed at once"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    value: &'a UnsafeCell<T>,
    _unit: Units<'a>,
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: *One unit, one reader*: while this guard has its unit, *All units, one writer*
        // leaves no writer, so the value is only read.
        unsafe { &*self.value.get() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The value in hand for writing; dropping it lets the next ones have it.
///
/// ```
/// # use miniss_core::sync::RwLock;
/// let lock = RwLock::new(1);
/// *lock.try_write().unwrap() += 1;
/// assert_eq!(*lock.try_read().unwrap(), 2);
/// ```
#[must_use = "a lock that is not kept is freed at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    value: &'a UnsafeCell<T>,
    all: Units<'a>,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Goes on as a reader, with no writer in between. Readers that wait in front of the next
    /// writer come in.
    ///
    /// As with the locks of `std`, this is an associated function, so that it hides no method of
    /// `T`.
    ///
    /// ```
    /// # use miniss_core::sync::{RwLock, RwLockWriteGuard};
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.try_write().unwrap();
    /// *writer = 2;
    /// let reader = RwLockWriteGuard::downgrade(writer);
    /// assert_eq!((*reader, lock.try_read().as_deref()), (2, Some(&2)));
    /// ```
    pub fn downgrade(this: Self) -> RwLockReadGuard<'a, T> {
        let Self { value, all: mut rest } = this;
        let unit = rest.split(1).expect("\"All units, one writer\": one of them is there");
        drop(rest);
        RwLockReadGuard { value, _unit: unit }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: *All units, one writer*: this guard is the only one, and it is borrowed shared.
        unsafe { &*self.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: *All units, one writer*: this guard is the only one, and it is borrowed uniquely.
        unsafe { &mut *self.value.get() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized> RwLock<T> {
    /// As [`read`](Self::read), for a guard that owns a share in the lock. The future owns such a
    /// share, too.
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
    /// use miniss_core::sync::RwLock;
    ///
    /// # let mut executor = executor();
    /// let names = Rc::new(RwLock::new(vec!["you"]));
    /// let read = names.read_owned();
    /// let task = executor.local().spawn(async move { read.await.join(" and ") }).unwrap();
    /// assert_eq!(executor.block_on(task).unwrap(), "you");
    /// ```
    pub fn read_owned(self: &Rc<Self>) -> impl Future<Output = OwnedRwLockReadGuard<T>> + use<T> {
        let lock = Rc::clone(self);
        async move {
            let units = lock.wait_for(1).await.forget();
            OwnedRwLockReadGuard { share: Share { lock, units } }
        }
    }

    /// As [`write`](Self::write), for a guard that owns a share in the lock. The future owns such a
    /// share, too.
    ///
    /// Needs the `alloc` feature.
    ///
    /// # Panics
    ///
    /// When polled after it was ready.
    ///
    /// # Cancellation
    ///
    /// Safe, as [`read_owned`](Self::read_owned): a writer that gives up lets the readers behind it
    /// pass.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use std::rc::Rc;
    /// use miniss_core::sync::RwLock;
    ///
    /// # let mut executor = executor();
    /// let visits = Rc::new(RwLock::new(0));
    /// let write = visits.write_owned();
    /// let task = executor.local().spawn(async move { *write.await += 1 }).unwrap();
    /// executor.block_on(task).unwrap();
    /// assert_eq!(*visits.try_read().unwrap(), 1);
    /// ```
    pub fn write_owned(self: &Rc<Self>) -> impl Future<Output = OwnedRwLockWriteGuard<T>> + use<T> {
        let lock = Rc::clone(self);
        async move {
            let units = lock.wait_for(READERS_MAX).await.forget();
            OwnedRwLockWriteGuard { share: Share { lock, units } }
        }
    }

    /// As [`try_read`](Self::try_read), for a guard that owns a share in the lock.
    ///
    /// Needs the `alloc` feature.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::RwLock;
    /// let lock = Rc::new(RwLock::new(1));
    /// let reader = lock.try_read_owned().unwrap();
    /// assert!(lock.try_read_owned().is_some());
    /// assert!(lock.try_write_owned().is_none());
    /// ```
    pub fn try_read_owned(self: &Rc<Self>) -> Option<OwnedRwLockReadGuard<T>> {
        let units = self.try_for(1)?.forget();
        Some(OwnedRwLockReadGuard { share: Share { lock: Rc::clone(self), units } })
    }

    /// As [`try_write`](Self::try_write), for a guard that owns a share in the lock.
    ///
    /// Needs the `alloc` feature.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::RwLock;
    /// let lock = Rc::new(RwLock::new(1));
    /// let writer = lock.try_write_owned().unwrap();
    /// assert!(lock.try_read_owned().is_none());
    /// ```
    pub fn try_write_owned(self: &Rc<Self>) -> Option<OwnedRwLockWriteGuard<T>> {
        let units = self.try_for(READERS_MAX)?.forget();
        Some(OwnedRwLockWriteGuard { share: Share { lock: Rc::clone(self), units } })
    }
}

/// Units of a lock that is kept alive, given back when dropped.
#[cfg(feature = "alloc")]
struct Share<T: ?Sized> {
    lock: Rc<RwLock<T>>,
    units: usize,
}

#[cfg(feature = "alloc")]
impl<T: ?Sized> Share<T> {
    /// Gives back all units but `kept`, even if a waker panics.
    fn keep(&mut self, kept: usize) {
        let rest = self.units - kept;
        self.units = kept;
        self.lock.units.release(rest);
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized> Drop for Share<T> {
    fn drop(&mut self) {
        self.keep(0);
    }
}

/// The value in hand for reading, and a share in its lock; dropping it may let a writer have it.
/// See [`RwLock::read_owned`].
///
/// Needs the `alloc` feature.
///
/// ```
/// # use std::rc::Rc;
/// use miniss_core::sync::{OwnedRwLockReadGuard, RwLock};
///
/// let lock = Rc::new(RwLock::new(1));
/// let reader: OwnedRwLockReadGuard<u32> = lock.try_read_owned().unwrap();
/// assert_eq!(*reader, 1);
/// ```
#[cfg(feature = "alloc")]
#[must_use = "a lock that is not kept is freed at once"]
pub struct OwnedRwLockReadGuard<T: ?Sized> {
    share: Share<T>,
}

#[cfg(feature = "alloc")]
impl<T: ?Sized> Deref for OwnedRwLockReadGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: *One unit, one reader*: while this guard has its unit, *All units, one writer*
        // leaves no writer, so the value is only read.
        unsafe { &*self.share.lock.value.get() }
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The value in hand for writing, and a share in its lock; dropping it lets the next ones have it.
/// See [`RwLock::write_owned`].
///
/// Needs the `alloc` feature.
///
/// ```
/// # use std::rc::Rc;
/// use miniss_core::sync::{OwnedRwLockWriteGuard, RwLock};
///
/// let lock = Rc::new(RwLock::new(1));
/// let mut writer: OwnedRwLockWriteGuard<u32> = lock.try_write_owned().unwrap();
/// *writer += 1;
/// drop(writer);
/// assert_eq!(*lock.try_read().unwrap(), 2);
/// ```
#[cfg(feature = "alloc")]
#[must_use = "a lock that is not kept is freed at once"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    share: Share<T>,
}

#[cfg(feature = "alloc")]
impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// Goes on as a reader, with no writer in between. Readers that wait in front of the next
    /// writer come in.
    ///
    /// As with the locks of `std`, this is an associated function, so that it hides no method of
    /// `T`.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::{OwnedRwLockWriteGuard, RwLock};
    /// let lock = Rc::new(RwLock::new(1));
    /// let mut writer = lock.try_write_owned().unwrap();
    /// *writer = 2;
    /// let reader = OwnedRwLockWriteGuard::downgrade(writer);
    /// assert_eq!((*reader, lock.try_read().as_deref()), (2, Some(&2)));
    /// ```
    pub fn downgrade(this: Self) -> OwnedRwLockReadGuard<T> {
        let Self { mut share } = this;
        share.keep(1);
        OwnedRwLockReadGuard { share }
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: *All units, one writer*: this guard is the only one, and it is borrowed shared.
        unsafe { &*self.share.lock.value.get() }
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: *All units, one writer*: this guard is the only one, and it is borrowed uniquely.
        unsafe { &mut *self.share.lock.value.get() }
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
