//! What a table should do: a naive table, which only remembers.
//!
//! Its methods are called before the real one's, or by the code of an operation that the real one
//! has called, and say what is to follow. They run no other code, so they are not interrupted.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use miniss_core::op::{Completion, InsertError, OpId};

/// How much room a table has; nothing says how much one from the heap has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) slots: usize,
    pub(super) parts: usize,
    /// Whether operations that do not fit a slot are taken.
    pub(super) boxes: bool,
}

/// When the code of an operation runs. Each operation calls back at some of these moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Settle = 1,
    SettleOrphan = 2,
    OrphanPart = 4,
    RefusePart = 8,
    Asked = 16,
    Drop = 32,
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The table did not take it, or has not yet.
    Outside,
    InFlight,
    /// In flight, and a part was refused.
    Overflowed,
    /// In flight, and its key is gone.
    Orphan,
    /// The terminal completion has come, and the operation has not been given it.
    Done,
    /// The operation has been given its terminal completion.
    Settled,
}

/// What is known of one operation.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) id: OpId,
    pub(super) stage: Stage,
    /// Whether its key can still be used.
    pub(super) has_key: bool,
    /// Whether the key was forgotten: the operation must stay where it is.
    pub(super) is_forgotten: bool,
    /// Its code runs, and has the operation borrowed.
    pub(super) is_inside: bool,
    pub(super) holds_slot: bool,
    pub(super) is_dropped: bool,
    /// Polls of the future that have begun and not ended.
    polls_open: u32,
    /// The last of them began inside of another, or another inside of it.
    was_nested: bool,
    /// The waker of the last poll that found nothing.
    pub(super) waits_with: Option<usize>,
    /// Parts that wait for the future.
    pub(super) parts: VecDeque<Completion>,
    /// A part that the operation's code must be given now.
    reported: Option<Completion>,
    /// The terminal completion, until the operation is given it.
    end: Option<Completion>,
}

impl Record {
    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self.stage, Stage::InFlight | Stage::Overflowed | Stage::Orphan)
    }
}

/// What is to follow a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Report {
    /// The table must refuse the call: code of the operation runs, and would have to run again.
    pub(super) is_refused: bool,
    /// The waker that must be woken.
    pub(super) wakes: Option<usize>,
}

const REFUSED: Report = Report { is_refused: true, wakes: None };
const SILENT: Report = Report { is_refused: false, wakes: None };

/// All operations of one table, and what it should have counted.
#[derive(Debug)]
pub(super) struct Model {
    limits: Limits,
    pub(super) records: Vec<Record>,
    /// The operations in the order in which a cancel was wanted. Those that have ended since stay
    /// until the table comes by.
    pub(super) cancels: VecDeque<usize>,
    pub(super) in_flight: usize,
    pub(super) stale: u64,
    pub(super) refused: u64,
}

impl Model {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            records: Vec::new(),
            cancels: VecDeque::new(),
            in_flight: 0,
            stale: 0,
            refused: 0,
        }
    }

    /// One of the operations that fit, chosen by a number.
    pub(super) fn choose(&self, number: u8, fits: impl Fn(&Record) -> bool) -> Option<usize> {
        let places: Vec<_> =
            (0..self.records.len()).filter(|at| fits(&self.records[*at])).collect();
        (!places.is_empty()).then(|| places[usize::from(number) % places.len()])
    }

    fn slots_in_use(&self) -> usize {
        let in_use = |at: &usize| self.records[*at].holds_slot || self.cancels.contains(at);
        (0..self.records.len()).filter(in_use).count()
    }

    fn parts_in_use(&self) -> usize {
        self.records.iter().map(|record| record.parts.len()).sum()
    }

    /// Why the table must refuse another operation.
    pub(super) fn refusal(&self, fits: bool) -> Option<InsertError> {
        if !fits && !self.limits.boxes {
            return Some(InsertError::TooLarge);
        }
        (self.slots_in_use() >= self.limits.slots).then_some(InsertError::NoRoom)
    }

    /// Makes a record of an operation that has not started.
    pub(super) fn announce(&mut self) -> usize {
        self.records.push(Record {
            id: OpId::from_bits(u64::MAX),
            stage: Stage::Outside,
            has_key: false,
            is_forgotten: false,
            is_inside: false,
            holds_slot: false,
            is_dropped: false,
            polls_open: 0,
            was_nested: false,
            waits_with: None,
            parts: VecDeque::new(),
            reported: None,
            end: None,
        });
        self.records.len() - 1
    }

    pub(super) fn start(&mut self, at: usize, id: OpId) {
        assert!(self.records.iter().all(|record| record.id != id), "an id was used twice");
        let record = &mut self.records[at];
        (record.id, record.stage) = (id, Stage::InFlight);
        (record.has_key, record.holds_slot) = (true, true);
        self.in_flight += 1;
    }

    /// The driver reports a part of an operation in flight.
    pub(super) fn part(&mut self, at: usize, part: Completion) -> Report {
        let has_room = self.parts_in_use() < self.limits.parts;
        let record = &mut self.records[at];
        match record.stage {
            Stage::InFlight if has_room => {
                record.parts.push_back(part);
                // It is kept, and the future is woken, even if the operation cannot be asked.
                Report { is_refused: record.is_inside, wakes: record.waits_with.take() }
            }
            _ if record.is_inside => REFUSED,
            Stage::Orphan => {
                record.reported = Some(part);
                SILENT
            }
            stage => {
                record.reported = Some(part);
                record.stage = Stage::Overflowed;
                self.refused += 1;
                if stage == Stage::InFlight {
                    self.want_cancel(at);
                }
                SILENT
            }
        }
    }

    /// The driver reports the terminal completion of an operation in flight.
    pub(super) fn end(&mut self, at: usize, end: Completion) -> Report {
        let record = &mut self.records[at];
        if record.stage == Stage::Orphan && record.is_inside {
            return REFUSED;
        }
        (record.stage, record.end) = (Stage::Done, Some(end));
        self.in_flight -= 1;
        Report { is_refused: false, wakes: record.waits_with.take() }
    }

    /// The key is given up; `true` if the operation is over.
    pub(super) fn orphan(&mut self, at: usize) -> bool {
        let record = &mut self.records[at];
        (record.has_key, record.waits_with) = (false, None);
        let is_over = record.stage == Stage::Done;
        if !is_over {
            record.stage = Stage::Orphan;
            self.want_cancel(at);
        }
        is_over
    }

    /// Notes that a cancel is wanted, unless the operation is over.
    pub(super) fn want_cancel(&mut self, at: usize) {
        if self.records[at].is_in_flight() {
            self.list_cancel(at);
        }
    }

    /// As [`want_cancel`](Self::want_cancel), even if it has just come to its end.
    pub(super) fn list_cancel(&mut self, at: usize) {
        if !self.cancels.contains(&at) {
            self.cancels.push_back(at);
        }
    }

    /// The operation that a cancel must be offered of.
    pub(super) fn next_cancel(&mut self) -> Option<OpId> {
        let mut wanted = core::iter::from_fn(|| self.cancels.pop_front());
        let at = wanted.find(|at| self.records[*at].is_in_flight())?;
        Some(self.records[at].id)
    }

    /// A poll of the future begins.
    pub(super) fn start_poll(&mut self, at: usize) {
        let record = &mut self.records[at];
        if !record.is_inside {
            record.waits_with = None;
        }
        record.polls_open += 1;
        record.was_nested = record.polls_open > 1;
    }

    /// It is over.
    pub(super) fn end_poll(&mut self, at: usize) {
        self.records[at].polls_open -= 1;
    }

    /// It has found nothing, and the future waits. If the future was polled again from inside of
    /// this poll, no one says which of the wakers counts.
    pub(super) fn wait(&mut self, at: usize, waker: usize, takes_parts: bool) {
        let record = &mut self.records[at];
        if record.has_key {
            assert!(record.is_in_flight(), "the end was overlooked");
            assert!(!takes_parts || record.parts.is_empty(), "a part was overlooked");
            record.waits_with = (!record.was_nested).then_some(waker);
        }
    }

    /// The future collects a part.
    pub(super) fn collect_part(&mut self, at: usize, part: Completion) {
        let record = &mut self.records[at];
        assert!(record.has_key, "a part without a key");
        assert_eq!(record.parts.pop_front(), Some(part), "the parts are out of order");
    }

    /// The operation is given a part, by the function of this moment, if that is known.
    pub(super) fn give_part(&mut self, at: usize, part: Completion, moment: Option<Moment>) {
        let record = &mut self.records[at];
        assert!(!record.is_dropped && !record.is_inside, "its code runs, or ran to the end");
        match moment {
            Some(Moment::RefusePart) => assert!(record.stage == Stage::Overflowed, "it has room"),
            Some(_) => assert!(record.stage != Stage::Overflowed, "it is not an orphan"),
            None => {}
        }
        let wanted = match record.reported.take() {
            Some(reported) => Some(reported),
            None if matches!(record.stage, Stage::Orphan | Stage::Done) => record.parts.pop_front(),
            None => None,
        };
        assert_eq!(wanted, Some(part), "a part that is not the operation's");
    }

    /// The operation is asked whether it has enough.
    pub(super) fn ask(&mut self, at: usize, part: Completion, waiting: u32) {
        let record = &self.records[at];
        assert!(!record.is_inside && record.stage == Stage::InFlight);
        assert_eq!((record.parts.back(), record.parts.len()), (Some(&part), waiting as usize));
    }

    /// The operation is given its end. If it has its key, that is spent and the slot is free; else
    /// the slot is free when the operation is [dropped](Self::drop).
    pub(super) fn settle(&mut self, at: usize, end: Completion, moment: Option<Moment>) {
        let record = &mut self.records[at];
        if let Some(moment) = moment {
            assert_eq!(record.has_key, moment == Moment::Settle, "the wrong function");
        }
        assert_eq!(record.stage, Stage::Done, "settled before the terminal completion");
        assert_eq!(record.end.take(), Some(end), "settled with another completion");
        assert!(record.parts.is_empty(), "settled before its parts");
        record.stage = Stage::Settled;
        record.holds_slot &= !record.has_key;
        record.has_key = false;
    }

    /// The operation is being dropped.
    pub(super) fn drop(&mut self, at: usize) {
        let record = &mut self.records[at];
        assert!(!record.is_dropped, "dropped twice");
        let is_over = matches!(record.stage, Stage::Settled | Stage::Outside);
        assert!(is_over, "dropped before it was given its terminal completion");
        assert!(record.reported.is_none() && record.parts.is_empty());
        record.is_dropped = true;
    }

    /// What an operation has been called for has been done: nothing of it is left to do.
    pub(super) fn assert_given(&self, at: usize) {
        assert_eq!(self.records[at].reported, None, "the operation was not given a part");
    }
}
