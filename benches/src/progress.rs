//! How far long work has come: a bar on a terminal, and a line for each part elsewhere.

#![forbid(unsafe_code)]

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressStyle};

/// Shown on standard error. The bar draws nothing where that is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

const TEMPLATE: &str = "{wide_bar} {percent} %, {eta} left: {msg}";

impl Progress {
    /// Work of so many steps.
    pub fn new(steps: usize) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template has no mistake");
        Self { bar: ProgressBar::new(steps as u64).with_style(style) }
    }

    /// A part begins.
    pub fn part(&self, name: &str) {
        if self.bar.is_hidden() {
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
            // Who measures must not end because no one reads what it says.
            _ = writeln!(io::stderr(), "{name}: from step {} of {all} on", done + 1);
        }
    }

    /// A step begins.
    pub fn step(&self, what: String) {
        self.bar.set_message(what);
        self.bar.inc(1);
    }

    /// Prints a result while the bar is not there.
    pub fn print(&self, text: &str) {
        self.bar.suspend(|| print!("{text}"));
    }

    /// All is done.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
