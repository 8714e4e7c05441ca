//! Counters: strings that are numbers.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use super::call::{Call, Done, Fault};
use crate::resp::number::{parse_i64, write_i64};
use crate::resp::reply;
use crate::store::Value;

/// `INCR key`
pub fn incr(call: &mut Call<'_>) -> Done {
    add(call, 1)
}

/// `DECR key`
pub fn decr(call: &mut Call<'_>) -> Done {
    add(call, -1)
}

/// `INCRBY key increment`
pub fn incrby(call: &mut Call<'_>) -> Done {
    let step = call.integer(2)?;
    add(call, step)
}

/// `DECRBY key decrement`
pub fn decrby(call: &mut Call<'_>) -> Done {
    let step = call.integer(2)?;
    add(call, step.checked_neg().ok_or(Fault::Text("ERR decrement would overflow"))?)
}

fn add(call: &mut Call<'_>, step: i64) -> Done {
    let key = call.args.at(1);
    let sum = match call.store.locate(key, call.now_ms) {
        Ok(place) => {
            let text = call.store.value(place).string_mut()?;
            let sum = parse_i64(text).ok_or(Fault::NOT_INTEGER)?.checked_add(step);
            let sum = sum.ok_or(Fault::Text("ERR increment or decrement would overflow"))?;
            text.clear();
            write_i64(text, sum);
            sum
        }
        Err(absent) => {
            let mut text = Vec::new();
            write_i64(&mut text, step);
            call.store.insert(absent, key, Value::String(text));
            step
        }
    };
    reply::integer(call.out, sum);
    Ok(())
}
