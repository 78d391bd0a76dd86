//! No circle of imports between files of different folders, in any crate of the workspace (docs/architecture.md §2.1).
//! Two files of one folder may name each other: they are one part. Between folders names go one way only.
//!
//! What counts is every path of product code that leads into another file: `use` trees and paths in expressions,
//! through `crate`, `self`, `super` and child modules. `mod x;` alone is no import. A file `x.rs` beside a folder
//! `x/` lies in that folder, as `x/mod.rs` does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

/// Circles shown where there are many.
const SHOWN: usize = 8;

/// A module by the names that lead to it from its crate's root.
type ModulePath = Vec<String>;

/// Words and signs of a source, without comments, literals and what is compiled for tests only.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut found, mut i) = (Vec::new(), 0);
    while i < chars.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            'r' if at(i + 1) == '"' || at(i + 1) == '#' && matches!(at(i + 2), '"' | '#') => {
                let signs = (i + 1..).take_while(|j| at(*j) == '#').count();
                i += signs + 2;
                while i < chars.len() && !(at(i) == '"' && (1..=signs).all(|n| at(i + n) == '#')) {
                    i += 1;
                }
                i += signs + 1;
            }
            '"' => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
            }
            '\'' if at(i + 1) == '\\' => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            ':' if at(i + 1) == ':' => {
                found.push("::".to_owned());
                i += 2;
            }
            c if is_word(c) => {
                while is_word(at(i)) {
                    i += 1;
                }
                found.push(chars[start..i].iter().collect());
            }
            c => {
                if !c.is_whitespace() {
                    found.push(c.to_string());
                }
                i += 1;
            }
        }
    }
    without_tests(&found)
}

/// Drops each item that stands behind `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut i) = (Vec::new(), 0);
    while i < tokens.len() {
        if !tokens[i..].iter().take(MARK.len()).eq(MARK.iter()) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        i += MARK.len();
        let mut depth = 0;
        while i < tokens.len() {
            let token = tokens[i].as_str();
            i += 1;
            match token {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(token, ";" | "," | "}") {
                break;
            }
        }
    }
    kept
}

/// Every path in `tokens`, with the modules written out in the file itself that it stands in.
fn paths(tokens: &[String]) -> Vec<(ModulePath, Vec<String>)> {
    let word = |i: usize| tokens.get(i).map_or("", String::as_str);
    let (mut found, mut inline) = (Vec::new(), Vec::<(String, usize)>::new());
    let (mut depth, mut i) = (0, 0);
    while i < tokens.len() {
        let within = || inline.iter().map(|(name, _)| name.clone()).collect();
        match word(i) {
            "mod" if word(i + 2) == "{" => {
                depth += 1;
                inline.push((word(i + 1).to_owned(), depth));
                i += 3;
            }
            // `use<..>` says what a type captures.
            "use" if word(i + 1) != "<" => {
                let mut trees = Vec::new();
                i = use_tree(tokens, i + 1, &[], &mut trees);
                found.extend(trees.into_iter().map(|tree| (within(), tree)));
            }
            // The reach of a visibility is no import.
            "in" if i > 0 && word(i - 1) == "(" => i = path_at(tokens, i + 1).1,
            sign @ ("{" | "}") => {
                if sign == "{" {
                    depth += 1;
                } else {
                    inline.pop_if(|(_, at)| *at == depth);
                    depth = depth.saturating_sub(1);
                }
                i += 1;
            }
            _ if word(i + 1) == "::" && (i == 0 || word(i - 1) != "::") => {
                let (path, next) = path_at(tokens, i);
                found.push((within(), path));
                i = next;
            }
            _ => i += 1,
        }
    }
    found
}

/// The path that begins at a place, and the place behind it.
fn path_at(tokens: &[String], mut i: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    while let Some(word) = tokens.get(i) {
        path.push(word.clone());
        i += 1;
        let goes_on = tokens.get(i).is_some_and(|t| t == "::")
            && tokens.get(i + 1).is_some_and(|t| t != "<" && t != "{");
        if !goes_on {
            break;
        }
        i += 1;
    }
    (path, i)
}

/// Collects the paths of a `use` tree that begins at a place; returns the place behind it.
fn use_tree(
    tokens: &[String],
    mut i: usize,
    prefix: &[String],
    found: &mut Vec<Vec<String>>,
) -> usize {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(i) {
        match token.as_str() {
            "::" => i += 1,
            "as" => i += 2,
            "{" => {
                i += 1;
                while tokens.get(i).is_some_and(|t| t != "}") {
                    i = use_tree(tokens, i, &path, found);
                    i += usize::from(tokens.get(i).is_some_and(|t| t == ","));
                }
                return i + 1;
            }
            "," | "}" | ";" => break,
            word => {
                path.push(word.to_owned());
                i += 1;
            }
        }
    }
    found.push(path);
    i
}

/// One crate: each file with the module that it is.
struct Sources {
    files: BTreeMap<ModulePath, (String, String)>,
}

impl Sources {
    /// Takes files by their place below the crate's source folder.
    fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let files: Vec<_> = files.into_iter().collect();
        let has_library = files.iter().any(|(name, _)| name == "lib.rs");
        let module = |(name, text): (String, String)| {
            let mut path: ModulePath = name
                .trim_end_matches(".rs")
                .split('/')
                .map(ToOwned::to_owned)
                .collect();
            if matches!(
                path.last().map(String::as_str),
                Some("mod" | "lib" | "main")
            ) {
                path.pop();
            }
            // A program beside a library is a crate of its own and has one file.
            (!(has_library && name == "main.rs")).then_some((path, (name, text)))
        };
        Self {
            files: files.into_iter().filter_map(module).collect(),
        }
    }

    /// The folder that a module's file belongs to.
    fn folder(&self, module: &ModulePath) -> ModulePath {
        let is_parent =
            |other: &ModulePath| other.len() > module.len() && other.starts_with(module);
        if self.files[module].0.ends_with("mod.rs") || self.files.keys().any(is_parent) {
            return module.clone();
        }
        module
            .iter()
            .take(module.len().saturating_sub(1))
            .cloned()
            .collect()
    }

    /// The file that a path, named in a module, leads into.
    fn target(&self, at: &[String], path: &[String]) -> Option<ModulePath> {
        let mut module = at.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                module.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|s| s == "super") {
                    module.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                module.push(child.to_owned());
                self.files.get(&module)?;
                rest = &rest[1..];
            }
        }
        for name in rest {
            module.push(name.clone());
            if !self.files.contains_key(&module) {
                module.pop();
                break;
            }
        }
        // Modules written out in a file lead to the file.
        while !self.files.contains_key(&module) && module.pop().is_some() {}
        self.files.contains_key(&module).then_some(module)
    }

    fn imports(&self) -> BTreeMap<&ModulePath, BTreeSet<ModulePath>> {
        let of = |module: &ModulePath, text: &str| {
            let named = paths(&tokens(text)).into_iter();
            let targets = named.filter_map(|(inline, path)| {
                let at: Vec<String> = module.iter().chain(&inline).cloned().collect();
                self.target(&at, &path)
            });
            targets.filter(|target| target != module).collect()
        };
        let files = self.files.iter();
        files
            .map(|(module, (_, text))| (module, of(module, text)))
            .collect()
    }

    /// A shortest circle through each import that leaves its folder, in one line each; none twice.
    fn circles(&self) -> Vec<String> {
        let imports = self.imports();
        let mut seen = BTreeSet::new();
        let mut lines = Vec::new();
        for (from, targets) in &imports {
            for to in targets {
                if self.folder(from) == self.folder(to) {
                    continue;
                }
                let Some(way) = shortest(&imports, to, from) else {
                    continue;
                };
                let members: BTreeSet<_> = way.iter().cloned().collect();
                if seen.insert(members) {
                    let circle = std::iter::once(*from).chain(&way);
                    let names = circle.map(|module| self.files[module].0.as_str());
                    lines.push(names.collect::<Vec<_>>().join(" -> "));
                }
            }
        }
        lines.sort_by_key(String::len);
        lines
    }
}

/// A shortest way along imports.
fn shortest(
    imports: &BTreeMap<&ModulePath, BTreeSet<ModulePath>>,
    from: &ModulePath,
    to: &ModulePath,
) -> Option<Vec<ModulePath>> {
    let mut ways = VecDeque::from([vec![from.clone()]]);
    let mut seen = BTreeSet::from([from.clone()]);
    while let Some(way) = ways.pop_front() {
        let end = way.last()?;
        if end == to {
            return Some(way);
        }
        for next in &imports[end] {
            if seen.insert(next.clone()) {
                let mut longer = way.clone();
                longer.push(next.clone());
                ways.push_back(longer);
            }
        }
    }
    None
}

fn is_test(name: &str) -> bool {
    name.contains("tests/") || name.ends_with("tests.rs") || name.ends_with("test_pipe.rs")
}

fn read(folder: &Path, below: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path
            .strip_prefix(folder)
            .expect("below")
            .display()
            .to_string();
        if path.is_dir() && name != "bin" {
            read(folder, &path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !is_test(&name) {
            found.push((name, fs::read_to_string(&path).expect("a readable source")));
        }
    }
}

/// Source folders of all crates: libraries and programs.
fn crates() -> Vec<PathBuf> {
    let root = super::root();
    let mut found = Vec::new();
    for entry in fs::read_dir(&root).expect("readable").flatten() {
        let sources = entry.path().join("src");
        if !entry.path().join("Cargo.toml").is_file() || !sources.is_dir() {
            continue;
        }
        let programs = fs::read_dir(sources.join("bin"))
            .into_iter()
            .flatten()
            .flatten();
        found.extend(programs.map(|p| p.path()).filter(|p| p.is_dir()));
        found.push(sources);
    }
    found.sort();
    assert!(found.len() > 9, "crates were not found: {found:?}");
    found
}

#[test]
fn imports_between_folders_go_one_way() {
    let mut circles = Vec::new();
    let mut imports = 0;
    for folder in crates() {
        let mut files = Vec::new();
        read(&folder, &folder, &mut files);
        let sources = Sources::new(files);
        imports += sources.imports().values().map(BTreeSet::len).sum::<usize>();
        let shown = sources.circles().into_iter().take(SHOWN);
        let place = folder.strip_prefix(super::root()).expect("below").display();
        circles.extend(shown.map(|line| format!("{place}: {line}")));
    }
    assert!(imports > 1_000, "imports were not found: {imports}");
    assert!(
        circles.is_empty(),
        "circles of imports:\n{}",
        circles.join("\n")
    );
}

fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let owned = files
        .iter()
        .map(|(n, t)| ((*n).to_owned(), (*t).to_owned()));
    Sources::new(owned).circles()
}

#[test]
fn circles_are_found_however_they_are_written() {
    let ways = [
        "use crate::b::B;",
        "use crate::{b::{self, B}, c};",
        "fn f() { crate::b::g(); }",
        "use super::b::B as C;",
        "mod inner { use super::super::b::B; }",
        "const Q: char = '\"'; use crate::b::B; const R: char = '\"';",
        "const T: &str = r#\"a \" b\"#; use crate::b::B;",
    ];
    for way in ways {
        let files = [
            ("lib.rs", ""),
            ("a/mod.rs", way),
            ("b/mod.rs", "use crate::a;"),
        ];
        assert_eq!(
            circles(&files),
            ["a/mod.rs -> b/mod.rs -> a/mod.rs"],
            "{way}"
        );
    }
    let long = [
        ("lib.rs", "pub use a::A;"),
        ("a/mod.rs", "use crate::b::x::X;"),
        ("b/mod.rs", ""),
        ("b/x.rs", "use super::y;"),
        ("b/y.rs", "use crate::A;"),
    ];
    let line = "lib.rs -> a/mod.rs -> b/x.rs -> b/y.rs -> lib.rs";
    assert_eq!(circles(&long).len(), 1, "{:?}", circles(&long));
    let found = circles(&long).remove(0);
    assert_eq!(
        found.split(" -> ").count(),
        line.split(" -> ").count(),
        "{found}"
    );
}

#[test]
fn what_is_no_circle_between_folders_passes() {
    let ways = [
        "// use crate::b::B;",
        "const A: &str = \"crate::b::B\";",
        "#[cfg(test)]\nuse crate::b::B;",
        "#[cfg(test)]\nmod tests { use crate::b::B; }",
        "pub(in crate::b) fn f() {}",
        "mod b;",
        "use other::b::B;",
    ];
    for way in ways {
        let files = [
            ("lib.rs", ""),
            ("a/mod.rs", way),
            ("b/mod.rs", "use crate::a;"),
        ];
        assert!(circles(&files).is_empty(), "{way}: {:?}", circles(&files));
    }
    let one_folder = [
        ("lib.rs", ""),
        ("a.rs", "use b::B; use crate::c::C;"),
        ("a/b.rs", "use super::A;"),
        ("c.rs", ""),
    ];
    assert!(
        circles(&one_folder).is_empty(),
        "{:?}",
        circles(&one_folder)
    );
}
