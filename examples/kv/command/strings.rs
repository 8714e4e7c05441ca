//! Strings: `GET`, `SET` and what is built on them.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use super::call::{Call, Done, Fault};
use super::expiry::{Unit, deadline_after};
use crate::resp::parser::BULK_BYTES_MAX;
use crate::resp::{Args, Output, reply};
use crate::store::{Absent, Place, Value};

/// `GET key`
pub fn get(call: &mut Call<'_>) -> Done {
    let found = call.read();
    write_string(call, found)
}

/// `GETDEL key`
pub fn getdel(call: &mut Call<'_>) -> Done {
    let found = call.read();
    write_string(call, found)?;
    if let Some(place) = found {
        call.store.remove(place);
    }
    Ok(())
}

/// `GETSET key value`
pub fn getset(call: &mut Call<'_>) -> Done {
    let found = call.store.locate(call.args.at(1), call.now_ms);
    call.store.count_read(found.is_ok());
    write_string(call, found.ok())?;
    replace(call, found, 2);
    Ok(())
}

/// `SETNX key value`
pub fn setnx(call: &mut Call<'_>) -> Done {
    let found = call.store.locate(call.args.at(1), call.now_ms);
    if found.is_err() {
        replace(call, found, 2);
    }
    reply::integer(call.out, i64::from(found.is_err()));
    Ok(())
}

/// `SETEX key seconds value`
pub fn setex(call: &mut Call<'_>) -> Done {
    set_with_deadline(call, Unit::Seconds, "setex")
}

/// `PSETEX key milliseconds value`
pub fn psetex(call: &mut Call<'_>) -> Done {
    set_with_deadline(call, Unit::Milliseconds, "psetex")
}

fn set_with_deadline(call: &mut Call<'_>, unit: Unit, name: &'static str) -> Done {
    let time = call.integer(2)?;
    let deadline_ms = deadline_after(time, unit, call.now_ms).ok_or(Fault::ExpireTime(name))?;
    let found = call.store.locate(call.args.at(1), call.now_ms);
    let place = replace(call, found, 3);
    call.store.set_deadline(place, deadline_ms);
    reply::ok(call.out);
    Ok(())
}

/// `STRLEN key`
pub fn strlen(call: &mut Call<'_>) -> Done {
    let len = match call.read() {
        Some(place) => call.store.value(place).string()?.len(),
        None => 0,
    };
    reply::count(call.out, len);
    Ok(())
}

/// `APPEND key value`
pub fn append(call: &mut Call<'_>) -> Done {
    let (key, tail) = (call.args.at(1), call.args.at(2));
    let len = match call.store.locate(key, call.now_ms) {
        Ok(place) => {
            let value = call.store.value(place);
            if value.string()?.len() + tail.len() > BULK_BYTES_MAX {
                return Err(Fault::TOO_LONG);
            }
            let text = value.string_mut()?;
            text.extend_from_slice(tail);
            let len = text.len();
            value.share_if_large();
            len
        }
        Err(absent) => {
            call.store.insert(absent, key, Value::new_string(tail));
            tail.len()
        }
    };
    reply::count(call.out, len);
    Ok(())
}

/// `MGET key ...`
pub fn mget(call: &mut Call<'_>) -> Done {
    reply::array(call.out, call.args.len() - 1);
    for key in call.args.from(1) {
        let place = call.store.read(key, call.now_ms);
        // A key of another type has no string: unlike `GET`, that is not an error here.
        match place.map(|place| &*call.store.value(place)).filter(|it| it.string().is_ok()) {
            Some(value) => write_value(call.out, value)?,
            None => reply::null(call.out, call.proto),
        }
    }
    Ok(())
}

/// `MSET key value ...`
pub fn mset(call: &mut Call<'_>) -> Done {
    for index in (1..call.args.len()).step_by(2) {
        let found = call.store.locate(call.args.at(index), call.now_ms);
        let place = call.store.put_string(found, call.args.at(index), call.args.at(index + 1));
        call.store.clear_deadline(place);
    }
    reply::ok(call.out);
    Ok(())
}

/// `SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`
pub fn set(call: &mut Call<'_>) -> Done {
    let found = call.store.locate(call.args.at(1), call.now_ms);
    if call.args.len() == 3 {
        replace(call, found, 2);
        reply::ok(call.out);
        return Ok(());
    }
    let options = SetOptions::parse(&call.args)?;
    let deadline_ms = options.deadline_ms(call)?;
    if options.give_old {
        call.store.count_read(found.is_ok());
        write_string(call, found.ok())?;
    }
    let applies = options.only_if.is_none_or(|exists| exists == found.is_ok());
    match (applies, options.give_old) {
        (_, true) => {}
        (true, false) => reply::ok(call.out),
        (false, false) => reply::null(call.out, call.proto),
    }
    if applies {
        let place = call.store.put_string(found, call.args.at(1), call.args.at(2));
        match deadline_ms {
            Some(deadline_ms) => call.store.set_deadline(place, deadline_ms),
            None if options.keep_deadline => {}
            None => drop(call.store.clear_deadline(place)),
        }
    }
    Ok(())
}

/// What follows key and value of a `SET`.
#[derive(Default)]
struct SetOptions {
    /// Set only if the key exists (true) or does not (false).
    only_if: Option<bool>,
    give_old: bool,
    keep_deadline: bool,
    /// A time: its argument, its unit, whether it counts from now.
    time: Option<(usize, Unit, bool)>,
}

impl SetOptions {
    fn parse(args: &Args<'_>) -> Result<Self, Fault> {
        let mut options = Self::default();
        let mut index = 3;
        while index < args.len() {
            let took = options.flag(args, index) || {
                index += 1;
                index < args.len() && options.time(args, index)
            };
            if !took {
                return Err(Fault::SYNTAX);
            }
            index += 1;
        }
        Ok(options)
    }

    /// Takes the word at `index` if it is a flag that agrees with what came before.
    fn flag(&mut self, args: &Args<'_>, index: usize) -> bool {
        if args.is(index, "nx") && self.only_if != Some(true) {
            self.only_if = Some(false);
        } else if args.is(index, "xx") && self.only_if != Some(false) {
            self.only_if = Some(true);
        } else if args.is(index, "get") {
            self.give_old = true;
        } else if args.is(index, "keepttl") && self.time.is_none() {
            self.keep_deadline = true;
        } else {
            return false;
        }
        true
    }

    /// Takes the time at `index` if the word before it is a unit that agrees with what came before.
    fn time(&mut self, args: &Args<'_>, index: usize) -> bool {
        let units = [
            ("ex", Unit::Seconds, true),
            ("px", Unit::Milliseconds, true),
            ("exat", Unit::Seconds, false),
            ("pxat", Unit::Milliseconds, false),
        ];
        let unit = units.into_iter().find(|(word, ..)| args.is(index - 1, word));
        let Some((_, unit, from_now)) = unit else { return false };
        // The same option may be repeated, and its last value counts; another one may not follow.
        let agrees = self.time.is_none_or(|(_, old, base)| (old, base) == (unit, from_now));
        self.time = Some((index, unit, from_now));
        agrees && !self.keep_deadline
    }

    fn deadline_ms(&self, call: &Call<'_>) -> Result<Option<u64>, Fault> {
        let Some((index, unit, from_now)) = self.time else { return Ok(None) };
        let base_ms = if from_now { call.now_ms } else { 0 };
        let deadline_ms = deadline_after(call.integer(index)?, unit, base_ms);
        deadline_ms.map(Some).ok_or(Fault::ExpireTime("set"))
    }
}

/// Writes the string at `found`, or a null if there is none.
fn write_string(call: &mut Call<'_>, found: Option<Place>) -> Done {
    match found {
        Some(place) => write_value(call.out, call.store.value(place))?,
        None => reply::null(call.out, call.proto),
    }
    Ok(())
}

/// Writes the string that `value` is; a long one is shared.
///
/// # Errors
///
/// It is no string, or there is no room for it.
fn write_value(out: &mut Output, value: &Value) -> Done {
    match value {
        Value::Large(string) => reply::shared(out, string),
        other => reply::bulk(out, other.string()?),
    }
    // Known before the value is changed: what is not shown is not taken either.
    if out.is_over() { Err(Fault::NO_MEMORY) } else { Ok(()) }
}

/// Makes the request's key the string at argument `index`, without a deadline.
fn replace(call: &mut Call<'_>, found: Result<Place, Absent>, index: usize) -> Place {
    let place = call.store.put_string(found, call.args.at(1), call.args.at(index));
    call.store.clear_deadline(place);
    place
}
