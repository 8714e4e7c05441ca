//! Outcomes as a picture: one panel a row, one bar a subject, a whisker over the middle half, and
//! a dashed line where our target is.

#![forbid(unsafe_code)]

use std::fmt::Write;

use super::machine::Machine;
use super::outcome::{Measured, Outcome};
use super::rows::Role;
use super::table::figure;
use super::target::Figure;

const WIDTH: f64 = 1200.0;
const COLUMNS: usize = 2;
const PANEL: f64 = WIDTH / COLUMNS as f64;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 100.0;
const BAR: f64 = 14.0;
const STEP: f64 = 20.0;
const HEAD: f64 = 90.0;
const TITLE: f64 = 44.0;
const MARGIN: f64 = 20.0;
/// About the width of one.
const LETTER: f64 = 7.5;
/// A target is shown unless the bars would become shorter than this part for it.
const BARS_MIN: f64 = 0.5;

const STYLE: &str = "\
text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:13px}\
.about{fill:#666}.name{text-cell:end}.limit{fill:#b0b0b0}.ours{fill:#d9480f}\
.variant{fill:#f4a77f}.peer{fill:#6c93b8}.whisker{stroke:#222;stroke-width:1.5}\
.paper{fill:#fff}.target{stroke:#d9480f;stroke-dasharray:4 3}";

const LEGEND: [(&str, &str); 4] = [
    ("limit", "by hand"),
    ("ours", "miniss"),
    ("variant", "miniss, another way"),
    ("peer", "peers; dashed: our target"),
];

/// The picture, as SVG.
pub fn svg(machine: &Machine, outcomes: &[Outcome]) -> String {
    let mut panels = String::new();
    let mut bottoms = [HEAD; COLUMNS];
    for outcome in outcomes {
        let column = if bottoms[1] < bottoms[0] { 1 } else { 0 };
        let (x, y) = (PANEL * column as f64, bottoms[column]);
        panels += &format!("<g transform=\"translate({x} {y})\">\n");
        panel(&mut panels, outcome);
        panels += "</g>\n";
        bottoms[column] += height(outcome);
    }
    let height = bottoms.into_iter().fold(HEAD, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\">\n<style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (line, about) in machine.lines().iter().enumerate() {
        text(&mut svg, "", MARGIN, MARGIN + 16.0 * line as f64, about);
    }
    legend(&mut svg);
    svg + &panels + "</svg>\n"
}

fn legend(svg: &mut String) {
    for (index, (class, meaning)) in LEGEND.iter().enumerate() {
        let x = MARGIN + 160.0 * index as f64;
        rect(svg, class, x, MARGIN + 26.0, 14.0);
        text(svg, "", x + 20.0, MARGIN + 37.0, meaning);
    }
}

fn height(outcome: &Outcome) -> f64 {
    TITLE + STEP * outcome.subjects.len() as f64 + MARGIN
}

fn panel(svg: &mut String, outcome: &Outcome) {
    let row = &outcome.row;
    let better = if row.wants_more { "more is better" } else { "less is better" };
    let title = match row.unit {
        "" => format!("{} ({better})", row.name),
        unit => format!("{}, {unit} ({better})", row.name),
    };
    text(svg, "title", MARGIN, 14.0, &title);
    text(svg, "about", MARGIN, 31.0, &row.heading());
    let x = scale(outcome);
    let tops = (0..).map(|index| TITLE + STEP * f64::from(index));
    let subjects = outcome.subjects.iter().zip(tops);
    subjects.clone().for_each(|(measured, top)| bar(svg, measured, top, &x));
    let bottom = TITLE + STEP * outcome.subjects.len() as f64;
    for x in thresholds(outcome).map(&x).filter(|&x| x <= PANEL - RIGHT) {
        line(svg, "target", [x, TITLE - 4.0], [x, bottom]);
    }
    // Above the line, which would cross them out.
    subjects.for_each(|(measured, top)| label(svg, outcome, measured, top, &x));
}

fn thresholds(outcome: &Outcome) -> impl Iterator<Item = f64> {
    let targets = outcome.row.targets.iter().filter(|target| target.figure == Figure::Value);
    targets.filter_map(|target| target.threshold(outcome))
}

/// Where a value lies, from zero to the greatest bar, or to a target that is not far beyond.
fn scale(outcome: &Outcome) -> impl Fn(f64) -> f64 + use<> {
    let values = outcome.subjects.iter().filter_map(|measured| Some(measured.middle_half()?[1]));
    let bars = values.fold(f64::MIN_POSITIVE, f64::max);
    let targets = thresholds(outcome).filter(|target| target * BARS_MIN <= bars);
    let greatest = targets.fold(bars, f64::max);
    move |value| LEFT + (value / greatest).max(0.0) * (PANEL - LEFT - RIGHT)
}

fn bar(svg: &mut String, measured: &Measured, top: f64, x: &impl Fn(f64) -> f64) {
    let class = match measured.role {
        Role::Limit => "limit",
        Role::Ours => "ours",
        Role::Variant => "variant",
        Role::Peer => "peer",
    };
    if let Some(median) = measured.median() {
        rect(svg, class, LEFT, top, x(median) - LEFT);
    }
}

fn label(
    svg: &mut String,
    outcome: &Outcome,
    measured: &Measured,
    top: f64,
    x: &impl Fn(f64) -> f64,
) {
    let base = top + BAR - 3.0;
    text(svg, "name", LEFT - 8.0, base, measured.name);
    let (Some(median), Some(half)) = (measured.median(), measured.middle_half()) else {
        return text(svg, "value", LEFT, base, "failed");
    };
    let [low, high] = half.map(x);
    let middle = top + BAR / 2.0;
    line(svg, "whisker", [low, middle], [high, middle]);
    let value = figure(&outcome.row, Figure::Value, median);
    let left = high.max(x(median)) + 6.0;
    rect(svg, "paper", left - 2.0, top, LETTER * value.chars().count() as f64);
    text(svg, "value", left, base, &value);
}

fn rect(svg: &mut String, class: &str, x: f64, y: f64, width: f64) {
    writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\"/>"
    )
    .expect("a string takes everything");
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
        // One of each is in the legend, which has no whiskers and no line.
        for (class, count) in [("limit", 2), ("ours", 2), ("peer", 3), ("target", 1)] {
            assert_eq!(svg.matches(&format!("class=\"{class}\"")).count(), count, "{class}");
        }
        assert_eq!(svg.matches("class=\"whisker\"").count(), 4);
    }

    #[test]
    fn text_cannot_break_the_picture() {
        let svg = svg(&Machine::default(), &[example()]);
        assert!(svg.contains("spawn &amp; join</text>"));
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn the_greatest_reaches_the_end_and_zero_the_beginning() {
        let x = scale(&example());
        assert_eq!([x(0.0), x(99.0)], [LEFT, PANEL - RIGHT]);
    }

    #[test]
    fn who_failed_has_no_bar() {
        let mut outcome = example();
        outcome.subjects[3].samples.clear();
        let svg = svg(&Machine::default(), &[outcome]);
        assert!(svg.contains(">failed<") && svg.matches("class=\"peer\"").count() == 2);
    }
}
