//! Completions of multishot operations that wait to be collected.
//!
//! `kernel ─▶ completion ─▶ [events] ─▶ op ─▶ waker ─▶ user future`
//!
//! One pool of nodes serves all slots of a table, so an idle slot holds none and a busy one
//! allocates nothing once the pool has grown to what the busiest moment needed.

#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use super::slot::{Completion, NONE};

/// A slot's FIFO: head and tail in the pool.
pub(super) struct Events {
    head: Cell<u32>,
    tail: Cell<u32>,
}

impl Events {
    pub(super) fn new() -> Self {
        Self { head: Cell::new(NONE), tail: Cell::new(NONE) }
    }
}

struct Node {
    completion: Completion,
    next: u32,
}

/// The nodes of all FIFOs of a table.
pub(super) struct EventPool {
    nodes: RefCell<Vec<Node>>,
    free: Cell<u32>,
}

impl EventPool {
    pub(super) const fn new() -> Self {
        Self { nodes: RefCell::new(Vec::new()), free: Cell::new(NONE) }
    }

    /// How many nodes there are, in use or not.
    #[cfg(all(test, not(loom)))]
    pub(super) fn node_count(&self) -> usize {
        self.nodes.borrow().len()
    }

    /// Puts a completion at the back of `events`.
    pub(super) fn push(&self, events: &Events, completion: Completion) {
        let mut nodes = self.nodes.borrow_mut();
        let index = match self.free.get() {
            NONE => {
                nodes.push(Node { completion, next: NONE });
                (nodes.len() - 1) as u32
            }
            index => {
                let node = &mut nodes[index as usize];
                self.free.set(node.next);
                *node = Node { completion, next: NONE };
                index
            }
        };
        match events.tail.replace(index) {
            NONE => events.head.set(index),
            tail => nodes[tail as usize].next = index,
        }
    }

    /// Takes the completion at the front of `events`.
    pub(super) fn pop(&self, events: &Events) -> Option<Completion> {
        let index = events.head.get();
        if index == NONE {
            return None;
        }
        let mut nodes = self.nodes.borrow_mut();
        let node = &mut nodes[index as usize];
        events.head.set(node.next);
        if node.next == NONE {
            events.tail.set(NONE);
        }
        node.next = self.free.replace(index);
        Some(node.completion)
    }
}
