//! Units in hand: what a semaphore gave, and gets back when they are dropped.

#![forbid(unsafe_code)]

use core::fmt;
use core::mem;
use core::ops::Deref;
use core::ptr;

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

use super::Semaphore;

/// Units of a [`Semaphore`], given back when dropped.
///
/// ```
/// # use miniss_core::sync::{Semaphore, TryAcquireError};
/// let semaphore = Semaphore::new(5);
/// let units = semaphore.try_acquire(3)?;
/// assert_eq!((units.len(), semaphore.available()), (3, 2));
/// drop(units);
/// assert_eq!(semaphore.available(), 5);
/// # Ok::<(), TryAcquireError>(())
/// ```
#[must_use = "units that are not kept are given back at once"]
pub struct Units<'a>(Held<&'a Semaphore>);

impl<'a> Units<'a> {
    pub(super) const fn new(semaphore: &'a Semaphore, count: usize) -> Self {
        Self(Held { semaphore, count })
    }

    /// How many units these are.
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// assert_eq!(Semaphore::new(5).try_acquire(3).unwrap().len(), 3);
    /// ```
    pub const fn len(&self) -> usize {
        self.0.count
    }

    /// Whether these are no units at all.
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// assert!(Semaphore::new(5).try_acquire(0).unwrap().is_empty());
    /// ```
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes `count` units out of these; `None`, and nothing taken, if there are not as many.
    ///
    /// Dropping the part gives some units back early.
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// let semaphore = Semaphore::new(5);
    /// let mut units = semaphore.try_acquire(5).unwrap();
    /// drop(units.split(2));
    /// assert_eq!((units.len(), semaphore.available()), (3, 2));
    /// assert!(units.split(4).is_none());
    /// ```
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.0.split(count).map(Self)
    }

    /// Puts `other` to these.
    ///
    /// # Panics
    ///
    /// If `other` comes from another semaphore, or if the sum is more than a `usize` can count.
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// let semaphore = Semaphore::new(5);
    /// let mut units = semaphore.try_acquire(2).unwrap();
    /// units.merge(semaphore.try_acquire(3).unwrap());
    /// assert_eq!(units.len(), 5);
    /// ```
    pub fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }

    /// Gives nothing back and tells how many units these were.
    ///
    /// The number is for [`Semaphore::release`] or [`Semaphore::adopt`] later, or the units are
    /// gone. Seastar's `release`.
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// let semaphore = Semaphore::new(5);
    /// let count = semaphore.try_acquire(3).unwrap().forget();
    /// assert_eq!((count, semaphore.available()), (3, 2));
    /// semaphore.release(count);
    /// ```
    pub fn forget(self) -> usize {
        let count = self.len();
        mem::forget(self);
        count
    }
}

impl fmt::Debug for Units<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Units").field(&self.len()).finish()
    }
}

/// Units of a [`Semaphore`] on the heap, given back when dropped. They come from
/// [`Semaphore::acquire_owned`].
///
/// Needs the `alloc` feature.
///
/// ```
/// use std::rc::Rc;
/// use miniss_core::sync::{OwnedUnits, Semaphore, TryAcquireError};
///
/// let semaphore = Rc::new(Semaphore::new(5));
/// let units: OwnedUnits = semaphore.try_acquire_owned(3)?;
/// assert_eq!((units.len(), semaphore.available()), (3, 2));
/// drop(units);
/// assert_eq!(semaphore.available(), 5);
/// # Ok::<(), TryAcquireError>(())
/// ```
#[cfg(feature = "alloc")]
#[must_use = "units that are not kept are given back at once"]
pub struct OwnedUnits(Held<Rc<Semaphore>>);

#[cfg(feature = "alloc")]
impl OwnedUnits {
    pub(super) const fn new(semaphore: Rc<Semaphore>, count: usize) -> Self {
        Self(Held { semaphore, count })
    }

    /// The semaphore that gave them.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::Semaphore;
    /// let semaphore = Rc::new(Semaphore::new(5));
    /// let units = semaphore.try_acquire_owned(3).unwrap();
    /// assert!(Rc::ptr_eq(units.semaphore(), &semaphore));
    /// ```
    pub const fn semaphore(&self) -> &Rc<Semaphore> {
        &self.0.semaphore
    }

    /// How many units these are.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::Semaphore;
    /// assert_eq!(Rc::new(Semaphore::new(5)).try_acquire_owned(3).unwrap().len(), 3);
    /// ```
    pub const fn len(&self) -> usize {
        self.0.count
    }

    /// Whether these are no units at all.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::Semaphore;
    /// assert!(Rc::new(Semaphore::new(5)).try_acquire_owned(0).unwrap().is_empty());
    /// ```
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes `count` units out of these; `None`, and nothing taken, if there are not as many.
    ///
    /// Dropping the part gives some units back early.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::Semaphore;
    /// let semaphore = Rc::new(Semaphore::new(5));
    /// let mut units = semaphore.try_acquire_owned(5).unwrap();
    /// drop(units.split(2));
    /// assert_eq!((units.len(), semaphore.available()), (3, 2));
    /// assert!(units.split(4).is_none());
    /// ```
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.0.split(count).map(Self)
    }

    /// Puts `other` to these.
    ///
    /// # Panics
    ///
    /// If `other` comes from another semaphore, or if the sum is more than a `usize` can count.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::Semaphore;
    /// let semaphore = Rc::new(Semaphore::new(5));
    /// let mut units = semaphore.try_acquire_owned(2).unwrap();
    /// units.merge(semaphore.try_acquire_owned(3).unwrap());
    /// assert_eq!(units.len(), 5);
    /// ```
    pub fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }

    /// Gives nothing back and tells how many units these were. The share in the semaphore goes.
    ///
    /// The number is for [`Semaphore::release`] or [`Semaphore::adopt`] later, or the units are
    /// gone. Seastar's `release`.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::Semaphore;
    /// let semaphore = Rc::new(Semaphore::new(5));
    /// let count = semaphore.try_acquire_owned(3).unwrap().forget();
    /// assert_eq!((count, semaphore.available()), (3, 2));
    /// semaphore.release(count);
    /// ```
    pub fn forget(mut self) -> usize {
        mem::take(&mut self.0.count)
    }
}

#[cfg(feature = "alloc")]
impl fmt::Debug for OwnedUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedUnits").field(&self.len()).finish()
    }
}

/// Units of the semaphore that `S` leads to, given back when dropped.
struct Held<S: Deref<Target = Semaphore>> {
    semaphore: S,
    count: usize,
}

impl<S: Deref<Target = Semaphore> + Clone> Held<S> {
    fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self { semaphore: self.semaphore.clone(), count })
    }

    fn merge(&mut self, mut other: Self) {
        assert!(ptr::eq(&*self.semaphore, &*other.semaphore), "units of two semaphores");
        let sum = self.count.checked_add(other.count);
        self.count = sum.expect("more units than can be counted");
        other.count = 0;
    }
}

impl<S: Deref<Target = Semaphore>> Drop for Held<S> {
    fn drop(&mut self) {
        self.semaphore.release(self.count);
    }
}
