//! Guards that own a share in their lock, as a task needs them that borrows nothing.
//!
//! They keep the invariants of the module above: a [`Share`] holds units as a borrowing guard does.

use core::fmt;
use core::ops::{Deref, DerefMut};

use alloc::rc::Rc;

use super::{READERS_MAX, RwLock};

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
struct Share<T: ?Sized> {
    lock: Rc<RwLock<T>>,
    units: usize,
}

impl<T: ?Sized> Share<T> {
    /// Gives back all units but `kept`, even if a waker panics.
    fn keep(&mut self, kept: usize) {
        let rest = self.units - kept;
        self.units = kept;
        self.lock.units.release(rest);
    }
}

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
#[must_use = "a lock that is not kept is freed at once"]
pub struct OwnedRwLockReadGuard<T: ?Sized> {
    share: Share<T>,
}

impl<T: ?Sized> Deref for OwnedRwLockReadGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: "One unit, one reader": while this guard has its unit, "All units, one writer"
        // leaves no writer, so the value is only read.
        unsafe { &*self.share.lock.value.get() }
    }
}

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
#[must_use = "a lock that is not kept is freed at once"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    share: Share<T>,
}

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

impl<T: ?Sized> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: "All units, one writer": this guard is the only one, and it is borrowed shared.
        unsafe { &*self.share.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: "All units, one writer": this guard is the only one, and it is borrowed uniquely.
        unsafe { &mut *self.share.lock.value.get() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
