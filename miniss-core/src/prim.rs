//! The one gate to shared memory: atomics, fences, cells and counts that more than one core may
//! touch.

#[cfg(all(test, shuttle))]
pub(crate) mod explore;
#[cfg(feature = "alloc")]
pub(crate) mod lock;
#[cfg(any(loom, shuttle))]
pub(crate) mod planted;

#[cfg(not(any(
    all(target_has_atomic = "8", target_has_atomic = "32", target_has_atomic = "ptr"),
    feature = "portable-atomic",
)))]
compile_error!(
    "miniss-core needs compare-and-swap on 8 bits, 32 bits and a pointer, or its feature \
     `portable-atomic`"
);
#[cfg(all(feature = "alloc", not(target_has_atomic = "ptr")))]
compile_error!("without compare-and-swap there is no `Arc`, which miniss-core's `alloc` needs");

/// The atomics of the processor; or, if it has no compare-and-swap, what makes up for it.
mod atomic {
    #![allow(unused_imports, reason = "models bring atomics of their own")]

    #[cfg(target_has_atomic = "ptr")]
    pub(crate) use core::sync::atomic::*;
    #[cfg(all(not(target_has_atomic = "ptr"), feature = "portable-atomic"))]
    pub(crate) use portable_atomic::*;
}

#[cfg(not(loom))]
mod real {
    #[cfg(not(shuttle))]
    use super::atomic;

    #[cfg(shuttle)]
    use shuttle::sync::atomic;

    #[allow(unused_imports, reason = "which are used depends on the features")]
    pub(crate) use atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering, fence,
    };

    #[cfg(all(feature = "alloc", not(shuttle)))]
    pub(crate) use alloc::sync::Arc;
    #[cfg(shuttle)]
    pub(crate) use shuttle::sync::Arc;

    /// A cell whose accesses are bracketed by closures, so that loom can watch them.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }

    #[cfg(shuttle)]
    pub(crate) use super::planted::planted;

    /// Whether a model has planted the bug `_spot`: never, in what ships.
    #[cfg(not(shuttle))]
    #[inline(always)]
    pub(crate) const fn planted(_spot: &str) -> bool {
        false
    }
}

#[cfg(not(loom))]
pub(crate) use real::*;

#[cfg(loom)]
#[allow(unused_imports)]
pub(crate) use {
    loom::{
        cell::UnsafeCell,
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering},
        },
    },
    planted::{fence, planted},
};

#[cfg(all(any(loom, shuttle), test))]
pub(crate) use planted::bugs;

/// For a `static` of the whole program, which must be `const` and lasts from one model to the
/// next: `core`'s, in models too. No argument of the models may stand on these.
pub(crate) mod statics {
    pub(crate) use super::atomic::{
        AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering,
    };
}

/// The ordering `Ordering::$ordering`, which a model may take away by the name of its spot.
macro_rules! ordering {
    ($ordering:ident, $spot:literal) => {{
        #[cfg(not(any(loom, shuttle)))]
        let ordering = $crate::prim::Ordering::$ordering;
        #[cfg(any(loom, shuttle))]
        let ordering = $crate::prim::planted::ordering($spot, $crate::prim::Ordering::$ordering);
        ordering
    }};
}
pub(crate) use ordering;

/// Declares a function `const`, except under loom, whose primitives are built at run time.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => {
        #[cfg(not(loom))]
        $(#[$meta])* $vis const fn $($rest)*
        #[cfg(loom)]
        $(#[$meta])* $vis fn $($rest)*
    };
}
pub(crate) use const_fn;
