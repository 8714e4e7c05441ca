//! Keys whatever they hold: `DEL`, `EXISTS`, `TYPE`, `DBSIZE`, `FLUSHALL`.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use super::call::{Call, Done, Fault};
use crate::resp::reply;

/// `DEL key ...` and `UNLINK key ...`
pub fn del(call: &mut Call<'_>) -> Done {
    let mut removed = 0;
    for key in call.args.from(1) {
        if let Ok(place) = call.store.locate(key, call.now_ms) {
            call.store.remove(place);
            removed += 1;
        }
    }
    reply::count(call.out, removed);
    Ok(())
}

/// `EXISTS key ...`: a key that is named twice counts twice.
pub fn exists(call: &mut Call<'_>) -> Done {
    let mut found = 0;
    for key in call.args.from(1) {
        found += usize::from(call.store.read(key, call.now_ms).is_some());
    }
    reply::count(call.out, found);
    Ok(())
}

/// `TYPE key`
pub fn type_of(call: &mut Call<'_>) -> Done {
    let name = call.read().map_or("none", |place| call.store.value(place).type_name());
    reply::simple(call.out, name);
    Ok(())
}

/// `DBSIZE`
pub fn dbsize(call: &mut Call<'_>) -> Done {
    reply::count(call.out, call.store.len());
    Ok(())
}

/// `FLUSHALL [ASYNC | SYNC]`
pub fn flushall(call: &mut Call<'_>) -> Done {
    let known = |index| call.args.is(index, "async") || call.args.is(index, "sync");
    if call.args.len() > 2 || call.args.len() == 2 && !known(1) {
        return Err(Fault::SYNTAX);
    }
    call.store.clear();
    reply::ok(call.out);
    Ok(())
}
