//! How cost grows: the same work at a small size, a large one, and those between.
//!
//! `arguments ─▶ curves ─▶ rounds of children ─▶ measured ─▶ tables, plots, manual`
//!
//! Each point of a curve is a process of its own, which is this program again with a hidden
//! subcommand: so memory and heap are its own. The points of a curve run in turn, several times,
//! so that a disturbance of the machine meets all of them; a median is what is drawn.
//!
//! - [`args`]: the command line.
//! - [`curve`]: what a curve is made of. [`curves`]: all of them; add a curve there.
//! - [`work`]: what is measured at one point.
//! - [`child`]: one point in a process of its own. [`measured`]: all points of a curve, medians.
//! - [`axis`], [`plot`], [`table`], [`files`]: telling it.
//! - [`process`]: what a point asks of the kernel. [`random`]: orders that repeat in each run.

pub mod args;
pub mod axis;
pub mod child;
pub mod curve;
pub mod curves;
pub mod files;
pub mod measured;
pub mod plot;
pub mod process;
pub mod random;
pub mod table;
pub mod work;
