//! Step 5, Shutdown: timeouts, and an end in order.
//!
//! You will see a server that does not wait forever, and does not leave when someone is served.
//!
//! # The program
//!
#![cfg_attr(feature = "macros", doc = "```no_run")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
#![doc = include_str!("programs/shutdown.rs")]
//! ```
//!
//! # Try it
//!
//! ```console
//! $ cargo run --quiet
//! listening on 127.0.0.1:7000
//! ```
//!
//! In another terminal, a client that speaks at once, and one that says nothing for two seconds:
//!
//! ```console
//! $ echo quick | nc -N 127.0.0.1 7000
//! quick
//! $ nc -d 127.0.0.1 7000
//! too slow
//! ```
//!
//! Now press Ctrl-C in the first one:
//!
//! ```console
//! ^Cno new clients; the others have 5s
//! all are served
//! ```
//!
//! Once more, with a client that is being served: start the server, start `nc -d 127.0.0.1 7000`,
//! and press Ctrl-C within two seconds. The server waits until that client has its answer.
//!
//! # What happened
//!
//! - **[`timeout`] drops the future.** If nothing has come after two seconds, the `recv` is dropped
//!   and the program goes on. That is how all work is cancelled here: drop its future. The page of
//!   each async function says under *Cancellation* what that means. Of a `recv` nothing is lost:
//!   bytes that come later are for the next one.
//! - **A signal is an event.** Without [`GracefulShutdown`], Ctrl-C ends the program where it
//!   stands, as in step 2. With it, the first one asks for the end: `until_requested` drops the
//!   `accept` and gives `None`. A second one ends the program at once.
//! - **A pass says that someone is served.** Each task holds one. `drain` waits until all passes
//!   were dropped, but no longer than the grace. Then `main` returns, and the runtime drops the
//!   tasks that are left.
//! - **The runtime ends with `main`.** It drops tasks, closes sockets, and waits for what the
//!   kernel still works on.
//!
//! # Change it
//!
//! A client that never reads makes `write_all` wait, for as long as it likes. Give that a timeout,
//! too.
//!
//! Next: [step 6, Store](super::step_6_store).
//!
//! [`timeout`]: crate::time::timeout
//! [`GracefulShutdown`]: crate::signal::GracefulShutdown

#![forbid(unsafe_code)]
