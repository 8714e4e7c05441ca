//! Everything that was measured as JSON, for other programs and later days.

#![forbid(unsafe_code)]

use super::json::Json;
use super::machine::Machine;
use super::outcome::{Measured, Outcome};
use super::sample::Sample;

/// The whole comparison.
pub fn json(machine: &Machine, rounds: usize, outcomes: &[Outcome]) -> Json {
    Json::object([
        ("machine", machine.json()),
        ("rounds", Json::from(rounds as f64)),
        ("rows", Json::List(outcomes.iter().map(row).collect())),
    ])
}

fn row(outcome: &Outcome) -> Json {
    let row = &outcome.row;
    Json::object([
        ("name", row.name.into()),
        ("title", row.heading().as_str().into()),
        ("unit", row.unit.into()),
        ("scale", row.scale.into()),
        ("more_is_better", Json::Bool(row.wants_more)),
        ("targets", targets(outcome)),
        ("note", outcome.note.as_deref().map_or(Json::Null, Json::from)),
        ("subjects", Json::List(outcome.subjects.iter().map(subject).collect())),
    ])
}

fn targets(outcome: &Outcome) -> Json {
    let target = |target: &super::target::Target| {
        Json::object([
            ("text", target.to_string().as_str().into()),
            ("threshold", target.threshold(outcome).into()),
            ("met", target.is_met(outcome).map_or(Json::Null, Json::Bool)),
        ])
    };
    Json::List(outcome.row.targets.iter().map(target).collect())
}

fn subject(measured: &Measured) -> Json {
    let [low, high] = measured.middle_half().map_or([None; 2], |half| half.map(Some));
    let samples = |of: fn(&Sample) -> f64| {
        Json::numbers(&measured.samples.iter().map(of).collect::<Vec<_>>())
    };
    Json::object([
        ("name", measured.name.into()),
        ("role", format!("{:?}", measured.role).to_lowercase().as_str().into()),
        ("median", measured.median().into()),
        ("middle_half_low", low.into()),
        ("middle_half_high", high.into()),
        ("cpu_ns_per_op", measured.cpu_ns().into()),
        ("system_calls_per_op", measured.syscalls.into()),
        ("peak_rss_kib", measured.rss_kib().into()),
        ("failure", measured.failure.as_deref().map_or(Json::Null, Json::from)),
        ("values", samples(|sample| sample.value)),
        ("cpu_ns_per_op_values", samples(Sample::cpu_ns_each)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::outcome::example;

    #[test]
    fn a_row_says_what_was_measured_and_judged() {
        let text = json(&Machine::default(), 3, &[example()]).to_string();
        for part in [
            r#""rounds":3"#,
            r#""title":"spawn & join""#,
            r#"{"text":"≤ 0.50 × best peer","threshold":6,"met":true}"#,
            r#""name":"miniss","role":"ours","median":6,"#,
            r#""system_calls_per_op":null"#,
            r#""values":[5,6,99]"#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
