//! Models of slots that come back late, each named for the race it rules out. They run the code
//! that ships.

use std::boxed::Box;

use core::num::NonZero;
use core::ptr::NonNull;

use ::loom::cell::UnsafeCell;
use ::loom::sync::Arc;
use ::loom::thread;

use super::cell::{CellAddress, Header};
use super::slab::TaskSlab;
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
            let header = Box::new(Header::new(CellAddress::new(NonNull::dangling()), 0));
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

    /// As a new executor does: takes back what was returned and uses it. Returns how many.
    fn reuse(&self, slots: &Slots) -> usize {
        slots.reclaim(&self.returned);
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
fn loom_a_slot_returned_while_another_executor_claims_the_cell_is_used_by_one_at_a_time() {
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

#[test]
fn loom_of_two_cores_that_claim_a_slab_at_once_one_has_it() {
    ::loom::model(|| {
        let slab: &'static TaskSlab<64, 2> = Box::leak(Box::new(TaskSlab::new()));
        // As a core does, whose executor cell has the given number.
        let claim = |core: usize| {
            let slots = Slots::new();
            let cell = NonNull::without_provenance(NonZero::new(2 * core).unwrap());
            let cell = CellAddress::new(cell);
            // SAFETY: the slots are this core's, and what is claimed is only counted.
            let is_ours = unsafe { slab.lend(&slots, cell) }.is_ok();
            let mut slots_of_it = 0;
            slots.for_each(|_| slots_of_it += 1);
            (is_ours, slots_of_it)
        };
        let other = thread::spawn(move || claim(1));
        let mut outcomes = [claim(2), other.join().unwrap()];
        outcomes.sort_unstable();
        assert_eq!(outcomes, [(false, 0), (true, 2)], "one has all of it, one has nothing");
    });
}

// What the models must find out.
crate::prim::bugs! {
    loom_without_release_a_returned_slot_is_still_in_use:
        loom_a_slot_returned_while_another_executor_claims_the_cell_is_used_by_one_at_a_time
        with "returned: push" as Relaxed
        says "Causality violation";
    loom_without_acquire_a_reclaimed_slot_is_still_in_use:
        loom_a_slot_returned_while_another_executor_claims_the_cell_is_used_by_one_at_a_time
        with "returned: reclaim" as Relaxed
        says "Causality violation";
    loom_without_a_look_at_the_owner_two_cores_have_a_slab:
        loom_of_two_cores_that_claim_a_slab_at_once_one_has_it
        without "slab: whose it is"
        says "one has all of it";
}
