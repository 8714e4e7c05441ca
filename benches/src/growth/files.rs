//! Where curves are written: a folder for the reader, or the folder that the manual includes.

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::measured::Measured;
use super::{plot, table};
use crate::compare::machine::Machine;

/// Where, when and by which command it was measured.
pub fn provenance(machine: &Machine) -> String {
    machine.to_string().replacen("--bin compare", "--bin growth", 1)
}

/// Writes `growth.md`, `growth.json` and a picture of each curve.
///
/// # Errors
///
/// What the kernel says.
pub fn write(out: &Path, machine: &Machine, curves: &[Measured]) -> io::Result<()> {
    fs::create_dir_all(out)?;
    let section =
        |measured: &Measured| format!("\n# {}\n\n{}", measured.curve.title, table::table(measured));
    let text = curves.iter().map(section).collect::<String>();
    fs::write(out.join("growth.md"), format!("{}\n{text}", provenance(machine)))?;
    let curves_json: Value = curves.iter().map(Measured::json).collect();
    let json = json!({ "machine": machine, "curves": curves_json });
    fs::write(out.join("growth.json"), format!("{json}\n"))?;
    curves.iter().try_for_each(|measured| write_plot(out, measured))
}

/// Writes what the manual's chapter includes: a picture and a table of each curve. Returns where.
///
/// # Errors
///
/// What the kernel says, such as that this is not a checkout of the sources.
pub fn write_manual(machine: &Machine, curves: &[Measured]) -> io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../miniss-linux/src/manual/growth");
    for measured in curves {
        write_plot(&folder, measured)?;
        let text = format!("{}\n{}\n", table::table(measured), provenance(machine));
        fs::write(folder.join(measured.curve.name).with_extension("md"), text)?;
    }
    Ok(folder)
}

fn write_plot(folder: &Path, measured: &Measured) -> io::Result<()> {
    fs::write(folder.join(measured.curve.name).with_extension("svg"), plot::svg(measured))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::measured::example;

    #[test]
    fn everything_is_written() {
        let out = std::env::temp_dir().join(format!("growth-{}", std::process::id()));
        write(&out, &Machine::here(), &[example()]).unwrap();
        let text = fs::read_to_string(out.join("growth.md")).unwrap();
        assert!(text.contains("--bin growth") && text.contains("# Examples & more"), "{text}");
        assert!(out.join("growth.json").exists() && out.join("example.svg").exists());
        fs::remove_dir_all(out).unwrap();
    }
}
