//! Stalls: polls that hold a shard for long, found and reported while they go on.
//!
//! `executor ─▶ [beat] ─▶ watcher ─▶ diagnostics`
//!
//! - [`beat`]: what each shard tells: that its loop goes round, that it sleeps, what it polls.
//! - [`watcher`]: a thread that looks whether they do, and says so if one does not.
//! - [`capture`]: where the code stands that a shard is in.

pub(crate) mod beat;
#[cfg(feature = "backtrace")]
mod capture;
mod watcher;

pub(crate) use beat::ShardBeat;
pub(crate) use watcher::Watcher;

#[cfg(debug_assertions)]
use std::panic::Location;
use std::time::Duration;

use crate::guard::{Defer, defer};
use crate::runtime::shard::Shard;
use crate::runtime::try_with_current;
use crate::task;
#[cfg(debug_assertions)]
use beat::Polled;

/// The shard polls a task of this name, until the guard is dropped.
pub(crate) fn polls_named(name: &'static str) -> Defer<impl FnMut()> {
    let set = |name: Option<&'static str>| {
        let watched = |shard: &Shard| shard.beat.as_ref().map(|beat| beat.set_label(name));
        try_with_current(watched);
        task::set_name(name)
    };
    let before = set(Some(name));
    defer(move || _ = set(before))
}

/// From here on a poll counts as a stall, unless the builder says otherwise.
pub(crate) const LIMIT: Duration = Duration::from_millis(25);

/// The shard polls a task of this kind, spawned there, until the guard is dropped.
#[cfg(debug_assertions)]
pub(crate) fn polls<F>(spawned_at: &'static Location<'static>) -> Defer<impl FnMut()> {
    let set = |polled| try_with_current(|shard| Some(shard.beat.as_ref()?.set_polled(polled)));
    let before = set(Polled::new::<F>(spawned_at)).flatten();
    defer(move || _ = before.map(set))
}
