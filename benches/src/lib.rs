//! What rust-miniss costs, measured: the parts that the benchmarks and `measure` share.
//!
//! - [`compare`]: ours, the peers and the limits side by side, each in a process of its own.
//! - [`rivals`]: the runtimes that are compared, behind one interface.
//! - [`echo`]: TCP echo servers of every kind, and the client that loads them.
//! - [`http`]: servers of HTTP by hyper, the same on every runtime.
//! - [`growth`]: how cost grows, from one task, timer, connection or shard to very many.
//! - [`progress`]: how far `compare` and `growth` have come.
//! - [`port`]: an executor without a kernel.
//! - [`rounds`]: interleaved rounds, medians, a table.
//! - [`limits`]: what the machine allows, by hand and without a runtime.
//! - [`wakers`]: the designs of a waker that were weighed, as small working models.

pub mod compare;
pub mod echo;
pub mod growth;
pub mod http;
pub mod limits;
pub mod port;
pub mod progress;
pub mod rivals;
pub mod rounds;
pub mod wakers;
