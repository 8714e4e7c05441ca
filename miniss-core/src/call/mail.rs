//! The task of an endpoint: serves what has come, then sends what has gathered.
//!
//! Publishing once per turn falls out of its being a task: it is woken by the first call of a turn
//! and runs behind the tasks that are ready.
//!
//! Work that unwinds takes the task with it. Then a successor is spawned, which serves the rest: it
//! makes its own waker known in place of the former's and looks everywhere, as the first one did.
//! When the executor ends there is no successor, and the endpoint closes.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::home::StrangersWoken;
use super::queue::Queue;
use super::shared::Shared;
use crate::error::SpawnError;
use crate::reactor::Unpark;

/// The task of an endpoint.
pub(super) struct Mail<U: Unpark, Q: Queue + 'static> {
    exchange: Shared<U, Q>,
    is_open: bool,
}

impl<U: Unpark, Q: Queue + 'static> Mail<U, Q> {
    /// Spawns the task. If that fails, the endpoint is closed.
    pub(super) fn spawn(exchange: Shared<U, Q>) -> Result<(), SpawnError> {
        let local = exchange.local();
        let mail = || Self { exchange: exchange.clone(), is_open: false };
        let handle = match exchange.mail_slab().map(|slab| local.spawn_in(slab, mail())) {
            // Former ones that were woken as they ran keep their slots until the queue comes by.
            None | Some(Err(SpawnError::NoRoom)) => local.spawn(mail())?,
            Some(spawned) => spawned?,
        };
        handle.with_slot(|slot| exchange.start_watch(slot));
        handle.detach();
        Ok(())
    }
}

impl<U: Unpark, Q: Queue + 'static> Future for Mail<U, Q> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_open {
            self.is_open = true;
            self.exchange.open(cx.waker());
        }
        self.exchange.take_in_if_any();
        self.exchange.flush();
        Poll::Pending
    }
}

impl<U: Unpark, Q: Queue + 'static> Drop for Mail<U, Q> {
    fn drop(&mut self) {
        if !self.exchange.start_end() {
            return;
        }
        // Dropped by an unwinding poll if this succeeds, else with the executor.
        match Self::spawn(self.exchange.clone()) {
            Ok(()) => self.exchange.give_up_end(),
            Err(_) => {
                let _at_last = StrangersWoken(self.exchange.home());
                self.exchange.end_watch();
                self.exchange.close();
            }
        }
    }
}
