//! From bytes to tables: in which memory they are, and when it is the next one's turn.
//!
//! # Invariants
//!
//! - **Outlives its tables.** Memory for a table is freed when the last table in it is gone.

use std::panic;
use std::rc::Rc;
use std::sync::Once;

use miniss_core::op::{FixedOps, Memory, OpId, OpTable};

use super::model::Limits;
use super::world::{IS_QUIET, Script, World};

/// Lives through what the bytes say, whatever they are.
///
/// # Panics
///
/// If an operation is not treated as it should be.
pub fn live(bytes: &[u8]) {
    keep_answers_quiet();
    let script = Script::new(bytes);
    match script.next() & 3 {
        0 => live_on_the_heap(&script),
        1 => live_in_fixed_memory::<6, 5>(&script),
        // More than the first chunk of a pool.
        2 => live_in_fixed_memory::<40, 34>(&script),
        _ => live_in_fixed_memory::<2, 0>(&script),
    }
}

fn live_on_the_heap(script: &Rc<Script>) {
    let limits = Limits { slots: usize::MAX, parts: usize::MAX, boxes: true };
    while !script.has_ended() {
        live_in(OpTable::new(), limits, script, Vec::new());
    }
}

/// One table after the other in the same memory.
fn live_in_fixed_memory<const SLOTS: usize, const PARTS: usize>(script: &Rc<Script>) {
    let limits = Limits { slots: SLOTS, parts: PARTS, boxes: false };
    let ops = Box::into_raw(Box::new(FixedOps::<SLOTS, PARTS>::new()));
    let mut former_ids = Vec::new();
    while !script.has_ended() {
        // SAFETY: *Outlives its tables*: it is freed below.
        let table = OpTable::fixed(unsafe { &*ops }).expect("the former table gave it back");
        former_ids = live_in(table, limits, script, former_ids);
    }
    // SAFETY: *Outlives its tables*: the last one is gone, and it was a box.
    drop(unsafe { Box::from_raw(ops) });
}

/// Until the bytes end, or say that another table's turn has come. Gives the ids that there were.
fn live_in<M: Memory>(
    table: OpTable<M>,
    limits: Limits,
    script: &Rc<Script>,
    former_ids: Vec<OpId>,
) -> Vec<OpId> {
    let world = World::new(table, limits, script.clone(), former_ids);
    while !world.has_ended() {
        world.step();
    }
    world.finish()
}

/// Panics by which a table answers are not printed.
fn keep_answers_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                hook(info);
            }
        }));
    });
}
