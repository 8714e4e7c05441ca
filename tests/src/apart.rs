//! Packages that stand apart from the workspace, because they have no std: a cargo for each.
//!
//! They are built with the versions in the workspace's lock file, which are there already, so that
//! nothing here needs the network.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A package apart. While one is held, every other waits, also in other processes.
#[derive(Debug)]
pub struct Apart {
    folder: PathBuf,
    target: PathBuf,
    /// Each cargo rewrites the copied lock file to what its package needs of it.
    _one_at_a_time: File,
}

impl Apart {
    /// The package in `folder`, which is relative to the root of the repository. What is built goes
    /// to a folder of its own below `output`.
    ///
    /// # Panics
    ///
    /// If the lock file cannot be copied there, or nothing be written below `output`.
    pub fn open(folder: &str, output: &str) -> Self {
        fs::create_dir_all(output).expect("a folder for what is built");
        let guard = File::create(Path::new(output).join("apart")).expect("a file to lock");
        guard.lock().expect("a file of ours can be locked");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let target = Path::new(output).join(folder);
        let folder = root.join(folder);
        let lock = folder.join("Cargo.lock");
        fs::copy(root.join("Cargo.lock"), lock).expect("the lock file can be copied");
        Self { folder, target, _one_at_a_time: guard }
    }

    /// Cargo in the package's folder, without the flags of this build.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(arguments).arg("--target-dir").arg(&self.target).current_dir(&self.folder);
        for variable in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER",
        ] {
            cargo.env_remove(variable);
        }
        cargo
    }

    /// Runs cargo to its end.
    ///
    /// # Panics
    ///
    /// If there is no cargo.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.cargo(arguments).output().expect("cargo, which runs this test, can be run again")
    }

    /// Builds the program `name` as it is meant to be run, and says where it is.
    ///
    /// # Panics
    ///
    /// If it does not build.
    pub fn build(&self, name: &str) -> PathBuf {
        let output = self.run(&["build", "--quiet", "--release", "--bin", name]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.target.join("release").join(name)
    }

    /// As [`build`](Self::build), for `target`, with the standard library's `core` built from the
    /// sources that `variables` tell cargo of.
    ///
    /// # Panics
    ///
    /// If it does not build.
    pub fn build_for(&self, target: &str, variables: &[(&str, &str)], name: &str) -> PathBuf {
        let arguments = ["build", "--quiet", "--release", "-Zbuild-std=core", "--target", target];
        let mut cargo = self.cargo(&arguments);
        cargo.args(["--bin", name]).envs(variables.iter().copied());
        let output = cargo.output().expect("cargo, which runs this test, can be run again");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.target.join(target).join("release").join(name)
    }
}
