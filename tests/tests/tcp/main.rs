//! TCP between a runtime and plain blocking peers.

mod close;
mod copy;
mod forms;
mod limits;
mod listener;
mod pressure;
mod socket;
