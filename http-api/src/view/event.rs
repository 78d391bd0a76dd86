//! Engine events as clients see them. What goes into the inbox is told by its inbox item instead.

use p2p_core::api::{ConnectFailure, DisconnectReason, Event, PathChangeReason};
use serde_json::{Value, json};

use super::{PathView, introducer_state, ms};
use crate::encode::base64;

/// Kind of an event; `None` for what is not told.
pub(crate) const fn event_kind(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::Introducer { .. } => "introducer",
        Event::Connected { .. } => "connected",
        Event::ConnectFailed { .. } => "connect_failed",
        Event::PathChanged { .. } => "path_changed",
        Event::Disconnected { .. } => "disconnected",
        Event::LatestReceived { .. } => "latest",
        Event::Knocked { .. } => "knocked",
        Event::NameDiffers { .. } => "name_differs",
        Event::Pong { .. } => "pong",
        Event::StreamReset { .. } => "stream_reset",
        _ => return None,
    })
}

/// Content of an event that has a kind, without its time; `name` is what to call whom it is about, and what that is
/// worth.
pub(crate) fn event(event: &Event, name: Option<&(String, &'static str)>) -> Value {
    match event {
        Event::Introducer { id, state } => {
            let (state, reason) = introducer_state(*state);
            json!({"introducer": id.to_string(), "state": state, "reason": reason})
        }
        Event::Connected { peer, path, .. } => {
            let (peer, path) = (peer.to_string(), PathView::from(path));
            let (name, kind) = name.map(|(name, kind)| (name, kind)).unzip();
            json!({"peer": peer, "name": name, "name_kind": kind, "path": path})
        }
        Event::ConnectFailed { peer, reason, .. } => {
            let peer = peer.map(|p| p.to_string());
            json!({"peer": peer, "reason": failure(*reason)})
        }
        Event::PathChanged { peer, path, reason } => {
            let path = PathView::from(path);
            json!({"peer": peer.to_string(), "path": path, "reason": change(*reason)})
        }
        Event::Disconnected { peer, reason } => {
            json!({"peer": peer.to_string(), "reason": farewell(*reason)})
        }
        Event::LatestReceived { peer, key, data } => {
            let text = core::str::from_utf8(data).ok();
            let bytes = text.is_none().then(|| base64(data));
            json!({"peer": peer.to_string(), "key": key, "text": text, "data_base64": bytes})
        }
        Event::Knocked {
            peer,
            name,
            introducer,
        } => {
            let (peer, introducer) = (peer.to_string(), introducer.to_string());
            json!({"peer": peer, "claimed_name": name, "introducer": introducer})
        }
        Event::NameDiffers {
            name,
            introducer,
            known,
            offered,
        } => {
            let introducer = introducer.to_string();
            let (known, offered) = (known.to_string(), offered.to_string());
            json!({"name": name, "introducer": introducer, "known": known, "offered": offered})
        }
        Event::Pong { peer, rtt, path } => {
            let (rtt, path) = (rtt.map(ms), PathView::from(path));
            json!({"peer": peer.to_string(), "rtt_ms": rtt, "path": path})
        }
        Event::StreamReset { peer, stream, code } => {
            json!({"peer": peer.to_string(), "stream": stream.0.to_string(), "code": code})
        }
        _ => Value::Null,
    }
}

fn failure(reason: ConnectFailure) -> &'static str {
    crate::problem::connect_failed(reason).code.row().text
}

const fn change(reason: PathChangeReason) -> &'static str {
    match reason {
        PathChangeReason::Established => "established",
        PathChangeReason::Upgraded => "upgraded",
        PathChangeReason::Failed => "failed",
        PathChangeReason::Roamed => "roamed",
    }
}

const fn farewell(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::Local => "local",
        DisconnectReason::Remote => "remote",
        DisconnectReason::TimedOut => "timed_out",
        DisconnectReason::PeerRestarted => "peer_restarted",
        DisconnectReason::Accused(_) => "accused",
        _ => "misbehaved",
    }
}
