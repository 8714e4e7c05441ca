//! Models of slots that come back late, each named for the race it rules out. They run the code
//! that ships.
//!
//! `handle ─▶ [returned slot] ─▶ free list ─▶ next task`

use std::boxed::Box;

use core::ptr::NonNull;

use ::loom::cell::UnsafeCell;
use ::loom::sync::Arc;
use ::loom::thread;

use super::header::Header;
use super::slots::{Returned, Slots};
use super::state::Hold;

/// Two slots that handles hold beyond the end of their executor, and the stack they return to.
struct Held {
    returned: Returned,
    headers: [Box<Header>; 2],
    /// Stands for the slots' memory: loom sees who is in it.
    memory: [UnsafeCell<u32>; 2],
}

impl Held {
    fn new() -> Arc<Self> {
        let header = || {
            let header = Box::new(Header::new(NonNull::dangling(), 0));
            header.state.spawn();
            assert!(header.state.start_drop());
            header.state.take_future();
            assert_eq!(header.state.finish(), Hold::Kept, "queue and handle hold it");
            _ = header.state.start_poll(false);
            header
        };
        let memory = [UnsafeCell::new(0), UnsafeCell::new(0)];
        Arc::new(Self { returned: Returned::new(), headers: [header(), header()], memory })
    }

    fn enter(&self, slot: usize) {
        // SAFETY: this is what loom checks.
        self.memory[slot].with_mut(|memory| unsafe { *memory += 1 });
    }

    /// As the handle's drop does, on the thread of the former executor.
    fn let_go(&self, slot: usize) {
        self.enter(slot);
        assert_eq!(self.headers[slot].state.drop_handle(), Hold::Release);
        self.returned.push(NonNull::from(&*self.headers[slot]));
    }

    /// As a new executor does: takes in what has come back and uses it. Returns how many.
    fn reuse(&self, slots: &Slots) -> usize {
        slots.take_in(&self.returned);
        let mut used = 0;
        while let Some(slot) = slots.take(0) {
            let header = self.headers.iter().position(|header| NonNull::from(&**header) == slot);
            self.enter(header.unwrap());
            used += 1;
        }
        used
    }
}

#[test]
fn loom_a_slot_returned_while_another_executor_moves_in_is_used_by_one_at_a_time() {
    ::loom::model(|| {
        let held = Held::new();
        let handles = [0, 1].map(|slot| {
            let held = held.clone();
            thread::spawn(move || held.let_go(slot))
        });
        let slots = Slots::new();
        let mut used = held.reuse(&slots);
        handles.map(|handle| handle.join().unwrap());
        used += held.reuse(&slots);
        assert_eq!(used, 2, "each slot came back once");
    });
}
