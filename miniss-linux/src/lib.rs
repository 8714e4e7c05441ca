//! Linux.
pub mod buf;
pub mod topology;
