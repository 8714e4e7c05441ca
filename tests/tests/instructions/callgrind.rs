//! The program, and valgrind around it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::{env, thread};

use miniss_tests::program::run;

use crate::{Counts, MEASURES};

/// The caches of the model, the same wherever this runs: bytes, ways, bytes of a line. 32 KiB and
/// 512 KiB are those of a core that is not the largest.
const CACHES: [&str; 3] = ["--I1=32768,8,64", "--D1=32768,8,64", "--LL=524288,8,64"];
/// How often a row does its thing in the shorter of two runs.
const TIMES: u64 = 6_400;
/// How many runs at once: a small machine has as many cores.
const AT_ONCE: usize = 2;

/// The program, built as it is shipped: with the workspace's release profile.
pub struct Program(PathBuf);

impl Program {
    /// Builds it, without the flags of this build, in a folder of its own.
    pub fn build() -> Self {
        static CARGO: Mutex<()> = Mutex::new(());
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions");
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--release"]);
        cargo.args(["--package", "miniss-tests", "--bin", "instructions"]);
        cargo.arg("--no-default-features");
        cargo.arg("--target-dir").arg(&target).current_dir(env!("CARGO_MANIFEST_DIR"));
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(variable);
        }
        let guard = CARGO.lock();
        let output = cargo.output().expect("cargo, which runs this test, can be run again");
        drop(guard);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(target.join("release/instructions"))
    }

    /// Runs it as it is.
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(Command::new(&self.0).args(arguments))
    }

    /// What it can do.
    pub fn rows(&self) -> Vec<String> {
        let output = self.run(&[]);
        let names = String::from_utf8(output.stdout).expect("names are text");
        names.lines().map(str::to_owned).collect()
    }

    /// What each of `rows` takes, each time.
    pub fn count(&self, rows: &[String]) -> Counts {
        let counts = Mutex::new(Counts::new());
        let rows = Mutex::new(rows.iter());
        let next = || rows.lock().expect("no panic under this lock").next();
        let work = || {
            while let Some(row) = next() {
                let count = self.count_row(row);
                counts.lock().expect("nor this").extend(count);
            }
        };
        thread::scope(|scope| _ = [(); AT_ONCE].map(|()| scope.spawn(work)));
        counts.into_inner().expect("nor this")
    }

    fn count_row(&self, row: &str) -> impl Iterator<Item = (String, f64)> {
        let [once, twice] = [TIMES, 2 * TIMES].map(|times| self.collect(row, times));
        let name = move |measure: &str| format!("{row}{measure}");
        let each = |(once, twice): (f64, f64)| (twice - once) / TIMES as f64;
        MEASURES.into_iter().map(name).zip(once.into_iter().zip(twice).map(each))
    }

    /// What a run takes, from its first instruction to its last.
    fn collect(&self, row: &str, times: u64) -> [f64; MEASURES.len()] {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--cache-sim=yes"]);
        valgrind.args(CACHES).arg(&self.0).arg(row).arg(times.to_string());
        // The environment lies on the stack: with another, other things share a line there.
        let output = run(valgrind.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{row}, {}: {said}", output.status);
        collected(&said).unwrap_or_else(|| panic!("{row}: no count in {said}"))
    }
}

/// The [`MEASURES`] out of the lines `==4711== Events    : Ir Dr` and `==4711== Collected : 12 3`.
fn collected(said: &str) -> Option<[f64; MEASURES.len()]> {
    let words = |title: &str| {
        let rest = said.lines().find_map(|line| line.split_once(title))?.1;
        Some(rest.split_whitespace())
    };
    let counts: Vec<(&str, &str)> = words("Events    : ")?.zip(words("Collected : ")?).collect();
    let count = |event: &str| -> Option<f64> {
        counts.iter().find(|(known, _)| *known == event)?.1.parse().ok()
    };
    // Misses of reads and of writes.
    Some([count("Ir")?, count("D1mr")? + count("D1mw")?, count("DLmr")? + count("DLmw")?])
}

/// What decides which instructions there are beside the code: the compiler, and the C library,
/// whose allocator and copying are counted too.
pub fn made_with() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(rustc);
    let mut getconf = Command::new("getconf");
    let say = |command: &mut Command| {
        let output = run(command.current_dir(env!("CARGO_MANIFEST_DIR")));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    [say(rustc.arg("--version")), say(getconf.arg("GNU_LIBC_VERSION"))].join(", ")
}

#[test]
fn the_count_is_found_in_what_callgrind_says() {
    let said = "==7== \n==7== Events    : Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw\n\
        ==7== Collected : 133163 30 20 9 8 7 6 5 4\n==7== \n";
    assert_eq!(collected(said), Some([133_163.0, 15.0, 9.0]));
    assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 133163\n"), None);
    assert_eq!(collected("valgrind: command not found\n"), None);
}
