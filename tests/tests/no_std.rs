//! miniss-core needs no std, no allocator and no libc.
//!
//! Two proofs, on the crate in `tests/no-std`. By compiling: that crate brings a panic handler, so
//! std anywhere below it is an error, which a deliberate leak confirms. By running: a program is
//! linked without libc and exits with a status. Both build the versions in the workspace's lock
//! file, which are already there, so that neither needs the network.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The status of `no_libc.rs` if all went well.
const DONE: i32 = 42;

/// One cargo at a time: each rewrites the copied lock file to what the crate needs of it.
static CARGO: Mutex<()> = Mutex::new(());

fn proof_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("no-std")
}

/// Runs cargo on the proof, with its own target folder and without the flags of this build.
fn cargo(arguments: &[&str]) -> Output {
    let _one_at_a_time = prepare();
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()))
        .args(arguments)
        .arg("--manifest-path")
        .arg(proof_folder().join("Cargo.toml"))
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-std"))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .output()
        .expect("cargo, which runs this test, can be run again")
}

/// Copies the lock file of the workspace.
fn prepare() -> MutexGuard<'static, ()> {
    // A test that failed while holding the lock left nothing half done.
    let guard = CARGO.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = proof_folder();
    let lock = folder.join("../../Cargo.lock");
    std::fs::copy(lock, folder.join("Cargo.lock")).expect("the lock file can be copied");
    guard
}

fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", errors(output));
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_core_compiles_without_std_and_alloc() {
    assert_success(&cargo(&["check", "--lib"]));
}

#[test]
fn the_core_compiles_with_alloc_and_without_std() {
    assert_success(&cargo(&["check", "--lib", "--features", "alloc"]));
}

#[test]
fn the_proof_fails_when_std_leaks_in() {
    let output = cargo(&["check", "--lib", "--features", "leak"]);
    assert!(!output.status.success(), "std went unnoticed: the proof proves nothing");
    let errors = errors(&output);
    assert!(errors.contains("panic_impl"), "it failed for another reason:\n{errors}");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_program_without_libc_links_and_runs() {
    let output = cargo(&["run", "--quiet", "--bin", "no-libc"]);
    assert_eq!(output.status.code(), Some(DONE), "{}", errors(&output));
}
