//! Logarithmic scales: which lines to draw, and how to write a number.

#![forbid(unsafe_code)]

use super::curve::Axis;

/// A scale with less than this between its ends would make a flat line look steep.
const RATIO_MIN: f64 = 10.0;
/// With more than this between its ends, a scale has lines at powers of ten alone, and at its ends.
const RATIO_OF_FINE_LINES: f64 = 300.0;

/// The round numbers of a scale around all `values`; the first and the last are its ends.
pub fn round_lines(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let (low, high) = ends(values);
    let (mut low, mut high) = (round_down(low), round_up(high));
    while high / low < RATIO_MIN {
        high = round_up(high * 1.01);
        if high / low < RATIO_MIN {
            low = round_down(low * 0.99);
        }
    }
    let mut lines = vec![low];
    while let Some(&last) = lines.last().filter(|&&last| last < high * 0.99) {
        lines.push(round_up(last * 1.01));
    }
    let is_fine = high / low <= RATIO_OF_FINE_LINES;
    let is_power = |line: f64| (line.log10() - line.log10().round()).abs() < 1e-6;
    let last = lines.len() - 1;
    let mut index = 0..;
    lines.retain(|&line| {
        let is_end = index.next().is_some_and(|index| index == 0 || index == last);
        is_fine || is_end || is_power(line)
    });
    lines
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
        let lines = round_lines([7.0, f64::NAN, 130.0].into_iter());
        assert_eq!(lines, [5.0, 10.0, 20.0, 50.0, 100.0, 200.0]);
        // A flat line looks flat, and none at all can be drawn.
        assert_eq!(round_lines([100.0, 110.0].into_iter()).first(), Some(&50.0));
        assert!(round_lines([].into_iter()).len() > 1);
    }

    #[test]
    fn a_wide_scale_has_powers_of_ten() {
        assert_eq!(round_lines([3.0, 4_000.0].into_iter()), [2.0, 10.0, 100.0, 1e3, 5e3]);
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
