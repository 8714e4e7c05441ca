//! One program on other machines than this one: `examples/machines`, built for each and booted in
//! QEMU.
//!
//! Where the sources of the standard library cannot be had, or QEMU is missing, a note says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use miniss_tests::apart::Apart;
use miniss_tests::program::is_installed;

use crate::KERNEL_DONE;
use crate::machine::Machine;

const FOLDER: &str = "examples/machines";
const CALLS: &str = "2000 calls of each core";

/// A machine and what it is to run.
struct Model {
    /// `None` is the target of this machine, whose libraries are there already.
    target: Option<&'static str>,
    program: &'static str,
    cores: usize,
    qemu: &'static str,
    arguments: &'static str,
}

/// The console of machines that have none but a debugger's.
const DEBUGGER: &str = "-chardev stdio,id=c -semihosting-config enable=on,chardev=c -serial null";

const CORTEX_M4: Model = Model {
    target: Some("thumbv7em-none-eabi"),
    program: "one-core",
    cores: 1,
    qemu: "qemu-system-arm",
    arguments: "-M mps2-an386",
};

/// A core without compare-and-swap.
const CORTEX_M0: Model =
    Model { target: Some("thumbv6m-none-eabi"), arguments: "-M microbit", ..CORTEX_M4 };

const RISCV: Model = Model {
    target: Some("riscv32imac-unknown-none-elf"),
    program: "two-core",
    cores: 2,
    qemu: "qemu-system-riscv32",
    arguments: "-M virt -bios none -serial stdio",
};

const AARCH64: Model = Model {
    target: Some("aarch64-unknown-none-softfloat"),
    program: "two-core",
    cores: 2,
    qemu: "qemu-system-aarch64",
    arguments: "-M virt -cpu cortex-a53",
};

const X86_64: Model = Model {
    target: None,
    program: "two-core",
    cores: 2,
    qemu: "qemu-system-x86_64",
    arguments: "-accel tcg -m 64 -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4",
};

impl Model {
    /// Builds the program, boots it and looks at what it has counted.
    fn check(&self) {
        let Some(kernel) = self.build() else { return };
        if !is_installed(self.qemu) {
            println!("{} was built, not run: there is no {} here.", self.program, self.qemu);
            println!("Debian's qemu-system-arm and qemu-system-misc bring it, or run .ci/test.");
            return;
        }
        let mut machine = Machine::start(self.command(&kernel));
        assert_eq!(machine.end(), Some(KERNEL_DONE), "{:?}", machine.said());
        let said = machine.said();
        assert_eq!(said[0], "5 ticks, 100 interrupts", "{said:?}");
        assert_eq!(said[1], "100 answers from a more urgent task", "{said:?}");
        assert_eq!(said.iter().any(|line| line == CALLS), self.cores > 1, "{said:?}");
        let cores = said.iter().filter(|line| line.starts_with("core ")).count();
        assert_eq!(cores, if self.cores > 1 { self.cores } else { 0 }, "{said:?}");
    }

    fn build(&self) -> Option<PathBuf> {
        let package = Apart::open(FOLDER, env!("CARGO_TARGET_TMPDIR"));
        let Some(target) = self.target else { return Some(package.build(self.program)) };
        let library = library()?;
        let sources = [("__CARGO_TESTS_ONLY_SRC_ROOT", library.as_str()), ("RUSTC_BOOTSTRAP", "1")];
        Some(package.build_for(target, &sources, self.program))
    }

    fn command(&self, kernel: &Path) -> Command {
        let mut command = Command::new(self.qemu);
        command.args(self.arguments.split(' ')).args(["-display", "none", "-monitor", "none"]);
        if !self.arguments.contains("-serial") {
            command.args(DEBUGGER.split(' '));
        }
        command.args(["-smp", &self.cores.to_string()]).arg("-kernel").arg(kernel);
        command
    }
}

/// The folder with the sources of the standard library, if they can be had.
pub fn library() -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/rust-src");
    let output = Command::new(script).output().expect("the script is in the repository");
    if !output.status.success() {
        println!("Left out: {}", String::from_utf8_lossy(&output.stderr).trim_end());
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).trim_end().into())
}

#[test]
fn the_program_runs_on_a_cortex_m4() {
    CORTEX_M4.check();
}

#[test]
fn the_program_runs_on_a_cortex_m0_without_compare_and_swap() {
    CORTEX_M0.check();
}

#[test]
fn the_program_runs_on_two_cores_of_risc_v() {
    RISCV.check();
}

#[test]
fn the_program_runs_on_two_cores_of_aarch64() {
    AARCH64.check();
}

#[test]
fn the_program_runs_on_four_cores_of_aarch64() {
    Model { program: "four-core", cores: 4, ..AARCH64 }.check();
}

#[test]
fn the_program_runs_on_two_cores_of_x86_64() {
    X86_64.check();
}
