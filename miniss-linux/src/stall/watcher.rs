//! The thread that watches the shards of a runtime. While any is awake it looks four times in the
//! time that counts as a stall; while all sleep, so does it.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::fence;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::beat::{Beats, ShardBeat, is_asleep};
use crate::diagnostics::{self, Event};
use crate::runtime::ShardId;

/// How often it looks while a limit passes.
const LOOKS: u32 = 4;

/// Watches the shards until it is dropped.
pub(crate) struct Watcher {
    beats: Arc<Beats>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    pub(crate) fn start(shards: usize, limit: Duration, name: String) -> io::Result<Self> {
        #[cfg(feature = "backtrace")]
        super::capture::prepare();
        let beats = Arc::new(Beats::new(shards));
        let watched = beats.clone();
        let thread = thread::Builder::new().name(name).spawn(move || watch(&watched, limit))?;
        let _ = beats.watcher.set(thread.thread().clone());
        Ok(Self { beats, thread: Some(thread) })
    }

    /// What a shard polls, for a line that says that it does not end.
    pub(crate) fn polled(&self, shard: ShardId) -> String {
        let beat = &self.beats.shards[shard.index()];
        format!("; it polls {}{}", beat.polled(), Place { thread: beat.thread() })
    }

    pub(crate) fn beat_of(&self, shard: usize) -> ShardBeat {
        ShardBeat::new(self.beats.clone(), shard)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.beats.is_over.store(true, Relaxed);
        fence(SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // Its panics are those of a logger, which are caught.
            let _ = thread.join();
        }
    }
}

/// What the watcher knows of one shard.
#[derive(Clone, Copy)]
struct Seen {
    count: u32,
    since: Instant,
    is_reported: bool,
}

fn watch(beats: &Beats, limit: Duration) {
    let since = Instant::now();
    let mut seen = vec![Seen { count: 1, since, is_reported: false }; beats.shards.len()];
    while !beats.is_over.load(Relaxed) {
        look(beats, &mut seen, limit);
        if seen.iter().all(|seen| is_asleep(seen.count)) {
            beats.rest();
        } else {
            thread::park_timeout(limit / LOOKS);
        }
    }
}

fn look(beats: &Beats, seen: &mut [Seen], limit: Duration) {
    for (index, (seen, beat)) in seen.iter_mut().zip(&beats.shards).enumerate() {
        let (count, now) = (beat.count(), Instant::now());
        if count != seen.count {
            *seen = Seen { count, since: now, is_reported: false };
        } else if !is_asleep(count) && !seen.is_reported && now - seen.since >= limit {
            seen.is_reported = true;
            report(beats, index, now - seen.since);
        }
    }
}

fn report(beats: &Beats, index: usize, held: Duration) {
    let (shard, beat) = (ShardId::new(index), &beats.shards[index]);
    let (polled, place) = (beat.polled(), Place { thread: beat.thread() });
    let (of_group, group) = match beats.group_of(index) {
        Some(group) => (", of the group ", group),
        None => ("", ""),
    };
    diagnostics::report(
        Event::Stalled,
        format_args!(
            "{shard} has been held for {held:?} by one poll, of {polled}{of_group}{group}{place}"
        ),
    );
}

/// Where the code of a thread stands. It is looked up when someone is to read it, for that is far
/// more work than to see a stall.
struct Place {
    thread: i32,
}

impl fmt::Display for Place {
    #[cfg(feature = "backtrace")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::capture::capture(self.thread))
    }

    #[cfg(not(feature = "backtrace"))]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thread = self.thread;
        write!(f, "; the feature `backtrace` of miniss-linux tells where in thread {thread}")
    }
}
