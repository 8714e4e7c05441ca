//! What a curve is made of.

#![forbid(unsafe_code)]

/// A quantity that an axis shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// What it is, and its unit.
    pub label: &'static str,
    /// Whether its numbers go by powers of two and 1,024 is `1 Ki`.
    pub is_binary: bool,
}

impl Axis {
    /// An axis of numbers that go by ten.
    pub const fn decimal(label: &'static str) -> Self {
        Self { label, is_binary: false }
    }

    /// An axis of numbers that go by two.
    pub const fn binary(label: &'static str) -> Self {
        Self { label, is_binary: true }
    }
}

/// Whose line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The runtime's.
    Ours,
    /// That of a program by hand which does the same, for comparison.
    Limit,
}

/// One line in a panel.
#[derive(Debug, Clone, Copy)]
pub struct Series {
    /// In the legend and at the head of a column.
    pub name: &'static str,
    /// Whose it is.
    pub role: Role,
}

/// Lines that share a unit.
#[derive(Debug, Clone, Copy)]
pub struct Panel {
    /// The vertical axis.
    pub y: Axis,
    /// The lines.
    pub series: &'static [Series],
}

/// The values at one point, in the order of the series of all panels; what cannot be measured there
/// is not a number.
pub type Values = Vec<f64>;

/// Cost over size.
#[derive(Debug, Clone, Copy)]
pub struct Curve {
    /// On the command line, and of its files.
    pub name: &'static str,
    /// What grows.
    pub title: &'static str,
    /// The horizontal axis.
    pub x: Axis,
    /// Where it is measured, from small to large.
    pub xs: &'static [usize],
    /// What is measured there.
    pub panels: &'static [Panel],
    /// Whether its threads are more than cores, so that they must take turns. Those of real-time
    /// priority do not.
    pub takes_turns: bool,
    /// Measures one point; an error is a sentence.
    pub measure: fn(usize) -> Result<Values, String>,
}

impl Curve {
    /// The series of all panels.
    pub fn series(&self) -> impl Iterator<Item = &'static Series> + use<> {
        self.panels.iter().flat_map(|panel| panel.series)
    }

    /// The panels, each with the place of its first series among all.
    pub fn panels_with_start(&self) -> impl Iterator<Item = (usize, &'static Panel)> + use<> {
        let mut next = 0;
        self.panels.iter().map(move |panel| {
            let start = next;
            next += panel.series.len();
            (start, panel)
        })
    }
}

/// A line of the runtime.
pub const fn ours(name: &'static str) -> Series {
    Series { name, role: Role::Ours }
}

/// A line of a program by hand.
pub const fn limit(name: &'static str) -> Series {
    Series { name, role: Role::Limit }
}
