//! `examples/microcontroller`: what its page shows is what is there, and it blinks.

use std::fs;
use std::path::Path;
use std::process::Command;

use miniss_tests::apart::Apart;
use miniss_tests::program::is_installed;

use crate::machine::Machine;
use crate::machines::library;

const FOLDER: &str = "examples/microcontroller";
const QEMU: &str = "qemu-system-arm";

#[test]
fn the_page_of_the_microcontroller_shows_its_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FOLDER);
    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut shown = 0;
    for part in page.split("\n**").skip(1) {
        let (name, rest) = part.split_once("**").expect("a name of a file is bold to its end");
        let block = rest.split("```").nth(1).expect("the file follows its name");
        let (_, block) = block.split_once('\n').expect("a block has a language");
        let file = fs::read_to_string(folder.join(name)).unwrap();
        assert!(!block.is_empty() && file.ends_with(block), "{name} is another one on the page");
        shown += 1;
    }
    assert_eq!(shown, 5);
}

#[test]
fn the_light_of_the_microcontroller_blinks() {
    let Some(library) = library() else { return };
    let package = Apart::open(FOLDER, env!("CARGO_TARGET_TMPDIR"));
    let sources = [("__CARGO_TESTS_ONLY_SRC_ROOT", library.as_str()), ("RUSTC_BOOTSTRAP", "1")];
    let kernel = package.build_for("thumbv7em-none-eabi", &sources, "blink");
    if !is_installed(QEMU) {
        println!("blink was built, not run: there is no {QEMU} here.");
        return;
    }
    let mut command = Command::new(QEMU);
    command.args(["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "null"]);
    command.args(["-chardev", "stdio,id=c", "-semihosting-config", "enable=on,chardev=c"]);
    let mut machine = Machine::start({
        command.arg("-kernel").arg(kernel);
        command
    });
    assert_eq!([(); 4].map(|()| machine.line()), ["on", "off", "on", "off"]);
}
