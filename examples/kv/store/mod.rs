//! One shard's keys: values, deadlines, and the walk over all of them.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! * [`keyspace`]: the [`Store`] itself: keys to values, expiry lazy and active, `SCAN`'s walk
//! * [`rows`]: all keys, in dense rows beside the indexes that find them
//! * [`dict`]: the same on a small scale, for the fields and members of one value
//! * [`key`]: the bytes of a key, in its entry if they are few
//! * [`deadlines`]: which entry expires next
//! * [`garbage`]: large values that are given back a piece at a time
//! * [`value`]: strings, lists, hashes and sets
//! * [`set`]: a set of integers or of any bytes
//! * [`hashing`]: the keyed hashes of what clients choose
#![forbid(unsafe_code)]

pub mod deadlines;
pub mod dict;
pub mod garbage;
pub mod hashing;
pub mod key;
pub mod keyspace;
pub mod rows;
pub mod set;
pub mod value;

pub use keyspace::{Absent, Cursor, Store};
pub use rows::Place;
pub use value::{Value, WrongType};
