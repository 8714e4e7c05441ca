//! A random life of a table, against a model that only remembers.

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
    orphan_parts: Vec<i32>,
    end: Option<i32>,
    spent: bool,
}

#[derive(Default)]
struct Model {
    table: OpTable,
    ops: Vec<Op>,
    /// Places in `ops`, in the order in which a cancel was wanted.
    cancels: VecDeque<usize>,
    next: i32,
    stale: u64,
}

impl Model {
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
        let key = match large {
            true => Key::Large(self.table.insert(Large::new(&log))),
            false => Key::Small(self.table.insert(Small::new(&log))),
        };
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
        let op = &mut self.ops[at];
        match op.key {
            Some(_) => op.parts.push_back(number),
            None => op.orphan_parts.push(number),
        }
        self.table.complete(op.id, done(number), true);
    }

    fn end(&mut self, at: usize) {
        let number = self.number();
        let op = &mut self.ops[at];
        op.end = Some(number);
        op.spent = op.key.is_none();
        self.table.complete(op.id, done(number), false);
        self.cancels.retain(|wanted| *wanted != at);
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
        let wanted = self.cancels.pop_front().map(|at| self.ops[at].id);
        assert_eq!(self.table.next_cancel(), wanted);
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
        for op in &self.ops {
            assert_eq!(op.log.dropped.get(), usize::from(op.spent), "of {:?}", op.id);
            assert_eq!(*op.log.orphan_parts.borrow(), op.orphan_parts);
        }
    }
}

fn number_of<T>(part: Part<(i32, T)>) -> (i32, bool) {
    match part {
        Part::More(completion) => (completion.result, false),
        Part::End((result, _)) => (result, true),
    }
}

proptest! {
    #[test]
    fn a_table_does_what_a_naive_one_would_do(steps in steps()) {
        let mut model = Model::default();
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
}
