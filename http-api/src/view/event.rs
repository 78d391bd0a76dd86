//! Engine events as clients see them. What goes into the inbox is told by its inbox item instead.

use p2p_core::api::{ConnectFailure, DisconnectReason, Event, PathChangeReason};
use serde_json::{Value, json};

use super::{PathView, introducer_state, ms};
use crate::encode::base64;

/// Kind and content of an event, without its time; `None` for what is not told.
pub fn event(event: &Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::Introducer { id, state } => {
            let (state, reason) = introducer_state(*state);
            let data = json!({"introducer": id.to_string(), "state": state, "reason": reason});
            ("introducer", data)
        }
        Event::Connected {
            peer, name, path, ..
        } => {
            let path = PathView::from(path);
            let data = json!({"peer": peer.to_string(), "name": name, "path": path});
            ("connected", data)
        }
        Event::ConnectFailed { peer, reason, .. } => {
            let peer = peer.map(|p| p.to_string());
            let data = json!({"peer": peer, "reason": failure(*reason)});
            ("connect_failed", data)
        }
        Event::PathChanged { peer, path, reason } => {
            let path = PathView::from(path);
            let data = json!({"peer": peer.to_string(), "path": path, "reason": change(*reason)});
            ("path_changed", data)
        }
        Event::Disconnected { peer, reason } => {
            let data = json!({"peer": peer.to_string(), "reason": farewell(*reason)});
            ("disconnected", data)
        }
        Event::LatestReceived { peer, key, data } => {
            let text = core::str::from_utf8(data).ok();
            let bytes = text.is_none().then(|| base64(data));
            let data =
                json!({"peer": peer.to_string(), "key": key, "text": text, "data_base64": bytes});
            ("latest", data)
        }
        Event::Pong { peer, rtt, path } => {
            let (rtt, path) = (rtt.map(ms), PathView::from(path));
            let data = json!({"peer": peer.to_string(), "rtt_ms": rtt, "path": path});
            ("pong", data)
        }
        Event::StreamReset { peer, stream, code } => {
            let stream = stream.0.to_string();
            let data = json!({"peer": peer.to_string(), "stream": stream, "code": code});
            ("stream_reset", data)
        }
        _ => return None,
    })
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
        _ => "misbehaved",
    }
}
