//! Walking all keys: `KEYS` at once, `SCAN` in steps.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! `KEYS` visits a row of the store at a time and pauses between two rows when it has done enough
//! for one turn: the shard does other work, and the walk goes on when its batch comes by again.
//! It names every key once that was there when it began and stays, and none that came later.
//!
//! A cursor is one number: the shard, the row of that shard's store, and the position in the row.
//! The client gets it [veiled](veil): the shard is a part of the hash. Any number is a cursor, as
//! in Redis; one that no walk gave begins somewhere. Zero is both the start and the end. A step
//! visits as many keys as `COUNT` says, or fewer if they take long to look at.
//!
//! A walk begins on all shards at once. Where they all come to their end in one step, as with few
//! keys, their answers make one, and the walk is done in one request as it would be in Redis.
//! Otherwise it goes on in the first shard that is not at its end, and what the shards behind it
//! said is forgotten; a step changes nothing, so that is free.
#![forbid(unsafe_code)]

use super::call::{Call, Done, Fault};
use crate::glob::{Pattern, TooLong};
use crate::resp::output::Mark;
use crate::resp::{Output, reply};
use crate::store::hashing::{VEILED_BITS, unveil, veil};
use crate::store::rows::ROWS;
use crate::store::{Cursor, Value};

/// Entries one `SCAN` visits unless told otherwise.
const COUNT_DEFAULT: usize = 10;
/// Bytes of keys from which on they are passed on without a copy.
const CHUNK_BYTES_MIN: usize = 64 << 10;

/// `KEYS pattern`
pub fn keys(call: &mut Call<'_>) -> Done {
    let mut walk = match call.pace.paused.take() {
        Some(walk) => walk,
        None => Box::new(KeysWalk::begin(call)?),
    };
    while walk.row < ROWS && !call.out.is_over() {
        walk.visit_row(call);
        if call.pace.look() {
            break;
        }
    }
    if call.out.is_over() {
        call.out.truncate(walk.reply_start);
        return Err(Fault::NO_MEMORY);
    }
    if walk.row < ROWS {
        call.pace.paused = Some(walk);
        return Ok(());
    }
    let mut head = Output::default();
    reply::array(&mut head, walk.found);
    call.out.insert(walk.reply_start, head.bytes_mut());
    Ok(())
}

/// A `KEYS` on its way.
#[derive(Debug)]
pub struct KeysWalk {
    pattern: Option<Pattern>,
    /// What the store calls it.
    id: u32,
    /// The row to visit next.
    row: usize,
    /// Keys found so far.
    found: usize,
    /// Where the reply begins in the output. Its head is put there when all keys are known.
    reply_start: Mark,
    /// Where the keys begin that may still be copied.
    chunk_start: Mark,
}

impl KeysWalk {
    fn begin(call: &mut Call<'_>) -> Result<Self, Fault> {
        let pattern = read_pattern(call.args.at(1))?;
        let (id, reply_start) = (call.store.begin_walk(), call.out.mark());
        Ok(Self { pattern, id, row: 0, found: 0, reply_start, chunk_start: reply_start })
    }

    fn visit_row(&mut self, call: &mut Call<'_>) {
        let out = &mut *call.out;
        call.store.visit_row(self.row as u8, self.id, call.now_ms, |key| {
            if takes(self.pattern.as_ref(), key) {
                self.found += 1;
                reply::bulk(out, key);
            }
        });
        out.seal(&mut self.chunk_start, CHUNK_BYTES_MIN);
        self.row += 1;
    }
}

/// The pattern, or `None` for the single star: it alone matches the empty key, too.
fn read_pattern(text: &[u8]) -> Result<Option<Pattern>, TooLong> {
    if text == b"*" { Ok(None) } else { Pattern::new(text).map(Some) }
}

fn takes(pattern: Option<&Pattern>, key: &[u8]) -> bool {
    pattern.is_none_or(|pattern| pattern.matches(key))
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
pub fn scan(call: &mut Call<'_>) -> Done {
    let cursor = parse_cursor(call.args.at(1)).ok_or(Fault::Text("ERR invalid cursor"))?;
    let filter = Filter::parse(call)?;
    let (mut found, start) = (0, call.out.mark());
    let (mut visited, pace, out) = (0, &mut *call.pace, &mut *call.out);
    let stop = call.store.walk(place_of_cursor(cursor), call.now_ms, |live| {
        visited += 1;
        if let Some((key, value)) = live
            && filter.takes(key, value)
        {
            found += 1;
            reply::bulk(out, key);
        }
        visited < filter.count && !pace.look()
    });
    let mut head = Output::default();
    reply::array(&mut head, 2);
    reply::bulk_integer(&mut head, next_cursor(stop, call.store.shard, call.store.shards));
    reply::array(&mut head, found);
    call.out.insert(start, head.bytes_mut());
    Ok(())
}

/// A cursor as Redis reads it: an unsigned number, perhaps with a sign; nothing is zero.
pub fn parse_cursor(text: &[u8]) -> Option<u64> {
    // As in Redis, whose text this is a C string, a NUL ends it.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let (digits, sign) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (digits, u64::MAX),
        [b'+', digits @ ..] => (digits, 1),
        digits => (digits, 1),
    };
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    let number: u64 = str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()?;
    Some(number.wrapping_mul(sign) % (1 << VEILED_BITS))
}

/// The shard a cursor stands in, among `shards`.
pub fn shard_of_cursor(cursor: u64, shards: usize) -> usize {
    (unveil(cursor) >> 32) as usize % shards
}

/// The cursor that begins `shard`.
pub fn cursor_of_shard(shard: usize) -> u64 {
    veil((shard as u64) << 32)
}

fn place_of_cursor(cursor: u64) -> Cursor {
    Cursor::from_number(unveil(cursor) as u32)
}

fn next_cursor(stop: Option<Cursor>, shard: usize, shards: usize) -> u64 {
    match stop {
        Some(at) => veil((shard as u64) << 32 | u64::from(at.number())),
        None if shard + 1 < shards => cursor_of_shard(shard + 1),
        None => 0,
    }
}

/// Which keys a `SCAN` shows, and how many it visits.
struct Filter<'a> {
    pattern: Option<Pattern>,
    type_name: Option<&'a [u8]>,
    count: usize,
}

impl<'a> Filter<'a> {
    fn parse(call: &Call<'a>) -> Result<Self, Fault> {
        let args = call.args;
        let mut filter = Self { pattern: None, type_name: None, count: COUNT_DEFAULT };
        for index in (2..args.len()).step_by(2) {
            if index + 1 == args.len() {
                return Err(Fault::SYNTAX);
            } else if args.is(index, "count") {
                let count = call.integer(index + 1)?;
                filter.count = usize::try_from(count).map_err(|_| Fault::SYNTAX)?;
            } else if args.is(index, "match") {
                filter.pattern = read_pattern(args.at(index + 1))?;
            } else if args.is(index, "type") {
                filter.type_name = Some(args.at(index + 1));
            } else {
                return Err(Fault::SYNTAX);
            }
        }
        if filter.count == 0 { Err(Fault::SYNTAX) } else { Ok(filter) }
    }

    fn takes(&self, key: &[u8], value: &Value) -> bool {
        let of_type = |name: &[u8]| name.eq_ignore_ascii_case(value.type_name().as_bytes());
        self.type_name.is_none_or(of_type) && takes(self.pattern.as_ref(), key)
    }
}

#[cfg(test)]
mod tests;
