//! A first-in first-out list of waiting futures whose nodes live inside those futures.
//!
//! Everything in [`sync`](crate::sync) that makes a future wait queues it here. A [`Waiter`] is a
//! field of the waiting future: it carries the future's waker and a small `Copy` payload, by which
//! the one who waits says what it wants and the one who wakes says what it got. Enqueue, dequeue
//! and leaving from the middle touch at most two neighbours, and nothing is allocated.
//!
//! # Invariants
//!
//! - **Linked means pinned.** A node's `list` is set exactly while that list points to it. It is
//!   set through a `Pin` only and cleared before the node is dropped, so every pointer in a
//!   list leads to a live node at its final address. A waiter that is leaked stays linked, which
//!   is sound: `Pin` promises that its memory is not used again.
//! - **Own list.** A waiter links only into the list it borrows, and leaves the list in which it
//!   stands: that one, or one that has taken it over and lasts longer. Neither can be dropped while
//!   the waiter can still be reached. (The `list` of a waiter that was leaked is not read again.)
//! - **Whole before foreign code.** A waker's `clone`, `wake` and `drop` may call back into the
//!   list. They run only when all links are complete and no reference into another node is held.
//!   The payload is `Copy`, so it has no code of its own.
//!
//! All state is in `Cell`s and only shared references are formed, so a pointer kept in the list
//! stays valid however often the future around the node is borrowed.

use core::cell::Cell;
use core::fmt;
use core::future::{Future, poll_fn};
use core::marker::PhantomPinned;
use core::pin::{Pin, pin};
use core::ptr::NonNull;
use core::task::{Poll, Waker, ready};

use crate::coop::Leaf;

/// A queue of waiting futures, first come first served, for one core.
///
/// It is the ground on which a synchronisation primitive stands: the primitive owns the list, each
/// of its futures owns a [`Waiter`].
///
/// ```
/// use core::pin::pin;
/// use core::task::Waker;
/// use miniss_core::collections::{WaitList, Waiter};
///
/// let list = WaitList::new();
/// let first = pin!(Waiter::new(&list, "waiting"));
/// let second = pin!(Waiter::new(&list, "waiting"));
/// for waiter in [&first, &second] {
///     waiter.as_ref().enqueue();
///     waiter.register(Waker::noop());
/// }
///
/// assert!(list.wake_first("your turn"));
/// assert_eq!(first.payload(), "your turn");
/// assert_eq!((second.payload(), list.len()), ("waiting", 1));
/// ```
pub struct WaitList<T: Copy> {
    head: Cell<Link<T>>,
    tail: Cell<Link<T>>,
    len: Cell<usize>,
}

impl<T: Copy> WaitList<T> {
    /// An empty list.
    ///
    /// ```
    /// # use miniss_core::collections::WaitList;
    /// assert!(WaitList::<u32>::new().is_empty());
    /// ```
    pub const fn new() -> Self {
        Self { head: Cell::new(None), tail: Cell::new(None), len: Cell::new(0) }
    }

    /// How many waiters are queued.
    ///
    /// ```
    /// # use miniss_core::collections::WaitList;
    /// assert_eq!(WaitList::<u32>::new().len(), 0);
    /// ```
    pub const fn len(&self) -> usize {
        self.len.get()
    }

    /// Whether no one waits.
    ///
    /// ```
    /// # use miniss_core::collections::WaitList;
    /// assert!(WaitList::<u32>::new().is_empty());
    /// ```
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload of the waiter whose turn is next.
    ///
    /// ```
    /// # use core::pin::pin;
    /// # use miniss_core::collections::{WaitList, Waiter};
    /// let list = WaitList::new();
    /// assert_eq!(list.front(), None);
    /// let waiter = pin!(Waiter::new(&list, 3));
    /// waiter.as_ref().enqueue();
    /// assert_eq!(list.front(), Some(3));
    /// ```
    pub fn front(&self) -> Option<T> {
        self.head.get().map(|head| self.node(head).payload.get())
    }

    /// Takes the first waiter out, leaves it `payload` and wakes it; `false` if no one waits.
    ///
    /// ```
    /// # use miniss_core::collections::WaitList;
    /// assert!(!WaitList::new().wake_first(()));
    /// ```
    pub fn wake_first(&self, payload: T) -> bool {
        match self.pop_front_if(|_| Some(payload)) {
            None => false,
            Some(waker) => {
                waker.into_iter().for_each(Waker::wake);
                true
            }
        }
    }

    /// Takes waiters out from the front and wakes them, for as long as `decide` answers with the
    /// payload to leave behind. Returns how many were woken.
    ///
    /// `decide` sees the payload of the waiter whose turn it is. The list is consistent whenever a
    /// waker runs, so that wakers may enqueue, leave and wake in turn. One that joins meanwhile is
    /// served by the same call if `decide` allows it.
    ///
    /// # Panics
    ///
    /// If a waker panics, the waiters behind it are still served before the panic goes on. If a
    /// second waker or `decide` panics then, the program aborts. If `decide` is the first to panic,
    /// it is not asked again: the waiters not served by then stay queued.
    ///
    /// ```
    /// # use core::pin::pin;
    /// # use miniss_core::collections::{WaitList, Waiter};
    /// let list = WaitList::new();
    /// let [a, b, c] = [1, 5, 1].map(|wants| Waiter::new(&list, wants));
    /// let (a, b, c) = (pin!(a), pin!(b), pin!(c));
    /// a.as_ref().enqueue();
    /// b.as_ref().enqueue();
    /// c.as_ref().enqueue();
    /// // Two units are not enough for the second, and the third does not overtake it.
    /// assert_eq!(list.wake_while(|wants| (wants <= 2).then_some(0)), 1);
    /// assert_eq!(list.len(), 2);
    /// ```
    pub fn wake_while(&self, decide: impl FnMut(T) -> Option<T>) -> usize {
        let mut round = Round { list: self, decide, woken: 0, waking: false };
        round.run();
        round.woken
    }

    /// Waits until `condition` holds, which is asked at each poll. Meanwhile `payload` is in the
    /// list.
    ///
    /// Being woken grants nothing: it only means that it is worth asking again. So a wait that is
    /// dropped has nothing to hand on.
    pub(crate) async fn until(&self, payload: T, mut condition: impl FnMut() -> bool) {
        let waiter = pin!(Waiter::new(self, payload));
        let waiter = waiter.as_ref();
        let leaf = Leaf::new();
        poll_fn(|cx| {
            if !condition() {
                waiter.enqueue();
                waiter.register(cx.waker());
                // Asked again: to clone a waker is foreign code, which may have brought it about.
                if !condition() {
                    return Poll::Pending;
                }
            }
            ready!(leaf.poll_proceed(cx));
            Poll::Ready(())
        })
        .await
    }

    /// Unlinks the first node if `decide` gives the payload to leave in it, and returns its waker.
    pub(crate) fn pop_front_if(
        &self,
        decide: impl FnOnce(T) -> Option<T>,
    ) -> Option<Option<Waker>> {
        let payload = decide(self.front()?)?;
        // Looked up again: `decide` may have changed the list.
        let head = self.node(self.head.get()?);
        head.payload.set(payload);
        self.unlink(head);
        Some(head.waker.take())
    }

    /// Puts the waiters of other lists in the place of those that stand for them, front to back.
    ///
    /// `inside` is asked for the list that a payload stands for. That waiter leaves, all of the
    /// list take its place, and the walk goes on with the first of them. So a tree of lists becomes
    /// one list, each waiter touched once, however deep it is.
    ///
    /// # Safety
    ///
    /// This list outlives all waiters of the lists that `inside` gives. These are other lists than
    /// this one, and `inside` runs no foreign code.
    pub(crate) unsafe fn flatten<'a>(&self, inside: impl Fn(T) -> Option<&'a Self>)
    where
        T: 'a,
    {
        let mut next = self.head.get();
        while let Some(link) = next {
            let node = self.node(link);
            next = match inside(node.payload.get()) {
                None => node.next.get(),
                Some(list) => self.put_in_place_of(node, list),
            };
        }
    }

    /// Moves all of `list` to where `node` stands, which leaves. What stands there now.
    fn put_in_place_of(&self, node: &Node<T>, list: &Self) -> Link<T> {
        let (prev, next) = (node.prev.get(), node.next.get());
        self.unlink(node);
        let (Some(first), Some(last)) = (list.head.take(), list.tail.take()) else { return next };
        let mut moved = Some(first);
        while let Some(link) = moved {
            let node = self.node(link);
            node.list.set(Some(NonNull::from(self)));
            moved = node.next.get();
        }
        self.node(first).prev.set(prev);
        self.node(last).next.set(next);
        match prev {
            Some(prev) => self.node(prev).next.set(Some(first)),
            None => self.head.set(Some(first)),
        }
        match next {
            Some(next) => self.node(next).prev.set(Some(last)),
            None => self.tail.set(Some(last)),
        }
        self.len.set(self.len.get() + list.len.take());
        Some(first)
    }

    fn push_back(&self, node: Pin<&Node<T>>) {
        let link = Some(NonNull::from(node.get_ref()));
        node.list.set(Some(NonNull::from(self)));
        node.prev.set(self.tail.get());
        match self.tail.replace(link) {
            Some(last) => self.node(last).next.set(link),
            None => self.head.set(link),
        }
        self.len.set(self.len.get() + 1);
    }

    /// Takes `node`, which is queued in this list, out of it.
    fn unlink(&self, node: &Node<T>) {
        debug_assert!(node.list.get().is_some());
        node.list.set(None);
        let (prev, next) = (node.prev.take(), node.next.take());
        match prev {
            Some(prev) => self.node(prev).next.set(next),
            None => self.head.set(next),
        }
        match next {
            Some(next) => self.node(next).prev.set(prev),
            None => self.tail.set(prev),
        }
        self.len.set(self.len.get() - 1);
    }

    /// The node behind one of this list's own links.
    fn node(&self, link: NonNull<Node<T>>) -> &Node<T> {
        // SAFETY: *Linked means pinned*: the pointer was taken from the list just now, so its node
        // is alive, and *Whole before foreign code*: the callers drop the reference before any
        // code runs that could drop the node. Nodes are only ever reached by shared reference.
        unsafe { link.as_ref() }
    }
}

impl<T: Copy> Default for WaitList<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy> fmt::Debug for WaitList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitList").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// One call of `wake_while`. Its drop goes on where a waker that panicked cut the round short.
struct Round<'l, T: Copy, F: FnMut(T) -> Option<T>> {
    list: &'l WaitList<T>,
    decide: F,
    woken: usize,
    /// Foreign code that runs is a waker's, not that of `decide`.
    waking: bool,
}

impl<T: Copy, F: FnMut(T) -> Option<T>> Round<'_, T, F> {
    fn run(&mut self) {
        while let Some(waker) = self.list.pop_front_if(&mut self.decide) {
            self.woken += 1;
            self.waking = true;
            waker.into_iter().for_each(Waker::wake);
            self.waking = false;
        }
    }
}

impl<T: Copy, F: FnMut(T) -> Option<T>> Drop for Round<'_, T, F> {
    fn drop(&mut self) {
        if self.waking {
            self.run();
        }
    }
}

type Link<T> = Option<NonNull<Node<T>>>;

struct Node<T: Copy> {
    prev: Cell<Link<T>>,
    next: Cell<Link<T>>,
    /// The list that it stands in.
    list: Cell<Option<NonNull<WaitList<T>>>>,
    waker: Cell<Option<Waker>>,
    payload: Cell<T>,
    _pinned: PhantomPinned,
}

/// A future's place in a [`WaitList`]; dropping it leaves the list.
///
/// A poll that must wait calls [`enqueue`](Self::enqueue), then [`register`](Self::register), then
/// looks at [`payload`](Self::payload): in that order, because cloning a waker may run code that
/// serves this very waiter.
///
/// ```
/// use core::pin::pin;
/// use miniss_core::collections::{WaitList, Waiter};
///
/// let list = WaitList::new();
/// {
///     let waiter = pin!(Waiter::new(&list, ()));
///     waiter.as_ref().enqueue();
///     assert_eq!(list.len(), 1);
/// }
/// assert!(list.is_empty());
/// ```
pub struct Waiter<'l, T: Copy> {
    list: &'l WaitList<T>,
    node: Node<T>,
}

impl<'l, T: Copy> Waiter<'l, T> {
    /// A waiter for `list` that is not queued yet.
    ///
    /// ```
    /// # use miniss_core::collections::{WaitList, Waiter};
    /// let list = WaitList::new();
    /// assert!(!Waiter::new(&list, 7).is_queued());
    /// ```
    pub const fn new(list: &'l WaitList<T>, payload: T) -> Self {
        let node = Node {
            prev: Cell::new(None),
            next: Cell::new(None),
            list: Cell::new(None),
            waker: Cell::new(None),
            payload: Cell::new(payload),
            _pinned: PhantomPinned,
        };
        Self { list, node }
    }

    /// Joins the end of the list. A waiter that is queued keeps its place.
    ///
    /// ```
    /// # use core::pin::pin;
    /// # use miniss_core::collections::{WaitList, Waiter};
    /// let list = WaitList::new();
    /// let waiter = pin!(Waiter::new(&list, ()));
    /// waiter.as_ref().enqueue();
    /// waiter.as_ref().enqueue();
    /// assert_eq!(list.len(), 1);
    /// ```
    pub fn enqueue(self: Pin<&Self>) {
        if self.is_queued() {
            return;
        }
        // SAFETY: *Linked means pinned*: `node` is structurally pinned. It is never moved out of
        // its waiter, and the waiter's drop unlinks it before its memory goes.
        let node = unsafe { self.map_unchecked(|waiter| &waiter.node) };
        self.list.push_back(node);
    }

    /// Joins the list, waits until it is woken, and returns the payload it was left.
    ///
    /// The caller owns the waiter, so that dropping the caller leaves the list.
    pub(crate) fn woken(self: Pin<&Self>) -> impl Future<Output = T> {
        self.enqueue();
        poll_fn(move |cx| {
            self.register(cx.waker());
            match self.is_queued() {
                true => Poll::Pending,
                false => Poll::Ready(self.payload()),
            }
        })
    }

    /// Keeps a clone of `waker` for the wake, unless the one kept wakes the same task already.
    /// Does nothing if this waiter is not queued.
    ///
    /// ```
    /// # use core::pin::pin;
    /// # use core::task::Waker;
    /// # use miniss_core::collections::{WaitList, Waiter};
    /// let list = WaitList::new();
    /// let waiter = pin!(Waiter::new(&list, ()));
    /// waiter.as_ref().enqueue();
    /// waiter.register(Waker::noop());
    /// ```
    pub fn register(&self, waker: &Waker) {
        if !self.is_queued() {
            return;
        }
        // Taken out while foreign code runs; a wake that comes in between finds no waker, and the
        // caller finds the payload changed.
        let mut kept = self.node.waker.take();
        match &mut kept {
            Some(kept) => kept.clone_from(waker),
            None => kept = Some(waker.clone()),
        }
        self.node.waker.set(kept);
    }

    /// Keeps `waker` for the wake. The one that was kept, to be dropped where foreign code may run.
    #[cfg(feature = "alloc")]
    pub(crate) const fn replace_waker(&self, waker: Waker) -> Option<Waker> {
        self.node.waker.replace(Some(waker))
    }

    /// Whether this waiter is in the list.
    ///
    /// ```
    /// # use miniss_core::collections::{WaitList, Waiter};
    /// let list = WaitList::new();
    /// assert!(!Waiter::new(&list, ()).is_queued());
    /// ```
    pub const fn is_queued(&self) -> bool {
        self.node.list.get().is_some()
    }

    /// What the waiter wants or, once it has been woken, what it got.
    ///
    /// ```
    /// # use miniss_core::collections::{WaitList, Waiter};
    /// let list = WaitList::new();
    /// assert_eq!(Waiter::new(&list, 7).payload(), 7);
    /// ```
    pub const fn payload(&self) -> T {
        self.node.payload.get()
    }

    /// Replaces the payload.
    ///
    /// ```
    /// # use miniss_core::collections::{WaitList, Waiter};
    /// let list = WaitList::new();
    /// let waiter = Waiter::new(&list, 7);
    /// waiter.set_payload(8);
    /// assert_eq!(waiter.payload(), 8);
    /// ```
    pub fn set_payload(&self, payload: T) {
        self.node.payload.set(payload);
    }

    /// Leaves the list without being woken; `false` if it was not queued.
    ///
    /// ```
    /// # use core::pin::pin;
    /// # use miniss_core::collections::{WaitList, Waiter};
    /// let list = WaitList::new();
    /// let waiter = pin!(Waiter::new(&list, ()));
    /// waiter.as_ref().enqueue();
    /// assert!(waiter.leave());
    /// assert!(!waiter.leave());
    /// ```
    pub fn leave(&self) -> bool {
        let Some(list) = self.node.list.get() else { return false };
        // SAFETY: *Own list*: the list in which a waiter stands is there as long as the waiter.
        unsafe { list.as_ref() }.unlink(&self.node);
        true
    }
}

impl<T: Copy> Drop for Waiter<'_, T> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T: Copy + fmt::Debug> fmt::Debug for Waiter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("payload", &self.payload())
            .field("queued", &self.is_queued())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
