//! Copies a tree of files, or hashes it, on all shards.
//!
//! `cargo run --release --example files -- copy FROM TO`
//!
//! `options ─▶ tree ─▶ crew ─▶ copy or hash ─▶ screen`
//!
//! Shard 0 walks through the tree, and gives each file to the shard that has the fewest. In the
//! order of the journey: [`options`] reads the command line, [`tree`] walks, [`crew`] is what each
//! shard has, [`copy`] and [`hash`] do the work by way of [`access`], [`screen`] shows how far it
//! has come, and [`failure`] is what is said of a path with which something is wrong.
//!
//! What is in use at a time has a bound: [`tree::PER_SHARD`] files for each shard, and the memory
//! and the descriptors that they take. Beyond that, only folders that are not done are kept.
#![forbid(unsafe_code)]

mod access;
mod copy;
mod crew;
mod failure;
mod hash;
mod options;
mod screen;
mod tree;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use miniss_linux::Runtime;
use miniss_linux::sharded::Sharded;
use miniss_linux::signal::GracefulShutdown;

use crew::Worker;
use options::Options;
use screen::Screen;
use tree::Tree;

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match options.apply(Runtime::builder()).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(error);
            return ExitCode::FAILURE;
        }
    };
    if let Some(refusal) = runtime.driver().refusal()
        && !options.quiet
    {
        complain(refusal);
    }
    runtime.block_on(work(options))
}

async fn work(options: Options) -> ExitCode {
    let shutdown = GracefulShutdown::new();
    let worker = async |shutdown: GracefulShutdown, _| Worker::new(&shutdown);
    let crew = match Sharded::try_start(|_| shutdown.clone(), worker).await {
        Ok(crew) => crew,
        Err(error) => {
            complain(error);
            return ExitCode::FAILURE;
        }
    };
    let tree = Tree::new(*crew, Screen::new(options.quiet), shutdown);
    let status = tree.process(options.command).await;
    // What is left on the shards is nothing but counts.
    drop(crew);
    status
}

fn complain(what: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "files: {what}");
}
