//! One point of a curve in a process of its own.

#![forbid(unsafe_code)]

use std::process::{Command, Output};

use serde_json::json;

use super::curve::{Curve, Values};
use super::{curves, work};
use crate::compare::process::{end_after, place};

/// The hidden subcommand that measures: `point CURVE SIZE`.
pub const POINT: &str = "point";
/// The hidden subcommand that is an echo server: `serve KIND`.
pub const SERVE: &str = "serve";

/// A child that runs longer hangs.
const SECONDS_MAX: u32 = 60;

/// Measures one point.
///
/// # Errors
///
/// In a sentence, if the child cannot start, fails, or does not say what it measured.
pub fn run(curve: &Curve, x: usize) -> Result<Values, String> {
    let output = std::env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        command.args([POINT, curve.name, &x.to_string()]);
        if curve.takes_turns {
            place(&mut command, &[0, 1]);
        }
        command.output()
    });
    let values = read(&output.map_err(|error| format!("it cannot be started: {error}"))?)?;
    match values.len() == curve.series().count() {
        true => Ok(values),
        false => Err(format!("it measured {} values", values.len())),
    }
}

/// What a child that has ended tells.
fn read(output: &Output) -> Result<Values, String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    if !output.status.success() {
        return Err(format!("{}: {said}", output.status));
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    parse(&stdout).ok_or_else(|| format!("it printed no values: {said}"))
}

/// Reads the last line, a list of numbers; `null` is not a number.
fn parse(output: &str) -> Option<Values> {
    let values: Vec<Option<f64>> = serde_json::from_str(output.lines().last()?).ok()?;
    Some(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// The child's side: does what the arguments after [`POINT`] say, and prints the values.
///
/// # Errors
///
/// In a sentence, if the arguments are not a curve and a size, or what failed.
pub fn point(arguments: &[String]) -> Result<(), String> {
    let [name, x] = arguments else { return Err("point wants a curve and a size".into()) };
    let curve = curves::all().into_iter().find(|curve| curve.name == name);
    let curve = curve.ok_or_else(|| format!("there is no curve `{name}`"))?;
    let x = x.parse().map_err(|_| format!("`{x}` is not a size"))?;
    end_after(SECONDS_MAX);
    println!("{}", json!((curve.measure)(x)?));
    Ok(())
}

/// The server's side of some points: serves until it is killed.
///
/// # Errors
///
/// In a sentence, if the arguments are not a kind of server, or it cannot serve.
pub fn serve(arguments: &[String]) -> Result<(), String> {
    let [kind] = arguments else { return Err("serve wants a kind of server".into()) };
    work::echo::serve(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back() {
        let line = json!([1.5, f64::NAN, 2e6]).to_string();
        let values = parse(&format!("some runtime says hello\n{line}\n")).unwrap();
        assert!(values[1].is_nan() && (values[0], values[2]) == (1.5, 2e6));
        assert_eq!(["", "killed", "[1,x]"].map(parse), [None, None, None]);
    }

    #[test]
    fn wrong_arguments_of_a_child_are_errors() {
        let point = |arguments: &[&str]| {
            point(&arguments.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()).unwrap_err()
        };
        assert!(point(&["tasks"]).contains("a curve and a size"));
        assert!(point(&["spam", "1"]).contains("`spam`"));
        assert!(point(&["tasks", "many"]).contains("`many`"));
        assert!(serve(&["spam".into()]).unwrap_err().contains("`spam`"));
    }
}
