//! Sets.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use super::call::{Call, Done, Fault};
use super::lists::positive;
use crate::resp::reply::{self, FRAME_BYTES_MAX};
use crate::store::Value;

/// `SADD key member ...`: replies how many members are new.
pub fn sadd(call: &mut Call<'_>) -> Done {
    let key = call.args.at(1);
    let found = call.store.locate(key, call.now_ms);
    let place = found.unwrap_or_else(|absent| call.store.insert(absent, key, Value::new_set()));
    let set = call.store.value(place).set()?;
    let new = call.args.from(2).filter(|member| set.insert(member)).count();
    reply::count(call.out, new);
    Ok(())
}

/// `SREM key member ...`: replies how many members there were.
pub fn srem(call: &mut Call<'_>) -> Done {
    let mut removed = 0;
    if let Some(place) = call.find() {
        let set = call.store.value(place).set()?;
        removed = call.args.from(2).filter(|member| set.remove(member)).count();
        call.store.remove_if_empty(place);
    }
    reply::count(call.out, removed);
    Ok(())
}

/// `SMEMBERS key`
pub fn smembers(call: &mut Call<'_>) -> Done {
    let Some(place) = call.read() else {
        reply::set(call.out, call.proto, 0);
        return Ok(());
    };
    let set = call.store.value(place).set()?;
    reply::set(call.out, call.proto, set.len());
    set.for_each(|member| reply::bulk(call.out, member));
    Ok(())
}

/// `SCARD key`
pub fn scard(call: &mut Call<'_>) -> Done {
    let len = match call.read() {
        Some(place) => call.store.value(place).set()?.len(),
        None => 0,
    };
    reply::count(call.out, len);
    Ok(())
}

/// `SPOP key [count]`
pub fn spop(call: &mut Call<'_>) -> Done {
    let count = match call.args.len() {
        2 => None,
        3 => Some(positive(call.args.at(2))?),
        _ => return Err(Fault::SYNTAX),
    };
    let Some(place) = call.find() else {
        match count {
            None => reply::null(call.out, call.proto),
            Some(_) => reply::set(call.out, call.proto, 0),
        }
        return Ok(());
    };
    let len = call.store.value(place).set()?.len();
    let taken = count.unwrap_or(1).min(len);
    if count.is_some() {
        reply::set(call.out, call.proto, taken);
    }
    if taken == len {
        // All of them: in the order of the set, as `SMEMBERS` would give them.
        call.store.value(place).set()?.for_each(|member| reply::bulk(call.out, member));
        if call.out.is_over() {
            return Err(Fault::NO_MEMORY);
        }
        call.store.remove(place);
        return Ok(());
    }
    if !call.out.has_room(taken * FRAME_BYTES_MAX) {
        return Err(Fault::NO_MEMORY);
    }
    for _ in 0..taken {
        let random = call.store.random();
        call.store.value(place).set()?.pop(random, |member| reply::bulk_taken(call.out, member));
    }
    Ok(())
}
