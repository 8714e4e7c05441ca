//! One connection's requests between being parsed and being answered in order.
//!
//! `socket ─▶ parser ─▶ [route ─▶ batch] ─▶ store ─▶ [reply] ─▶ socket`
//!
//! A *round* is what a connection handles at once: the requests it has received so far. Each goes
//! where it belongs the moment it is parsed: it runs here, or it joins the batch for its shard.
//! When nothing more is to be parsed the batches go out, one crossing for each shard however many
//! requests there are, and the replies are put together as they come back:
//!
//! ```text
//! for each parsed request:   round.request(&mut context, &args)     until that says to wait
//! while round.is_waiting():  send every batch from take_batch, put_batch what returns
//!                            round.drain(out)                        and write `out`
//! ```
//!
//! **Order of replies.** As long as every request ran here, replies are written straight to the
//! output. From the first one that did not, replies go to `held` and each missing one is a
//! *gap*: an offset in `held` and where the reply will come from. Each batch answers in order, so
//! a gap need not say which of a shard's replies it is: it is the next one.
//!
//! **Order of effects.** No request runs before every earlier one of its connection has been
//! handed to its shard with room to run, whether or not the client reads its replies. So a shard
//! that looks at one key after another never sees a later write without an earlier one that had to
//! wait. Three rules see to it:
//!
//! * Nothing is waited for between the first request of a round and the hand-over of its batches.
//!   What runs here meanwhile is seen by none before that: the shard does nothing else.
//! * Before it takes the first request for another shard, its connection has a
//!   [permit](crate::connection) for a call there. There are so few that a lane between two shards
//!   never fills: what is handed over is there at once.
//! * Before a *large* request, whose reply may have any size, a batch runs to its end, whatever is
//!   unread. Behind one it may stop until the client has read. So after a large request for
//!   another shard the round takes only requests for the same one; and a large one for several
//!   shards is alone.
//!
//! A request about all keys that pauses, to give others a turn, is large and so alone.
//!
//! **Memory.** A round is full at a bound of requests, of request bytes and of reply bytes. What
//! it needs while replies are missing it takes from a stock of its shard and gives back, so that
//! an idle connection has none of it. What replies take is [charged](crate::budget).
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use crate::batch::{Batch, REPLY_BYTES_MAX, Whole, recycle};
use crate::budget::Budget;
use crate::command::call::end_reply;
use crate::command::info::{self, Sections};
use crate::command::table::{Run, common_shard, cursor_shard};
use crate::command::{Call, Command, Fault, Merge, Pace, Reach, Talk, modes, scan};
use crate::merge;
use crate::resp::{Args, Output, Part, Proto, reply};
use crate::server::Server;
use crate::session::Session;
use crate::store::Store;
use crate::store::hashing::shard_of;

/// Replies of other shards that a round waits for at most: each up to a long string, they are
/// [`REPLY_BYTES_MAX`] a few times over.
const REPLIES_MAX: usize = 256;
/// Bytes of an empty round's buffer that are kept.
const BYTES_KEPT: usize = 2 << 10;
/// Entries of its rows that are kept.
const ENTRIES_KEPT: usize = 64;
/// Bytes of a request for every shard from which on it is shared instead of copied.
const WHOLE_BYTES_MIN: usize = 1 << 10;
/// Bytes that the rounds in stock on one shard may have.
const STOCK_BYTES_MAX: usize = 128 << 10;

/// What a request needs from the place it arrived at.
pub struct Context<'a> {
    /// Its connection.
    pub session: &'a mut Session,
    /// The keys of this shard.
    pub store: &'a mut Store,
    /// The time, in milliseconds since the epoch.
    pub now_ms: u64,
    /// Takes a permit for a call to each of these shards, unless there is not one for each now.
    pub reserve: &'a mut dyn FnMut(Range<usize>) -> Taken,
    /// The connection's output.
    pub out: &'a mut Output,
}

/// What a request waits for; then it is to be parsed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// What came before it is to be answered.
    ForReplies,
    /// So are others, and then it is to have a permit for a call to each of these shards.
    ForPermits(Range<usize>),
}

/// Whether a request is handled.
pub type Taken<T = ()> = Result<T, Wait>;

/// Requests that are being answered.
#[derive(Debug)]
pub struct Round {
    here: usize,
    server: Arc<Server>,
    budget: Option<Arc<Budget>>,
    /// Where requests for other shards are, if there are any.
    crossing: Option<Box<Crossing>>,
    stock: Rc<Stock>,
    /// What requests for this shard did since others had a turn.
    pace: Pace,
}

/// Requests of a round that cross to other shards.
#[derive(Debug)]
struct Crossing {
    /// For each shard, once it is wanted. It is on the heap, for it moves from shard to shard.
    batches: Box<[Option<Box<Batch>>]>,
    held: Output,
    gaps: Vec<Gap>,
    /// Gaps that were filled.
    filled: usize,
    /// Bytes of `held` that were written.
    written: usize,
    /// For requests with several keys, the shard of each.
    owners: Vec<u16>,
    /// How many replies are missing, those to each key of a request counted.
    replies: usize,
    /// Where further requests may go.
    open: Open,
    /// True if some batch is.
    is_batch_full: bool,
    /// What replies are charged to.
    budget: Option<Arc<Budget>>,
}

/// Where further requests of a round may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    All,
    Only(usize),
    Nowhere,
}

/// A reply that is missing at an offset of `held`.
#[derive(Clone, Copy, Debug)]
struct Gap {
    offset: usize,
    source: Source,
}

/// Where a missing reply comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// The next reply of this shard.
    One(u16),
    /// Those of the shards in this range of `owners`, merged.
    Owners(Merge, usize, usize),
    /// Those of all shards, merged.
    Every(Merge),
    /// Those of all shards, as the text of `INFO`.
    Info(Sections, Proto),
}

/// Empty crossings, which the rounds of a shard use one after the other.
#[derive(Debug, Default)]
pub struct Stock {
    #[expect(clippy::vec_box, reason = "they move between rounds and the stock as they are")]
    crossings: RefCell<Vec<Box<Crossing>>>,
    bytes: Cell<usize>,
}

impl Round {
    /// A round for connections of shard `here` of `server`, from whose `stock` it takes what it
    /// needs. Replies are charged to `budget`.
    ///
    /// # Panics
    ///
    /// If there are more than 65 536 shards.
    pub fn new(
        here: usize,
        server: Arc<Server>,
        budget: Option<Arc<Budget>>,
        stock: &Rc<Stock>,
    ) -> Self {
        assert!(here < server.shards && server.shards <= 1 << 16, "{} shards", server.shards);
        let (stock, pace) = (stock.clone(), Pace::default());
        Self { here, server, budget, crossing: None, stock, pace }
    }

    /// Handles one request: its reply goes to the output now, or comes by [`drain`](Self::drain).
    #[inline]
    pub fn request(&mut self, context: &mut Context<'_>, args: &Args<'_>) -> Taken {
        if context.session.mode.is_some()
            && modes::answer(context.session, args, self.sink(context.out))
        {
            return Ok(());
        }
        let command = match Command::resolve(args) {
            Ok(command) => command,
            Err(fault) => return self.refuse(context, args, fault),
        };
        match command.reach {
            Reach::Key(run) => {
                let shard = shard_of(args.at(1), self.server.shards);
                if shard == self.here && self.crossing.is_none() {
                    self.run_here(context, run, args);
                    return Ok(());
                }
                self.one(context, shard, run, command.is_large(args), args)
            }
            Reach::Keys(step, run, merge) => self.keys(context, step, run, merge, args),
            Reach::Every(run, merge) => self.every(context, run, merge, args),
            Reach::Cursor(run) => self.cursor(context, run, args),
            Reach::Connection(run) => {
                let (session, server, args) = (&mut *context.session, &*self.server, *args);
                let held = self.crossing.as_mut().map(|crossing| &mut crossing.held);
                let out = held.unwrap_or(context.out);
                Talk { session, server, args, out }.finish(run);
                Ok(())
            }
        }
    }

    /// Where a reply that is known now belongs: behind all replies before it.
    #[inline]
    pub fn sink<'a>(&'a mut self, out: &'a mut Output) -> &'a mut Output {
        self.crossing.as_mut().map_or(out, |crossing| &mut crossing.held)
    }

    /// True if the batches should go out before more requests are handled. `out` is what is to be
    /// written already.
    #[inline]
    pub fn is_full(&self, out: &Output) -> bool {
        out.bytes_to_send() >= REPLY_BYTES_MAX
            || self.pace.is_spent
            || self.crossing.as_ref().is_some_and(|crossing| crossing.is_full())
    }

    /// True if a request that runs on this shard paused to give others a turn.
    pub fn is_paused(&self) -> bool {
        self.crossing.as_ref().is_some_and(|crossing| crossing.is_waiting(self.here))
    }

    /// Others had a turn since the round was full.
    pub fn begin_turn(&mut self) {
        self.pace.is_spent = false;
    }

    /// True if replies are missing.
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.crossing.is_some()
    }

    /// The shards for which there are batches to run.
    pub fn waiting(&self) -> impl Iterator<Item = usize> + Clone {
        let is_waiting =
            |shard: &usize| self.crossing.as_ref().is_some_and(|it| it.is_waiting(*shard));
        (0..self.server.shards).filter(is_waiting)
    }

    /// The batch for `shard`, if it has requests to run there. It must come back by
    /// [`put_batch`](Self::put_batch) before the round goes on.
    pub fn take_batch(&mut self, shard: usize) -> Option<Box<Batch>> {
        self.crossing.as_mut()?.batches[shard].take_if(|batch| batch.is_waiting())
    }

    /// Gives back the batch for `shard` after it ran.
    pub fn put_batch(&mut self, shard: usize, batch: Box<Batch>) {
        if let Some(crossing) = &mut self.crossing {
            crossing.batches[shard] = Some(batch);
        }
    }

    /// Appends the replies that are complete, in order. True if that was all; if not, some batch
    /// has more to run, and the client must read first.
    pub fn drain(&mut self, out: &mut Output) -> bool {
        let Some(crossing) = &mut self.crossing else { return true };
        let complete = crossing.drain(&self.server, out);
        if complete && let Some(crossing) = self.crossing.take() {
            self.stock.put(crossing);
        }
        complete
    }

    /// The requests for other shards.
    #[inline]
    fn crossing(&mut self) -> &mut Crossing {
        let begin = || self.stock.take(self.server.shards, self.budget.as_ref());
        self.crossing.get_or_insert_with(begin)
    }

    #[cold]
    fn refuse(&mut self, context: &mut Context<'_>, args: &Args<'_>, fault: Fault) -> Taken {
        modes::unknown(context.session, args, fault, self.sink(context.out));
        Ok(())
    }

    /// Runs a request for this shard.
    #[inline]
    fn run_here(&mut self, context: &mut Context<'_>, run: Run, args: &Args<'_>) {
        let Context { store, now_ms, session, out, .. } = context;
        let held = self.crossing.as_mut().map(|crossing| &mut crossing.held);
        let (store, now_ms, proto, args) = (&mut **store, *now_ms, session.proto, *args);
        let (out, pace) = (held.unwrap_or(out), &mut self.pace);
        Call { store, now_ms, proto, args, out, pace }.finish(run);
    }

    /// A request for one shard.
    fn one(
        &mut self,
        context: &mut Context<'_>,
        shard: usize,
        run: Run,
        is_large: bool,
        args: &Args<'_>,
    ) -> Taken {
        if self.crossing.as_ref().is_some_and(|crossing| !crossing.is_open_to(shard)) {
            return Err(Wait::ForReplies);
        }
        if shard == self.here {
            self.run_here(context, run, args);
            return Ok(());
        }
        if !self.crossing.as_ref().is_some_and(|crossing| crossing.is_waiting(shard)) {
            (context.reserve)(shard..shard + 1)?;
        }
        let crossing = self.crossing();
        let batch = crossing.batch(shard);
        batch.push(run, context.session.proto, args.from(0));
        if is_large {
            batch.mark_large();
            crossing.open = Open::Only(shard);
        }
        crossing.expect(Source::One(shard as u16), 1);
        Ok(())
    }

    /// A request with several keys: each shard gets its own as a request of the same name.
    fn keys(
        &mut self,
        context: &mut Context<'_>,
        step: usize,
        run: Run,
        merge: Merge,
        args: &Args<'_>,
    ) -> Taken {
        let shards = self.server.shards;
        let keys = (args.len() - 1) / step;
        let is_large = merge == Merge::InOrder && keys > REPLIES_MAX;
        if let Some(shard) = common_shard(args, step, shards) {
            return self.one(context, shard, run, is_large, args);
        }
        let crossing = self.several(context, is_large)?;
        let start = crossing.owners.len();
        let owners = args.from(1).step_by(step).map(|key| shard_of(key, shards) as u16);
        crossing.owners.extend(owners);
        let owners = core::mem::take(&mut crossing.owners);
        for shard in 0..shards {
            let own = |index: &usize| usize::from(owners[start + (index - 1) / step]) == shard;
            if owners[start..].contains(&(shard as u16)) {
                let words = (1..args.len()).filter(own).map(|index| args.at(index));
                let words = core::iter::once(args.at(0)).chain(words);
                crossing.batch(shard).push(run, context.session.proto, words);
            }
        }
        let replies = if merge == Merge::InOrder { keys } else { 1 };
        crossing.expect(Source::Owners(merge, start, owners.len()), replies);
        crossing.owners = owners;
        self.run_own_part(context);
        Ok(())
    }

    /// A request about all keys.
    fn every(
        &mut self,
        context: &mut Context<'_>,
        run: Run,
        merge: Merge,
        args: &Args<'_>,
    ) -> Taken {
        let source = match merge {
            Merge::Info => Source::Info(Sections::parse(args), context.session.proto),
            merge => Source::Every(merge),
        };
        self.all_shards(context, run, source, merge == Merge::Join, args)
    }

    /// A step of a walk: the first goes to every shard, each later one to the cursor's.
    fn cursor(&mut self, context: &mut Context<'_>, run: Run, args: &Args<'_>) -> Taken {
        if self.server.shards == 1 || scan::parse_cursor(args.at(1)) != Some(0) {
            let shard = cursor_shard(args, self.here, self.server.shards);
            return self.one(context, shard, run, true, args);
        }
        self.all_shards(context, run, Source::Every(Merge::Walk), true, args)
    }

    /// Sends a request to every shard; `source` says what becomes of the replies.
    fn all_shards(
        &mut self,
        context: &mut Context<'_>,
        run: Run,
        source: Source,
        is_large: bool,
        args: &Args<'_>,
    ) -> Taken {
        let crossing = self.several(context, is_large)?;
        crossing.push_to_all(run, context.session.proto, args);
        crossing.expect(source, 1);
        self.run_own_part(context);
        Ok(())
    }

    /// Where a request for several shards goes. A large one is alone.
    fn several(&mut self, context: &mut Context<'_>, is_large: bool) -> Taken<&mut Crossing> {
        let is_open = |crossing: &Crossing| !is_large && crossing.open == Open::All;
        if !self.crossing.as_deref().is_none_or(is_open) {
            return Err(Wait::ForReplies);
        }
        (context.reserve)(0..self.server.shards)?;
        let crossing = self.crossing();
        if is_large {
            crossing.open = Open::Nowhere;
        }
        Ok(crossing)
    }

    /// Runs this shard's part at once: it must not fall behind requests that run here later.
    fn run_own_part(&mut self, context: &mut Context<'_>) {
        if let Some(crossing) = &mut self.crossing {
            let own = crossing.batches[self.here].iter_mut();
            own.for_each(|batch| batch.run(context.store, context.now_ms, usize::MAX));
        }
    }
}

impl Stock {
    // Not inlined: it would be a part of each request.
    #[inline(never)]
    fn take(&self, shards: usize, budget: Option<&Arc<Budget>>) -> Box<Crossing> {
        let stocked = self.crossings.borrow_mut().pop();
        let mut crossing = stocked.map_or_else(
            || Box::new(Crossing::new(shards)),
            |crossing| {
                self.bytes.set(self.bytes.get() - crossing.capacity_bytes());
                crossing
            },
        );
        crossing.held.charge_to(budget.cloned());
        crossing.budget = budget.cloned();
        crossing
    }

    /// Keeps it for another round, unless enough is kept.
    fn put(&self, mut crossing: Box<Crossing>) {
        crossing.recycle();
        let bytes = self.bytes.get() + crossing.capacity_bytes();
        if bytes <= STOCK_BYTES_MAX {
            self.bytes.set(bytes);
            self.crossings.borrow_mut().push(crossing);
        }
    }
}

impl Crossing {
    fn new(shards: usize) -> Self {
        Self {
            batches: (0..shards).map(|_| None).collect(),
            held: Output::default(),
            gaps: Vec::new(),
            filled: 0,
            written: 0,
            owners: Vec::new(),
            replies: 0,
            open: Open::All,
            is_batch_full: false,
            budget: None,
        }
    }

    /// Makes it what a new one is, but for its memory.
    fn recycle(&mut self) {
        self.held.recycle(BYTES_KEPT);
        self.held.charge_to(None);
        self.budget = None;
        (self.filled, self.written, self.replies) = (0, 0, 0);
        (self.open, self.is_batch_full) = (Open::All, false);
        recycle(&mut self.gaps, ENTRIES_KEPT);
        recycle(&mut self.owners, ENTRIES_KEPT);
    }

    fn capacity_bytes(&self) -> usize {
        let batches = self.batches.iter().flatten();
        batches.map(|batch| size_of::<Batch>() + batch.capacity_bytes()).sum::<usize>()
            + size_of_val(&*self.batches)
            + self.held.capacity()
            + self.gaps.capacity() * size_of::<Gap>()
            + self.owners.capacity() * size_of::<u16>()
    }

    /// True if there are requests for `shard` that have not run.
    fn is_waiting(&self, shard: usize) -> bool {
        self.batches[shard].as_ref().is_some_and(|batch| batch.is_waiting())
    }

    fn is_open_to(&self, shard: usize) -> bool {
        match self.open {
            Open::All => true,
            Open::Only(only) => only == shard,
            Open::Nowhere => false,
        }
    }

    fn is_full(&self) -> bool {
        self.replies >= REPLIES_MAX
            || self.is_batch_full
            || self.held.bytes_to_send() >= REPLY_BYTES_MAX
    }

    /// The batch for `shard`, for a request more.
    #[inline]
    fn batch(&mut self, shard: usize) -> &mut Batch {
        let batch = self.batches[shard].get_or_insert_default();
        if batch.is_empty() {
            batch.charge_to(self.budget.clone());
        }
        self.is_batch_full |= batch.is_full();
        batch
    }

    fn push_to_all(&mut self, run: Run, proto: Proto, args: &Args<'_>) {
        if args.from(0).map(<[u8]>::len).sum::<usize>() < WHOLE_BYTES_MIN {
            (0..self.batches.len()).for_each(|it| self.batch(it).push(run, proto, args.from(0)));
            return;
        }
        let whole = Arc::new(Whole::new(args));
        (0..self.batches.len()).for_each(|it| self.batch(it).push_whole(run, proto, &whole));
    }

    fn expect(&mut self, source: Source, replies: usize) {
        self.gaps.push(Gap { offset: self.held.len(), source });
        self.replies += replies;
    }

    fn drain(&mut self, server: &Server, out: &mut Output) -> bool {
        while let Some(gap) = self.gaps.get(self.filled).copied() {
            if gap.offset > self.written {
                out.append(self.held.part(self.written..gap.offset));
                self.written = gap.offset;
            }
            if !self.fill(gap.source, server, out) {
                return false;
            }
            self.filled += 1;
        }
        out.append(self.held.part(self.written..self.held.len()));
        true
    }

    /// Appends the reply of `source` if all of it is there.
    fn fill(&mut self, source: Source, server: &Server, out: &mut Output) -> bool {
        if let Source::One(shard) = source {
            let batch = &mut self.batches[usize::from(shard)];
            return batch.as_mut().is_some_and(|batch| batch.take_reply(out));
        }
        let Some(parts) = self.parts(source) else { return false };
        let start = out.mark();
        match source {
            Source::Info(sections, proto) => {
                let figures = merge::figures(&merge::bytes_of(&parts));
                reply::text(out, proto, &info::text(server, figures, sections));
            }
            Source::Owners(how, start, end) => {
                merge::merge(how, &parts, &self.owners[start..end], out);
            }
            Source::Every(how) => merge::merge(how, &parts, &[], out),
            Source::One(_) => {}
        }
        end_reply(out, start, Ok(()));
        let asked: Vec<bool> = parts.iter().map(|part| !part.is_empty()).collect();
        let batches = self.batches.iter_mut().zip(asked).filter(|(_, asked)| *asked);
        batches.filter_map(|(batch, _)| batch.as_mut()).for_each(|batch| batch.advance());
        true
    }

    /// What each shard replied, empty for those not asked; `None` if one that was has not yet.
    fn parts(&self, source: Source) -> Option<Vec<Part<'_>>> {
        let owners = match source {
            Source::Owners(_, start, end) => Some(&self.owners[start..end]),
            _ => None,
        };
        let asked = |shard: usize| owners.is_none_or(|owners| owners.contains(&(shard as u16)));
        let batches = self.batches.iter().enumerate();
        let parts = batches.map(|(shard, batch)| match asked(shard) {
            true => batch.as_ref().and_then(|batch| batch.reply()),
            false => Some(Part::default()),
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests;
