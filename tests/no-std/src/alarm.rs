//! A reactor of the user's own, as small as it can be: one alarm, set to one time.
//!
//! It keeps a promise when the time has come. Between, the process sleeps in the kernel.

use no_std::miniss_core::{Doorbell, Idle, Promise, Reactor, time::Instant};
use no_std::sys;

/// A process of one thread: nobody else is there to ring, so nothing need be done.
pub struct Bell;

// SAFETY: `is_home` keeps its default.
unsafe impl Doorbell for Bell {
    fn ring(&self) {}

    fn now(&self) -> Instant {
        sys::now()
    }
}

/// Brings the time at which it noticed that `due` has passed.
pub struct Alarm {
    pub due: Instant,
    pub promise: Option<Promise<Instant>>,
}

impl Reactor for Alarm {
    type Bell = Bell;

    fn poll(&mut self) -> usize {
        let now = sys::now();
        let Some(promise) = self.promise.take_if(|_| now >= self.due) else { return 0 };
        promise.complete(now).expect("the main future waits for it");
        1
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        let due = self.promise.is_some().then_some(self.due);
        let until = deadline
            .into_iter()
            .chain(due)
            .min()
            .expect("it parks only while something is waited for");
        if idle.confirmed() {
            sys::sleep(until.saturating_duration_since(sys::now()));
        }
        self.poll();
    }
}
