//! What crosses crates: conformance of both drivers, real NATs, the browser, and the house rules. See `tests/`.

pub mod api;
pub mod browser;
pub mod netns;
pub mod nodes;
pub mod pair;
pub mod site;
