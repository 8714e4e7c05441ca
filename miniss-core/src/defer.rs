//! What is done at the end of a block whatever happens in it: destructors and wakers are foreign
//! code, which may unwind.

#![forbid(unsafe_code)]

/// Calls a closure as it is dropped. Of several in one block the last one made comes first, and one
/// that panics does not keep the others from their turn.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Calls `step` until it gives `false`. If a call unwinds, the others are made on the way out.
pub(crate) fn to_the_end(step: impl FnMut() -> bool) {
    let mut rest = Rest(step);
    rest.go_on();
}

struct Rest<F: FnMut() -> bool>(F);

impl<F: FnMut() -> bool> Rest<F> {
    fn go_on(&mut self) {
        while (self.0)() {}
    }
}

impl<F: FnMut() -> bool> Drop for Rest<F> {
    fn drop(&mut self) {
        self.go_on();
    }
}
