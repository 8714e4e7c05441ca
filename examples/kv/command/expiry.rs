//! Deadlines: setting, reading and lifting them.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use super::call::{Call, Done, Fault};
use crate::resp::{Args, reply};

/// What a time is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// The deadline `time` after `base_ms`; `None` if `time` is not positive or too far.
pub fn deadline_after(time: i64, unit: Unit, base_ms: u64) -> Option<u64> {
    let deadline_ms = signed_deadline(time, unit, base_ms)?;
    if time > 0 { u64::try_from(deadline_ms).ok() } else { None }
}

/// The same for `EXPIRE`, where times that are past delete the key.
fn signed_deadline(time: i64, unit: Unit, base_ms: u64) -> Option<i64> {
    let time_ms = match unit {
        Unit::Seconds => time.checked_mul(1000)?,
        Unit::Milliseconds => time,
    };
    time_ms.checked_add_unsigned(base_ms)
}

/// `EXPIRE key seconds [NX | XX | GT | LT]`
pub fn expire(call: &mut Call<'_>) -> Done {
    let now_ms = call.now_ms;
    expire_at(call, Unit::Seconds, now_ms, "expire")
}

/// `PEXPIRE key milliseconds [NX | XX | GT | LT]`
pub fn pexpire(call: &mut Call<'_>) -> Done {
    let now_ms = call.now_ms;
    expire_at(call, Unit::Milliseconds, now_ms, "pexpire")
}

/// `EXPIREAT key seconds-since-epoch [NX | XX | GT | LT]`
pub fn expireat(call: &mut Call<'_>) -> Done {
    expire_at(call, Unit::Seconds, 0, "expireat")
}

/// `PEXPIREAT key milliseconds-since-epoch [NX | XX | GT | LT]`
pub fn pexpireat(call: &mut Call<'_>) -> Done {
    expire_at(call, Unit::Milliseconds, 0, "pexpireat")
}

fn expire_at(call: &mut Call<'_>, unit: Unit, base_ms: u64, name: &'static str) -> Done {
    let conditions = Conditions::parse(&call.args)?;
    let time = call.integer(2)?;
    let deadline = signed_deadline(time, unit, base_ms).ok_or(Fault::ExpireTime(name))?;
    let place = call.find();
    let place = place.filter(|place| conditions.hold(call.store.deadline_ms(*place), deadline));
    if let Some(place) = place {
        match u64::try_from(deadline).ok().filter(|deadline_ms| *deadline_ms > call.now_ms) {
            Some(deadline_ms) => call.store.set_deadline(place, deadline_ms),
            None => call.store.remove(place),
        }
    }
    reply::integer(call.out, i64::from(place.is_some()));
    Ok(())
}

/// When an `EXPIRE` applies.
#[derive(Default)]
struct Conditions {
    none_before: bool,
    some_before: bool,
    later: bool,
    earlier: bool,
}

impl Conditions {
    fn parse(args: &Args<'_>) -> Result<Self, Fault> {
        let mut conditions = Self::default();
        for index in 3..args.len() {
            if args.is(index, "nx") {
                conditions.none_before = true;
            } else if args.is(index, "xx") {
                conditions.some_before = true;
            } else if args.is(index, "gt") {
                conditions.later = true;
            } else if args.is(index, "lt") {
                conditions.earlier = true;
            } else {
                return Err(Fault::quoting("ERR Unsupported option ", args.at(index), ""));
            }
        }
        conditions.agreeing()
    }

    fn agreeing(self) -> Result<Self, Fault> {
        if self.none_before && (self.some_before || self.later || self.earlier) {
            return Err(Fault::Text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if self.later && self.earlier {
            return Err(Fault::Text("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(self)
    }

    /// True if a key with the deadline `old` may get `new`. No deadline counts as the latest.
    fn hold(&self, old: Option<u64>, new: i64) -> bool {
        let old = old.map(|old| old as i64);
        let refused = self.none_before && old.is_some()
            || self.some_before && old.is_none()
            || self.later && old.is_none_or(|old| new <= old)
            || self.earlier && old.is_some_and(|old| new >= old);
        !refused
    }
}

/// `TTL key`
pub fn ttl(call: &mut Call<'_>) -> Done {
    time_left(call, |left_ms| (left_ms + 500) / 1000)
}

/// `PTTL key`
pub fn pttl(call: &mut Call<'_>) -> Done {
    time_left(call, |left_ms| left_ms)
}

fn time_left(call: &mut Call<'_>, in_unit: fn(i64) -> i64) -> Done {
    let left = match call.read().map(|place| call.store.deadline_ms(place)) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline_ms)) => in_unit((deadline_ms - call.now_ms) as i64),
    };
    reply::integer(call.out, left);
    Ok(())
}

/// `PERSIST key`
pub fn persist(call: &mut Call<'_>) -> Done {
    let lifted = call.find().is_some_and(|place| call.store.clear_deadline(place));
    reply::integer(call.out, i64::from(lifted));
    Ok(())
}
