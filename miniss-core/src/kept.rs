//! What tests keep forever, where a leak detector finds it.

use std::boxed::Box;
use std::sync::Mutex;
use std::vec::Vec;

/// The addresses of all that is kept. What is reachable from here is not lost.
static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Keeps a value as if it stood in a `static`, or had been forgotten on purpose.
pub(crate) fn forever<'a, T: 'a>(value: T) -> &'a T {
    let kept = Box::leak(Box::new(value));
    KEPT.lock().unwrap().push(core::ptr::from_ref(kept).addr());
    kept
}

/// [`core::mem::forget`], but a leak detector knows of it.
pub(crate) fn forget<T>(value: T) {
    forever(value);
}
