//! Lists.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::call::{Call, Done, Fault};
use crate::resp::number::parse_i64;
use crate::resp::reply::{self, FRAME_BYTES_MAX};
use crate::store::Value;
use crate::store::value::{LARGE_BYTES_MIN, List, shrink};

/// An end of a list.
#[derive(Clone, Copy)]
enum End {
    Left,
    Right,
}

/// `LPUSH key element ...`
pub fn lpush(call: &mut Call<'_>) -> Done {
    push(call, List::push_front)
}

/// `RPUSH key element ...`
pub fn rpush(call: &mut Call<'_>) -> Done {
    push(call, List::push_back)
}

fn push(call: &mut Call<'_>, add: fn(&mut List, Box<[u8]>)) -> Done {
    let key = call.args.at(1);
    let found = call.store.locate(key, call.now_ms);
    let place = found.unwrap_or_else(|absent| call.store.insert(absent, key, Value::new_list()));
    let list = call.store.value(place).list()?;
    call.args.from(2).for_each(|element| add(list, element.into()));
    reply::count(call.out, list.len());
    Ok(())
}

/// `LPOP key [count]`
pub fn lpop(call: &mut Call<'_>) -> Done {
    pop(call, End::Left, "lpop")
}

/// `RPOP key [count]`
pub fn rpop(call: &mut Call<'_>) -> Done {
    pop(call, End::Right, "rpop")
}

fn pop(call: &mut Call<'_>, end: End, name: &'static str) -> Done {
    let count = match call.args.len() {
        2 => None,
        3 => Some(positive(call.args.at(2))?),
        _ => return Err(Fault::Arity(name)),
    };
    let Some(place) = call.find() else {
        match count {
            None => reply::null(call.out, call.proto),
            Some(_) => reply::null_array(call.out, call.proto),
        }
        return Ok(());
    };
    let list = call.store.value(place).list()?;
    let taken = count.unwrap_or(1).min(list.len());
    let from = if matches!(end, End::Left) { 0 } else { list.len() - taken };
    // What cannot be shown is not taken.
    if !call.out.has_room(strings_bytes_max(list.range(from..from + taken))) {
        return Err(Fault::NO_MEMORY);
    }
    if count.is_some() {
        reply::array(call.out, taken);
    }
    for _ in 0..taken {
        let element = match end {
            End::Left => list.pop_front(),
            End::Right => list.pop_back(),
        };
        let element = element.unwrap_or_default();
        if element.len() < LARGE_BYTES_MIN {
            reply::bulk(call.out, &element);
        } else {
            reply::shared(call.out, &Arc::new(element.into_vec()));
        }
    }
    shrink(list);
    call.store.remove_if_empty(place);
    Ok(())
}

/// `LLEN key`
pub fn llen(call: &mut Call<'_>) -> Done {
    let len = match call.read() {
        Some(place) => call.store.value(place).list()?.len(),
        None => 0,
    };
    reply::count(call.out, len);
    Ok(())
}

/// `LRANGE key start stop`: both ends included, negative ones counted from the end.
pub fn lrange(call: &mut Call<'_>) -> Done {
    let (start, stop) = (call.integer(2)?, call.integer(3)?);
    let Some(place) = call.read() else {
        reply::array(call.out, 0);
        return Ok(());
    };
    let list = call.store.value(place).list()?;
    let from_start = |index: i64| {
        let len = list.len() as i64;
        if index < 0 { index.saturating_add(len) } else { index }
    };
    let start = from_start(start).max(0) as usize;
    let end = (from_start(stop).saturating_add(1).max(0) as usize).min(list.len());
    reply::array(call.out, end.saturating_sub(start));
    if start < end {
        if !call.out.has_room(strings_bytes_max(list.range(start..end))) {
            return Err(Fault::NO_MEMORY);
        }
        list.range(start..end).for_each(|element| reply::bulk(call.out, element));
    }
    Ok(())
}

/// Bytes of a reply that shows `strings`, at most.
fn strings_bytes_max<'a>(strings: impl Iterator<Item = &'a Box<[u8]>>) -> usize {
    strings.map(|string| string.len() + FRAME_BYTES_MAX).sum::<usize>() + FRAME_BYTES_MAX
}

/// A number of elements: not negative.
pub fn positive(text: &[u8]) -> Result<usize, Fault> {
    let number = parse_i64(text).and_then(|number| usize::try_from(number).ok());
    number.ok_or(Fault::NOT_POSITIVE)
}
