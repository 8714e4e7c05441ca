//! Step 2, Echo: a server, and buffers that go in and come back.
//!
//! You will see one thread serve many clients, each by a task of its own.
//!
//! # The program
//!
#![cfg_attr(feature = "macros", doc = "```no_run")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
#![doc = include_str!("programs/echo.rs")]
//! ```
//!
//! # Try it
//!
//! In one terminal:
//!
//! ```console
//! $ cargo run --quiet
//! listening on 127.0.0.1:7000
//! ```
//!
//! In another one:
//!
//! ```console
//! $ echo hello | nc -N 127.0.0.1 7000
//! hello
//! ```
//!
//! Without `echo hello |`, `nc` sends each line that you type; Ctrl-D ends it. Open a few of them
//! at once. Then end the server: press Ctrl-C in the first terminal.
//!
//! ```console
//! ^C
//! ```
//!
//! # What happened
//!
//! - **A task for each client.** `accept` waits for the next client, and the loop starts a task
//!   that serves it. Tasks are small, so many thousands of clients are no problem. `detach` says
//!   that no one waits for the task to end.
//! - **A buffer goes in and comes back.** [`read`] takes the buffer by value, and returns a pair:
//!   the result, and the buffer. In between, the buffer belongs to the operation: the kernel writes
//!   into it while the task waits, and may go on when the task is gone. A buffer that is only
//!   borrowed could be gone by then. After the read, the length of the `Vec` is the number of bytes
//!   that came.
//! - **`?` goes behind the result.** It does not work on a pair, so take the pair apart first. If
//!   you do not want the buffer back, `stream.write_all("text").await.0?` does it in one go. More
//!   is told at [`BufResult`].
//! - **A read of nothing is the end.** The client sends no more; the task ends, and its stream
//!   closes.
//! - **An error ends one client.** It comes out of `echo`, and the task prints it. The others do
//!   not notice.
//!
//! A reference is no buffer, and the compiler says so:
//!
//! ```compile_fail,E0277
//! # async fn read(stream: miniss_linux::net::TcpStream) {
//! let mut buffer = [0; 64];
//! stream.read(&mut buffer).await;
//! # }
//! ```
//!
//! # Change it
//!
//! [`recv`] needs no buffer of yours. It brings one that the bytes are in already, so a client that
//! says nothing costs no buffer. With it the loop becomes:
//!
//! ```
//! # async fn echo(stream: miniss_linux::net::TcpStream) -> std::io::Result<()> {
//! loop {
//!     let received = stream.recv().await?;
//!     if received.is_empty() {
//!         return Ok(());
//!     }
//!     stream.write_all(received).await.0?;
//! }
//! # }
//! ```
//!
//! Next: [step 3, State](super::step_3_state).
//!
//! [`read`]: crate::net::Stream::read
//! [`recv`]: crate::net::Stream::recv
//! [`BufResult`]: crate::buf::BufResult

#![forbid(unsafe_code)]
