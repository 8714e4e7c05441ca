//! All points of a curve, several times in turn, and their medians.

#![forbid(unsafe_code)]

use serde_json::{Value, json};

use super::child;
use super::curve::{Curve, Values};
use crate::progress::Progress;
use crate::rounds::quantile;

/// What a curve showed.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The curve.
    pub curve: Curve,
    /// For each point, what each round showed.
    pub points: Vec<Vec<Values>>,
}

/// So many steps [`run`] takes.
pub fn steps(curve: &Curve, rounds: usize) -> usize {
    curve.xs.len() * rounds
}

/// Runs every point `rounds` times in turn, each a step of `progress`.
///
/// # Errors
///
/// In a sentence, at the first point that fails.
pub fn run(curve: Curve, rounds: usize, progress: &Progress) -> Result<Measured, String> {
    progress.part(curve.name);
    let mut points = vec![Vec::with_capacity(rounds); curve.xs.len()];
    for round in 1..=rounds {
        for (&x, point) in curve.xs.iter().zip(&mut points) {
            progress
                .step(format!("{}: round {round} of {rounds}: {x} {}", curve.name, curve.x.label));
            let values = child::run(&curve, x);
            point.push(values.map_err(|error| format!("{} at {x}: {error}", curve.name))?);
        }
    }
    Ok(Measured { curve, points })
}

impl Measured {
    /// The medians of a series at all points; not a number where it was not measured.
    pub fn medians(&self, series: usize) -> Vec<f64> {
        self.quantiles(series, 0.5)
    }

    /// Everything, for other programs.
    pub fn json(&self) -> Value {
        let curve = &self.curve;
        let panels = curve.panels.iter();
        let series = panels.flat_map(|panel| panel.series.iter().map(move |of| (panel, of)));
        let series: Value = series
            .enumerate()
            .map(|(index, (panel, series))| {
                let quartile = |q| self.quantiles(index, q);
                json!({
                    "name": series.name,
                    "unit": panel.y.label,
                    "medians": quartile(0.5),
                    "middle_half_low": quartile(0.25),
                    "middle_half_high": quartile(0.75),
                })
            })
            .collect();
        json!({
            "name": curve.name,
            "title": curve.title,
            "x": curve.x.label,
            "xs": curve.xs,
            "series": series,
        })
    }

    fn quantiles(&self, series: usize, q: f64) -> Vec<f64> {
        self.points.iter().map(|rounds| middle(rounds, series, q)).collect()
    }
}

fn middle(rounds: &[Values], series: usize, q: f64) -> f64 {
    let values = rounds.iter().map(|values| values[series]).filter(|value| value.is_finite());
    let mut values: Vec<f64> = values.collect();
    if values.is_empty() { f64::NAN } else { quantile(&mut values, q) }
}

/// Two panels, one line of ours and one limit in the first, one line of ours in the second.
#[cfg(test)]
pub fn example() -> Measured {
    use super::curve::{Axis, Panel, limit, ours};
    const CURVE: Curve = Curve {
        name: "example",
        title: "Examples & more",
        x: Axis::decimal("examples"),
        xs: &[1, 100, 10_000],
        panels: &[
            Panel { y: Axis::decimal("ns"), series: &[ours("we"), limit("by hand")] },
            Panel { y: Axis::decimal("bytes"), series: &[ours("we")] },
        ],
        takes_turns: false,
        measure: |_| Ok(Vec::new()),
    };
    let none = f64::NAN;
    let points = vec![
        vec![vec![9.0, 2.0, none], vec![8.0, 3.0, none], vec![7.0, 900.0, none]],
        vec![vec![20.0, 2.0, 64.0]],
        vec![vec![3_000.0, 2.0, 65.0]],
    ];
    Measured { curve: CURVE, points }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_leave_out_what_was_not_measured() {
        let measured = example();
        assert_eq!(measured.medians(0), [8.0, 20.0, 3_000.0]);
        assert_eq!(measured.medians(1)[0], 3.0);
        let bytes = measured.medians(2);
        assert!(bytes[0].is_nan() && bytes[1..] == [64.0, 65.0]);
    }

    #[test]
    fn json_has_all_series_with_their_units() {
        let text = example().json().to_string();
        for part in [r#""xs":[1,100,10000]"#, r#""unit":"bytes","medians":[null,64.0,65.0]"#] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
