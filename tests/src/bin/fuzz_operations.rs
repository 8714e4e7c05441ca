//! libFuzzer's target for the life of operations: see `miniss_tests::hostile`. `.ci/fuzz` builds
//! and runs it so. Built as any other program it lives through the files that are its arguments.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| miniss_tests::hostile::live(bytes));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    for file in std::env::args_os().skip(1) {
        println!("{}", file.display());
        miniss_tests::hostile::live(&std::fs::read(file)?);
    }
    Ok(())
}
