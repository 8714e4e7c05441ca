//! A curve as a picture: a panel for each unit, a line for each series, logarithmic both ways.
//!
//! It stands inside a page of the manual. So it has no style sheet, which would hold for the whole
//! page, and no empty line, which would end it; text and axes have the colour of the page's text,
//! and lines have colours that can be told apart on white and on black, by their marks too.

#![forbid(unsafe_code)]

use plotters::coord::Shift;
use plotters::prelude::*;

use super::axis::{label, round_lines};
use super::curve::{Panel, Role};
use super::measured::Measured;

const WIDTH: u32 = 400;
const PANEL_HEIGHT: u32 = 248;
const LEGEND_STEP: i32 = 16;
const LEFT: u32 = 52;
const COLUMNS: usize = 2;

const COLORS: [RGBColor; 3] =
    [RGBColor(0xe8, 0x59, 0x0c), RGBColor(0x4a, 0x8f, 0xe7), RGBColor(0x37, 0xa2, 0x4b)];
const LIMIT_COLOR: RGBColor = RGBColor(0x8a, 0x8f, 0x98);
const LIMIT_COLOR_HEX: &str = "#8A8F98";
/// Stands for the colour of the page's text, which no number says.
const OF_PAGE: RGBColor = RGBColor(1, 2, 3);
const OF_PAGE_HEX: &str = "#010203";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

/// The picture, as SVG.
pub fn svg(measured: &Measured) -> String {
    let panels: Vec<_> = measured.curve.panels_with_start().collect();
    let columns = panels.len().min(COLUMNS);
    let legend = panels.iter().map(|(_, panel)| panel.series.len()).max().unwrap_or(0) as i32;
    let height = PANEL_HEIGHT + (LEGEND_STEP * legend + 4) as u32;
    let rows = panels.len().div_ceil(columns);
    let mut svg = String::new();
    {
        let size = (WIDTH * columns as u32, height * rows as u32);
        let page = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        for (area, &(start, panel)) in page.split_evenly((rows, columns)).iter().zip(&panels) {
            draw(area, measured, start, panel).expect("a string takes everything");
        }
        page.present().expect("a string takes everything");
    }
    for_a_page(&svg, measured.curve.title)
}

/// The same, as wide as the page at most, in the page's colour, and with a name; lines of limits
/// are dashed here, for plotters makes a line of each dash.
fn for_a_page(svg: &str, title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('"', "&quot;");
    let of_page = format!("<svg style=\"max-width:100%\" role=\"img\" aria-label=\"{title}\" ");
    let limit = format!("<polyline fill=\"none\" opacity=\"1\" stroke=\"{LIMIT_COLOR_HEX}\"");
    let svg = svg.replacen("<svg ", &of_page, 1).replace(OF_PAGE_HEX, "currentColor");
    svg.replace(&limit, &format!("{limit} stroke-dasharray=\"5 3\""))
}

fn draw<'a>(area: &Area<'a>, measured: &Measured, start: usize, panel: &Panel) -> Drawn<'a> {
    let curve = &measured.curve;
    let xs: Vec<f64> = curve.xs.iter().map(|&x| x as f64).collect();
    let lines: Vec<_> = (0..panel.series.len()).map(|n| measured.medians(start + n)).collect();
    let ys = round_lines(lines.iter().flatten().copied());
    let (left, right) = (xs[0], xs[xs.len() - 1]);
    let (bottom, top) = (ys[0], ys[ys.len() - 1]);
    let (plot, legend) = area.split_vertically(PANEL_HEIGHT);
    plot.draw(&text(panel.y.label, (LEFT as i32, 8)))?;
    let mut chart = ChartBuilder::on(&plot)
        .margin_top(26)
        .margin_right(16)
        .x_label_area_size(42)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(
            (left..right).log_scale().with_key_points(xs.clone()),
            (bottom..top).log_scale().with_key_points(ys.clone()),
        )?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(xs.len())
        .y_labels(ys.len())
        .x_desc(curve.x.label)
        .x_label_formatter(&|x| label(curve.x, *x))
        .y_label_formatter(&|y| label(panel.y, *y))
        .label_style(font())
        .bold_line_style(OF_PAGE.mix(0.2))
        .axis_style(OF_PAGE.mix(0.4))
        .draw()?;
    for (index, (series, values)) in panel.series.iter().zip(&lines).enumerate() {
        let color = if series.role == Role::Limit { LIMIT_COLOR } else { COLORS[index % 3] };
        let points = xs.iter().copied().zip(values.iter().copied());
        let points: Vec<_> = points.filter(|&(_, value)| value > 0.0).collect();
        let y = LEGEND_STEP * index as i32 + 6;
        let sample = [(LEFT as i32, y), (LEFT as i32 + 24, y)];
        chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?;
        legend.draw(&PathElement::new(sample, color.stroke_width(2)))?;
        chart.draw_series(points.into_iter().map(|point| mark(index, point, color)))?;
        for point in sample {
            legend.draw(&mark(index, point, color))?;
        }
        legend.draw(&text(series.name, (LEFT as i32 + 34, y - 5)))?;
    }
    Ok(())
}

/// A circle, a cross or a triangle.
fn mark<'a, P: Clone + 'static>(
    shape: usize,
    point: P,
    color: RGBColor,
) -> DynElement<'static, SVGBackend<'a>, P> {
    match shape % 3 {
        0 => Circle::new(point, 3, color.filled()).into_dyn(),
        1 => Cross::new(point, 3, color.stroke_width(2)).into_dyn(),
        _ => TriangleMarker::new(point, 4, color.filled()).into_dyn(),
    }
}

fn font() -> TextStyle<'static> {
    ("sans-serif", 14).into_font().color(&OF_PAGE)
}

fn text(text: &'static str, at: (i32, i32)) -> Text<'static, (i32, i32), &'static str> {
    Text::new(text, at, font())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::measured::example;

    #[test]
    fn it_can_stand_in_a_page() {
        let svg = svg(&example());
        assert!(!svg.contains("\n\n") && !svg.contains("<style") && !svg.contains("NaN"), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.lines().next().unwrap().ends_with('>'));
        assert!(svg.contains("aria-label=\"Examples &amp; more\""));
        assert!(svg.contains("currentColor") && !svg.contains(OF_PAGE_HEX));
        assert!(svg.len() < 15 << 10);
    }

    #[test]
    fn every_series_and_every_axis_has_its_name() {
        let svg = svg(&example());
        let count = |name: &str| svg.matches(&format!("\n{name}\n")).count();
        assert_eq!(svg.matches("stroke-dasharray").count(), 2);
        assert_eq!([count("by hand"), count("we"), count("examples"), count("ns")], [1, 2, 2, 1]);
    }
}
