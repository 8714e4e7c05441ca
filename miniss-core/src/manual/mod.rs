//! The manual of the core: chapters that belong to no single item.
//!
//! Three questions stood at the beginning, and [`journey`] answers them: how does a waker work
//! here, how are tasks scheduled efficiently, what is the least API we need?
//!
//! | to | read |
//! |---|---|
//! | follow one request through the code | [`journey`] |
//! | bring it to a machine, kernel or simulator of your own | [`porting`] |
//! | know where every byte lives, and plan a board | [`memory`] |
//! | know why it is sound, and what shows it | [`safety`] |
//! | know what a word of ours means | [`words`] |
//! | find out what it costs | [`measuring`] |
//! | know why it is like this and not otherwise | [`decisions`] |

#![forbid(unsafe_code)]

pub mod decisions;
pub mod journey;
pub mod measuring;
pub mod memory;
pub mod porting;
pub mod safety;
pub mod words;
