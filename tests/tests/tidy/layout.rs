//! How the two libraries are cut: folders that do not use each other in a circle, contents pages
//! that name every file, and not too many files.
//!
//! Looked at is what ships: what only tests, models or the docs compile is left out.

use crate::Violation;
use crate::source::{Source, words};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const LIBRARIES: [&str; 2] = ["miniss-core/src", "miniss-linux/src"];

/// Every part of miniss-linux may ask for the shard on which it runs.
const USED_BY_ALL: &str = "runtime";

/// A reader who opens fewer, larger files finds things sooner. A feature of its own has a folder of
/// its own, so there are more of them as the libraries can do more.
pub const FILES_MAX: usize = 240;

/// A file that ships, and the modules that lead to it: of `op/table.rs` these are `op`, `table`.
struct Shipped<'a> {
    source: &'a Source,
    library: &'static str,
    modules: Vec<String>,
}

impl Shipped<'_> {
    fn is_contents_page(&self) -> bool {
        self.source.path.ends_with("mod.rs")
    }

    /// The code without the tests at its end.
    fn code(&self) -> &str {
        let code = &self.source.code;
        let tests = words(code, "mod").find(|&at| {
            let before = code[..at].trim_end();
            let opens = code[at..].lines().next().is_some_and(|line| line.ends_with('{'));
            opens && before.ends_with(']') && is_left_out(before.lines().next_back().unwrap_or(""))
        });
        &code[..tests.unwrap_or(code.len())]
    }
}

/// Whether an attribute keeps a module away from what ships.
fn is_left_out(attribute: &str) -> bool {
    let not = ["not(loom)", "not(shuttle)", "not(any(loom, shuttle))", "not(test)"];
    let shipped = not.iter().fold(attribute.to_owned(), |rest, not| rest.replace(not, ""));
    shipped.contains("cfg(")
        && ["test", "loom", "shuttle", "doc"]
            .iter()
            .any(|word| words(&shipped, word).next().is_some())
}

/// All files that the libraries ship.
fn shipped(sources: &[Source]) -> Vec<Shipped<'_>> {
    let by_path: BTreeMap<&Path, &Source> =
        sources.iter().map(|source| (source.path.as_path(), source)).collect();
    let mut found = Vec::new();
    for library in LIBRARIES {
        let mut open = vec![(PathBuf::from(library).join("lib.rs"), Vec::new())];
        while let Some((path, modules)) = open.pop() {
            let Some(source) = by_path.get(path.as_path()) else { continue };
            for name in submodules(&source.code) {
                let modules: Vec<String> = modules.iter().cloned().chain([name]).collect();
                let below = Path::new(library).join(modules.join("/"));
                open.push((below.with_extension("rs"), modules.clone()));
                open.push((below.join("mod.rs"), modules));
            }
            found.push(Shipped { source, library, modules });
        }
    }
    found
}

/// The names in `mod name;`, but for those that do not ship.
fn submodules(code: &str) -> Vec<String> {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let declared = (0..lines.len()).filter_map(|index| {
        let (before, name) = lines[index].strip_suffix(';')?.rsplit_once("mod ")?;
        let is_declaration = before.is_empty() || before.starts_with("pub");
        let attributes = lines[..index].iter().rev().take_while(|line| line.starts_with("#["));
        let ships = !attributes.into_iter().any(|line| is_left_out(line));
        (is_declaration && ships).then(|| name.to_owned())
    });
    declared.collect()
}

/// Reports each use that closes a circle of folders, once for each pair of folders.
pub fn circles(sources: &[Source], found: &mut Vec<Violation>) {
    let shipped = shipped(sources);
    for library in LIBRARIES {
        let files: Vec<_> = shipped.iter().filter(|file| file.library == library).collect();
        let uses = uses_between_folders(&files);
        for ((from, to), (path, line)) in &uses {
            if leads(&uses, to, from) {
                let what = format!("`{from}` uses `{to}`, which leads back to `{from}`");
                found.push(Violation::new(path, *line, what));
            }
        }
    }
}

type Uses = BTreeMap<(String, String), (PathBuf, usize)>;

/// For each folder and each other that it uses, the first place where it does.
fn uses_between_folders(files: &[&Shipped<'_>]) -> Uses {
    let pages = files.iter().filter(|file| file.is_contents_page() && file.modules.len() == 1);
    let folders: BTreeSet<&str> = pages.map(|file| file.modules[0].as_str()).collect();
    let contents = files.iter().find(|file| file.modules.is_empty());
    let renamed = contents.map(|file| reexports(&file.source.code)).unwrap_or_default();
    let mut uses = Uses::new();
    for file in files.iter().filter(|file| !file.modules.is_empty()) {
        let from = file.modules[0].as_str();
        for (at, name) in names_of_the_crate(file) {
            let to = renamed.get(&name).unwrap_or(&name).as_str();
            let both = [from, to].iter().all(|name| folders.contains(name));
            if both && from != to && to != USED_BY_ALL && from != USED_BY_ALL {
                let line = file.code()[..at].matches('\n').count() + 1;
                let place = (file.source.path.clone(), line);
                uses.entry((from.into(), to.into())).or_insert(place);
            }
        }
    }
    uses
}

fn leads(uses: &Uses, from: &str, to: &str) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(folder) = open.pop() {
        if folder == to {
            return true;
        }
        if seen.insert(folder) {
            open.extend(uses.keys().filter(|(a, _)| a == folder).map(|(_, b)| b.as_str()));
        }
    }
    false
}

/// Which module each name comes from that the contents page of a library exports.
fn reexports(code: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for statement in code.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next()) {
        let Some((module, names)) = statement.split_once("::") else { continue };
        let names = names.split(|c: char| !c.is_alphanumeric() && c != '_');
        found.extend(names.map(|name| (name.to_owned(), module.to_owned())));
    }
    found
}

/// What a file names below the root of its library, by `crate::` or by enough of `super::`.
fn names_of_the_crate(file: &Shipped<'_>) -> Vec<(usize, String)> {
    let code = file.code();
    let above = "super::".repeat(file.modules.len());
    let mut found = Vec::new();
    for root in ["crate::", above.as_str()] {
        for (at, _) in code.match_indices(root) {
            let is_longer = code[..at].ends_with("super::") || code[..at].ends_with("crate::");
            if !is_longer {
                found.extend(first_names(&code[at + root.len()..]).map(|name| (at, name)));
            }
        }
    }
    found.sort();
    found
}

/// `a` of `a::b`, and `a`, `c` of `{a::b, c}`.
fn first_names(path: &str) -> impl Iterator<Item = String> {
    let list = path.strip_prefix('{');
    let end = if list.is_some() { end_of_list(path) } else { path.len() };
    let (mut depth, mut items) = (0, vec![String::new()]);
    for c in list.map_or(path, |_| &path[1..end]).chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 && list.is_some() => items.push(String::new()),
            _ if list.is_none() && !c.is_alphanumeric() && c != '_' => break,
            _ => items.last_mut().expect("there is always one").push(c),
        }
    }
    let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
    items.into_iter().map(move |item| item.trim().chars().take_while(is_name).collect())
}

/// Where the brace closes with which `list` begins.
fn end_of_list(list: &str) -> usize {
    let mut depth = 0;
    let end = list.char_indices().find(|(_, c)| {
        depth += i32::from(*c == '{') - i32::from(*c == '}');
        depth == 0
    });
    end.map_or(list.len(), |(at, _)| at)
}

/// Reports files that the `mod.rs` of their folder does not name in a line of its list.
pub fn contents(sources: &[Source], found: &mut Vec<Violation>) {
    for page in shipped(sources).iter().filter(|file| file.is_contents_page()) {
        let listed: BTreeSet<String> = page.source.text.lines().flat_map(listed).collect();
        for name in submodules(&page.source.code) {
            if !listed.contains(&plain(&name)) {
                let what = format!("no line of its docs, `- …` or `| …`, says what `{name}` holds");
                found.push(Violation::new(&page.source.path, 1, what));
            }
        }
    }
}

/// The names in code font before the colon of a list's line, or in the first column of a table.
fn listed(line: &str) -> Vec<String> {
    let item = line.strip_prefix("//! - ").or_else(|| line.trim_start().strip_prefix("doc = \"- "));
    let item = item.and_then(|item| item.split(": ").next());
    let row = line.strip_prefix("//! | ").and_then(|row| row.split(" | ").next());
    let head = item.or(row).unwrap_or_default();
    head.split('`').skip(1).step_by(2).map(plain).collect()
}

/// `wait_list`, `WaitList` and `mod@wait_list` are one name.
fn plain(name: &str) -> String {
    name.trim_start_matches("mod@").replace('_', "").to_lowercase()
}

/// Reports files beyond what the libraries may have together.
pub fn too_many(sources: &[Source], found: &mut Vec<Violation>) {
    let count = shipped(sources).len();
    if count > FILES_MAX {
        let what = format!("the libraries have {count} files, {FILES_MAX} are allowed");
        found.push(Violation::new(Path::new("miniss-core/src/lib.rs"), 1, what));
    }
}

#[cfg(test)]
fn planted(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|&(path, text)| Source::new(format!("miniss-core/src/{path}"), text)).collect()
}

#[cfg(test)]
fn complaints(
    rule: fn(&[Source], &mut Vec<Violation>),
    files: &[(&str, &str)],
) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    rule(&planted(files), &mut found);
    found.sort();
    let place = |v: &Violation| (v.file.display().to_string().split_off(16), v.line);
    found.iter().map(place).collect()
}

#[test]
fn what_only_tests_models_and_docs_compile_does_not_ship() {
    let files = [
        (
            "lib.rs",
            "pub mod a;\n#[cfg(test)]\nmod b;\n#[cfg(all(test, loom))]\nmod c;\n\
            #[cfg(doc)]\npub mod d;\n#[cfg(feature = \"alloc\")]\n#[allow(x)]\npub(crate) mod e;\n\
            #[cfg(all(feature = \"alloc\", not(loom)))]\nmod f;\n// mod g;\n",
        ),
        ("a/mod.rs", "mod h;"),
        ("a/h.rs", ""),
        ("b.rs", ""),
        ("c.rs", ""),
        ("d.rs", ""),
        ("e.rs", ""),
        ("f.rs", ""),
        ("g.rs", ""),
    ];
    let sources = planted(&files);
    let mut modules: Vec<_> = shipped(&sources).iter().map(|file| file.modules.join("/")).collect();
    modules.sort();
    assert_eq!(modules, ["", "a", "a/h", "e", "f"]);
}

#[test]
fn folders_in_a_circle_are_found() {
    let root = ("lib.rs", "mod a; \nmod b;\nmod c;\nmod d;\npub use b::{B, Other};");
    let pages = [("a/mod.rs", "mod x;"), ("b/mod.rs", "mod y;"), ("c/mod.rs", "mod z;")];
    let check = |a, b, c| {
        let [page_a, page_b, page_c] = pages;
        let [a, b, c] = [("a/x.rs", a), ("b/y.rs", b), ("c/z.rs", c)];
        complaints(circles, &[root, page_a, page_b, page_c, a, b, c])
    };
    let both = [("a/x.rs".to_owned(), 2), ("b/y.rs".to_owned(), 1)];
    assert_eq!(check("\nuse crate::B;", "use super::super::a::A;", ""), both);
    assert_eq!(check("\nuse crate::{c::{C, a}, b::Y};", "crate::a::A", ""), both);
    let three = check("use crate::b::B;", "use crate::c::C;", "use crate::a::A;");
    assert_eq!(three.len(), 3);
    assert_eq!(check("use crate::b::B;", "// crate::a\nuse crate::c::C; \"crate::a\"", ""), []);
    assert_eq!(check("use crate::b::B;", "#[cfg(test)]\nmod tests {\n crate::a }", ""), []);
    assert_eq!(check("use crate::b::B; use super::x; crate::a::A", "super::y::a", ""), []);
}

#[test]
fn a_file_that_its_folder_does_not_name_is_found() {
    let root = ("lib.rs", "mod a;");
    let check = |page: &str| complaints(contents, &[root, ("a/mod.rs", page)]).len();
    let modules = "mod wait_list;\nmod one;\n#[cfg(test)]\nmod tests;";
    assert_eq!(check(&format!("//! - [`WaitList`], `One`: both.\n{modules}")), 0);
    assert_eq!(check(&format!("//! - `wait_list`: waits, as `one` does.\n{modules}")), 1);
    assert_eq!(check(&format!("//! `wait_list` and `one`.\n{modules}")), 2);
    assert_eq!(check(&format!("//! | `wait_list` | not `one` |\n{modules}")), 1);
    assert_eq!(
        check(&format!("#![cfg_attr(\n    x,\n    doc = \"- `one`: a.\"\n)]\n{modules}")),
        1
    );
}

#[test]
fn a_file_too_many_is_found() {
    let names: Vec<String> = (1..FILES_MAX).map(|number| format!("m{number}")).collect();
    let lines: Vec<String> = names.iter().map(|name| format!("mod {name};\n")).collect();
    let paths: Vec<String> = names.iter().map(|name| format!("{name}.rs")).collect();
    let check = |more: &str| {
        let root = format!("{}{more}", lines.concat());
        let files = paths.iter().map(|path| (path.as_str(), ""));
        let files: Vec<_> = files.chain([("lib.rs", root.as_str()), ("more.rs", "")]).collect();
        complaints(too_many, &files).len()
    };
    assert_eq!((check(""), check("mod more;")), (0, 1));
}
