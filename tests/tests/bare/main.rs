//! miniss-core on other reactors than miniss-linux's: the programs in `examples/own-reactor`,
//! `examples/no-libc`, `examples/bare-metal`, `examples/machines` and `examples/microcontroller`,
//! built and run.
//!
//! The kernels run in QEMU and count what they do; nothing here depends on how long it takes. Where
//! QEMU is missing they are built only, and a note says so.

#![forbid(unsafe_code)]
#![cfg(target_arch = "x86_64")]

mod elf;
mod machine;
mod machines;
mod microcontroller;
mod sizes;

use std::path::PathBuf;
use std::process::Command;

use machine::Machine;
use miniss_tests::apart::Apart;
use miniss_tests::program::{example, is_installed, run};

const QEMU: &str = "qemu-system-x86_64";
/// What `examples/no-libc` exits with if all went well.
const NO_LIBC_DONE: i32 = 42;
/// What QEMU exits with if all went well in the kernel.
const KERNEL_DONE: i32 = 33;

/// A program, and where it is.
struct Program {
    folder: &'static str,
    name: &'static str,
}

const NO_LIBC: Program = Program { folder: "examples/no-libc", name: "no-libc" };
const ONE_CORE: Program = Program { folder: "examples/bare-metal", name: "one-core" };
const TWO_CORE: Program = Program { folder: "examples/bare-metal", name: "two-core" };

impl Program {
    fn open(&self) -> Apart {
        Apart::open(self.folder, env!("CARGO_TARGET_TMPDIR"))
    }

    fn build(&self) -> (Apart, PathBuf) {
        let package = self.open();
        let path = package.build(self.name);
        (package, path)
    }

    /// Builds it, and starts a machine with it if there is one.
    fn boot(&self) -> Option<(Apart, Machine)> {
        let (package, _) = self.build();
        if !is_installed(QEMU) {
            println!("{} was built, not run: there is no {QEMU} here.", self.name);
            println!("`apt-get install qemu-system-x86` brings it, or run .ci/test.");
            return None;
        }
        let run = ["run", "--quiet", "--release", "--bin", self.name];
        let machine = Machine::start(package.cargo(&run));
        Some((package, machine))
    }
}

#[test]
fn two_executors_over_ppoll_run_in_one_program() {
    let output = run(&mut example("own-reactor"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.lines().next(), Some("one trait: 9 bytes"), "{said}");
    assert_eq!(said.lines().count(), 5, "{said}");
}

#[test]
fn a_process_without_libc_runs() {
    let (_package, path) = NO_LIBC.build();
    let output = run(&mut Command::new(path));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(NO_LIBC_DONE), "{errors}");
}

#[test]
fn on_one_core_timers_and_serial_bytes_wake_tasks() {
    let Some((_package, mut machine)) = ONE_CORE.boot() else { return };
    assert_eq!(machine.line(), "ready");
    machine.send("hello\n");
    machine.wait_for("echo hello");
    // Bytes that come one by one wake as well as those that come at once.
    for byte in ["w", "o", "r", "l", "d", "\n"] {
        machine.send(byte);
    }
    machine.wait_for("echo world");
    machine.send("quit\n");
    assert_eq!(machine.end(), Some(KERNEL_DONE), "{:?}", machine.said());
    let ticks: Vec<_> = machine.said().iter().filter(|line| line.starts_with("tick")).collect();
    assert_eq!(ticks, ["tick 1", "tick 2", "tick 3", "tick 4", "tick 5"]);
    let numbers = numbers(machine.said().last().expect("it reports"));
    let &[halts, timer, serial, _polls] = &numbers[..] else { panic!("{numbers:?}") };
    assert!(halts > 0 && halts <= timer + serial, "each halt was ended by an interrupt");
    assert!(timer >= 5 && serial > 0);
}

#[test]
fn two_cores_interrupt_each_other_once_at_most_for_each_halt_they_announce() {
    let Some((_package, mut machine)) = TWO_CORE.boot() else { return };
    assert_eq!(machine.end(), Some(KERNEL_DONE), "{:?}", machine.said());
    let report = machine.said();
    assert_eq!(report[0], "2000 requests");
    for (core, line) in report[1..].iter().enumerate() {
        let numbers = numbers(line);
        let &[number, announced, halts, unparks] = &numbers[..] else { panic!("{numbers:?}") };
        assert_eq!(number, core as u64);
        assert!(halts <= announced, "{line}");
        assert!(unparks > 0 && unparks <= announced, "{line}");
        // The first core is awake when it reports, the second may be in a halt.
        assert!(halts <= unparks + number, "{line}: a halt has ended by itself");
        assert!(unparks <= 2_000, "{line}: bursts share an interrupt");
    }
    assert_eq!(report.len(), 3);
}

/// The numbers in `line`.
fn numbers(line: &str) -> Vec<u64> {
    line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn the_images_are_as_large_as_expected() {
    let measure = |program: &Program| (program.name.into(), elf::size(&program.build().1));
    sizes::check(&[NO_LIBC, ONE_CORE, TWO_CORE].each_ref().map(measure));
}
