//! The handle to an exchange, and what it takes one to do: make calls, and serve them.
//!
//! Invariants: see [`super`] and [`home`](super::home).

use core::marker::PhantomData;
use core::mem;
use core::ops::Deref;
use core::ptr::NonNull;

use super::call::Call;
use super::exchange::Exchange;
use super::home::HomeRef;
use super::node::{CallVtable, Cargo, Held, Typed};
use super::queue::Queue;
use crate::error::{CallError, Refused};
use crate::executor::Budget;
use crate::reactor::Unpark;

/// A counted reference to an exchange.
pub(super) struct Shared<U: Unpark, Q: Queue + 'static> {
    home: HomeRef,
    exchange: PhantomData<*const Exchange<U, Q>>,
}

impl<U: Unpark, Q: Queue + 'static> Shared<U, Q> {
    /// The first reference to a new exchange.
    ///
    /// # Safety
    /// As for [`HomeRef::new`].
    pub(super) unsafe fn new(exchange: NonNull<Exchange<U, Q>>) -> Self {
        // SAFETY: the caller's promise; *Comes first*.
        Self { home: unsafe { HomeRef::new(exchange.cast()) }, exchange: PhantomData }
    }

    /// # Safety
    /// The home is that of an `Exchange<U, Q>`.
    pub(super) unsafe fn of(home: HomeRef) -> Self {
        Self { home, exchange: PhantomData }
    }

    /// Makes a call of `work` and starts it on its way; without room, one that has failed.
    ///
    /// # Safety
    /// The vtable is one for `W`, `T` and this type of exchange.
    #[inline]
    #[track_caller]
    pub(super) unsafe fn submit<W: Send + 'static, T: Send + 'static>(
        &self,
        core: usize,
        work: W,
        vtable: &'static CallVtable,
    ) -> Call<T> {
        self.check(core);
        match self.home.memory.take(vtable.layout) {
            // SAFETY: the caller's promise; memory of this layout.
            Ok(memory) => unsafe { self.start(memory, core, work, vtable) },
            Err(reason) => {
                self.home.memory.give_up(vtable.layout);
                Call::failed(reason, self.home.clone())
            }
        }
    }

    /// Makes a call of `work` and starts it on its way; without room, gives `work` back.
    ///
    /// # Safety
    /// As for [`submit`](Self::submit).
    #[track_caller]
    pub(super) unsafe fn try_submit<W: Send + 'static, T: Send + 'static>(
        &self,
        core: usize,
        work: W,
        vtable: &'static CallVtable,
    ) -> Result<Call<T>, Refused<W, CallError>> {
        self.check(core);
        match self.home.memory.take(vtable.layout) {
            // SAFETY: the caller's promise; memory of this layout.
            Ok(memory) => Ok(unsafe { self.start(memory, core, work, vtable) }),
            Err(reason) => Err(Refused::new(work, reason)),
        }
    }

    #[track_caller]
    fn check(&self, core: usize) {
        assert!(core < self.cores(), "there is no core {core} in this mesh");
    }

    /// # Safety
    /// As for [`submit`](Self::submit); the memory is fresh or recycled, of the vtable's layout.
    #[inline]
    unsafe fn start<W: Send + 'static, T: Send + 'static>(
        &self,
        memory: NonNull<u8>,
        core: usize,
        work: W,
        vtable: &'static CallVtable,
    ) -> Call<T> {
        // SAFETY: the caller's promise.
        let held = unsafe { Typed::<W, T>::write(memory, work, self.me() as u32, vtable) };
        // SAFETY: the vtable makes the cargo a `T`.
        let call = unsafe { Call::new(held.0, self.home.clone()) };
        self.note_call();
        if core == self.me() {
            self.serve(held);
        } else if self.home.is_over.get() {
            self.turn_back(held);
        } else {
            self.put(core, held);
        }
        call
    }

    /// Refuses calls from now on, also those that have come.
    pub(super) fn close(&self) {
        self.start_to_close();
        let _last = FlushAll(self);
        self.take_in(Budget::UNLIMITED);
    }

    /// Takes what has come, if anything was announced. For the task, which flushes thereafter.
    #[inline]
    pub(super) fn take_in_if_any(&self) {
        if self.has_mail() {
            self.set_taking_in(true);
            self.take_in(self.budget());
            self.set_taking_in(false);
        }
    }

    /// Takes what has come, within a budget: calls are served, replies settled.
    fn take_in(&self, budget: Budget) {
        let unwinding = Unwinding(self);
        self.receive(budget, |held| match held.node().cargo.get() {
            Cargo::Work => self.serve(held),
            _ => self.settle(held),
        });
        mem::forget(unwinding);
    }

    /// Runs a call, or refuses it if this core is closed.
    fn serve(&self, held: Held) {
        if self.is_closed() {
            return self.turn_back(held);
        }
        let run = held.node().vtable.get().run;
        // SAFETY: *One holder*: it is us, and the cargo is work. All exchanges of a mesh are of one
        // type, so the vtable, which one of them made, fits ours.
        unsafe { run(held, &self.home) };
    }
}

impl<U: Unpark, Q: Queue + 'static> Deref for Shared<U, Q> {
    type Target = Exchange<U, Q>;

    #[inline]
    fn deref(&self) -> &Exchange<U, Q> {
        // SAFETY: *Counted*: by our `HomeRef`. *Comes first*.
        unsafe { self.home.as_ptr().cast::<Exchange<U, Q>>().as_ref() }
    }
}

impl<U: Unpark, Q: Queue + 'static> Clone for Shared<U, Q> {
    fn clone(&self) -> Self {
        Self { home: self.home.clone(), exchange: PhantomData }
    }
}

/// Sends everything at the end of a scope, even if a destructor of what was refused unwinds.
struct FlushAll<'a, U: Unpark, Q: Queue + 'static>(&'a Exchange<U, Q>);

impl<U: Unpark, Q: Queue + 'static> Drop for FlushAll<'_, U, Q> {
    fn drop(&mut self) {
        self.0.flush_all();
    }
}

/// Takes in what was not, because something unwound, if there is no task for it any more.
/// Otherwise it stays where the executor sees it, and wakes the task or its successor.
struct Unwinding<'a, U: Unpark, Q: Queue + 'static>(&'a Shared<U, Q>);

impl<U: Unpark, Q: Queue + 'static> Drop for Unwinding<'_, U, Q> {
    fn drop(&mut self) {
        if self.0.home().is_over.get() {
            self.0.take_in(Budget::UNLIMITED);
        }
    }
}
