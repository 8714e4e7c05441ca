//! Walking all keys: `KEYS` at once, `SCAN` in steps.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! A cursor is one number: the shard in its highest bits, then the part of that shard's store,
//! then the position in the part. So the router sees from the cursor where to go, a walk passes
//! from one shard to the next by counting up, and zero is both the start and the end.
//!
//! A walk begins on all shards at once. Where they all come to their end in one step, as with few
//! keys, their answers make one, and the walk is done in one request as it would be in Redis.
//! Otherwise it goes on in the first shard that is not at its end, and what the shards behind it
//! said is forgotten; a step changes nothing, so that is free.
#![forbid(unsafe_code)]

use super::call::{Call, Done, Fault};
use crate::glob;
use crate::resp::reply;
use crate::store::{Cursor, Value};

/// Entries one `SCAN` visits unless told otherwise.
const COUNT_DEFAULT: usize = 10;

/// `KEYS pattern`
pub fn keys(call: &mut Call<'_>) -> Done {
    let pattern = call.args.at(1);
    let (mut found, mut bulks) = (0, Vec::new());
    call.store.walk(Cursor::default(), usize::MAX, call.now_ms, |key, _| {
        if glob::matches(pattern, key) {
            found += 1;
            reply::bulk(&mut bulks, key);
        }
    });
    reply::array(call.out, found);
    call.out.extend_from_slice(&bulks);
    Ok(())
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
pub fn scan(call: &mut Call<'_>) -> Done {
    let cursor = parse_cursor(call.args.at(1)).ok_or(Fault::Text("ERR invalid cursor"))?;
    let filter = Filter::parse(call)?;
    let (mut found, mut bulks) = (0, Vec::new());
    let mut next = 0;
    // A cursor of a shard that does not exist ends the walk.
    if shard_of_cursor(cursor) == call.store.shard {
        let start = Cursor { part: (cursor >> 32) as u8, position: cursor as u32 };
        let stop = call.store.walk(start, filter.count, call.now_ms, |key, value| {
            if filter.takes(key, value) {
                found += 1;
                reply::bulk(&mut bulks, key);
            }
        });
        next = next_cursor(stop, call.store.shard, call.store.shards);
    }
    reply::array(call.out, 2);
    reply::bulk_integer(call.out, next);
    reply::array(call.out, found);
    call.out.extend_from_slice(&bulks);
    Ok(())
}

/// A cursor as Redis reads it: an unsigned number, perhaps with a sign; nothing is zero.
pub fn parse_cursor(text: &[u8]) -> Option<u64> {
    let (digits, sign) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (digits, u64::MAX),
        [b'+', digits @ ..] => (digits, 1),
        digits => (digits, 1),
    };
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    let number: u64 = str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()?;
    Some(number.wrapping_mul(sign))
}

/// The shard a cursor stands in.
pub fn shard_of_cursor(cursor: u64) -> usize {
    (cursor >> 40) as usize
}

/// The cursor that begins `shard`.
pub fn cursor_of_shard(shard: usize) -> u64 {
    (shard as u64) << 40
}

fn next_cursor(stop: Option<Cursor>, shard: usize, shards: usize) -> u64 {
    match stop {
        Some(at) => cursor_of_shard(shard) | u64::from(at.part) << 32 | u64::from(at.position),
        None if shard + 1 < shards => cursor_of_shard(shard + 1),
        None => 0,
    }
}

/// Which keys a `SCAN` shows, and how many it visits.
struct Filter<'a> {
    pattern: Option<&'a [u8]>,
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
                filter.pattern = Some(args.at(index + 1));
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
        self.type_name.is_none_or(of_type)
            && self.pattern.is_none_or(|pattern| glob::matches(pattern, key))
    }
}
