//! One table, and all who do with it what the bytes say; how they call it, and what must hold then.

#![forbid(unsafe_code)]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::thread;

use miniss_core::op::{Completion, Memory, OpId, OpTable};

use super::model::{Limits, Model, Record};
use super::operation::{Key, Own, Places};
use super::waker::{self, Hook};

/// How deep code that is called back may be inside of code that was called back.
const DEPTH_MAX: u32 = 3;

/// What is still to be done, in bytes.
pub(super) struct Script {
    bytes: Vec<u8>,
    at: Cell<usize>,
}

impl Script {
    pub(super) fn new(bytes: &[u8]) -> Rc<Self> {
        Rc::new(Self { bytes: bytes.to_vec(), at: Cell::new(0) })
    }

    /// The next byte; zeros when there are no more.
    pub(super) fn next(&self) -> u8 {
        let at = self.at.replace(self.at.get() + 1);
        self.bytes.get(at).copied().unwrap_or(0)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.at.get() >= self.bytes.len()
    }
}

/// What the model does not know of an operation.
pub(super) struct Op<M: Memory> {
    pub(super) key: Option<Rc<dyn Key<M>>>,
    /// [Moments](Moment) when it calls back.
    pub(super) moments: u8,
    /// How many parts may wait before it wants a cancel.
    pub(super) parts_max: u32,
    pub(super) places: Places,
    /// What the kernel wrote to them last.
    pub(super) written: u8,
}

/// How a call of the table went.
pub(super) enum Called<T> {
    Returned(T),
    /// Code that it called unwound, as planned.
    Unwound,
    Refused,
}

/// Whether the table must refuse a call by a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Never,
    Must,
    /// It depends on what is called back.
    May,
}

impl Refusal {
    pub(super) fn must_if(is_refused: bool) -> Self {
        if is_refused { Self::Must } else { Self::Never }
    }
}

/// What code that is called back unwinds with.
struct Planned;

thread_local! {
    /// Whether a panic is no more than an answer of the table.
    pub(super) static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// A table and all who use it.
pub(super) struct World<M: Memory> {
    pub(super) table: OpTable<M>,
    pub(super) limits: Limits,
    pub(super) model: RefCell<Model>,
    pub(super) ops: RefCell<Vec<Op<M>>>,
    pub(super) hooks: Vec<Rc<Hook>>,
    pub(super) script: Rc<Script>,
    /// Ids that a table in the same memory gave to its operations.
    pub(super) former_ids: Vec<OpId>,
    depth: Cell<u32>,
    number: Cell<u32>,
    /// Code that was called back unwinds.
    unwinds: Cell<bool>,
    has_failed: Cell<bool>,
    gives_way: Cell<bool>,
    tells: bool,
}

impl<M: Memory> World<M> {
    pub(super) fn new(
        table: OpTable<M>,
        limits: Limits,
        script: Rc<Script>,
        former_ids: Vec<OpId>,
    ) -> Rc<Self> {
        Rc::new_cyclic(|world: &std::rc::Weak<Self>| {
            let hook = |moments| {
                let world = world.clone();
                Hook::new(moments, move || world.upgrade().expect("the world is there").act())
            };
            let hooks = vec![
                hook(0),
                hook(waker::WAKE),
                hook(waker::CLONE | waker::DROP),
                hook(waker::CLONE | waker::WAKE | waker::DROP),
            ];
            Self {
                table,
                limits,
                model: RefCell::new(Model::new(limits)),
                ops: RefCell::default(),
                hooks,
                script,
                former_ids,
                depth: Cell::new(0),
                number: Cell::new(0),
                unwinds: Cell::new(false),
                has_failed: Cell::new(false),
                gives_way: Cell::new(false),
                tells: std::env::var_os("MINISS_TELL").is_some(),
            }
        })
    }

    /// Whether the bytes have ended, or another table's turn has come.
    pub(super) fn has_ended(&self) -> bool {
        self.script.has_ended() || self.gives_way.get()
    }

    /// Does what the next bytes say.
    pub(super) fn step(self: &Rc<Self>) {
        let (what, number) = (self.script.next(), self.script.next());
        let has_key = |record: &Record| record.has_key && !record.is_forgotten;
        match what % 16 {
            0..=2 => self.insert(number),
            3 | 4 => self.at("part", number, Record::is_in_flight, Self::part),
            5 | 6 => self.at("end", number, Record::is_in_flight, Self::end),
            7 => self.at("poll", number, has_key, |world, at| world.poll(at, number)),
            8 | 9 => self.at("poll_part", number, has_key, |world, at| world.poll_part(at, number)),
            10 => self.at("orphan", number, has_key, Self::orphan),
            11 => self.at("cancel", number, has_key, Self::cancel),
            12 => self.next_cancel(),
            13 => self.at("with_op", number, has_key, Self::with_op),
            14 => self.stray(number),
            _ if what == 31 => self.gives_way.set(true),
            _ if what == 15 => self.at("forget", number, has_key, Self::forget),
            _ => self.at("write", number, Record::is_in_flight, Self::write),
        }
        if self.depth.get() == 0 {
            self.check();
        }
    }

    /// Prints a line, for someone who replays a life and wants to read it.
    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{:1$}{2}", "", 4 * self.depth.get() as usize, what());
        }
    }

    /// Does something with one of the operations that fit, if there is one.
    fn at(
        self: &Rc<Self>,
        what: &str,
        number: u8,
        fits: impl Fn(&Record) -> bool,
        act: impl FnOnce(&Rc<Self>, usize),
    ) {
        let at = self.model.borrow().choose(number & 63, fits);
        if let Some(at) = at {
            self.tell(|| format!("{what} {at}"));
            act(self, at);
        }
    }

    /// What code does that is called back: some steps, and perhaps it unwinds.
    pub(super) fn act(self: &Rc<Self>) {
        if self.depth.get() == DEPTH_MAX || self.script.has_ended() {
            return;
        }
        let what = self.script.next();
        self.depth.set(self.depth.get() + 1);
        (0..what & 3).for_each(|_| self.step());
        self.depth.set(self.depth.get() - 1);
        // A second panic while one unwinds would end the program.
        if what & 12 == 12 && !thread::panicking() {
            self.unwinds.set(true);
            resume_unwind(Box::new(Planned));
        }
    }

    /// Fails the test, wherever this is.
    #[track_caller]
    pub(super) fn fail(&self, what: &str) -> ! {
        self.has_failed.set(true);
        IS_QUIET.set(false);
        panic!("{what}");
    }

    /// Asks the model, all of whose panics are failures.
    pub(super) fn model<T>(&self, f: impl FnOnce(&mut Model) -> T) -> T {
        let is_quiet = IS_QUIET.replace(false);
        let outer = self.has_failed.replace(true);
        let answer = f(&mut self.model.borrow_mut());
        self.has_failed.set(outer);
        IS_QUIET.set(is_quiet);
        answer
    }

    /// Calls the table, and sees whether it refuses the call as it must.
    #[track_caller]
    pub(super) fn call<T>(&self, refusal: Refusal, f: impl FnOnce() -> T) -> Called<T> {
        let outer = self.unwinds.replace(false);
        let was_quiet = IS_QUIET.replace(true);
        let result = catch_unwind(AssertUnwindSafe(f));
        IS_QUIET.set(was_quiet);
        let unwinds = self.unwinds.replace(outer);
        match (result, refusal) {
            (Err(payload), _) if self.has_failed.get() => resume_unwind(payload),
            (Ok(value), Refusal::Never | Refusal::May) if !unwinds => Called::Returned(value),
            (Err(payload), _) if unwinds && payload.is::<Planned>() => Called::Unwound,
            (Err(payload), Refusal::Must | Refusal::May)
                if !unwinds && is_refusal(payload.as_ref()) =>
            {
                Called::Refused
            }
            (Ok(_), _) => self.fail(&format!("it returned; refusal: {refusal:?}")),
            (Err(payload), _) => {
                let text = text_of(payload.as_ref());
                self.fail(&format!("a panic: {text}; refusal: {refusal:?}, planned: {unwinds}"))
            }
        }
    }

    pub(super) fn completion(&self) -> Completion {
        let number = self.number.get() + 1;
        self.number.set(number);
        // Some of them are an error: ECANCELED.
        let result = if number.is_multiple_of(3) { -125 } else { number as i32 };
        Completion { result, flags: number }
    }
}

/// What must hold.
impl<M: Memory> World<M> {
    fn check(&self) {
        let model = self.model.borrow();
        let wanted = (model.in_flight, model.stale, model.refused, !model.cancels.is_empty());
        let table = &self.table;
        let found = (table.in_flight(), table.stale(), table.parts_refused(), table.wants_cancel());
        if found != wanted {
            self.fail(&format!("the table counts {found:?} instead of {wanted:?}"));
        }
    }

    /// Lets all operations end, and sees that nothing is left. Gives the ids that there were.
    pub(super) fn finish(self: Rc<Self>) -> Vec<OpId> {
        // No one calls back any more.
        self.depth.set(DEPTH_MAX);
        let takes_cancels = self.number.get().is_multiple_of(2);
        while let Some(at) = self.any(|record| record.has_key && !record.is_forgotten) {
            self.orphan(at);
        }
        while takes_cancels && self.table.wants_cancel() {
            self.next_cancel();
        }
        while let Some(at) = self.any(|record| record.is_in_flight()) {
            self.end(at);
        }
        while let Some(at) = self.any(|record| record.has_key) {
            if self.model.borrow().records[at].is_dropped {
                self.fail("what was forgotten is gone");
            }
            self.orphan(at);
        }
        self.check();
        self.fill(takes_cancels);
        self.assert_gone();
        let ids = self.model.borrow().records.iter().map(|record| record.id).collect();
        let table = Rc::into_inner(self).expect("the payloads are gone").table;
        drop(table);
        ids
    }

    fn any(&self, fits: impl Fn(&Record) -> bool) -> Option<usize> {
        self.model.borrow().choose(0, fits)
    }

    /// No slot and no room for a part is lost: as many are there as there were.
    fn fill(self: &Rc<Self>, takes_cancels: bool) {
        if self.limits.boxes || !takes_cancels {
            return;
        }
        let first = self.model.borrow().records.len();
        (0..=self.limits.slots).for_each(|_| self.insert_as::<Own<M, 8>>(0));
        if self.model.borrow().in_flight > 0 {
            (0..=self.limits.parts).for_each(|_| self.part(first));
        }
        while let Some(at) = self.any(|record| record.has_key) {
            self.orphan(at);
            self.end(at);
            self.next_cancel();
        }
        self.check();
    }

    fn assert_gone(&self) {
        let model = self.model.borrow();
        let is_left = |record: &&Record| !record.is_dropped || !record.parts.is_empty();
        if let Some(record) = model.records.iter().find(is_left) {
            self.fail(&format!("an operation is left: {record:?}"));
        }
        if self.hooks.iter().any(|hook| Rc::strong_count(hook) != 1) {
            self.fail("a waker is left, or one was dropped twice");
        }
    }
}

/// Whether a panic is one by which a table answers, as its pages say.
fn is_refusal(payload: &dyn Any) -> bool {
    let text = text_of(payload);
    text.contains("must not be touched from inside of it") || text.contains("the key is spent")
}

fn text_of(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("of another kind")
}
