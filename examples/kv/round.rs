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
//! for each parsed request:   round.request(&mut context, &args)     until round.is_full()
//! while round.is_waiting():  send every batch from take_batch, put_batch what returns
//!                            round.drain(facts, out)                 and write `out`
//! ```
//!
//! **Order of replies.** As long as every request ran here, replies are written straight to the
//! output. From the first one that did not, replies go to `held` and each missing one is a
//! *gap*: an offset in `held` and where the reply will come from. Each batch answers in order, so
//! a gap need not say which of a shard's replies it is: it is the next one.
//!
//! **Order of effects.** Requests for the same key reach the same shard by the same way in the
//! order they were sent. A request about all keys follows the earlier ones in every batch, so it
//! sees what the same connection did before. If it pauses, to give others a turn, the round is
//! full until it is done: it does not see what the same connection does after.
//!
//! **Memory.** A round is full at a bound of requests, of request bytes and of reply bytes, and a
//! batch runs only so far ahead ([`batch`](crate::batch)). So a client that asks and never reads
//! costs a bounded amount, as long as its connection drains before it parses on.
#![forbid(unsafe_code)]

use crate::batch::{Batch, REPLY_BYTES_MAX, recycle};
use crate::command::info::{self, Facts, Sections};
use crate::command::scan;
use crate::command::table::{Run, common_shard, cursor_shard};
use crate::command::{Call, Command, Fault, Merge, Pace, Reach, Talk};
use crate::merge;
use crate::resp::{Args, Proto, reply};
use crate::session::Session;
use crate::store::Store;
use crate::store::hashing::shard_of;

/// Replies a round waits for at most before it should be drained.
const GAPS_MAX: usize = 4096;
/// Bytes of an empty round's buffer that are kept.
const BYTES_KEPT: usize = 64 << 10;

/// What a request needs from the place it arrived at.
pub struct Context<'a> {
    /// Its connection.
    pub session: &'a mut Session,
    /// The keys of this shard.
    pub store: &'a mut Store,
    /// The time, in milliseconds since the epoch.
    pub now_ms: u64,
    /// What the server can tell about itself.
    pub facts: &'a dyn Fn() -> Facts,
    /// The connection's output.
    pub out: &'a mut Vec<u8>,
}

/// Requests that are being answered.
#[derive(Debug)]
pub struct Round {
    home: usize,
    batches: Box<[Batch]>,
    held: Vec<u8>,
    gaps: Vec<Gap>,
    /// Gaps that were filled.
    filled: usize,
    /// Bytes of `held` that were written.
    written: usize,
    /// For requests with several keys, the shard of each.
    owners: Vec<u16>,
    /// What requests for this shard did since others had a turn.
    pace: Pace,
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

impl Round {
    /// A round for connections of shard `home`, one of `shards`.
    ///
    /// # Panics
    ///
    /// If there are more than 65 536 shards.
    pub fn new(home: usize, shards: usize) -> Self {
        assert!(home < shards && shards <= 1 << 16, "{shards} shards");
        let batches = (0..shards).map(|_| Batch::default()).collect();
        let (held, gaps, owners) = (Vec::new(), Vec::new(), Vec::new());
        let pace = Pace::new();
        Self { home, batches, held, gaps, filled: 0, written: 0, owners, pace }
    }

    /// Handles one request: its reply goes to the output now, or comes by [`drain`](Self::drain).
    pub fn request(&mut self, context: &mut Context<'_>, args: &Args<'_>) {
        let command = match Command::resolve(args) {
            Ok(command) => command,
            Err(fault) => return self.refuse(&fault, context.out),
        };
        match command.reach {
            Reach::Key(run) => self.one(context, shard_of(args.at(1), self.shards()), run, args),
            Reach::Keys(step, run, merge) => self.keys(context, step, run, merge, args),
            Reach::Every(run, merge) => self.every(context, run, merge, args),
            Reach::Cursor(run) => self.cursor(context, run, args),
            Reach::Connection(run) => {
                let (session, facts) = (&mut *context.session, context.facts);
                Talk { session, facts, args: *args, out: self.sink(context.out) }.finish(run);
            }
        }
    }

    /// Where a reply that is known now belongs: behind all replies before it.
    pub fn sink<'a>(&'a mut self, out: &'a mut Vec<u8>) -> &'a mut Vec<u8> {
        if self.gaps.is_empty() { out } else { &mut self.held }
    }

    /// True if the batches should go out before more requests are handled. `out` is what is to be
    /// written already.
    pub fn is_full(&self, out: &[u8]) -> bool {
        self.gaps.len() >= GAPS_MAX
            || out.len() >= REPLY_BYTES_MAX
            || self.held.len() >= REPLY_BYTES_MAX
            || self.pace.is_spent()
            || self.is_paused()
            || !self.gaps.is_empty() && self.batches.iter().any(Batch::is_full)
    }

    /// True if a request that runs on this shard paused to give others a turn.
    pub fn is_paused(&self) -> bool {
        self.batches[self.home].is_waiting()
    }

    /// Others had a turn since the round was full.
    pub fn begin_turn(&mut self) {
        self.pace.begin_turn();
    }

    /// True if replies are missing.
    pub fn is_waiting(&self) -> bool {
        !self.gaps.is_empty()
    }

    /// The batch for `shard`, if it has requests to run there. It must come back by
    /// [`put_batch`](Self::put_batch) before the round goes on.
    pub fn take_batch(&mut self, shard: usize) -> Option<Batch> {
        let batch = &mut self.batches[shard];
        batch.is_waiting().then(|| core::mem::take(batch))
    }

    /// Gives back the batch for `shard` after it ran.
    pub fn put_batch(&mut self, shard: usize, batch: Batch) {
        self.batches[shard] = batch;
    }

    /// Appends the replies that are complete, in order. True if that was all; if not, some batch
    /// has more to run.
    pub fn drain(&mut self, facts: &dyn Fn() -> Facts, out: &mut Vec<u8>) -> bool {
        while let Some(gap) = self.gaps.get(self.filled).copied() {
            out.extend_from_slice(&self.held[self.written..gap.offset]);
            self.written = gap.offset;
            if !self.fill(gap.source, facts, out) {
                return false;
            }
            self.filled += 1;
        }
        out.extend_from_slice(&self.held[self.written..]);
        (self.filled, self.written) = (0, 0);
        self.gaps.clear();
        self.owners.clear();
        recycle(&mut self.held, BYTES_KEPT);
        true
    }

    fn shards(&self) -> usize {
        self.batches.len()
    }

    fn refuse(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        fault.write(self.sink(out));
    }

    /// A request for one shard.
    fn one(&mut self, context: &mut Context<'_>, shard: usize, run: Run, args: &Args<'_>) {
        let proto = context.session.proto;
        if shard == self.home {
            let Context { store, now_ms, out, .. } = context;
            let (store, now_ms, args, pace) = (&mut **store, *now_ms, *args, &mut self.pace);
            let out = if self.gaps.is_empty() { &mut **out } else { &mut self.held };
            Call { store, now_ms, proto, args, out, pace }.finish(run);
        } else {
            self.batches[shard].push(run, proto, args.from(0));
            self.expect(Source::One(shard as u16));
        }
    }

    /// A request with several keys: each shard gets its own as a request of the same name.
    fn keys(
        &mut self,
        context: &mut Context<'_>,
        step: usize,
        run: Run,
        merge: Merge,
        args: &Args<'_>,
    ) {
        if let Some(shard) = common_shard(args, step, self.shards()) {
            return self.one(context, shard, run, args);
        }
        let (start, shards) = (self.owners.len(), self.shards());
        let owners = args.from(1).step_by(step).map(|key| shard_of(key, shards) as u16);
        self.owners.extend(owners);
        for shard in 0..shards {
            let owners = &self.owners[start..];
            if !owners.contains(&(shard as u16)) {
                continue;
            }
            let own = |index: &usize| usize::from(owners[(index - 1) / step]) == shard;
            let indices = (1..args.len()).filter(own);
            let words = indices.map(|index| args.at(index));
            let words = core::iter::once(args.at(0)).chain(words);
            self.batches[shard].push(run, context.session.proto, words);
        }
        self.run_home(context);
        self.expect(Source::Owners(merge, start, self.owners.len()));
    }

    /// A request about all keys.
    fn every(&mut self, context: &mut Context<'_>, run: Run, merge: Merge, args: &Args<'_>) {
        let proto = context.session.proto;
        for batch in &mut self.batches {
            batch.push(run, proto, args.from(0));
        }
        self.run_home(context);
        self.expect(match merge {
            Merge::Info => Source::Info(Sections::parse(args), proto),
            merge => Source::Every(merge),
        });
    }

    /// A step of a walk: the first goes to every shard, each later one to the cursor's.
    fn cursor(&mut self, context: &mut Context<'_>, run: Run, args: &Args<'_>) {
        if self.shards() == 1 || scan::parse_cursor(args.at(1)) != Some(0) {
            let shard = cursor_shard(args, self.home, self.shards());
            return self.one(context, shard, run, args);
        }
        for (shard, batch) in self.batches.iter_mut().enumerate() {
            let start = scan::cursor_of_shard(shard).to_string();
            let words = [args.at(0), start.as_bytes()].into_iter().chain(args.from(2));
            batch.push(run, context.session.proto, words);
        }
        self.run_home(context);
        self.expect(Source::Every(Merge::Walk));
    }

    /// Runs this shard's part at once: it must not fall behind requests that run here later.
    fn run_home(&mut self, context: &mut Context<'_>) {
        self.batches[self.home].run(context.store, context.now_ms, usize::MAX);
    }

    fn expect(&mut self, source: Source) {
        self.gaps.push(Gap { offset: self.held.len(), source });
    }

    /// Appends the reply of `source` if all of it is there.
    fn fill(&mut self, source: Source, facts: &dyn Fn() -> Facts, out: &mut Vec<u8>) -> bool {
        if let Source::One(shard) = source {
            let batch = &mut self.batches[usize::from(shard)];
            let Some(reply) = batch.reply() else { return false };
            out.extend_from_slice(reply);
            batch.advance();
            return true;
        }
        let Some(parts) = self.parts(source) else { return false };
        match source {
            Source::Info(sections, proto) => {
                let text = info::text(&facts(), merge::figures(&parts), sections);
                reply::text(out, proto, &text);
            }
            Source::Owners(how, start, end) => {
                merge::merge(how, &parts, &self.owners[start..end], out);
            }
            Source::Every(how) => merge::merge(how, &parts, &[], out),
            Source::One(_) => {}
        }
        let asked: Vec<bool> = parts.iter().map(|part| !part.is_empty()).collect();
        let batches = self.batches.iter_mut().zip(asked).filter(|(_, asked)| *asked);
        batches.for_each(|(batch, _)| batch.advance());
        true
    }

    /// What each shard replied, empty for those not asked; `None` if one that was has not yet.
    fn parts(&self, source: Source) -> Option<Vec<&[u8]>> {
        let owners = match source {
            Source::Owners(_, start, end) => Some(&self.owners[start..end]),
            _ => None,
        };
        let asked = |shard: usize| owners.is_none_or(|owners| owners.contains(&(shard as u16)));
        let batches = self.batches.iter().enumerate();
        batches.map(|(shard, it)| if asked(shard) { it.reply() } else { Some(&[][..]) }).collect()
    }
}

#[cfg(test)]
mod tests;
