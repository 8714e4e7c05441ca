//! Going on to the end although something unwinds: destructors and wakers are foreign code.

#![forbid(unsafe_code)]

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
