//! Invitations: make, list, take back, follow.

use core::net::SocketAddr;
use core::time::Duration;

use p2p_core::api::{Command, IntroducerAddress, IntroducerState, NodeStatus, PeerState};
use p2p_core::id::{NodeId, decode_z_base_32};
use p2p_storage::{Change, Invite, InviteId, Join, KeptIntroducer, Trust};

use super::contacts::{keep, petname_of, wrong};
use crate::call::{Call, decode_json};
use crate::config::SettingValue;
use crate::contacts::CONTACTS;
use crate::invite::{self, ADDRESSES, INTRODUCERS, INVITES, InviteLink, JOINS, Secret, USES};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply, Wait, WaitFor};
use crate::state::Turn;
use crate::view::{InviteBody, InviteList, InviteView, JoinBody, JoinView};

/// How long a link may hold, seconds.
const EXPIRES_S: core::ops::RangeInclusive<u64> = 3_600..=30 * 86_400;
/// How long it holds where the owner says nothing, seconds.
const EXPIRES_DEFAULT_S: u64 = 86_400;
/// How long a client waits for the inviter where it says nothing, milliseconds.
const JOIN_TIMEOUT_MS: u64 = 20_000;
const JOIN_TIMEOUT_MAX_MS: u64 = 120_000;
/// Links add no introducers beyond so many.
const INTRODUCERS_USED: usize = 16;

/// `GET /v1/invites`
pub(crate) fn list(turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    let state = &*turn.state;
    let book = state.contacts.book();
    let list = InviteList {
        items: book.invites().map(InviteView::from).collect(),
        joining: book.joins().map(|join| waiting(state, join)).collect(),
        next: None,
    };
    Ok(Full::json(200, &list).into())
}

/// `POST /v1/invites`
pub(crate) fn create(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: InviteBody = decode_json(call)?;
    let uses = body.uses.unwrap_or(1);
    if !(1..=USES).contains(&uses) {
        return Err(wrong("/uses", "must be a number from 1 to 256"));
    }
    let expires_s = body.expires_s.unwrap_or(EXPIRES_DEFAULT_S);
    if !EXPIRES_S.contains(&expires_s) {
        return Err(wrong("/expires_s", "must be a number from 3600 to 2592000"));
    }
    let petname = match body.petname.as_deref() {
        Some(_) if uses > 1 => return Err(wrong("/petname", "must not be given for several uses")),
        Some(petname) => petname_of(turn, turn.node.id(), petname)?,
        None => None,
    };
    let status = turn.node.status(turn.now);
    let (introducers, addresses) = reachable(turn, &status)?;
    let now_unix_ms = turn.state.clock.unix_ms(turn.now);
    let mut changes = expired(turn, now_unix_ms);
    if turn.state.contacts.book().invites().count() - changes.len() >= INVITES {
        let detail = "There are as many open invitations as there may be; take one back first.";
        return Err(Problem::new(Code::LimitReached, detail).with_member("value", INVITES));
    }
    let secret = Secret(turn.state.meetings.rng.array());
    let expires_unix_s = (now_unix_ms / 1_000).saturating_add(expires_s);
    let invite = Invite {
        id: secret.id(),
        key: secret.key(),
        uses,
        petname,
        made_unix_ms: now_unix_ms,
        expires_unix_ms: expires_unix_s * 1_000,
        taken_by: Vec::new(),
    };
    let link = InviteLink {
        inviter: turn.node.id(),
        secret,
        expires_unix_s: u32::try_from(expires_unix_s).unwrap_or(u32::MAX),
        introducers,
        addresses,
        name: status.name,
    };
    let text = link.to_text();
    let view = InviteView {
        qr_svg: invite::svg(&text),
        link: Some(text),
        ..InviteView::from(&invite)
    };
    let place = format!("/v1/invites/{}", view.id);
    let full = Full::json(201, &view).with_header("location", place);
    changes.push(Change::Invite(invite));
    Ok(keep(turn, changes, full))
}

/// `DELETE /v1/invites/{id}`
pub(crate) fn revoke(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let id = decode_z_base_32(call.param(0)).and_then(|bytes| InviteId::try_from(bytes).ok());
    let known = id.filter(|id| turn.state.contacts.book().invite(id).is_some());
    match known {
        Some(id) => Ok(keep(turn, vec![Change::Revoke(id)], Full::empty(204))),
        None => {
            let detail = "No invitation of this node has that id.";
            Err(Problem::new(Code::InviteUnknown, detail))
        }
    }
}

/// `POST /v1/invites/accept`
pub(crate) fn accept(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: JoinBody = decode_json(call)?;
    let timeout_ms = body.timeout_ms.unwrap_or(JOIN_TIMEOUT_MS);
    if timeout_ms > JOIN_TIMEOUT_MAX_MS {
        return Err(wrong("/timeout_ms", "must be a number from 0 to 120000"));
    }
    let link = InviteLink::parse(&body.link).map_err(|invalid| {
        let detail = "What was given is no whole link of an invitation.";
        Problem::new(Code::InviteInvalid, detail).with_error("/link", invalid.to_string())
    })?;
    let changes = changes_of(turn, &link, body.petname.as_deref())?;
    for change in &changes {
        if let Change::Introducer(kept) = change {
            turn.command(Command::AddIntroducer(kept.address.clone()))?;
        }
    }
    turn.command(Command::Accept(link.inviter))?;
    let peer = link.inviter;
    let is_connected = turn
        .node
        .peer(turn.now, &peer)
        .is_some_and(|p| p.state == PeerState::Connected);
    let now_unix_ms = turn.state.clock.unix_ms(turn.now);
    let joins = &mut turn.state.meetings.joins;
    joins.begin(turn.now, now_unix_ms, join_of(&link), is_connected);
    if let Some(order) = turn.state.change_contacts(changes) {
        turn.state.meetings.joining.insert(order, peer);
    }
    Ok(Reply::Wait(Wait {
        what: WaitFor::Join(peer),
        until: turn.now + Duration::from_millis(timeout_ms),
    }))
}

/// What is written down before the inviter is called.
fn changes_of(
    turn: &Turn<'_>,
    link: &InviteLink,
    petname: Option<&str>,
) -> Result<Vec<Change>, Problem> {
    let (peer, state) = (link.inviter, &*turn.state);
    if peer == turn.node.id() {
        let detail = "The link is this node's own: give it to somebody else.";
        return Err(Problem::new(Code::OwnId, detail));
    }
    if state.contacts.is_blocked(&peer) {
        let detail = "The owner of this node has blocked the inviter.";
        return Err(Problem::new(Code::PeerBlocked, detail));
    }
    let now_unix_ms = state.clock.unix_ms(turn.now);
    if u64::from(link.expires_unix_s) * 1_000 <= now_unix_ms {
        let detail = "The link held for a time that is over.";
        return Err(Problem::new(Code::InviteExpired, detail));
    }
    let joins = &state.meetings.joins;
    if joins.len() >= JOINS && !joins.is_open(&peer) {
        let detail = "As many links are being followed as may be; wait for an answer to one.";
        return Err(Problem::new(Code::LimitReached, detail).with_member("value", JOINS));
    }
    let chosen = petname
        .map(|petname| petname_of(turn, peer, petname))
        .transpose()?;
    let proposed = link.name.as_deref().filter(|_| chosen.is_none());
    let contact = state
        .contacts
        .invited(now_unix_ms, peer, (Trust::Verified, "invite"), proposed);
    let Some(mut contact) = contact else {
        let detail = "There are as many contacts as there may be; forget one first.";
        return Err(Problem::new(Code::LimitReached, detail).with_member("value", CONTACTS));
    };
    if let Some(chosen) = chosen {
        contact.petname = chosen;
    }
    let known = turn.node.status(turn.now).introducers;
    let own = turn.node.id();
    let is_new = |address: &&IntroducerAddress| {
        address.id != own && known.iter().all(|known| known.id != address.id)
    };
    let introducers = link.introducers.iter().filter(is_new);
    let introducers = introducers.take(INTRODUCERS_USED.saturating_sub(known.len()));
    let introducers = introducers.map(|address| {
        Change::Introducer(KeptIntroducer {
            address: address.clone(),
            since_unix_ms: now_unix_ms,
        })
    });
    let first = [Change::Contact(contact), Change::Join(join_of(link))];
    Ok(first.into_iter().chain(introducers).collect())
}

fn join_of(link: &InviteLink) -> Join {
    Join {
        peer: link.inviter,
        id: link.secret.id(),
        key: link.secret.key(),
        addresses: link.addresses.clone(),
        expires_unix_ms: u64::from(link.expires_unix_s) * 1_000,
    }
}

/// Where a link is still followed.
pub(crate) fn waiting(state: &crate::state::State, join: &Join) -> JoinView {
    let contact = state.contacts.book().contact(&join.peer);
    let reason = state.meetings.joins.reason(&join.peer);
    JoinView::waiting(join, contact.and_then(|c| c.petname.as_deref()), reason)
}

/// What the answer is where the inviter did not answer in time.
pub(crate) fn still_waiting(state: &crate::state::State, peer: &NodeId) -> Full {
    match state.contacts.book().join(peer) {
        Some(join) => Full::json(202, &waiting(state, join)),
        // It ended in this very moment.
        None => Problem::new(Code::InviteUnknown, "The link is not followed any more.").into(),
    }
}

/// Open invitations that hold no more.
fn expired(turn: &Turn<'_>, now_unix_ms: u64) -> Vec<Change> {
    let invites = turn.state.contacts.book().invites();
    let over = invites.filter(|invite| invite.expires_unix_ms <= now_unix_ms);
    over.map(|invite| Change::Revoke(invite.id)).collect()
}

/// How whoever follows a link of this node comes here.
fn reachable(
    turn: &Turn<'_>,
    status: &NodeStatus,
) -> Result<(Vec<IntroducerAddress>, Vec<SocketAddr>), Problem> {
    let settings = &turn.state.settings;
    if let Some(SettingValue::Text(strangers)) = settings.get("strangers")
        && strangers == "refuse"
    {
        let detail = "This node refuses strangers, and whoever follows a link is one until then.";
        return Err(Problem::new(Code::InviteUnreachable, detail));
    }
    let mut introducers: Vec<_> = status.introducers.iter().collect();
    introducers.sort_by_key(|introducer| introducer.state != IntroducerState::Registered);
    let introducers = introducers
        .into_iter()
        .take(INTRODUCERS)
        .map(|i| IntroducerAddress {
            id: i.id,
            host: i.host.clone(),
            port: i.port,
        });
    let introducers: Vec<_> = introducers.collect();
    let shows = settings.get("direct_paths") != Some(&SettingValue::Switch(false));
    let addresses = if shows {
        own_addresses(status)
    } else {
        Vec::new()
    };
    if introducers.is_empty() && addresses.is_empty() {
        let detail = "This node has no introducer and shows no address of its own.";
        return Err(Problem::new(Code::InviteUnreachable, detail));
    }
    Ok((introducers, addresses))
}

/// The first address of each family that others may reach, the main ones come first; those of loopback only where there
/// is no other.
fn own_addresses(status: &NodeStatus) -> Vec<SocketAddr> {
    let is_link_local = |address: &SocketAddr| match address.ip() {
        core::net::IpAddr::V4(ip) => ip.is_link_local(),
        core::net::IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let fits = |loopback: bool| {
        let all = status.local_addresses.iter().copied();
        let fit = all.filter(move |a| a.ip().is_loopback() == loopback && !is_link_local(a));
        let (v4, v6): (Vec<_>, Vec<_>) = fit.partition(SocketAddr::is_ipv4);
        let first = v4.first().into_iter().chain(v6.first());
        first.copied().take(ADDRESSES).collect::<Vec<_>>()
    };
    Some(fits(false))
        .filter(|outside| !outside.is_empty())
        .unwrap_or_else(|| fits(true))
}
