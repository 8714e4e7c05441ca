//! Everything that was measured as JSON, for other programs and later days.

#![forbid(unsafe_code)]

use serde_json::{Value, json};

use super::machine::Machine;
use super::outcome::{Measured, Outcome};
use super::sample::Sample;
use super::target::Target;

/// The whole comparison.
pub fn json(machine: &Machine, rounds: usize, outcomes: &[Outcome]) -> Value {
    let rows: Value = outcomes.iter().map(row).collect();
    json!({ "machine": machine, "rounds": rounds, "rows": rows })
}

fn row(outcome: &Outcome) -> Value {
    let row = &outcome.row;
    let target = |target: &Target| {
        json!({
            "text": target.to_string(),
            "threshold": target.threshold(outcome),
            "met": target.is_met(outcome),
        })
    };
    json!({
        "name": row.name,
        "title": row.heading(),
        "unit": row.unit,
        "scale": row.scale,
        "more_is_better": row.wants_more,
        "targets": row.targets.iter().map(target).collect::<Value>(),
        "note": outcome.note,
        "subjects": outcome.subjects.iter().map(subject).collect::<Value>(),
    })
}

fn subject(measured: &Measured) -> Value {
    let half = measured.middle_half();
    let samples = |of: fn(&Sample) -> f64| measured.samples.iter().map(of).collect::<Value>();
    json!({
        "name": measured.name,
        "role": format!("{:?}", measured.role).to_lowercase(),
        "median": measured.median(),
        "middle_half_low": half.map(|[low, _]| low),
        "middle_half_high": half.map(|[_, high]| high),
        "cpu_ns_per_op": measured.cpu_ns(),
        "system_calls_per_op": measured.syscalls,
        "peak_rss_kib": measured.rss_kib(),
        "failure": measured.failure,
        "values": samples(|sample| sample.value),
        "cpu_ns_per_op_values": samples(Sample::cpu_ns_each),
    })
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
            r#"{"text":"≤ 0.50 × best peer","threshold":6.0,"met":true}"#,
            r#""name":"miniss","role":"ours","median":6.0,"#,
            r#""system_calls_per_op":null"#,
            r#""values":[5.0,6.0,99.0]"#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
