//! A package wants a library or a program. The library is the README; the programs are beside it.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
