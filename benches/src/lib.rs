//! What rust-miniss costs, measured: the parts that the benchmarks and `measure` share.
//!
//! - [`port`]: an executor without a kernel.
//! - [`rounds`]: interleaved rounds, medians, a table.
//! - [`limits`]: what the machine allows, by hand and without a runtime.
//! - [`wakers`]: the designs of a waker that were weighed, as small working models.

pub mod limits;
pub mod port;
pub mod rounds;
pub mod wakers;
