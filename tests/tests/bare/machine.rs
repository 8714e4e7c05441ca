//! A machine in which a kernel runs, and its serial port.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use miniss_tests::deadline::SOON;

/// A machine that runs. It is switched off when this is dropped.
pub struct Machine {
    child: Child,
    keyboard: ChildStdin,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Machine {
    /// Starts the machine that `command` is.
    pub fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the machine starts");
        let keyboard = child.stdin.take().expect("it is piped");
        let screen = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            // It ends with the machine, or with the test, whichever is first.
            let mut lines = screen.lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
        Self { child, keyboard, lines, said: Vec::new() }
    }

    /// The next line that it says.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let line = self.lines.recv_timeout(SOON);
        let line = line.unwrap_or_else(|why| panic!("no line: {why}; so far: {:?}", self.said));
        self.said.push(line.clone());
        line
    }

    /// Waits until it says `line`.
    #[track_caller]
    pub fn wait_for(&mut self, line: &str) {
        while self.line() != line {}
    }

    /// All that it has said.
    pub fn said(&self) -> &[String] {
        &self.said
    }

    /// Types `text`.
    pub fn send(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("the machine runs");
    }

    /// Waits until it switches itself off; returns its status.
    #[track_caller]
    pub fn end(&mut self) -> Option<i32> {
        let end = Instant::now() + SOON;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                break status;
            }
            assert!(Instant::now() < end, "the machine hangs; it said {:?}", self.lines());
            thread::sleep(Duration::from_millis(5));
        };
        self.lines();
        status.code()
    }

    /// All that it has said, with what was not looked at yet.
    fn lines(&mut self) -> &[String] {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(100)) {
            self.said.push(line);
        }
        &self.said
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // If it has ended there is nothing to switch off.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
