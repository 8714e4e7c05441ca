//! All points of a curve, several times in turn, and their medians.

#![forbid(unsafe_code)]

use super::child;
use super::curve::{Curve, Values};
use crate::compare::json::Json;
use crate::rounds::quantile;

/// What a curve showed.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The curve.
    pub curve: Curve,
    /// For each point, what each round showed.
    pub points: Vec<Vec<Values>>,
}

/// Runs every point `rounds` times in turn. `told` hears what runs.
///
/// # Errors
///
/// In a sentence, at the first point that fails.
pub fn run(curve: Curve, rounds: usize, told: &mut dyn FnMut(&str)) -> Result<Measured, String> {
    let mut points = vec![Vec::with_capacity(rounds); curve.xs.len()];
    for round in 1..=rounds {
        for (&x, point) in curve.xs.iter().zip(&mut points) {
            told(&format!("{}: round {round} of {rounds}: {x} {}", curve.name, curve.x.label));
            let values = child::run(&curve, x);
            point.push(values.map_err(|error| format!("{} at {x}: {error}", curve.name))?);
        }
    }
    Ok(Measured { curve, points })
}

impl Measured {
    /// The medians of a series at all points; not a number where it was not measured.
    pub fn medians(&self, series: usize) -> Vec<f64> {
        self.points.iter().map(|rounds| middle(rounds, series, 0.5)).collect()
    }

    /// Everything, for other programs.
    pub fn json(&self) -> Json {
        let curve = &self.curve;
        let xs: Vec<f64> = curve.xs.iter().map(|&x| x as f64).collect();
        let panels = curve.panels_with_start().flat_map(|(start, panel)| {
            panel
                .series
                .iter()
                .enumerate()
                .map(move |(index, series)| (panel, start + index, series))
        });
        let series = panels.map(|(panel, index, series)| {
            let quartile = |q| self.points.iter().map(move |rounds| middle(rounds, index, q));
            let list = |q| Json::numbers(&quartile(q).collect::<Vec<_>>());
            Json::object([
                ("name", Json::from(series.name)),
                ("unit", panel.y.label.into()),
                ("medians", list(0.5)),
                ("middle_half_low", list(0.25)),
                ("middle_half_high", list(0.75)),
            ])
        });
        Json::object([
            ("name", curve.name.into()),
            ("title", curve.title.into()),
            ("x", curve.x.label.into()),
            ("xs", Json::numbers(&xs)),
            ("series", Json::List(series.collect())),
        ])
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
        for part in [r#""xs":[1,100,10000]"#, r#""unit":"bytes","medians":[null,64,65]"#] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
