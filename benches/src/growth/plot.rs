//! A curve as a picture: a panel for each unit, a line for each series, logarithmic both ways.
//!
//! It stands inside a page of the manual. So it has no style sheet, which would hold for the whole
//! page, and no empty line, which would end it; text and axes have the colour of the page's text,
//! and lines have colours that can be told apart on white and on black, by their marks too.

#![forbid(unsafe_code)]

use std::fmt::Write;

use super::axis::{Scale, label};
use super::curve::{Panel, Role};
use super::measured::Measured;

const WIDTH: f64 = 400.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 24.0;
const PLOT_HEIGHT: f64 = 180.0;
const BOTTOM: f64 = 40.0;
const LEGEND_STEP: f64 = 15.0;
const COLUMNS: usize = 2;

const COLORS: [&str; 3] = ["#e8590c", "#4a8fe7", "#37a24b"];
const LIMIT_COLOR: &str = "#8a8f98";

/// The picture, as SVG.
pub fn svg(measured: &Measured) -> String {
    let panels: Vec<_> = measured.curve.panels_with_start().collect();
    let columns = panels.len().min(COLUMNS);
    let width = WIDTH * columns as f64;
    let heights: Vec<f64> = panels.chunks(COLUMNS).map(height).collect();
    let height: f64 = heights.iter().sum();
    let title = escaped(measured.curve.title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" style=\"max-width:100%\" role=\"img\" aria-label=\"{title}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"currentColor\">\n"
    );
    let mut top = 0.0;
    for (row, height) in panels.chunks(COLUMNS).zip(heights) {
        for (column, &(start, panel)) in row.iter().enumerate() {
            let left = WIDTH * column as f64;
            writeln!(svg, "<g transform=\"translate({left} {top})\">").expect(WRITES);
            draw(&mut svg, measured, start, panel);
            svg.push_str("</g>\n");
        }
        top += height;
    }
    svg + "</svg>\n"
}

const WRITES: &str = "a string takes everything";

fn height(row: &[(usize, &Panel)]) -> f64 {
    let legend = row.iter().map(|(_, panel)| panel.series.len()).max().unwrap_or(0);
    TOP + PLOT_HEIGHT + BOTTOM + LEGEND_STEP * legend as f64
}

fn draw(svg: &mut String, measured: &Measured, start: usize, panel: &Panel) {
    let curve = &measured.curve;
    let xs: Vec<f64> = curve.xs.iter().map(|&x| x as f64).collect();
    let lines: Vec<_> = (0..panel.series.len()).map(|n| measured.medians(start + n)).collect();
    let bottom = TOP + PLOT_HEIGHT;
    let x = Scale::exact(xs.iter().copied(), LEFT + 8.0, WIDTH - RIGHT);
    let y = Scale::round(lines.iter().flatten().copied(), bottom, TOP);
    text(svg, "start", LEFT, TOP - 10.0, &escaped(panel.y.label));
    grid(svg, panel, &y);
    for &value in &xs {
        text(svg, "middle", x.at(value), bottom + 14.0, &label(curve.x, value));
    }
    text(svg, "middle", (LEFT + WIDTH - RIGHT) / 2.0, bottom + 28.0, &escaped(curve.x.label));
    for (index, (series, values)) in panel.series.iter().zip(&lines).enumerate() {
        let color = if series.role == Role::Limit { LIMIT_COLOR } else { COLORS[index % 3] };
        let points = xs.iter().zip(values).filter(|&(_, &value)| value > 0.0);
        let points: Vec<_> = points.map(|(&at, &value)| [x.at(at), y.at(value)]).collect();
        line(svg, series.role, color, index, &points);
        let base = bottom + BOTTOM + LEGEND_STEP * index as f64;
        let sample = [[LEFT, base - 4.0], [LEFT + 24.0, base - 4.0]];
        line(svg, series.role, color, index, &sample);
        text(svg, "start", LEFT + 32.0, base, &escaped(series.name));
    }
}

/// Horizontal lines with their numbers.
fn grid(svg: &mut String, panel: &Panel, y: &Scale) {
    let mut path = String::new();
    for value in y.lines() {
        let at = y.at(value);
        write!(path, "M{LEFT} {at:.1}H{}", WIDTH - RIGHT).expect(WRITES);
        text(svg, "end", LEFT - 5.0, at + 4.0, &label(panel.y, value));
    }
    writeln!(svg, "<path d=\"{path}\" stroke=\"currentColor\" stroke-opacity=\".2\"/>")
        .expect(WRITES);
}

fn line(svg: &mut String, role: Role, color: &str, shape: usize, points: &[[f64; 2]]) {
    let Some(([x, y], rest)) = points.split_first() else { return };
    let mut path = format!("M{x:.1} {y:.1}");
    for [x, y] in rest {
        write!(path, "L{x:.1} {y:.1}").expect(WRITES);
    }
    let dashes = if role == Role::Limit { " stroke-dasharray=\"5 3\"" } else { "" };
    writeln!(
        svg,
        "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.8\"{dashes}/>"
    )
    .expect(WRITES);
    let marks: String = points.iter().map(|&point| mark(shape, point)).collect();
    writeln!(svg, "<path d=\"{marks}\" fill=\"{color}\"/>").expect(WRITES);
}

/// A circle, a square or a triangle.
fn mark(shape: usize, [x, y]: [f64; 2]) -> String {
    match shape % 3 {
        0 => format!("M{:.1} {y:.1}a3 3 0 1 0 6 0a3 3 0 1 0-6 0", x - 3.0),
        1 => format!("M{:.1} {:.1}h5.4v5.4h-5.4z", x - 2.7, y - 2.7),
        _ => format!("M{x:.1} {:.1}l3.6 6.2h-7.2z", y - 3.8),
    }
}

fn text(svg: &mut String, cell: &str, x: f64, y: f64, text: &str) {
    let cell = match cell {
        "start" => String::new(),
        other => format!(" text-cell=\"{other}\""),
    };
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\"{cell}>{text}</text>").expect(WRITES);
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::measured::example;

    #[test]
    fn every_series_has_a_line_and_a_legend() {
        let svg = svg(&example());
        // Two paths for the line and two for the legend of each series, and a grid for each panel.
        assert_eq!(svg.matches("<path").count(), 3 * 4 + 2);
        assert_eq!(svg.matches(">by hand</text>").count(), 1);
        assert_eq!(svg.matches("stroke-dasharray").count(), 2);
    }

    #[test]
    fn it_can_stand_in_a_page() {
        let svg = svg(&example());
        assert!(!svg.contains("\n\n") && !svg.contains("<style") && !svg.contains("NaN"), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.lines().next().unwrap().ends_with('>'));
        assert!(svg.contains("aria-label=\"Examples &amp; more\""));
        assert!(svg.len() < 15 << 10);
    }
}
