//! What rust-miniss costs, measured: the parts that the benchmarks and `measure` share.
//!
//! - [`compare`]: ours, the peers and the limits side by side, each in a process of its own.
//! - [`rivals`]: the runtimes that are compared, behind one interface.
//! - [`port`]: an executor without a kernel.
//! - [`rounds`]: interleaved rounds, medians, a table.
//! - [`limits`]: what the machine allows, by hand and without a runtime.
//! - [`wakers`]: the designs of a waker that were weighed, as small working models.

pub mod compare;
pub mod limits;
pub mod port;
pub mod rivals;
pub mod rounds;
pub mod wakers;
