//! A data race, planted for `.ci/thread-sanitizer`, which must find it. Nothing else runs this.

use std::cell::UnsafeCell;
use std::sync::Barrier;
use std::thread;

struct Shared(UnsafeCell<u32>);

// SAFETY: there is none. That two threads change it at once is what is to be found.
unsafe impl Sync for Shared {}

fn main() {
    let (shared, start) = (&Shared(UnsafeCell::new(0)), &Barrier::new(2));
    let change = || {
        start.wait();
        // SAFETY: there is none, as above.
        unsafe { *shared.0.get() += 1 };
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(change);
        }
    });
}
