//! What is done at the end of a block whatever happens in it, be it a panic.

#![forbid(unsafe_code)]

/// Calls a closure as it is dropped. Of several in one block the last one made comes first, and one
/// that panics does not keep the others from their turn.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
