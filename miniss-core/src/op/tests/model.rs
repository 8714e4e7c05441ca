//! A random life of a table, against a model that only remembers: from the heap, in roomy fixed
//! memory, and in so little of it that it is full most of the time.

use std::collections::VecDeque;
use std::vec;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    Insert {
        large: bool,
    },
    /// The numbers choose among what is there.
    Part(usize),
    End(usize),
    Poll(usize),
    PollPart(usize),
    Orphan(usize),
    Cancel(usize),
    NextCancel,
    Stray(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<bool>().prop_map(|large| Step::Insert { large }),
        2 => any::<usize>().prop_map(Step::Part),
        3 => any::<usize>().prop_map(Step::End),
        2 => any::<usize>().prop_map(Step::Poll),
        2 => any::<usize>().prop_map(Step::PollPart),
        2 => any::<usize>().prop_map(Step::Orphan),
        1 => any::<usize>().prop_map(Step::Cancel),
        2 => Just(Step::NextCancel),
        1 => any::<u64>().prop_map(Step::Stray),
    ];
    proptest::collection::vec(step, 0..400)
}

enum Key {
    Small(OpKey<Small>),
    Large(OpKey<Large>),
}

/// What is known of one operation.
struct Op {
    id: OpId,
    log: Rc<Log>,
    key: Option<Key>,
    parts: VecDeque<i32>,
    overflowed: bool,
    orphan_parts: Vec<i32>,
    end: Option<i32>,
    spent: bool,
}

struct Model<M: Port> {
    table: OpTable<M>,
    /// How many slots and parts there are, and whether operations are boxed.
    slots: usize,
    parts: usize,
    boxes: bool,
    ops: Vec<Op>,
    /// Places in `ops`, in the order in which a cancel was wanted. Those that have ended since stay
    /// until the table comes by.
    cancels: VecDeque<usize>,
    next: i32,
    stale: u64,
    refused: u64,
}

impl<M: Port> Model<M> {
    fn new(table: OpTable<M>, slots: Option<usize>, parts: Option<usize>) -> Self {
        Self {
            table,
            slots: slots.unwrap_or(usize::MAX),
            parts: parts.unwrap_or(usize::MAX),
            boxes: slots.is_none(),
            ops: vec![],
            cancels: VecDeque::new(),
            next: 0,
            stale: 0,
            refused: 0,
        }
    }

    fn slots_in_use(&self) -> usize {
        let in_use = |at: &usize| !self.ops[*at].spent || self.cancels.contains(at);
        (0..self.ops.len()).filter(in_use).count()
    }

    fn parts_in_use(&self) -> usize {
        self.ops.iter().map(|op| op.parts.len()).sum()
    }

    /// Why the table would refuse an operation.
    fn refusal(&self, large: bool) -> Option<InsertError> {
        if large && !self.boxes {
            return Some(InsertError::TooLarge);
        }
        (self.slots_in_use() == self.slots).then_some(InsertError::NoRoom)
    }

    fn choose(&self, choice: usize, fits: impl Fn(&Op) -> bool) -> Option<usize> {
        let places: Vec<_> = (0..self.ops.len()).filter(|at| fits(&self.ops[*at])).collect();
        (!places.is_empty()).then(|| places[choice % places.len()])
    }

    fn step(&mut self, step: Step) {
        let has_key = |op: &Op| op.key.is_some();
        let runs = |op: &Op| op.end.is_none();
        match step {
            Step::Insert { large } => self.insert(large),
            Step::Part(n) => self.choose(n, runs).into_iter().for_each(|at| self.part(at)),
            Step::End(n) => self.choose(n, runs).into_iter().for_each(|at| self.end(at)),
            Step::Poll(n) => self.choose(n, has_key).into_iter().for_each(|at| self.poll(at)),
            Step::PollPart(n) => {
                self.choose(n, has_key).into_iter().for_each(|at| self.poll_part(at));
            }
            Step::Orphan(n) => self.choose(n, has_key).into_iter().for_each(|at| self.orphan(at)),
            Step::Cancel(n) => self.choose(n, has_key).into_iter().for_each(|at| self.cancel(at)),
            Step::NextCancel => self.next_cancel(),
            Step::Stray(bits) => self.stray(OpId::from_bits(bits)),
        }
    }

    fn insert(&mut self, large: bool) {
        let log = Rc::<Log>::default();
        let refusal = self.refusal(large);
        let key = match large {
            true => checked(self.table.try_insert(Large::new(&log)), refusal).map(Key::Large),
            false => checked(self.table.try_insert(Small::new(&log)), refusal).map(Key::Small),
        };
        let Some(key) = key else { return };
        let id = match &key {
            Key::Small(key) => key.id(),
            Key::Large(key) => key.id(),
        };
        assert!(self.ops.iter().all(|op| op.id != id), "an id was used twice");
        self.ops.push(Op {
            id,
            log,
            key: Some(key),
            parts: VecDeque::new(),
            overflowed: false,
            orphan_parts: vec![],
            end: None,
            spent: false,
        });
    }

    fn number(&mut self) -> i32 {
        self.next += 1;
        self.next
    }

    fn part(&mut self, at: usize) {
        let number = self.number();
        let has_room = self.parts_in_use() < self.parts;
        let op = &mut self.ops[at];
        let is_first = !op.overflowed;
        op.overflowed |= op.key.is_some() && !has_room;
        match op.key {
            Some(_) if !op.overflowed => op.parts.push_back(number),
            Some(_) => {
                op.orphan_parts.push(number);
                self.refused += 1;
            }
            None => op.orphan_parts.push(number),
        }
        let wants_cancel = op.key.is_some() && op.overflowed && is_first;
        self.table.complete(op.id, done(number), true);
        if wants_cancel {
            self.want_cancel(at);
        }
    }

    fn end(&mut self, at: usize) {
        let number = self.number();
        let op = &mut self.ops[at];
        op.end = Some(number);
        op.spent = op.key.is_none();
        self.table.complete(op.id, done(number), false);
    }

    fn poll(&mut self, at: usize) {
        let op = &mut self.ops[at];
        let output = match op.key.as_ref().unwrap() {
            Key::Small(key) => poll(&self.table, key).map(|output| output.0),
            Key::Large(key) => poll(&self.table, key).map(|output| output.0),
        };
        match op.end {
            None => assert!(output.is_pending()),
            Some(end) => {
                assert_eq!(output, Poll::Ready(end));
                op.orphan_parts.extend(op.parts.drain(..));
                (op.key, op.spent) = (None, true);
            }
        }
    }

    fn poll_part(&mut self, at: usize) {
        let op = &mut self.ops[at];
        let part = match op.key.as_ref().unwrap() {
            Key::Small(key) => poll_part(&self.table, key).map(number_of),
            Key::Large(key) => poll_part(&self.table, key).map(number_of),
        };
        match (op.parts.pop_front(), op.end) {
            (Some(part_wanted), _) => assert_eq!(part, Poll::Ready((part_wanted, false))),
            (None, None) => assert!(part.is_pending()),
            (None, Some(end)) => {
                assert_eq!(part, Poll::Ready((end, true)));
                (op.key, op.spent) = (None, true);
            }
        }
    }

    fn orphan(&mut self, at: usize) {
        let op = &mut self.ops[at];
        match op.key.take().unwrap() {
            Key::Small(key) => self.table.orphan(key),
            Key::Large(key) => self.table.orphan(key),
        }
        op.orphan_parts.extend(op.parts.drain(..));
        op.spent = op.end.is_some();
        self.want_cancel(at);
    }

    fn cancel(&mut self, at: usize) {
        match self.ops[at].key.as_ref().unwrap() {
            Key::Small(key) => self.table.cancel(key),
            Key::Large(key) => self.table.cancel(key),
        }
        self.want_cancel(at);
    }

    fn want_cancel(&mut self, at: usize) {
        if self.ops[at].end.is_none() && !self.cancels.contains(&at) {
            self.cancels.push_back(at);
        }
    }

    fn next_cancel(&mut self) {
        assert_eq!(self.table.wants_cancel(), !self.cancels.is_empty());
        let mut cancels = core::iter::from_fn(|| self.cancels.pop_front());
        let wanted = cancels.find(|at| self.ops[*at].end.is_none());
        assert_eq!(self.table.next_cancel(), wanted.map(|at| self.ops[at].id));
    }

    fn stray(&mut self, id: OpId) {
        if self.ops.iter().all(|op| op.id != id || op.end.is_some()) {
            self.table.complete(id, done(-1), false);
            self.stale += 1;
        }
    }

    fn check(&self) {
        let in_flight = self.ops.iter().filter(|op| op.end.is_none()).count();
        assert_eq!((self.table.in_flight(), self.table.stale()), (in_flight, self.stale));
        assert_eq!(self.table.parts_refused(), self.refused);
        for op in &self.ops {
            assert_eq!(op.log.dropped.get(), usize::from(op.spent), "of {:?}", op.id);
            assert_eq!(*op.log.orphan_parts.borrow(), op.orphan_parts);
        }
    }
}

/// The key, or nothing if the operation came back as it was to.
fn checked<const N: usize>(
    inserted: Result<OpKey<Traced<N>>, Refused<Traced<N>, InsertError>>,
    refusal: Option<InsertError>,
) -> Option<OpKey<Traced<N>>> {
    match inserted {
        Ok(key) => {
            assert_eq!(refusal, None);
            Some(key)
        }
        Err(Refused { value: op, reason }) => {
            assert_eq!(Some(reason), refusal);
            assert_eq!(op.log.dropped.get(), 0, "it is still ours");
            None
        }
    }
}

fn number_of<T>(part: Part<(i32, T)>) -> (i32, bool) {
    match part {
        Part::More(completion) => (completion.result, false),
        Part::End((result, _)) => (result, true),
    }
}

/// Lives through the steps, and then lets all operations end.
fn live<M: Port>(mut model: Model<M>, steps: Vec<Step>) {
    for step in steps {
        model.step(step);
        model.check();
    }
    while let Some(at) = model.choose(0, |op| op.key.is_some()) {
        model.orphan(at);
    }
    while let Some(at) = model.choose(0, |op| op.end.is_none()) {
        model.end(at);
    }
    while model.table.wants_cancel() {
        model.next_cancel();
    }
    model.check();
    assert!(model.ops.iter().all(|op| op.spent));
}

proptest! {
    #[test]
    fn a_table_from_the_heap_does_what_a_naive_one_would_do(steps in steps()) {
        live(Model::new(Heap::table(), Heap::SLOTS, Heap::PARTS), steps);
    }

    #[test]
    fn a_fixed_table_does_what_a_naive_one_would_do(steps in steps()) {
        live(Model::new(Fixed::table(), Fixed::SLOTS, Fixed::PARTS), steps);
    }

    /// Each time in the memory of the former one.
    #[test]
    fn a_small_table_does_what_a_naive_one_would_do(steps in steps()) {
        static OPS: FixedOps<6, 5> = FixedOps::new();
        // A case that fails leaves operations there; the next one takes other memory.
        let table = OpTable::fixed(&OPS);
        let other = || crate::kept::forever(FixedOps::<6, 5>::new());
        let table = table.or_else(|_| OpTable::fixed(other()));
        live(Model::new(table.unwrap(), Some(6), Some(5)), steps);
    }
}
