//! The epoll driver: a request becomes a system call that does not wait. If the call would block,
//! the request waits here, and the call is tried again when epoll says that it may succeed.
//!
//! `future ─▶ op table ─▶ [driver] ─▶ kernel ─▶ [completion] ─▶ waker ─▶ executor`
//!
//! - [`fulfil`]: the driver; tries requests, and waits for all descriptors with one call a turn.
//! - [`interest`]: what is known of each descriptor, and which requests wait for it.
//! - [`perform`]: the system call of each request.
//! - [`sys`]: the gate to epoll.

mod fulfil;
mod interest;
mod perform;
mod sys;

pub(super) use fulfil::Epoll;
