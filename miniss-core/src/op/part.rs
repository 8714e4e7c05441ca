//! Completions of multishot operations that wait to be collected.
//!
//! One pool of nodes serves all slots of a table, so an idle slot holds none and a busy one
//! allocates nothing once the pool has grown to what the busiest moment needed.

#![forbid(unsafe_code)]

use core::cell::Cell;

use super::pool::{Element, NONE, Pool};
use super::slot::Completion;

/// A slot's FIFO: head and tail in the pool.
pub(super) struct Parts {
    head: Cell<u32>,
    tail: Cell<u32>,
    len: Cell<u32>,
}

/// One completion in a FIFO, or none.
pub struct Node {
    completion: Cell<Completion>,
    next: Cell<u32>,
}

const _: () = assert!(size_of::<Node>() == 12, "documented at `FixedOps`");

impl Element for Node {
    fn free() -> Self {
        let completion = Completion { result: 0, flags: 0 };
        Self { completion: Cell::new(completion), next: Cell::new(NONE) }
    }

    fn next(&self) -> &Cell<u32> {
        &self.next
    }
}

impl Parts {
    pub(super) fn new() -> Self {
        Self { head: Cell::new(NONE), tail: Cell::new(NONE), len: Cell::new(0) }
    }

    /// Puts a completion at the back, in a node that has just been taken from the pool.
    #[inline]
    pub(super) fn push(&self, pool: &Pool<Node>, (index, node): (u32, &Node), part: Completion) {
        node.completion.set(part);
        self.len.set(self.len.get() + 1);
        match self.tail.replace(index) {
            NONE => self.head.set(index),
            tail => pool.at(tail).expect("listed nodes are in the pool").next.set(index),
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> u32 {
        self.len.get()
    }

    /// Takes the completion at the front.
    #[inline]
    pub(super) fn pop(&self, pool: &Pool<Node>) -> Option<Completion> {
        let len = self.len.get().checked_sub(1)?;
        let index = self.head.get();
        let node = pool.at(index).expect("listed nodes are in the pool");
        self.len.set(len);
        let next = node.next.get();
        self.head.set(next);
        if next == NONE {
            self.tail.set(NONE);
        }
        pool.put(index, node);
        Some(node.completion.get())
    }
}
