//! Logarithmic scales: where a value lies, which lines to draw, and how to write a number.

#![forbid(unsafe_code)]

use super::curve::Axis;

/// From here to there, on paper and in numbers.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

/// A scale with less than this between its ends would make a flat line look steep.
const RATIO_MIN: f64 = 10.0;
/// With more than this between its ends, a scale has lines at powers of ten alone.
const RATIO_OF_FINE_LINES: f64 = 300.0;

impl Scale {
    /// A scale on paper from `start` to `end` that reaches from the smallest to the greatest of
    /// `values` and ends there.
    pub fn exact(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let (low, high) = ends(values);
        Self { low, high, start, end }
    }

    /// A scale that ends at round numbers.
    pub fn round(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let (low, high) = ends(values);
        let (mut low, mut high) = (round_down(low), round_up(high));
        while high / low < RATIO_MIN {
            high = round_up(high * 1.01);
            if high / low < RATIO_MIN {
                low = round_down(low * 0.99);
            }
        }
        Self { low, high, start, end }
    }

    /// Where `value` lies on paper.
    pub fn at(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.start + share * (self.end - self.start)
    }

    /// The round numbers on it.
    pub fn lines(&self) -> Vec<f64> {
        let is_fine = self.high / self.low <= RATIO_OF_FINE_LINES;
        let mut lines = vec![self.low];
        while let Some(&last) = lines.last().filter(|&&last| last < self.high * 0.99) {
            lines.push(round_up(last * 1.01));
        }
        lines.retain(|&line| is_fine || (line.log10() - line.log10().round()).abs() < 1e-6);
        lines
    }
}

/// The smallest and the greatest; something that can be drawn if there is none.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values = values.filter(|value| value.is_finite() && *value > 0.0);
    let widen = |(low, high): (f64, f64), value: f64| (low.min(value), high.max(value));
    match values.fold((f64::INFINITY, 0.0), widen) {
        (low, high) if low <= high => (low, high),
        _ => (1.0, 1.0),
    }
}

/// The next of 1, 2, 5 times a power of ten.
fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let digit = [5.0, 2.0].into_iter().find(|digit| digit * power <= value * 1.000_001);
    digit.unwrap_or(1.0) * power
}

fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * power >= value * 0.999_999);
    digit.unwrap_or(10.0) * power
}

/// A round number, as short as it can be.
pub fn label(axis: Axis, value: f64) -> String {
    let (kilo, names) = match axis.is_binary {
        true => (1024.0, ["", " Ki", " Mi", " Gi"]),
        false => (1000.0, ["", " k", " M", " G"]),
    };
    let (mut value, mut names) = (value, names.into_iter());
    let mut name = names.next().unwrap_or_default();
    while value >= kilo * 0.999_999
        && let Some(next) = names.next()
    {
        (value, name) = (value / kilo, next);
    }
    // What arithmetic left beyond the third digit is not meant.
    let digits = (2 - value.log10().floor() as i32).max(0) as usize;
    let text = format!("{value:.digits$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECIMAL: Axis = Axis::decimal("");

    #[test]
    fn a_scale_ends_at_round_numbers_around_all_values() {
        let scale = Scale::round([7.0, f64::NAN, 130.0].into_iter(), 0.0, 100.0);
        assert_eq!(scale.lines(), [5.0, 10.0, 20.0, 50.0, 100.0, 200.0]);
        assert_eq!((scale.at(5.0), scale.at(200.0)), (0.0, 100.0));
    }

    #[test]
    fn a_flat_line_looks_flat() {
        let scale = Scale::round([100.0, 110.0].into_iter(), 0.0, 100.0);
        assert!((scale.at(110.0) - scale.at(100.0)).abs() < 5.0);
        assert!(!Scale::round([].into_iter(), 0.0, 1.0).lines().is_empty());
    }

    #[test]
    fn a_wide_scale_has_powers_of_ten() {
        let scale = Scale::round([3.0, 4_000.0].into_iter(), 0.0, 1.0);
        assert_eq!(
            scale.lines().iter().map(|&line| label(DECIMAL, line)).collect::<Vec<_>>(),
            ["10", "100", "1 k"]
        );
    }

    #[test]
    fn numbers_are_short() {
        let decimal = [0.05, 1.0, 20.0, 500.0, 1e3, 1e6].map(|value| label(DECIMAL, value));
        assert_eq!(decimal, ["0.05", "1", "20", "500", "1 k", "1 M"]);
        let binary = [64.0, 1024.0, 262_144.0, 1_048_576.0];
        let binary = binary.map(|value| label(Axis::binary(""), value));
        assert_eq!(binary, ["64", "1 Ki", "256 Ki", "1 Mi"]);
    }
}
