//! Outcomes as a picture: one panel a row, one bar a subject, a whisker over the middle half, and
//! a dashed line where our target is.

#![forbid(unsafe_code)]

use std::fmt::Write;

use super::machine::Machine;
use super::outcome::{Measured, Outcome};
use super::rows::Role;
use super::target::Figure;
use crate::rounds::short;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 110.0;
const BAR: f64 = 14.0;
const STEP: f64 = 20.0;
const TITLE: f64 = 30.0;
const MARGIN: f64 = 20.0;

const STYLE: &str = "\
text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:13px}\
.name{text-anchor:end}.limit{fill:#b0b0b0}.ours{fill:#d9480f}.variant{fill:#f4a77f}\
.peer{fill:#6c93b8}.whisker{stroke:#222;stroke-width:1.5}\
.target{stroke:#d9480f;stroke-dasharray:4 3}";

/// The picture, as SVG.
pub fn svg(machine: &Machine, outcomes: &[Outcome]) -> String {
    let panels = outcomes.iter().map(height).sum::<f64>();
    let height = panels + 2.0 * MARGIN + TITLE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\">\n<style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    text(&mut svg, "", MARGIN, MARGIN, &machine.to_string());
    let mut top = MARGIN + TITLE;
    for outcome in outcomes {
        panel(&mut svg, outcome, top);
        top += self::height(outcome);
    }
    svg + "</svg>\n"
}

fn height(outcome: &Outcome) -> f64 {
    TITLE + STEP * outcome.subjects.len() as f64 + MARGIN
}

fn panel(svg: &mut String, outcome: &Outcome, top: f64) {
    let row = &outcome.row;
    let better = if row.wants_more { "more is better" } else { "less is better" };
    let title = format!("{}: {}, {} ({better})", row.name, row.title, row.unit);
    text(svg, "title", MARGIN, top, &title);
    let x = scale(outcome);
    for (index, measured) in outcome.subjects.iter().enumerate() {
        bar(svg, outcome, measured, top + 10.0 + STEP * index as f64, &x);
    }
    let bottom = top + 10.0 + STEP * outcome.subjects.len() as f64;
    for target in row.targets.iter().filter(|target| target.figure == Figure::Value) {
        let x = target.threshold(outcome).map(&x);
        if let Some(x) = x.filter(|&x| x <= WIDTH - RIGHT) {
            line(svg, "target", [x, top + 6.0], [x, bottom]);
        }
    }
}

/// Where a value lies, from zero to the greatest.
fn scale(outcome: &Outcome) -> impl Fn(f64) -> f64 + use<> {
    let values = outcome.subjects.iter().filter_map(|measured| Some(measured.middle_half()?[1]));
    let greatest = values.fold(f64::MIN_POSITIVE, f64::max);
    move |value| LEFT + (value / greatest).max(0.0) * (WIDTH - LEFT - RIGHT)
}

fn bar(
    svg: &mut String,
    outcome: &Outcome,
    measured: &Measured,
    top: f64,
    x: &impl Fn(f64) -> f64,
) {
    let base = top + BAR - 3.0;
    text(svg, "name", LEFT - 8.0, base, measured.name);
    let (Some(median), Some(half)) = (measured.median(), measured.middle_half()) else {
        return text(svg, "", LEFT, base, "failed");
    };
    let class = match measured.role {
        Role::Limit => "limit",
        Role::Ours => "ours",
        Role::Variant => "variant",
        Role::Peer => "peer",
    };
    let width = x(median) - LEFT;
    writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR}\"/>"
    )
    .expect("a string takes everything");
    let [low, high] = half.map(x);
    let middle = top + BAR / 2.0;
    line(svg, "whisker", [low, middle], [high, middle]);
    let row = &outcome.row;
    let label = format!("{} {}", short(median / row.scale), row.unit);
    text(svg, "", high.max(x(median)) + 6.0, base, &label);
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(text))
        .expect("a string takes everything");
}

fn line(svg: &mut String, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
    writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    )
    .expect("a string takes everything");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::outcome::example;

    #[test]
    fn there_is_a_bar_for_each_subject_and_a_line_for_the_target() {
        let svg = svg(&Machine::default(), &[example()]);
        for class in ["limit", "ours", "target"] {
            assert_eq!(svg.matches(&format!("class=\"{class}\"")).count(), 1, "{class}");
        }
        assert_eq!(svg.matches("class=\"peer\"").count(), 2);
        assert_eq!(svg.matches("class=\"whisker\"").count(), 4);
    }

    #[test]
    fn text_cannot_break_the_picture() {
        let svg = svg(&Machine::default(), &[example()]);
        assert!(svg.contains("spawn: spawn &amp; join, ns (less is better)"));
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn the_greatest_reaches_the_end_and_zero_the_beginning() {
        let x = scale(&example());
        assert_eq!([x(0.0), x(99.0)], [LEFT, WIDTH - RIGHT]);
    }

    #[test]
    fn who_failed_has_no_bar() {
        let mut outcome = example();
        outcome.subjects[3].samples.clear();
        let svg = svg(&Machine::default(), &[outcome]);
        assert!(svg.contains(">failed<") && svg.matches("class=\"peer\"").count() == 1);
    }
}
