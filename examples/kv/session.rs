//! What the server remembers of one connection besides its bytes.
//!
//! `[socket] ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ [socket]`
#![forbid(unsafe_code)]

use crate::command::modes::Mode;
use crate::resp::Proto;

/// One connection's state.
#[derive(Debug)]
pub struct Session {
    /// The connection's number, unique in the server.
    pub id: u64,
    /// The protocol it speaks.
    pub proto: Proto,
    /// The name it gave itself; empty without one.
    pub name: Vec<u8>,
    /// What a command that was refused would have begun: all that follows is refused, too.
    pub mode: Option<Mode>,
    /// True once it asked to quit: send what is there and close.
    pub closing: bool,
}

impl Session {
    /// The state of a new connection.
    pub fn new(id: u64) -> Self {
        Self { id, proto: Proto::Resp2, name: Vec::new(), mode: None, closing: false }
    }
}
