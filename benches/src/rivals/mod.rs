//! The runtimes that are compared, each behind the same small interface, and the same work by hand.
//!
//! `row ─▶ workload ─▶ [rival] ─▶ its runtime`
//!
//! A workload is written once, over [`Rival`], so that everyone runs the same program. What a
//! runtime's own documentation advises is in its file: how it is built and pinned, its spawn, its
//! yield, its sleep. Where it has a way of its own to call another core, it replaces
//! [`Rival::calls`].
//!
//! - [`by_hand`] is the limit: no runtime at all.
//! - [`mod@miniss`] is ours.
//! - [`files`] is what each of them does with files, [`direct`] with `O_DIRECT`.
//! - [`tokio`], [`monoio`], [`compio`], [`glommio`], [`smol`] are the peers.

#![forbid(unsafe_code)]

pub mod by_hand;
pub mod compio;
pub mod direct;
pub mod files;
pub mod glommio;
pub mod miniss;
pub mod monoio;
pub mod smol;
pub mod tokio;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::compare::sample::Sample;
use crate::compare::work::calls::{self, Calls};

/// Where a runtime runs, and how it goes to sleep.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// The CPU of its only thread.
    pub cpu: usize,
    /// How long it looks for work before it sleeps, if it can do that at all.
    pub spin: Duration,
}

/// A runtime of one thread, as its documentation tells to use it.
pub trait Rival {
    /// Name and version, as the manifest pins it.
    const NAME: &'static str;

    /// What spawning gives: a future of the task's end.
    type Handle<T: 'static>: Future;

    /// Runs `main` to its end on a new runtime, on the calling thread.
    fn block_on<F: Future>(place: Place, main: F) -> F::Output;

    /// Starts a task that someone will join.
    fn spawn<F: Future + 'static>(future: F) -> Self::Handle<F::Output>
    where
        F::Output: 'static;

    /// Starts a task that no one waits for.
    fn detach<F: Future<Output = ()> + 'static>(future: F);

    /// Lets the other tasks run once.
    fn yield_now() -> impl Future<Output = ()> {
        Yield::default()
    }

    /// Ends after `duration`.
    fn sleep(duration: Duration) -> impl Future;

    /// Calls a second core and waits for the reply, again and again.
    fn calls(calls: Calls) -> Sample
    where
        Self: Sized,
    {
        calls::over_channels::<Self>(calls)
    }
}

/// Gives way once, for runtimes that have no such function: the task wakes itself.
#[derive(Debug, Default)]
pub struct Yield {
    has_yielded: bool,
}

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_yielded {
            return Poll::Ready(());
        }
        self.has_yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_say_the_versions_that_the_manifest_pins() {
        let manifest = include_str!("../../Cargo.toml");
        let names = [
            tokio::Tokio::NAME,
            monoio::Monoio::NAME,
            compio::Compio::NAME,
            glommio::Glommio::NAME,
        ];
        for name in names.into_iter().chain([smol::Smol::NAME]) {
            let (package, version) = name.split_once(' ').expect("name and version");
            let line = manifest.lines().find(|line| line.starts_with(&format!("{package} = ")));
            let line = line.unwrap_or_else(|| panic!("{package} is not in the manifest"));
            assert!(line.contains(&format!("\"={version}\"")), "{name}: {line}");
        }
    }
}
