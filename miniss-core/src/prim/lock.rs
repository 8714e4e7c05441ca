//! A lock for a few instructions, on cores that may have no system to sleep in: who finds it taken
//! spins. In models it is loom's or shuttle's, for what spins there has no end.

#[cfg(not(any(loom, shuttle)))]
mod real {
    use core::hint::spin_loop;
    use core::sync::atomic::{AtomicBool, Ordering};

    use crate::defer::defer;

    pub(crate) struct Lock(AtomicBool);

    impl Lock {
        pub(crate) const fn new() -> Self {
            Self(AtomicBool::new(false))
        }

        /// Runs `work` while no other thread runs any under this lock. It must not come back here.
        pub(crate) fn with<R>(&self, work: impl FnOnce() -> R) -> R {
            // Acquire: pairs with the Release of the one who had it before.
            while self.0.swap(true, Ordering::Acquire) {
                spin_loop();
            }
            let _unlock = defer(|| self.0.store(false, Ordering::Release));
            work()
        }
    }
}

#[cfg(not(any(loom, shuttle)))]
pub(crate) use real::Lock;

#[cfg(loom)]
use loom::sync::Mutex;
#[cfg(shuttle)]
use shuttle::sync::Mutex;

#[cfg(any(loom, shuttle))]
pub(crate) struct Lock(Mutex<()>);

#[cfg(any(loom, shuttle))]
impl Lock {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(()))
    }

    pub(crate) fn with<R>(&self, work: impl FnOnce() -> R) -> R {
        let _locked = self.0.lock();
        work()
    }
}
