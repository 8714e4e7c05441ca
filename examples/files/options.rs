//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use miniss_linux::{Builder, Driver};

use crate::copy::Manner;

const MORE: &str = "\
A copy has the contents, the permissions and the time of the last change; its owner is who copies.
Symbolic links are copied as links. Holes of 256 KiB and more stay holes. A file has its name when
all of it is there: until then it is called .files-PROCESS-NUMBER.tmp, beside it.

A file with which something is wrong is named on standard error, and the others go on; where no
more can be written at all, it ends. Ctrl-C ends it in order: what is not copied whole is removed.
A second one ends it at once.

Exit status: 0, all is done; 1, something failed; 2, wrong usage; 130, interrupted.";

/// What to do, and how.
#[derive(Debug, Parser)]
#[command(
    name = "files",
    about = "files: copies a tree of files, or hashes it, on all shards",
    after_help = MORE,
    disable_help_subcommand = true,
    flatten_help = true
)]
pub struct Options {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// No progress; failures are still said
    #[arg(long, global = true)]
    pub quiet: bool,
    /// How many shards; without it, one for each CPU allowed
    #[arg(long, global = true, value_name = "N")]
    shards: Option<NonZeroUsize>,
    /// auto, io-uring or epoll; without it, what MINISS_DRIVER says, or auto
    #[arg(long, global = true)]
    driver: Option<Driver>,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Makes TO a copy of the file or the folder FROM
    Copy {
        /// A file, a folder or a symbolic link
        from: PathBuf,
        /// The name of the copy, and not the folder that it is in
        to: PathBuf,
        #[command(flatten)]
        manner: Manner,
    },
    /// SHA-256 of each file, as lines that `sha256sum --check` reads, in any order
    Hash {
        /// Files and folders
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Past the kernel's memory, where the file system can do that
        #[arg(long)]
        direct: bool,
    },
}

impl Options {
    /// Has the runtime be as was asked.
    pub fn apply(&self, builder: Builder) -> Builder {
        let shards = self.shards.map(NonZeroUsize::get);
        let builder = shards.into_iter().fold(builder, Builder::shards);
        self.driver.into_iter().fold(builder, Builder::driver)
    }
}
