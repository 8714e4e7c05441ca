//! The tutorial, as a reader follows it: each program is started, what the page says is typed, and
//! what is printed is what the page says.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use miniss_tests::alone::finish;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::kernel::signal_child;
use miniss_tests::program::{dies_with_us, example, is_installed, run};

/// Where the pages say that servers listen. Here each gets a free port number.
const PORT: &str = "7000";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../miniss-linux/src/manual/tutorial")
}

/// The steps, by the names of their pages: `step_1_hello`.
fn steps() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("it can be read").file_name());
    let names = names.filter_map(|name| Some(name.to_str()?.strip_suffix(".rs")?.to_owned()));
    let mut steps: Vec<_> = names.collect();
    steps.sort();
    steps
}

fn page(step: &str) -> String {
    fs::read_to_string(folder().join(step).with_extension("rs")).expect("it is text")
}

/// What is typed and printed, in the order of the page.
fn session(page: &str) -> Vec<&str> {
    let mut is_inside = false;
    let lines = page.lines().filter_map(|line| line.strip_prefix("//! "));
    let inside = lines.filter(|line| {
        let is_fence = line.starts_with("```");
        is_inside = if is_fence { *line == "```console" } else { is_inside };
        is_inside && !is_fence
    });
    inside.collect()
}

/// The program of a step, while it runs.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Once it has said where it listens.
    port: Option<String>,
}

impl Program {
    fn start(step: &str) -> Self {
        let mut command = example(&step.replace('_', "-"));
        dies_with_us(&mut command);
        let command = command.arg("127.0.0.1:0").stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdout = child.stdout.take().expect("it is piped");
        Self { child, lines: BufReader::new(stdout).lines(), port: None }
    }

    /// The next line, with the port number of the page.
    fn line(&mut self) -> Option<String> {
        let line = self.lines.next()?.expect("it speaks UTF-8");
        if let Some((_, port)) = line.split_once("listening on 127.0.0.1:") {
            self.port = Some(port.to_owned());
        }
        Some(match &self.port {
            Some(port) => line.replace(port, PORT),
            None => line,
        })
    }

    /// What a client prints, when `command` is typed in another terminal.
    fn client(&self, command: &str) -> Vec<String> {
        let port = self.port.as_ref().expect("the server is started before its clients");
        let output = run(Command::new("bash").args(["-c", &command.replace(PORT, port)]));
        assert!(output.status.success(), "{command}: {output:?}");
        let said = String::from_utf8(output.stdout).expect("it speaks UTF-8");
        said.lines().map(String::from).collect()
    }

    /// It has said all that it has to say, and ends in order, or by Ctrl-C.
    fn end(mut self, step: &str) {
        assert_eq!(self.line(), None, "{step} says more than its page");
        let status = finish(self.child, SOON).expect("it ends");
        assert!(status.success() || status.signal() == Some(libc::SIGINT), "{step}: {status}");
    }
}

fn follow(step: &str) {
    let page = page(step);
    let mut lines = session(&page).into_iter().peekable();
    assert_eq!(lines.next(), Some("$ cargo run --quiet"), "{step}");
    let mut program = Program::start(step);
    while let Some(line) = lines.next() {
        let said = match (line.strip_prefix("$ "), line.strip_prefix("^C")) {
            (Some(command), _) => {
                for said in program.client(command) {
                    assert_eq!(lines.next(), Some(&*said), "{step}: {command}");
                }
                continue;
            }
            (None, Some(said)) => {
                signal_child(&program.child, libc::SIGINT);
                said
            }
            (None, None) => line,
        };
        if !said.is_empty() {
            assert_eq!(program.line().as_deref(), Some(said), "{step}");
        }
    }
    program.end(step);
}

#[test]
fn each_step_prints_what_its_page_says() {
    let _deadline = deadline("each_step_prints_what_its_page_says");
    assert!(is_installed("nc"), "install netcat-openbsd, or run .ci/test");
    let steps = steps();
    assert_eq!(steps.len(), 6, "{steps:?}");
    steps.iter().for_each(|step| follow(step));
}

/// From the first to the last, a reader finds the program and the way on.
#[test]
fn each_page_shows_its_program_and_leads_to_the_next() {
    let steps = steps();
    for (index, step) in steps.iter().enumerate() {
        let (page, name) = (page(step), step.splitn(3, '_').last().expect("a name"));
        assert!(page.contains(&format!("include_str!(\"programs/{name}.rs\")")), "{step}");
        let is_next =
            |next| page.contains(&format!("Next: [step {}", index + 2)) && page.contains(next);
        assert!(steps.get(index + 1).is_none_or(is_next), "{step}");
    }
}
