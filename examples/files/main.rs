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

use miniss_linux::Runtime;
use miniss_linux::sharded::Sharded;
use miniss_linux::signal::GracefulShutdown;

use crew::Worker;
use options::{Options, Wanted};
use screen::Screen;
use tree::Tree;

const HELP: &str = "\
files: copies a tree of files, or hashes it, on all shards

  files copy FROM TO   makes TO a copy of the file or the folder FROM
  files hash PATH...   SHA-256 of each file, as lines that `sha256sum --check` reads, in any order

  --overwrite          copy: files that are there already are replaced, each in one instant
  --sync               copy: what was copied outlives a loss of power from the end on
  --direct             past the kernel's memory, where the file system can do that
  --quiet              no progress; failures are still said
  --shards N           how many shards              [one for each CPU allowed]
  --driver DRIVER      auto, io-uring or epoll      [auto, or what MINISS_DRIVER says]
  --help               this text

A copy has the contents, the permissions and the time of the last change; its owner is who copies.
Symbolic links are copied as links. Holes of 256 KiB and more stay holes. A file has its name when
all of it is there: until then it is called .files-PROCESS-NUMBER.tmp, beside it.

A file with which something is wrong is named on standard error, and the others go on; where no
more can be written at all, it ends. Ctrl-C ends it in order: what is not copied whole is removed.
A second one ends it at once.

Exit status: 0, all is done; 1, something failed; 2, wrong usage; 130, interrupted.";

fn main() -> ExitCode {
    match Options::parse(std::env::args_os().skip(1)) {
        Ok(Wanted::Help) => {
            // Unlike `println!`, it does not panic when no one reads it.
            let _ = writeln!(io::stdout(), "{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Wanted::Work(options)) => start(options),
        Err(error) => {
            complain(format_args!("{error}; see --help"));
            ExitCode::from(2)
        }
    }
}

fn start(options: Options) -> ExitCode {
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
