//! What datagrams, messages and streams of worlds are for: channels and services in turn, so that the names of services
//! meet every fault that the data meets, and the ledger sees where one arrived under another's.

use p2p_core::api::{Label, ServiceName};

const SERVICES: [&str; 3] = [
    "tick",
    "web",
    "files of a name as long as a service may have it",
];

fn label(n: usize) -> Label {
    let name = SERVICES.get(n % (SERVICES.len() + 1));
    let service = name.and_then(|name| ServiceName::new(name).ok());
    let flags = (n % 5) as u32;
    match service {
        Some(name) => Label {
            flags,
            ..name.into()
        },
        None => Label::from(1),
    }
}

/// The label of these bytes.
#[must_use]
pub(crate) fn label_for(data: &[u8]) -> Label {
    label(data.iter().take(16).map(|byte| usize::from(*byte)).sum())
}

/// The label of all streams that one host opens to another.
pub(super) fn stream_label(from: usize, to: usize) -> Label {
    label(from * 3 + to)
}
