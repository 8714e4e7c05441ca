//! Misuse is told by errors that name the cause, at the place that it is about.
//!
//! `TRYBUILD=overwrite cargo test -p miniss-linux-macros --test misuse` writes what is expected.

#![forbid(unsafe_code)]

#[test]
fn misuse_is_told_where_it_is() {
    trybuild::TestCases::new().compile_fail("tests/misuse/*.rs");
}
