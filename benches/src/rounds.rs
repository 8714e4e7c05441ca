//! Interleaved rounds: what is compared runs in turn, many times, so that a disturbance of the
//! machine meets everyone. What counts is the ratio of medians of one run.

#![forbid(unsafe_code)]

use std::fmt::Write;

/// One of the things that a row compares.
pub struct Subject<'a> {
    name: String,
    /// Runs once and says what one operation cost, in the unit of the row.
    sample: Box<dyn FnMut() -> f64 + 'a>,
}

/// What one operation costs in several ways; the first subject is what others are compared with.
pub struct Row<'a> {
    name: &'static str,
    unit: &'static str,
    subjects: Vec<Subject<'a>>,
}

impl<'a> Row<'a> {
    /// A row without subjects.
    pub fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit, subjects: Vec::new() }
    }

    /// Adds a subject.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, sample: impl FnMut() -> f64 + 'a) -> Self {
        self.subjects.push(Subject { name: name.into(), sample: Box::new(sample) });
        self
    }

    /// Runs everyone once to warm up, then `rounds` times in turn; returns lines of Markdown.
    pub fn run(mut self, rounds: usize) -> String {
        self.subjects.iter_mut().for_each(|subject| _ = (subject.sample)());
        let mut samples = vec![Vec::with_capacity(rounds); self.subjects.len()];
        for _ in 0..rounds {
            for (subject, samples) in self.subjects.iter_mut().zip(&mut samples) {
                samples.push((subject.sample)());
            }
        }
        let first = quantile(&mut samples[0], 0.5);
        let mut lines = String::new();
        for (subject, samples) in self.subjects.iter().zip(&mut samples) {
            let [low, median, high] = [0.25, 0.5, 0.75].map(|q| quantile(samples, q));
            let (name, unit, ratio) = (self.name, self.unit, median / first);
            let subject = &subject.name;
            writeln!(
                lines,
                "| {name} | {subject} | {} {unit} | {} … {} | {ratio:.2} |",
                short(median),
                short(low),
                short(high)
            )
            .expect("a string takes everything");
        }
        lines
    }
}

/// The head of the table that [`Row::run`] gives the lines of.
pub const TABLE_HEAD: &str = "\
| measure | what | median | middle half | ratio to the first |
|---|---|---|---|---|";

/// The sample below which the share `q` of all lies. Sorts them; there must be one.
pub fn quantile(samples: &mut [f64], q: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[((samples.len() - 1) as f64 * q).round() as usize]
}

/// Three significant digits, more where they are before the point.
pub fn short(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_care_about_outliers() {
        assert_eq!(quantile(&mut [9.0, 1.0, 2.0, 1000.0, 3.0], 0.5), 3.0);
        assert_eq!(quantile(&mut [1.0], 0.75), 1.0);
    }

    #[test]
    fn subjects_run_in_turn_and_are_compared_with_the_first() {
        let order = std::cell::RefCell::new(String::new());
        let row = Row::new("r", "ns");
        let row = row.with("a", || {
            order.borrow_mut().push('a');
            2.0
        });
        let row = row.with("b", || {
            order.borrow_mut().push('b');
            5.0
        });
        let lines = row.run(2);
        assert_eq!(*order.borrow(), "ababab");
        assert!(lines.contains("| r | b | 5.00 ns | 5.00 … 5.00 | 2.50 |"), "{lines}");
    }
}
