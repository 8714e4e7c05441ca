//! Looking at an operation in its slot, one at a time.
//!
//! Invariant: *No one else inside* (see [`super`]): while an operation's code runs, its vtable is
//! hidden, so whoever comes again through the table panics instead of borrowing it twice.

use super::slot::{Completion, OpVtable, Slot};

/// Marks a payload as borrowed, by hiding its vtable.
pub(super) struct Inside<'a> {
    slot: &'a Slot,
    vtable: &'static OpVtable,
}

impl<'a> Inside<'a> {
    /// Panics if someone is inside already.
    pub(super) fn new(slot: &'a Slot) -> Self {
        let vtable = slot.vtable();
        slot.vtable.set(None);
        Self { slot, vtable }
    }

    pub(super) fn vtable(&self) -> &'static OpVtable {
        self.vtable
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.slot.vtable.set(Some(self.vtable));
    }
}

/// A completion that no one will collect goes to its operation.
pub(super) fn orphan_part(slot: &Slot, completion: Completion) {
    let inside = Inside::new(slot);
    let orphan_part = inside.vtable().orphan_part;
    // SAFETY: the slot is in use, so it holds the operation of its vtable. *No one else inside*:
    // the vtable was there, and is hidden now.
    unsafe { orphan_part(slot.payload.get(), completion) };
}

/// Whether the operation would rather be cancelled than receive more.
pub(super) fn wants_cancel_after(slot: &Slot, completion: Completion) -> bool {
    let inside = Inside::new(slot);
    let wants_cancel_after = inside.vtable().wants_cancel_after;
    // SAFETY: as in `orphan_part`.
    unsafe { wants_cancel_after(slot.payload.get(), completion, slot.parts.len()) }
}

/// A completion that there is no room for goes to its operation.
pub(super) fn refuse_part(slot: &Slot, completion: Completion) {
    let inside = Inside::new(slot);
    let refuse_part = inside.vtable().refuse_part;
    // SAFETY: as in `orphan_part`.
    unsafe { refuse_part(slot.payload.get(), completion) };
}
