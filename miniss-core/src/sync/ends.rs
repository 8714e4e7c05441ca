//! Counting the handles at both ends of a channel, and saying when the last one is gone.
//!
//! A handle reaches its channel by a pointer `P`: `&Channel` where the channel stands in a place
//! of its own, `Rc<Channel>` where there is a heap. One implementation serves both.
//!
//! # Invariants
//!
//! - **An end is one handle.** `split` starts both counts at one and makes one handle for each
//!   end; from there a clone adds one and a drop takes one. A handle that is leaked counts for
//!   ever: its end never closes.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::ops::Deref;

/// What handles are counted for. Implemented here only.
pub trait Ends {
    /// Where the handles are counted.
    #[doc(hidden)]
    fn counts(&self) -> &Counts;

    /// The last sender is gone.
    #[doc(hidden)]
    fn senders_gone(&self);

    /// The last receiver is gone.
    #[doc(hidden)]
    fn receivers_gone(&self);
}

/// How many handles there are at each end.
#[derive(Debug)]
pub struct Counts {
    senders: Cell<usize>,
    receivers: Cell<usize>,
}

impl Counts {
    /// One handle at each end.
    pub(super) const fn pair() -> Self {
        Self { senders: Cell::new(1), receivers: Cell::new(1) }
    }

    pub(super) const fn senders(&self) -> usize {
        self.senders.get()
    }

    pub(super) const fn receivers(&self) -> usize {
        self.receivers.get()
    }
}

/// One handle at the sending end.
pub(super) struct SendEnd<P: Deref<Target: Ends>>(P);

/// One handle at the receiving end.
pub(super) struct ReceiveEnd<P: Deref<Target: Ends>>(P);

/// The two handles that [`Counts::pair`] has counted already.
pub(super) fn pair<P: Deref<Target: Ends> + Clone>(link: P) -> (SendEnd<P>, ReceiveEnd<P>) {
    (SendEnd(link.clone()), ReceiveEnd(link))
}

impl<P: Deref<Target: Ends> + Clone> SendEnd<P> {
    /// A new handle at the other end.
    pub(super) fn subscribe(&self) -> ReceiveEnd<P> {
        add_one(&self.0.counts().receivers);
        ReceiveEnd(self.0.clone())
    }
}

impl<P: Deref<Target: Ends>> Deref for SendEnd<P> {
    type Target = P::Target;

    fn deref(&self) -> &P::Target {
        &self.0
    }
}

impl<P: Deref<Target: Ends>> Deref for ReceiveEnd<P> {
    type Target = P::Target;

    fn deref(&self) -> &P::Target {
        &self.0
    }
}

impl<P: Deref<Target: Ends> + Clone> Clone for SendEnd<P> {
    fn clone(&self) -> Self {
        add_one(&self.0.counts().senders);
        Self(self.0.clone())
    }
}

impl<P: Deref<Target: Ends> + Clone> Clone for ReceiveEnd<P> {
    fn clone(&self) -> Self {
        add_one(&self.0.counts().receivers);
        Self(self.0.clone())
    }
}

impl<P: Deref<Target: Ends>> Drop for SendEnd<P> {
    fn drop(&mut self) {
        if take_one(&self.0.counts().senders) {
            self.0.senders_gone();
        }
    }
}

impl<P: Deref<Target: Ends>> Drop for ReceiveEnd<P> {
    fn drop(&mut self) {
        if take_one(&self.0.counts().receivers) {
            self.0.receivers_gone();
        }
    }
}

fn add_one(count: &Cell<usize>) {
    count.set(count.get().checked_add(1).expect("more handles than can be counted"));
}

/// Takes one handle off; whether it was the last.
fn take_one(count: &Cell<usize>) -> bool {
    let left = count.get() - 1;
    count.set(left);
    left == 0
}
