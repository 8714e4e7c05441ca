//! Operations under a hostile driver, as the fuzzer tries them, without a fuzzer: what it has kept,
//! and as much again at random, the same in each run.

#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use miniss_tests::hostile;
use miniss_tests::random::Random;

#[test]
fn operations_live_as_they_should_through_the_kept_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/operations");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("its folder is readable").path())
        .collect();
    files.sort();
    assert!(files.len() > 40, "only {} files were found", files.len());
    for file in files {
        println!("file {}", file.display());
        hostile::live(&fs::read(file).expect("a file of the corpus is readable"));
    }
}

#[test]
fn operations_live_as_they_should_through_random_bytes() {
    for seed in 0..3_000 {
        println!("seed {seed}");
        let mut random = Random::from_seed(seed);
        let len = random.below(600) as usize;
        hostile::live(&random.bytes(len));
    }
}
