//! Wakers whose own code, when they are cloned, woken or dropped, calls back.
//!
//! # Invariants
//!
//! - **Counted.** Each waker owns one count of its [`Hook`], from `clone` to `wake` or `drop`.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// What a waker calls.
pub(super) struct Hook {
    call: Box<dyn Fn()>,
    moments: u8,
    pub(super) wakes: Cell<usize>,
}

/// When a waker calls back, as bits.
pub(super) const CLONE: u8 = 1;
pub(super) const WAKE: u8 = 2;
pub(super) const DROP: u8 = 4;

impl Hook {
    /// Wakers that call `call` at these moments.
    pub(super) fn new(moments: u8, call: impl Fn() + 'static) -> Rc<Self> {
        Rc::new(Self { call: Box::new(call), moments, wakes: Cell::new(0) })
    }

    /// One more waker, which never leaves this thread.
    pub(super) fn waker(self: &Rc<Self>) -> Waker {
        let data = Rc::into_raw(self.clone()).cast();
        // SAFETY: *Counted*: the functions keep the contract of wakers; on one thread, as all is
        // that gets one.
        unsafe { Waker::new(data, &VTABLE) }
    }

    fn act(&self, moment: u8) {
        if self.moments & moment != 0 {
            (self.call)();
        }
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// # Safety
/// `data` is that of a waker, which is lent.
unsafe fn lent(data: *const ()) -> ManuallyDrop<Rc<Hook>> {
    // SAFETY: *Counted*: the waker owns a count, which is not given back here.
    ManuallyDrop::new(unsafe { Rc::from_raw(data.cast()) })
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: by the contract of wakers it is lent.
    let hook = unsafe { lent(data) };
    // First, so that there is no clone if it unwinds.
    hook.act(CLONE);
    RawWaker::new(Rc::into_raw(Rc::clone(&hook)).cast(), &VTABLE)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: *Counted*: the waker is used up, and its count with it.
    let hook = unsafe { Rc::from_raw(data.cast::<Hook>()) };
    hook.wakes.set(hook.wakes.get() + 1);
    hook.act(WAKE);
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: by the contract of wakers it is lent.
    let hook = unsafe { lent(data) };
    hook.wakes.set(hook.wakes.get() + 1);
    hook.act(WAKE);
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: *Counted*: the waker is used up, and its count with it.
    let hook = unsafe { Rc::from_raw(data.cast::<Hook>()) };
    hook.act(DROP);
}
