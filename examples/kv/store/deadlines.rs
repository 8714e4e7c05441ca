//! Which entry of a dense row expires next.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! A binary heap of deadlines, and for every position of the row where its deadline is in the
//! heap. That second half makes the heap exact: a deadline that changes is moved, one that is
//! lifted is taken out. A key whose `EXPIRE` is renewed a million times holds one node, not a
//! million stale ones, and the root is always a real deadline.
//!
//! **Link invariant:** `nodes[place[p]].position == p` for every position `p` with a deadline,
//! and `place[p] == NONE` for every other.
#![forbid(unsafe_code)]

/// The place of a position without a deadline.
const NONE: u32 = u32::MAX;

/// Capacity below which the rows never bother to shrink.
const SHRINK_FLOOR: usize = 64;

/// The deadlines of a row of entries, in milliseconds.
#[derive(Debug, Default)]
pub struct Deadlines {
    /// A heap: no node's deadline is later than its children's.
    nodes: Vec<Node>,
    /// Where each position's node is; positions past the end have none.
    place: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    deadline_ms: u64,
    position: u32,
}

impl Deadlines {
    /// No deadlines and no memory.
    pub const fn new() -> Self {
        Self { nodes: Vec::new(), place: Vec::new() }
    }

    /// The earliest deadline and the position it belongs to.
    pub fn first(&self) -> Option<(u64, usize)> {
        self.nodes.first().map(|node| (node.deadline_ms, node.position as usize))
    }

    /// Gives the entry at `position` a deadline, or another one.
    pub fn set(&mut self, position: usize, deadline_ms: u64) {
        let node = Node { deadline_ms, position: position as u32 };
        if let Some(index) = self.index_of(position) {
            self.nodes[index] = node;
            self.settle(index);
            return;
        }
        if self.place.len() <= position {
            self.place.resize(position + 1, NONE);
        }
        self.nodes.push(node);
        self.rise(self.nodes.len() - 1);
    }

    /// Lifts the deadline of the entry at `position`, if it has one.
    pub fn clear(&mut self, position: usize) {
        let Some(index) = self.index_of(position) else { return };
        self.place[position] = NONE;
        self.nodes.swap_remove(index);
        if index < self.nodes.len() {
            self.settle(index);
        }
        if self.nodes.is_empty() {
            self.place = Vec::new();
        }
        shrink(&mut self.nodes);
    }

    /// The entry at `position` was removed and the one at `last` moved there.
    pub fn swap_removed(&mut self, position: usize, last: usize) {
        self.clear(position);
        if position != last
            && let Some(index) = self.index_of(last)
        {
            self.nodes[index].position = position as u32;
            self.place[position] = index as u32;
        }
        self.place.truncate(last);
        shrink(&mut self.place);
    }

    fn index_of(&self, position: usize) -> Option<usize> {
        self.place.get(position).filter(|index| **index != NONE).map(|index| *index as usize)
    }

    /// Puts the node at `index` where its deadline belongs.
    fn settle(&mut self, index: usize) {
        let index = self.rise(index);
        self.sink(index);
    }

    fn rise(&mut self, mut index: usize) -> usize {
        while index > 0 {
            let parent = (index - 1) / 2;
            if self.nodes[parent].deadline_ms <= self.nodes[index].deadline_ms {
                break;
            }
            self.nodes.swap(parent, index);
            self.link(index);
            index = parent;
        }
        self.link(index);
        index
    }

    fn sink(&mut self, mut index: usize) {
        loop {
            let children = 2 * index + 1..self.nodes.len().min(2 * index + 3);
            let Some(child) = children.min_by_key(|child| self.nodes[*child].deadline_ms) else {
                break;
            };
            if self.nodes[index].deadline_ms <= self.nodes[child].deadline_ms {
                break;
            }
            self.nodes.swap(index, child);
            self.link(index);
            index = child;
        }
        self.link(index);
    }

    /// Restores the link invariant for the node at `index`.
    fn link(&mut self, index: usize) {
        self.place[self.nodes[index].position as usize] = index as u32;
    }
}

/// Gives memory back once seven eighths of it lie empty; half of the rest stays for growth.
fn shrink<T>(row: &mut Vec<T>) {
    if row.capacity() > SHRINK_FLOOR && row.len() < row.capacity() / 8 {
        row.shrink_to(row.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_rows_shrink_as_deadlines_go() {
        let mut deadlines = Deadlines::new();
        (0..10_000).for_each(|position| deadlines.set(position, position as u64));
        for last in (1..10_000).rev() {
            deadlines.swap_removed(last / 2, last);
        }
        assert!(deadlines.nodes.capacity() <= 2 * SHRINK_FLOOR);
        assert!(deadlines.place.capacity() <= 2 * SHRINK_FLOOR);
    }

    fn check(deadlines: &Deadlines, model: &[Option<u64>]) {
        let expected = model.iter().flatten().min().copied();
        assert_eq!(deadlines.first().map(|(deadline, _)| deadline), expected);
        assert_eq!(deadlines.nodes.len(), model.iter().flatten().count());
        for (position, deadline) in model.iter().enumerate() {
            let index = deadlines.index_of(position);
            assert_eq!(index.map(|index| deadlines.nodes[index].deadline_ms), *deadline);
            assert!(index.is_none_or(|i| deadlines.nodes[i].position as usize == position));
        }
    }

    #[test]
    fn agrees_with_a_plain_row_of_deadlines() {
        for seed in 1..20_u64 {
            let mut random = seed;
            let mut next = |below: u64| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33) % below
            };
            let mut deadlines = Deadlines::new();
            let mut model: Vec<Option<u64>> = vec![None; 20];
            for _ in 0..300 {
                let position = next(model.len() as u64) as usize;
                match next(6) {
                    0 => model.push(None),
                    1 if model.len() > 1 => {
                        deadlines.swap_removed(position, model.len() - 1);
                        model.swap_remove(position);
                    }
                    2 => {
                        deadlines.clear(position);
                        model[position] = None;
                    }
                    _ => {
                        let deadline_ms = next(50);
                        deadlines.set(position, deadline_ms);
                        model[position] = Some(deadline_ms);
                    }
                }
                check(&deadlines, &model);
            }
        }
    }
}
