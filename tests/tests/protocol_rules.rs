//! The specification and the code hold to each other: every numbered section of docs/protocol.md is cited by a test of
//! ours, and nothing cites a section that is not there. A citation is the word and then the numbers, each with
//! its sign, as the tests below show.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders whose sources are read.
const FOLDERS: &[&str] = &[
    "core",
    "http-api",
    "host",
    "driver-smol",
    "driver-std",
    "simulator",
    "cli",
    "tests",
    "bench",
];

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests/ lies in the workspace").into()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && name != "target" {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Numbers of the headings: `## 4 Data packets` is 4, `### 4.1 Layout` is 4.1.
fn rules(specification: &str) -> Vec<&str> {
    let headings = specification.lines().filter(|line| line.starts_with("##"));
    let numbers =
        headings.filter_map(|line| line.trim_start_matches('#').split_whitespace().next());
    numbers
        .filter(|number| number.starts_with(|c: char| c.is_ascii_digit()))
        .collect()
}

/// The number at the start of a text, without a full stop that ends a sentence.
fn leading_number(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    text.get(..end.unwrap_or(text.len()))
        .unwrap_or_default()
        .trim_end_matches('.')
}

/// Sections cited as `protocol §1, §2.1 and §3`, also where the comment goes on in the next line.
fn citations(source: &str) -> Vec<String> {
    let comments = |line: &str| line.trim().trim_start_matches(['/', '!']).to_owned();
    let text = source.lines().map(comments).collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for after in text.to_lowercase().split("protocol").skip(1) {
        let mut rest = after.strip_prefix(".md").unwrap_or(after);
        loop {
            let joints = [" ", ",", ";", "and ", "to ", "or "];
            let shorter = joints.iter().find_map(|joint| rest.strip_prefix(joint));
            if let Some(shorter) = shorter {
                rest = shorter;
            } else if let Some(number) = rest.strip_prefix('§') {
                let number = leading_number(number);
                found.push(number.to_owned());
                rest = rest.split_at('§'.len_utf8() + number.len()).1;
            } else {
                break;
            }
        }
    }
    found
}

/// What of a source file is test code: all of it in a folder `tests` or a file `tests.rs`, else its last part from the
/// first module on that is compiled for tests only.
fn test_code<'a>(path: &Path, source: &'a str) -> &'a str {
    let is_test = |name: &std::ffi::OsStr| name == "tests" || name == "tests.rs";
    if path.iter().any(is_test) {
        return source;
    }
    let marker = "#[cfg(test)]\nmod tests {";
    source.find(marker).map_or("", |at| source.split_at(at).1)
}

#[test]
fn every_rule_of_the_protocol_is_cited_by_a_test_and_no_other_is() {
    let root = root();
    let specification =
        fs::read_to_string(root.join("docs/protocol.md")).expect("docs/protocol.md");
    let rules = rules(&specification);
    let numbers: BTreeSet<&str> = rules.iter().copied().collect();
    assert_eq!(rules.len(), numbers.len(), "a number stands twice");
    assert!(rules.len() > 40, "the headings are not read any more");
    let mut files = Vec::new();
    for folder in FOLDERS {
        rust_files(&root.join(folder), &mut files);
    }
    let mut cited = BTreeSet::new();
    let mut unknown = Vec::new();
    let this = Path::new(file!()).file_name();
    for file in files.iter().filter(|file| file.file_name() != this) {
        let relative = file.strip_prefix(&root).unwrap_or(file);
        let source = fs::read_to_string(file).expect("a source file");
        for number in citations(&source) {
            if !numbers.contains(number.as_str()) {
                unknown.push(format!("{}: §{number}", relative.display()));
            }
        }
        cited.extend(citations(test_code(relative, &source)));
    }
    assert!(
        unknown.is_empty(),
        "no such section in docs/protocol.md: {unknown:#?}"
    );
    let forgotten: Vec<_> = rules
        .iter()
        .filter(|rule| !cited.contains(**rule))
        .collect();
    assert!(
        forgotten.is_empty(),
        "sections that no test cites: {forgotten:?}"
    );
}

#[test]
fn test_code_is_told_from_the_rest() {
    let source = "//! §1\n#[cfg(test)]\nmod tests {\n// §2\n}\n";
    let code = |path: &str| test_code(Path::new(path), source);
    assert!(code("core/src/a.rs").starts_with("#[cfg(test)]"));
    assert_eq!(code("core/src/a/tests.rs"), source);
    assert_eq!(code("cli/tests/b.rs"), source);
    assert_eq!(test_code(Path::new("core/src/a.rs"), "//! §1\n"), "");
}

#[test]
fn citations_are_found_where_they_are_written() {
    let lines = [
        "//! Layout (protocol §1, §4.1 and",
        "//! §5); RFC 9000 §8.",
        "/// docs/protocol.md §3.9.",
        "// no protocol here §7",
    ];
    assert_eq!(citations(&lines.join("\n")), ["1", "4.1", "5", "3.9"]);
    assert_eq!(
        rules("# T\n## 4 Data\n### 4.1 Layout\n### Notes\n"),
        ["4", "4.1"]
    );
}
