//! What hyper asks of a runtime beside streams: [`ShardTimers`] are its timer, and [`CurrentShard`]
//! its executor.
//!
//! Invariant **Of one thread**: a [`Sleep`] that was polled is touched by the thread that polled it
//! and by no other, and until then there is nothing in it that belongs to a thread.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use hyper::rt;

use crate::runtime::{CurrentShard, spawn};
use crate::time::{Duration, Instant, ShardTimers, Sleep, sleep, sleep_until};

/// With the feature `hyper`: each future is a task of the shard, and need not be `Send`. It is what
/// HTTP/2 asks for.
///
/// # Panics
///
/// Outside of a runtime.
impl<F> rt::Executor<F> for CurrentShard
where
    F: Future<Output: 'static> + 'static,
{
    fn execute(&self, future: F) {
        spawn(future).detach();
    }
}

/// With the feature `hyper`: what its timeouts ask for. A sleep that was polled is polled again on
/// the same thread, else it panics; if it is dropped on another one, its memory is leaked.
impl rt::Timer for ShardTimers {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        SendSleep::boxed(sleep(duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        SendSleep::boxed(sleep_until(deadline.into()))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, deadline: std::time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<SendSleep>() {
            Some(sleep) => sleep.get_mut().inner().reset(deadline.into()),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

/// A [`Sleep`] that is `Send`, which hyper asks for.
struct SendSleep {
    /// In memory of its own, which stays if the timer wheel of another thread may know it.
    inner: ManuallyDrop<Pin<Box<Sleep>>>,
    /// The thread that has polled it.
    owner: Option<ThreadId>,
}

// SAFETY: *Of one thread*: `inner` and `drop` ask which thread this is.
unsafe impl Send for SendSleep {}
// SAFETY: nothing can be done with a shared one.
unsafe impl Sync for SendSleep {}

impl SendSleep {
    fn boxed(sleep: Sleep) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Self { inner: ManuallyDrop::new(Box::pin(sleep)), owner: None })
    }

    fn is_here(&self) -> bool {
        self.owner.is_none_or(|owner| owner == thread::current().id())
    }

    fn inner(&mut self) -> Pin<&mut Sleep> {
        assert!(self.is_here(), "a sleep of hyper's was polled on another shard before");
        self.inner.as_mut()
    }
}

impl Future for SendSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.owner.is_none() {
            self.owner = Some(thread::current().id());
        }
        self.inner().poll(cx)
    }
}

impl rt::Sleep for SendSleep {}

impl Drop for SendSleep {
    fn drop(&mut self) {
        if self.is_here() {
            // SAFETY: it is dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.inner) };
        }
    }
}
