//! Invitations under way: peers that come with a link of ours, and our own way to whoever gave us one.

use core::time::Duration;

use bytes::Bytes;
use p2p_core::api::{
    Answer, Command, ConnectTarget, Engine, EngineExt, OperationId, RequestId, RequestOutcome,
    answer_status,
};
use p2p_core::id::{NodeId, encode_z_base_32};
use p2p_core::time::Instant;
use p2p_storage::{Change, InviteId, Trust};
use serde_json::json;

use super::{Surface, not_kept};
use crate::invite::{ADDRESS_TIME, Act, Redeeming, Redemption, Refusal, SERVICE, judge};
use crate::problem::{Code, Problem};
use crate::reply::{Full, WaitFor};
use crate::view;

/// How long one call of an inviter may take.
const CALL_TIME: Duration = Duration::from_secs(15);
/// How long to wait for its answer.
const ANSWER_TIME: Duration = Duration::from_secs(20);

impl Surface {
    /// A peer comes with a link of ours. It is answered once that is written down.
    pub(super) fn on_redemption(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        (peer, request): (NodeId, RequestId),
        body: &[u8],
    ) {
        let redemption = Redemption::parse(body).ok_or(Refusal::Unknown);
        let redeemed = redemption.and_then(|redemption| {
            let redeemed = self.redeem(now, node.id(), peer, &redemption)?;
            if let Some(name) = &redemption.name {
                self.state.on_name(peer, name);
            }
            Ok(redeemed)
        });
        let (invite, changes) = match redeemed {
            Ok(Some(redeemed)) => redeemed,
            Ok(None) => return succeed(now, node, (peer, request)),
            Err(refusal) => return refuse(now, node, (peer, request), refusal),
        };
        let redeeming = Redeeming {
            peer,
            request,
            invite,
        };
        match self.state.change_contacts(changes) {
            Some(order) => {
                self.state.meetings.redeeming.insert(order, redeeming);
            }
            None => self.redeemed(now, node, redeeming),
        }
    }

    fn redeem(
        &self,
        now: Instant,
        own: NodeId,
        peer: NodeId,
        redemption: &Redemption,
    ) -> Result<Option<(InviteId, Vec<Change>)>, Refusal> {
        let contacts = &self.state.contacts;
        if contacts.is_blocked(&peer) {
            return Err(Refusal::Unknown);
        }
        let now_unix_ms = self.state.clock.unix_ms(now);
        let known = contacts.book().invite(&redemption.id);
        let Some(invite) = judge(known, redemption, (peer, own), now_unix_ms)? else {
            // What the owner made of the peer meanwhile is the owner's word: no link raises anybody twice.
            let mut writing = self.state.meetings.redeeming.values();
            return if writing.any(|redeeming| redeeming.peer == peer) {
                Err(Refusal::NoRoom)
            } else if contacts.book().contact(&peer).is_none() {
                Err(Refusal::Unknown)
            } else {
                Ok(None)
            };
        };
        let worth = if invite.uses == 1 {
            (Trust::Verified, "invite")
        } else {
            // Whoever has the link may have passed it on.
            (Trust::Found, "invite_many")
        };
        let names = invite
            .petname
            .iter()
            .chain(&redemption.name)
            .map(String::as_str);
        let contact = contacts
            .invited(now_unix_ms, peer, worth, names)
            .ok_or(Refusal::NoRoom)?;
        let id = invite.id;
        let changes = vec![Change::Contact(contact), Change::Invite(invite)];
        Ok(Some((id, changes)))
    }

    /// It is written down: the peer is a contact, and hears so.
    fn redeemed(&mut self, now: Instant, node: &mut dyn Engine, redeeming: Redeeming) {
        let Redeeming {
            peer,
            request,
            invite,
        } = redeeming;
        let _ = node.handle_command(now, Command::Accept(peer));
        self.state.knocks.remove(&peer);
        succeed(now, node, (peer, request));
        let petname = self.petname(&peer);
        let uses_left = self
            .state
            .contacts
            .book()
            .invite(&invite)
            .map(|i| i.uses_left());
        self.tell(now, "invite_taken", None, move || {
            json!({
                "invite": encode_z_base_32(&invite),
                "peer": peer.to_string(),
                "petname": petname,
                "uses_left": uses_left,
            })
        });
    }

    /// A change of contacts is on disk, or cannot be; whoever waits for it hears.
    pub(super) fn on_kept_meeting(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        order: u64,
        is_kept: bool,
    ) {
        if let Some(redeeming) = self.state.meetings.redeeming.remove(&order) {
            if is_kept {
                self.redeemed(now, node, redeeming);
            } else {
                let asked = (redeeming.peer, redeeming.request);
                refuse(now, node, asked, Refusal::NoRoom);
            }
        }
        if let Some(peer) = self.state.meetings.joining.remove(&order)
            && !is_kept
            && self.state.meetings.joins.end(&peer)
        {
            self.resolve(&WaitFor::Join(peer), &not_kept().into());
        }
    }

    /// Does what is due on the way to inviters.
    pub(super) fn drive_joins(&mut self, now: Instant, node: &mut dyn Engine) {
        if self
            .state
            .meetings
            .joins
            .next_timeout()
            .is_none_or(|due| due > now)
        {
            return;
        }
        let name = node.status(now).name;
        let own = node.id();
        while let Some(act) = self.state.meetings.joins.poll(now, &own, name.as_deref()) {
            match act {
                Act::CallAt { peer, addresses } => {
                    for address in addresses {
                        let target = ConnectTarget::Address { id: peer, address };
                        self.call_inviter(now, node, target, ADDRESS_TIME);
                    }
                }
                Act::Call { peer } => {
                    self.call_inviter(now, node, ConnectTarget::Id(peer), CALL_TIME);
                }
                Act::Ask { peer, redemption } => {
                    let service = (SERVICE.to_owned(), 0);
                    let body = redemption.to_bytes().into();
                    let asked = node.request(now, peer, service, body, ANSWER_TIME);
                    self.state.meetings.joins.on_asked(&peer, asked.ok());
                }
                Act::Expire { peer } => {
                    let detail =
                        "The link held for a time that is over; its inviter did not answer.";
                    self.end_join(now, peer, Err(Problem::new(Code::InviteExpired, detail)));
                }
            }
        }
    }

    /// Without an introducer, or without direct paths, one of the two ways is closed.
    fn call_inviter(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        target: ConnectTarget,
        life: Duration,
    ) {
        let (ConnectTarget::Id(peer) | ConnectTarget::Address { id: peer, .. }) = target else {
            return;
        };
        if let Ok(call) = node.connect(now, target, None, life) {
            self.state.meetings.joins.on_call(&peer, call);
        }
    }

    /// A call failed, which may be one of an inviter.
    pub(super) fn on_join_call_failed(&mut self, operation: OperationId, reason: Code) {
        let reason = reason.row().text;
        self.state.meetings.joins.on_call_failed(operation, reason);
    }

    /// A request ended; whether it was one of an invitation.
    pub(super) fn on_join_answer(
        &mut self,
        now: Instant,
        (peer, request): (NodeId, RequestId),
        outcome: &RequestOutcome,
    ) -> bool {
        if !self.state.meetings.joins.is_asked(&peer, request) {
            return false;
        }
        match outcome {
            RequestOutcome::Answered(answer) if answer.status == answer_status::SUCCESS => {
                self.end_join(now, peer, Ok(()));
            }
            RequestOutcome::Answered(answer)
                if answer.status == answer_status::REFUSED
                    && Refusal::from_word(&answer.body).is_some_and(|r| r != Refusal::NoRoom) =>
            {
                let (code, detail) = match Refusal::from_word(&answer.body) {
                    Some(Refusal::Used) => (
                        Code::InviteUsed,
                        "Somebody has followed the link before, and it works once.",
                    ),
                    Some(Refusal::Expired) => (
                        Code::InviteExpired,
                        "The link held for a time that is over.",
                    ),
                    _ => (Code::InviteUnknown, "The inviter has taken the link back."),
                };
                self.end_join(now, peer, Err(Problem::new(code, detail)));
            }
            _ => {
                let _ = self.state.meetings.joins.on_unanswered(&peer, request);
            }
        }
        true
    }

    /// An inviter has answered, or never will. The contact stays what the owner made it.
    fn end_join(&mut self, now: Instant, peer: NodeId, end: Result<(), Problem>) {
        self.state.meetings.joins.end(&peer);
        let _ = self.state.change_contacts(vec![Change::Joined(peer)]);
        let petname = self.petname(&peer);
        let view = view::JoinView::joined(&peer, petname.as_deref());
        let (full, state): (Full, _) = match end {
            Ok(()) => (Full::json(200, &view), "joined"),
            Err(problem) => {
                let state = problem.code.row().text;
                (problem.into(), state)
            }
        };
        self.resolve(&WaitFor::Join(peer), &full);
        self.tell(
            now,
            "invite_answered",
            None,
            move || json!({"peer": peer.to_string(), "petname": petname, "state": state}),
        );
    }

    fn petname(&self, peer: &NodeId) -> Option<String> {
        let contact = self.state.contacts.book().contact(peer);
        contact.and_then(|contact| contact.petname.clone())
    }
}

fn succeed(now: Instant, node: &mut dyn Engine, asked: (NodeId, RequestId)) {
    answer(now, node, asked, answer_status::SUCCESS, Bytes::new());
}

fn refuse(now: Instant, node: &mut dyn Engine, asked: (NodeId, RequestId), refusal: Refusal) {
    let word = Bytes::from_static(refusal.word().as_bytes());
    answer(now, node, asked, answer_status::REFUSED, word);
}

fn answer(
    now: Instant,
    node: &mut dyn Engine,
    (peer, request): (NodeId, RequestId),
    status: u16,
    body: Bytes,
) {
    let command = Command::Answer {
        peer,
        request,
        answer: Answer { status, body },
    };
    // The peer may have gone; then it asks again when it is back.
    let _ = node.handle_command(now, command);
}
