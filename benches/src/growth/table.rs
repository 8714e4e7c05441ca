//! A curve as a table in Markdown: a line for each point, a column for each series.

#![forbid(unsafe_code)]

use super::axis::label;
use super::measured::Measured;
use crate::rounds::short;

/// The table of medians.
pub fn table(measured: &Measured) -> String {
    let curve = &measured.curve;
    let columns: Vec<_> = (0..curve.series().count()).map(|n| measured.medians(n)).collect();
    let heads = curve.panels.iter().flat_map(|panel| {
        panel.series.iter().map(|series| format!("{}, {}", series.name, panel.y.label))
    });
    let head: Vec<String> = [curve.x.label.to_owned()].into_iter().chain(heads).collect();
    let rule = "|---:".repeat(head.len()) + "|\n";
    let lines = curve.xs.iter().enumerate().map(|(index, &x)| {
        let cells = columns.iter().map(|medians| cell(medians[index]));
        line([label(curve.x, x as f64)].into_iter().chain(cells))
    });
    line(head.into_iter()) + &rule + &lines.collect::<String>()
}

fn line(cells: impl Iterator<Item = String>) -> String {
    cells.map(|cell| format!("| {cell} ")).collect::<String>() + "|\n"
}

fn cell(value: f64) -> String {
    match value {
        _ if value.is_nan() => "-".into(),
        0.0 => "0".into(),
        // Three digits, also of what is less than one.
        0.0..0.1 => format!("{value:.4}"),
        0.1..1.0 => format!("{value:.3}"),
        _ => short(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::measured::example;

    #[test]
    fn a_table_has_a_line_for_each_point() {
        let expected = "\
            | examples | we, ns | by hand, ns | we, bytes |\n\
            |---:|---:|---:|---:|\n\
            | 1 | 8.00 | 3.00 | - |\n\
            | 100 | 20.0 | 2.00 | 64.0 |\n\
            | 10 k | 3000 | 2.00 | 65.0 |\n";
        assert_eq!(table(&example()), expected);
        assert_eq!([0.0, 0.0123, 0.25, 1.5].map(cell), ["0", "0.0123", "0.250", "1.50"]);
    }
}
