//! Hashes.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use super::call::{Call, Done, Fault};
use crate::resp::reply;
use crate::store::Value;

/// `HSET key field value ...`: replies how many fields are new.
pub fn hset(call: &mut Call<'_>) -> Done {
    if call.args.len() % 2 == 1 {
        return Err(Fault::Arity("hset"));
    }
    let (key, args) = (call.args.at(1), call.args);
    let found = call.store.locate(key, call.now_ms);
    let place = found.unwrap_or_else(|absent| call.store.insert(absent, key, Value::new_hash()));
    let hash = call.store.value(place).hash()?;
    let pairs = (2..args.len()).step_by(2);
    let new = pairs.filter(|index| hash.set(args.at(*index), args.at(index + 1))).count();
    reply::count(call.out, new);
    Ok(())
}

/// `HGET key field`
pub fn hget(call: &mut Call<'_>) -> Done {
    let value = match call.read() {
        Some(place) => call.store.value(place).hash()?.value(call.args.at(2)),
        None => None,
    };
    match value {
        Some(value) => reply::bulk(call.out, value),
        None => reply::null(call.out, call.proto),
    }
    Ok(())
}

/// `HDEL key field ...`: replies how many fields there were.
pub fn hdel(call: &mut Call<'_>) -> Done {
    let mut removed = 0;
    if let Some(place) = call.find() {
        let hash = call.store.value(place).hash()?;
        removed = call.args.from(2).filter(|field| hash.remove(field)).count();
        call.store.remove_if_empty(place);
    }
    reply::count(call.out, removed);
    Ok(())
}

/// `HGETALL key`
pub fn hgetall(call: &mut Call<'_>) -> Done {
    let Some(place) = call.read() else {
        reply::map(call.out, call.proto, 0);
        return Ok(());
    };
    let hash = call.store.value(place).hash()?;
    reply::map(call.out, call.proto, hash.len());
    for (field, value) in hash.iter() {
        reply::bulk(call.out, field);
        reply::bulk(call.out, value);
    }
    Ok(())
}

/// `HLEN key`
pub fn hlen(call: &mut Call<'_>) -> Done {
    let len = match call.read() {
        Some(place) => call.store.value(place).hash()?.len(),
        None => 0,
    };
    reply::count(call.out, len);
    Ok(())
}
