//! Outcomes as a picture: one panel a row, one bar a subject, a whisker over the middle half, and
//! a dashed line where our target is.

#![forbid(unsafe_code)]

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::machine::Machine;
use super::outcome::Outcome;
use super::rows::Role;
use super::table::figure;
use super::target::Figure;

const COLUMNS: usize = 2;
const PANEL: i32 = 600;
const LEFT: i32 = 200;
const RIGHT: i32 = 100;
const STEP: i32 = 20;
const BAR: i32 = 14;
/// About the width of one, and of the space around a word.
const LETTER: i32 = 8;
/// Above a bar and below it.
const GAP: u32 = ((STEP - BAR) / 2) as u32;
const HEAD: i32 = 90;
const TITLE: i32 = 40;
const MARGIN: i32 = 20;
/// A target is shown unless the bars would become shorter than this part for it.
const BARS_MIN: f64 = 0.5;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const PALE: RGBColor = RGBColor(0x66, 0x66, 0x66);

const LEGEND: [(Role, &str); 4] = [
    (Role::Limit, "by hand"),
    (Role::Ours, "miniss"),
    (Role::Variant, "miniss, another way"),
    (Role::Peer, "peers; dashed: our target"),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

/// The picture, as SVG.
pub fn svg(machine: &Machine, outcomes: &[Outcome]) -> String {
    let mut bottoms = [HEAD; COLUMNS];
    let place = |outcome: &Outcome| {
        let column = if bottoms[1] < bottoms[0] { 1 } else { 0 };
        let at = (PANEL * column as i32, bottoms[column]);
        bottoms[column] += height(outcome);
        at
    };
    let places: Vec<_> = outcomes.iter().map(place).collect();
    let size = (PANEL as u32 * COLUMNS as u32, bottoms.into_iter().fold(HEAD, i32::max) as u32);
    let mut svg = String::new();
    {
        let page = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&page, machine, outcomes, &places).expect("a string takes everything");
    }
    svg
}

fn draw<'a>(
    page: &Area<'a>,
    machine: &Machine,
    outcomes: &[Outcome],
    places: &[(i32, i32)],
) -> Drawn<'a> {
    page.fill(&WHITE)?;
    for (line, about) in (0..).zip(machine.lines()) {
        page.draw(&Text::new(about, (MARGIN, MARGIN - 10 + 16 * line), font(INK)))?;
    }
    for (index, (role, meaning)) in (0..).zip(LEGEND) {
        let (x, y) = (MARGIN + 160 * index, MARGIN + 30);
        page.draw(&Rectangle::new([(x, y), (x + 14, y + 14)], color(role).filled()))?;
        page.draw(&Text::new(meaning, (x + 20, y + 2), font(INK)))?;
    }
    for (outcome, &at) in outcomes.iter().zip(places) {
        let area = page.clone().shrink(at, (PANEL, height(outcome)));
        panel(&area, outcome)?;
    }
    page.present()
}

fn height(outcome: &Outcome) -> i32 {
    TITLE + STEP * outcome.subjects.len() as i32 + MARGIN
}

fn panel<'a>(area: &Area<'a>, outcome: &Outcome) -> Drawn<'a> {
    let row = &outcome.row;
    let better = if row.wants_more { "more is better" } else { "less is better" };
    let title = match row.unit {
        "" => format!("{} ({better})", row.name),
        unit => format!("{}, {unit} ({better})", row.name),
    };
    let bold = ("sans-serif", 16, FontStyle::Bold).into_font().color(&INK);
    area.draw(&Text::new(title, (MARGIN, 2), bold))?;
    area.draw(&Text::new(row.heading(), (MARGIN, 19), font(PALE)))?;
    let (greatest, count) = (greatest(outcome), outcome.subjects.len());
    let mut chart = ChartBuilder::on(area)
        .margin_top(TITLE)
        .margin_left(LEFT)
        .margin_right(RIGHT)
        .margin_bottom(MARGIN)
        .build_cartesian_2d(0.0..greatest, count as f64..0.0)?;
    let bars = (0..).zip(&outcome.subjects).filter_map(|(index, measured)| {
        let top = f64::from(index);
        let corners = [(0.0, top), (measured.median()?, top + 1.0)];
        let mut bar = Rectangle::new(corners, color(measured.role).filled());
        bar.set_margin(GAP, GAP, 0, 0);
        Some(bar)
    });
    chart.draw_series(bars)?;
    for x in thresholds(outcome).filter(|&x| x <= greatest) {
        let line = [(x, 0.0), (x, count as f64)];
        chart.draw_series(DashedLineSeries::new(line, 4, 3, color(Role::Ours).stroke_width(1)))?;
    }
    for (index, measured) in (0..).zip(&outcome.subjects) {
        let middle = f64::from(index) + 0.5;
        let name = Text::new(measured.name, (-8, 0), beside(HPos::Right));
        chart.draw_series([EmptyElement::at((0.0, middle)) + name])?;
        let (end, value) = match (measured.median(), measured.middle_half()) {
            (Some(median), Some([low, high])) => {
                let style = INK.stroke_width(1);
                chart
                    .draw_series([ErrorBar::new_horizontal(middle, low, median, high, style, 0)])?;
                (high.max(median), figure(row, Figure::Value, median))
            }
            _ => (0.0, "failed".into()),
        };
        // Above the dashed line, which would cross it out.
        let corners = [(4, 1 - BAR / 2), (LETTER * value.chars().count() as i32, BAR / 2)];
        let paper = Rectangle::new(corners, WHITE.filled());
        let value = Text::new(value, (6, 0), beside(HPos::Left));
        chart.draw_series([EmptyElement::at((end, middle)) + paper + value])?;
    }
    Ok(())
}

fn thresholds(outcome: &Outcome) -> impl Iterator<Item = f64> {
    let targets = outcome.row.targets.iter().filter(|target| target.figure == Figure::Value);
    targets.filter_map(|target| target.threshold(outcome))
}

/// The end of the scale: the greatest bar, or a target that is not far beyond.
fn greatest(outcome: &Outcome) -> f64 {
    let values = outcome.subjects.iter().filter_map(|measured| Some(measured.middle_half()?[1]));
    let bars = values.fold(f64::MIN_POSITIVE, f64::max);
    let targets = thresholds(outcome).filter(|target| target * BARS_MIN <= bars);
    targets.fold(bars, f64::max)
}

fn color(role: Role) -> RGBColor {
    match role {
        Role::Limit => RGBColor(0xb0, 0xb0, 0xb0),
        Role::Ours => RGBColor(0xd9, 0x48, 0x0f),
        Role::Variant => RGBColor(0xf4, 0xa7, 0x7f),
        Role::Peer => RGBColor(0x6c, 0x93, 0xb8),
    }
}

fn font(color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", 15).into_font().color(&color)
}

/// Text at half the height of its bar.
fn beside(side: HPos) -> TextStyle<'static> {
    font(INK).pos(Pos::new(side, VPos::Center))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::outcome::example;

    fn bars(svg: &str, role: Role) -> usize {
        let RGBColor(red, green, blue) = color(role);
        svg.matches(&format!("fill=\"#{red:02X}{green:02X}{blue:02X}\"")).count()
    }

    #[test]
    fn there_is_a_bar_for_each_subject() {
        let svg = svg(&Machine::default(), &[example()]);
        // One of each is in the legend.
        let roles = [Role::Limit, Role::Ours, Role::Peer];
        assert_eq!(roles.map(|role| bars(&svg, role)), [2, 2, 3]);
    }

    #[test]
    fn a_target_that_is_near_is_on_the_scale() {
        assert_eq!(greatest(&example()), 99.0);
    }

    #[test]
    fn who_failed_has_no_bar() {
        let mut outcome = example();
        outcome.subjects[3].samples.clear();
        let svg = svg(&Machine::default(), &[outcome]);
        assert!(svg.contains("\nfailed\n") && bars(&svg, Role::Peer) == 2);
    }
}
