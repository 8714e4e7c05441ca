//! A waker whose clone is foreign code: it runs a closure.

use core::cell::RefCell;
use core::ptr;
use core::task::{RawWaker, RawWakerVTable, Waker};
use std::boxed::Box;

type Action = Box<dyn FnOnce()>;

std::thread_local! {
    static ON_CLONE: RefCell<Option<Action>> = const { RefCell::new(None) };
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, |_| (), |_| (), |_| ());

fn clone(_: *const ()) -> RawWaker {
    let action = ON_CLONE.with(|slot| slot.borrow_mut().take());
    action.into_iter().for_each(|act| act());
    RawWaker::new(ptr::null(), &VTABLE)
}

/// A waker that runs `action` inside its first clone, on this thread. It wakes no one.
pub(super) fn acting_on_clone(action: impl FnOnce() + 'static) -> Waker {
    ON_CLONE.with(|slot| *slot.borrow_mut() = Some(Box::new(action)));
    // SAFETY: the functions touch nothing but a thread-local; there is no data.
    unsafe { Waker::new(ptr::null(), &VTABLE) }
}
