//! What both ends share: the queue, and who sleeps at it.
//!
//! A channel that is neither empty nor full for long costs its senders a fence and a look at
//! whether the receiver sleeps, and its receiver the same for senders that wait. Each that goes to
//! sleep says so, fences, and looks once more; each that has done something fences and then looks
//! for sleepers. So one of the two sees the other. Only for one that sleeps is the lock taken, and
//! it is held for a few instructions.
//!
//! The receiver is woken by the first that finds it asleep. Those that come behind find it awake
//! until it sleeps again: one wake for a batch.
//!
//! # Turns
//!
//! A sender that finds the queue full joins a list, and from then on the queue lets no one in
//! without a turn. Room that is made goes to the first of the list. It may use it when it likes,
//! and gives it to the next if it is dropped. When the list is empty and each turn is used, the
//! queue is open to all again.
//!
//! # Invariants
//!
//! - **Locked.** What is in `Waits`, and each node of its list, is touched by the thread alone that
//!   holds the lock; a node that is not in the list also by the future that has it.
//! - **No lock over foreign code.** No waker is cloned, woken or dropped, and no value dropped, by
//!   the one that holds the lock. So it is held by no one that waits or panics.
//! - **A turn is room.** No more turns are granted and not used than there is room, and no one
//!   else claims meanwhile.
//! - **One receiver.** [`Receiver`](super::Receiver) alone takes values; when it is gone, the one
//!   that holds the lock.

use alloc::boxed::Box;
use core::cell::Cell;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};

use crate::collections::ring::{NoPlace, Ring, Slot};
use crate::collections::{WaitList, Waiter};
use crate::defer::{defer, to_the_end};
use crate::prim::lock::Lock;
use crate::prim::{AtomicBool, AtomicU8, Ordering, fence, ordering, planted};
use crate::sync::channel::{SendError, TrySendError};

/// The receiver will look at the queue before it sleeps.
const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
/// It was dropped: each sender empties the queue behind itself.
const GONE: u8 = 2;

pub(super) struct Channel<T> {
    pub(super) queue: Ring<T, Box<[Slot<T>]>>,
    /// `AWAKE`, `ASLEEP` or `GONE`. Written under the lock.
    receiver: AtomicU8,
    /// Whether turns are granted. Written under the lock.
    turns: AtomicBool,
    locked: Locked,
}

impl<T> Channel<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            queue: Ring::on_heap(capacity),
            receiver: AtomicU8::new(AWAKE),
            turns: AtomicBool::new(false),
            locked: Locked::new(),
        }
    }

    pub(super) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.queue.push(value, false) {
            Ok(()) => {
                self.sent();
                Ok(())
            }
            Err(NoPlace::Full(value)) => Err(TrySendError::Full(value)),
            Err(NoPlace::Closed(value)) => Err(TrySendError::Closed(value)),
        }
    }

    /// Sends `value` when its turn has come.
    pub(super) async fn send_in_turn(&self, value: T) -> Result<(), SendError<T>> {
        let turn = pin!(Turn::new(self));
        poll_fn(|cx| turn.as_ref().poll(cx)).await;
        match self.queue.push(value, true) {
            Ok(()) => {
                self.sent();
                Ok(())
            }
            Err(NoPlace::Closed(value)) => Err(SendError(value)),
            Err(NoPlace::Full(_)) => unreachable!("*A turn is room*"),
        }
    }

    /// Something was put, or the queue closed: looks for the receiver.
    #[inline]
    fn sent(&self) {
        // Pairs with the fence of a receiver that goes to sleep: it sees what was done, or we see
        // that it sleeps.
        fence(ordering!(SeqCst, "mpsc: a sender looks for the receiver"));
        match self.receiver.load(Ordering::Relaxed) {
            AWAKE => {}
            ASLEEP => self.wake_receiver(),
            _ => self.drain(),
        }
    }

    #[cold]
    fn wake_receiver(&self) {
        let waker = self.locked.with(|waits| {
            if self.receiver.load(Ordering::Relaxed) == ASLEEP {
                self.receiver.store(AWAKE, Ordering::Relaxed);
            }
            waits.receiver.take()
        });
        waker.into_iter().for_each(Waker::wake);
    }

    /// Whether there is a value, or never will be. If not, `waker` will be woken for it.
    pub(super) fn has_outcome_or_sleeps(&self, waker: &Waker) -> bool {
        if self.has_outcome() {
            return true;
        }
        let waker = waker.clone();
        let former = self.locked.with(|waits| {
            self.receiver.store(ASLEEP, Ordering::Relaxed);
            waits.receiver.replace(Some(waker))
        });
        drop(former);
        // Pairs with the fence in `sent`.
        fence(ordering!(SeqCst, "mpsc: the receiver goes to sleep"));
        self.has_outcome()
    }

    pub(super) fn has_outcome(&self) -> bool {
        !self.queue.is_empty() || self.queue.is_at_end()
    }

    /// The receiver has taken something: looks for senders.
    #[inline]
    pub(super) fn taken(&self) {
        // Pairs with the fence of a sender that goes to sleep: it sees the room, or we see that it
        // waits.
        fence(ordering!(SeqCst, "mpsc: the receiver looks for senders"));
        if self.turns.load(Ordering::Relaxed) && !planted("mpsc: room that was made is granted") {
            self.grant();
        }
    }

    /// Gives the room that there is to those who wait, in their order.
    #[cold]
    fn grant(&self) {
        to_the_end(|| match self.locked.with(|waits| self.grant_one(waits)) {
            Some(waker) => {
                waker.into_iter().for_each(Waker::wake);
                true
            }
            None => false,
        });
    }

    /// Grants a turn if there is room for one, and opens the queue to all if no one needs any more.
    fn grant_one(&self, waits: &Waits) -> Option<Option<Waker>> {
        let granted = waits.granted.get();
        if granted < self.queue.capacity() - self.queue.len() {
            let next = waits.senders.pop_front_if(|_| Some(Stage::Granted));
            waits.granted.set(granted + usize::from(next.is_some()));
            if next.is_some() {
                return next;
            }
        }
        if waits.senders.is_empty() && granted == 0 {
            self.turns.store(false, Ordering::Relaxed);
            self.queue.end_turns();
        }
        None
    }

    /// Lets nothing more in. All who wait are told, also if a waker panics.
    pub(super) fn close(&self) {
        self.queue.close();
        let _receiver = defer(|| self.sent());
        to_the_end(|| {
            let over = |waits: &Waits| waits.senders.pop_front_if(|_| Some(Stage::Closed));
            let waker = self.locked.with(over);
            let found = waker.is_some();
            waker.flatten().into_iter().for_each(Waker::wake);
            found
        });
    }

    /// The receiver goes: closes, and drops what is queued.
    pub(super) fn receiver_gone(&self) {
        let _emptied = defer(|| {
            let waker = self.locked.with(|waits| {
                self.receiver.store(GONE, Ordering::Relaxed);
                waits.receiver.take()
            });
            drop(waker);
            // Pairs with the fence in `sent`: we see the value, or its sender that we are gone.
            fence(ordering!(SeqCst, "mpsc: the receiver goes"));
            self.drain();
        });
        self.close();
    }

    /// Drops what is queued, the receiver being gone.
    #[cold]
    fn drain(&self) {
        // SAFETY: *One receiver*: it is gone, and we hold the lock.
        to_the_end(|| self.locked.with(|_| unsafe { self.queue.pop() }).is_some());
    }
}

/// What became of one that waits for its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It has not joined, or it is in the list.
    Waits,
    /// There is room for it.
    Granted,
    Closed,
}

/// A place in the list of senders, and then its turn. Dropping it gives either away.
struct Turn<'a, T> {
    channel: &'a Channel<T>,
    waiter: Waiter<'a, Stage>,
}

// SAFETY: *Locked*.
unsafe impl<T: Send> Send for Turn<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Turn<'_, T> {}

impl<'a, T> Turn<'a, T> {
    fn new(channel: &'a Channel<T>) -> Self {
        Self { channel, waiter: Waiter::new(&channel.locked.waits.senders, Stage::Waits) }
    }

    fn waiter(self: Pin<&Self>) -> Pin<&Waiter<'a, Stage>> {
        // SAFETY: the waiter is structurally pinned: no one moves it out.
        unsafe { self.map_unchecked(|turn| &turn.waiter) }
    }

    /// Waits until the turn has come, or the channel is closed.
    fn poll(self: Pin<&Self>, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let (channel, waiter) = (self.channel, self.waiter());
        let (ready, _former) = channel.locked.with(|_| {
            if waiter.payload() != Stage::Waits || !channel.queue.begin_turns() {
                return (true, Some(waker));
            }
            channel.turns.store(true, Ordering::Relaxed);
            waiter.enqueue();
            (false, waiter.replace_waker(waker))
        });
        if ready {
            return Poll::Ready(());
        }
        // Pairs with the fence in `taken`. If there is room by now, we may wake ourselves.
        fence(ordering!(SeqCst, "mpsc: a sender goes to sleep"));
        channel.grant();
        Poll::Pending
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.channel.locked.with(|waits| {
            self.waiter.leave();
            if self.waiter.payload() == Stage::Granted {
                waits.granted.set(waits.granted.get() - 1);
            }
        });
        if !planted("mpsc: a turn that is not used goes to the next") {
            self.channel.grant();
        }
    }
}

/// Who sleeps.
struct Waits {
    receiver: Cell<Option<Waker>>,
    senders: WaitList<Stage>,
    /// Turns that are granted and not used.
    granted: Cell<usize>,
}

/// `Waits`, behind the lock.
struct Locked {
    lock: Lock,
    waits: Waits,
}

// SAFETY: *Locked*; wakers are `Send`.
unsafe impl Send for Locked {}
// SAFETY: as above.
unsafe impl Sync for Locked {}

impl Locked {
    fn new() -> Self {
        let (receiver, senders, granted) = (Cell::new(None), WaitList::new(), Cell::new(0));
        Self { lock: Lock::new(), waits: Waits { receiver, senders, granted } }
    }

    fn with<R>(&self, work: impl FnOnce(&Waits) -> R) -> R {
        self.lock.with(|| work(&self.waits))
    }
}
