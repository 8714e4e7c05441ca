//! miniss-core needs no std, and no allocator.
//!
//! The proof is the crate in `tests/no-std`: it brings a panic handler, so std anywhere below it is
//! an error, which a deliberate leak confirms. That it runs without them, too, is tried in
//! `bare/`.

#![forbid(unsafe_code)]

use std::process::Output;

use miniss_tests::apart::Apart;

fn check(arguments: &[&str]) -> Output {
    let proof = Apart::open("tests/no-std", env!("CARGO_TARGET_TMPDIR"));
    proof.run(&[&["check", "--lib"], arguments].concat())
}

#[track_caller]
fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", errors(output));
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_core_compiles_without_std_and_alloc() {
    assert_success(&check(&[]));
}

#[test]
fn the_core_compiles_with_alloc_and_without_std() {
    assert_success(&check(&["--features", "alloc"]));
}

#[test]
fn the_proof_fails_when_std_leaks_in() {
    let output = check(&["--features", "leak"]);
    assert!(!output.status.success(), "std went unnoticed: the proof proves nothing");
    let errors = errors(&output);
    assert!(errors.contains("panic_impl"), "it failed for another reason:\n{errors}");
}
