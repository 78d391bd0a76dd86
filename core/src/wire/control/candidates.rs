//! `cr3`: addresses that the sender may be reachable at (protocol §6.2).

use core::net::SocketAddr;

use super::ControlMessage;
use super::attributes::{Attributes, Result, out_of_range};
use super::builder::Builder;
use super::names::{command, ours};
use crate::limits;

/// Where a candidate address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CandidateKind {
    /// An address of an interface.
    Host,
    /// As an introducer sees it.
    Reflexive,
}

/// An address that the sender may be reachable at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    /// The address; not checked against protocol §9.3.
    pub address: SocketAddr,
    /// Where it comes from.
    pub kind: CandidateKind,
}

pub(super) fn build(candidates: &[Candidate]) -> Builder {
    let candidate = |candidate: &Candidate| {
        let kind = match candidate.kind {
            CandidateKind::Host => 0,
            CandidateKind::Reflexive => 1,
        };
        Builder::new()
            .address(candidate.address)
            .raw(ours::CANDIDATE_TYPE, kind)
    };
    Builder::command(command::CANDIDATES).list(ours::CANDIDATES, candidates.iter().map(candidate))
}

pub(super) fn parse(a: &Attributes<'_>) -> Result<ControlMessage> {
    let candidates = a.list(ours::CANDIDATES, limits::CANDIDATES, candidate)?;
    Ok(ControlMessage::Candidates(candidates))
}

fn candidate(a: &Attributes<'_>) -> Result<Candidate> {
    let kind = match a.number(ours::CANDIDATE_TYPE)? {
        0 => CandidateKind::Host,
        1 => CandidateKind::Reflexive,
        _ => return Err(out_of_range(ours::CANDIDATE_TYPE)),
    };
    Ok(Candidate {
        address: a.address()?,
        kind,
    })
}
