//! What the example programs share: options on the command line, and how they end.
//!
//! An example's options are few and all have a default, so they are parsed by hand.

#![forbid(unsafe_code)]

pub mod options;
pub mod say;
pub mod serve;
pub mod settings;
