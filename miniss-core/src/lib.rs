#![no_std]
#![doc = "placeholder contents page"]
#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, loom))]
extern crate std;

pub mod error;
mod prim;
pub mod time;
