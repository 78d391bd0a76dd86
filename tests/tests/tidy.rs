//! The house rules as a test: sizes, layering inside the engine, banned words in pure crates. Reads the sources of
//! the whole workspace; what it refuses it names with file and line.

#[path = "tidy/imports.rs"]
mod imports;

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 120;

/// Words that must not stand in pure crates, and what to use instead.
const BANNED_IN_PURE: &[(&str, &str)] = &[
    ("std::time::Instant", "time::Instant"),
    ("SystemTime", "time that comes in as data"),
    ("thread::sleep", "a deadline"),
    ("HashMap", "BTreeMap: its order is the same everywhere"),
    ("HashSet", "BTreeSet: its order is the same everywhere"),
    ("getrandom", "rng::Rng"),
    ("thread_rng", "rng::Rng"),
    ("std::env", "configuration that comes in as an argument"),
    ("UdpSocket", "a driver"),
];

/// Words that must not stand anywhere in our sources.
const BANNED_EVERYWHERE: &[(&str, &str)] = &[
    ("todo!(", "a finished function"),
    ("unimplemented!(", "a finished function"),
    ("#[ignore", "a test that runs, or a flag of its own"),
    ("unsafe {", "a crate that is trusted with it"),
];

/// Folders of the engine that are siblings: none imports another.
const SIBLINGS: &[&str] = &["session", "recovery", "level", "path", "directory", "relay"];

/// Files and folders of the engine that everything may import, and that import none of the rooms above.
const GROUND: &[&str] = &[
    "wire", "time", "timers", "rng", "id", "limits", "error", "api", "limiter", "purpose", "ecn",
    "link",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
        .into()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != ".git" {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let name = path
            .strip_prefix(&root)
            .expect("found below the root")
            .display()
            .to_string();
        (name, fs::read_to_string(path).expect("a readable source"))
    };
    let all: Vec<_> = files.into_iter().map(read).collect();
    assert!(
        all.len() > 50,
        "the sources were not found: {} files",
        all.len()
    );
    all
}

/// The part of a source that is compiled into the product: without tests at the end and without comments.
fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(i, line)| (i + 1, line))
}

fn is_test(name: &str) -> bool {
    name.contains("tests/") || name.ends_with("tests.rs") || name.ends_with("test_pipe.rs")
}

/// Types that many parts meet in, with the most methods and files that each may have: a type that outgrows them is a
/// bag of methods, and one of its jobs is a part of its own.
const MEETING_PLACES: &[(&str, usize, usize)] = &[("Node", 39, 4), ("Peer", 39, 4)];

/// How many methods a source gives a type, in impl blocks of its own and of traits.
fn methods_of(type_name: &str, text: &str) -> usize {
    let opens = |line: &str| {
        let head = line.strip_prefix("impl").and_then(|l| l.strip_suffix(" {"));
        let name = head.and_then(|head| head.rsplit(' ').next());
        name.is_some_and(|name| name.split('<').next() == Some(type_name))
    };
    let mut methods = 0;
    let mut is_inside = false;
    for line in text.lines() {
        is_inside = (is_inside || opens(line)) && line != "}";
        let is_member = line.starts_with("    ") && !line.starts_with("     ");
        let words: Vec<_> = line.split_whitespace().take(4).collect();
        let starts = words
            .first()
            .is_some_and(|w| *w == "fn" || w.starts_with("pub") || *w == "const");
        methods += usize::from(is_inside && is_member && starts && words.contains(&"fn"));
    }
    methods
}

/// Starts and lengths of functions, found by indentation, which rustfmt guarantees.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        let head = body.split('(').next().unwrap_or("");
        if !(head.starts_with("fn ") || head.contains(" fn ")) || body.starts_with("//") {
            continue;
        }
        let signature = lines.iter().skip(start);
        let last = signature
            .map(|l| l.trim_end())
            .find(|l| l.ends_with(['{', '}', ';']));
        if last.is_none_or(|l| l.ends_with(';')) {
            // A method that a trait only declares.
            continue;
        }
        let end = format!("{}}}", " ".repeat(indent));
        let closing = lines.iter().skip(start).position(|l| *l == end);
        if let Some(length) = closing {
            found.push((start + 1, length + 1));
        }
    }
    found
}

fn refuse(problems: &[String]) {
    assert!(problems.is_empty(), "untidy:\n{}", problems.join("\n"));
}

#[test]
fn files_functions_and_lines_stay_small() {
    let mut problems = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            problems.push(format!("{name}: {lines} lines; split by responsibility"));
        }
        for (at, length) in functions(&text) {
            if length > FUNCTION_LINES_MAX && !is_test(&name) {
                problems.push(format!(
                    "{name}:{at}: a function of {length} lines; push work down"
                ));
            }
        }
        for (i, line) in text.lines().enumerate() {
            if line.chars().count() > LINE_COLUMNS_MAX {
                problems.push(format!(
                    "{name}:{}: longer than {LINE_COLUMNS_MAX} columns",
                    i + 1
                ));
            }
        }
    }
    refuse(&problems);
}

#[test]
fn where_parts_meet_no_type_is_a_bag_of_methods() {
    let text = "impl Node {\n    fn one(&self) {}\n}\nimpl Engine for Node {\n    pub(super) fn two(\n    }\n}\n\
                impl Peer {\n    fn three() {}\n}\n";
    assert_eq!(methods_of("Node", text), 2, "the check itself");
    let mut problems = Vec::new();
    for (type_name, most_methods, most_files) in MEETING_PLACES {
        let in_engine = |name: &str| name.starts_with("core/src/") && !is_test(name);
        let counts = sources().into_iter().filter(|(name, _)| in_engine(name));
        let counts = counts.map(|(name, text)| (name, methods_of(type_name, &text)));
        let counts: Vec<_> = counts.filter(|(_, methods)| *methods > 0).collect();
        let methods: usize = counts.iter().map(|(_, methods)| methods).sum();
        assert!(methods > 0, "{type_name} was not found");
        if methods > *most_methods || counts.len() > *most_files {
            problems.push(format!(
                "{type_name} has {methods} methods in {} files, at most {most_methods} in {most_files}: {counts:?}",
                counts.len()
            ));
        }
    }
    refuse(&problems);
}

#[test]
fn every_file_says_what_it_is_for() {
    let bare = sources()
        .into_iter()
        .filter(|(name, text)| !is_test(name) && !text.starts_with("//!"));
    let problems: Vec<_> = bare
        .map(|(name, _)| format!("{name}: no //! header"))
        .collect();
    refuse(&problems);
}

#[test]
fn banned_words_stay_out() {
    let mut problems = Vec::new();
    for (name, text) in sources() {
        if name == "tests/tests/tidy.rs" {
            continue;
        }
        let pure = (name.starts_with("core/src") || name.starts_with("simulator/src"))
            && !name.contains("/bin/")
            && !name.ends_with("main.rs")
            && !is_test(&name);
        let pure_list = BANNED_IN_PURE.iter().filter(|_| pure);
        for (word, instead) in pure_list.chain(BANNED_EVERYWHERE) {
            for (at, line) in product_lines(&text) {
                if line.contains(word) {
                    problems.push(format!("{name}:{at}: {word}; use {instead}"));
                }
            }
        }
    }
    refuse(&problems);
}

#[test]
fn rooms_of_the_engine_do_not_import_sideways_or_upwards() {
    let mut problems = Vec::new();
    for (name, text) in sources() {
        let Some(place) = name.strip_prefix("core/src/") else {
            continue;
        };
        let room = place.split(['/', '.']).next().unwrap_or("");
        let rooms: &[&str] = &[
            "session",
            "recovery",
            "level",
            "path",
            "directory",
            "relay",
            "schedule",
            "door",
            "introducer",
            "rendezvous",
            "peer",
            "node",
        ];
        let upper: &[&str] = match room {
            _ if GROUND.contains(&room) || SIBLINGS.contains(&room) => rooms,
            "peer" => &[
                "node",
                "directory",
                "relay",
                "door",
                "introducer",
                "rendezvous",
            ],
            "rendezvous" => &[
                "peer",
                "node",
                "door",
                "introducer",
                "session",
                "recovery",
                "level",
                "relay",
            ],
            "introducer" => &[
                "peer",
                "node",
                "door",
                "rendezvous",
                "session",
                "recovery",
                "level",
            ],
            "door" => &[
                "peer",
                "node",
                "introducer",
                "rendezvous",
                "recovery",
                "level",
                "directory",
                "relay",
            ],
            "schedule" => &[
                "session",
                "recovery",
                "path",
                "directory",
                "relay",
                "peer",
                "node",
            ],
            _ => continue,
        };
        for (at, line) in product_lines(&text) {
            for other in upper.iter().filter(|o| **o != room) {
                if line.contains(&format!("crate::{other}::")) {
                    problems.push(format!("{name}:{at}: {room} imports {other}"));
                }
            }
        }
    }
    refuse(&problems);
}

#[test]
fn crates_import_downwards_only() {
    let mut problems = Vec::new();
    let forbidden: &[(&str, &[&str])] = &[
        ("core", &["p2p_"]),
        ("http-api", &["p2p_driver", "p2p_host", "p2p_simulator"]),
        (
            "storage",
            &["p2p_driver", "p2p_host", "p2p_http_api", "p2p_simulator"],
        ),
        ("host", &["p2p_driver", "p2p_simulator"]),
        ("simulator", &["p2p_driver", "p2p_storage", "p2p_host"]),
        ("driver-smol", &["p2p_driver_std", "p2p_simulator"]),
        ("driver-std", &["p2p_driver_smol", "p2p_simulator"]),
    ];
    for (name, text) in sources() {
        for (folder, words) in forbidden {
            if !name.starts_with(&format!("{folder}/src")) {
                continue;
            }
            for (at, line) in product_lines(&text) {
                let own = line.replace("p2p_core::", "").replace("p2p_core;", "");
                let line = if *folder == "core" { &own } else { line };
                for word in words.iter().filter(|w| line.contains(**w)) {
                    problems.push(format!("{name}:{at}: {folder} imports {word}"));
                }
            }
        }
    }
    refuse(&problems);
}

#[test]
fn drivers_speak_no_protocol() {
    const WORDS: &[&str] = &["rekey", "handshake", "candidate", "retransmi", "congestion"];
    let mut problems = Vec::new();
    for (name, text) in sources() {
        if !name.starts_with("driver-") || is_test(&name) {
            continue;
        }
        for (at, line) in product_lines(&text) {
            let line = line.to_lowercase();
            for word in WORDS.iter().filter(|w| line.contains(**w)) {
                problems.push(format!("{name}:{at}: {word} is the engine's word"));
            }
        }
    }
    refuse(&problems);
}
