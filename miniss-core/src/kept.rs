//! Tests keep here what they leak on purpose, so that LeakSanitizer does not report it.

use std::boxed::Box;
use std::sync::Mutex;
use std::vec::Vec;

/// The addresses of all that is kept. LeakSanitizer does not report memory whose address it finds
/// in here.
static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Keeps a value as if it stood in a `static`, or had been forgotten on purpose.
pub(crate) fn forever<'a, T: 'a>(value: T) -> &'a T {
    let kept = Box::leak(Box::new(value));
    KEPT.lock().unwrap().push(core::ptr::from_ref(kept).addr());
    kept
}

/// Like [`core::mem::forget`], but LeakSanitizer does not report it.
pub(crate) fn forget<T>(value: T) {
    forever(value);
}
