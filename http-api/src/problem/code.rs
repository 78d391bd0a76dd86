//! The table of error codes: name, status, title, what to do about it, whether the same request may succeed later.
//! docs/errors.md carries the same rows; a test compares them.

macro_rules! codes {
    ($($name:ident, $text:literal, $status:literal, $retryable:literal, $title:literal, $hint:literal;)*) => {
        /// Stable code of a problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its row of the table.
            #[must_use]
            pub(crate) const fn row(self) -> Row {
                match self {
                    $(Self::$name => Row {
                        text: $text,
                        status: $status,
                        retryable: $retryable,
                        title: $title,
                        hint: $hint,
                    },)*
                }
            }
        }
    };
}

/// What the table says of one code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The code as clients see it.
    pub text: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Short summary, the same each time.
    pub title: &'static str,
    /// What to do about it, in one sentence.
    pub hint: &'static str,
}

codes! {
    NotLoopback, "not_loopback", 403, false, "Not from this machine",
        "Connect from the machine the node runs on, or tunnel the port over ssh.";
    HostNotAllowed, "host_not_allowed", 403, false, "Host not allowed",
        "Use http://127.0.0.1, http://[::1] or http://localhost with the node's port.";
    CrossSite, "cross_site", 403, false, "Request from another site",
        "Open the page from the node's own address; other sites may not call it.";
    BadTarget, "bad_target", 400, false, "Request target cannot be read",
        "Send the path in origin form with valid percent-encoding.";
    Unauthorized, "unauthorized", 401, false, "Token or log-in needed",
        "Send the header Authorization: Bearer TOKEN (p2p token print), or open the page with p2p ui.";
    LockedOut, "locked_out", 429, true, "Too many wrong tokens",
        "Wait as long as Retry-After says, then send the right token.";
    TicketInvalid, "ticket_invalid", 401, false, "Log-in ticket not valid",
        "Tickets work once and for 60 seconds: run p2p ui again.";
    CsrfRequired, "csrf_required", 403, false, "X-CSRF is missing or wrong",
        "Send the csrf value that the log-in returned in the header X-CSRF.";
    TokenRequired, "token_required", 403, false, "Only with the token",
        "Send the header Authorization: Bearer TOKEN; a log-in is not enough here.";
    NotFound, "not_found", 404, false, "No such resource",
        "GET /v1/openapi.json lists all paths.";
    MethodNotAllowed, "method_not_allowed", 405, false, "Method not allowed here",
        "Use one of the methods in the header Allow.";
    BodyTooLarge, "body_too_large", 413, false, "Body too large",
        "Send less at once, or use a level that takes more: datagram, request, message, stream.";
    BodyTimedOut, "body_timed_out", 408, true, "The body does not come",
        "Send the whole body without long pauses; a stream may pause.";
    UnsupportedMediaType, "unsupported_media_type", 415, false, "Wrong content type",
        "Send Content-Type: application/json (or application/octet-stream where bytes are expected).";
    MalformedJson, "malformed_json", 400, false, "Body is not JSON",
        "Check quotes, commas and brackets at the position named.";
    InvalidBody, "invalid_body", 422, false, "Body has a wrong value",
        "Mend the fields listed in errors.";
    UnknownField, "unknown_field", 422, false, "Body has an unknown field",
        "Check the spelling of the fields listed in errors.";
    InvalidParameter, "invalid_parameter", 422, false, "Parameter has a wrong value",
        "Mend the parameters listed in errors.";
    UnknownParameter, "unknown_parameter", 422, false, "Unknown query parameter",
        "Check the spelling of the parameters listed in errors.";
    PeerNotFound, "peer_not_found", 404, true, "No such peer",
        "Search for the name and connect to it, or give the full id; the peer may be offline.";
    PeerAmbiguous, "peer_ambiguous", 409, false, "More than one peer fits",
        "Give more characters of the id.";
    OwnId, "own_id", 422, false, "That is this node itself",
        "Give the id of another node.";
    NotConnected, "not_connected", 409, true, "Peer not connected",
        "POST /v1/peers/{peer}/connect first.";
    IntroducerNotFound, "introducer_not_found", 404, false, "No such introducer",
        "GET /v1/introducers lists those configured.";
    NoIntroducer, "no_introducer", 409, false, "No introducer configured",
        "Add one: POST /v1/introducers with {\"address\": \"p2p://ID@HOST:PORT\"}.";
    IntroducerUnreachable, "introducer_unreachable", 503, true, "No introducer answers",
        "Check the network and the introducer's address; it is tried again by itself.";
    ConnectRefused, "connect_refused", 403, false, "The peer refused",
        "Ask the peer's owner to accept connections from this id.";
    ConnectTimedOut, "connect_timed_out", 504, true, "The peer did not answer in time",
        "GET /v1/peers/{peer}/why tells what was tried.";
    ConnectCancelled, "connect_cancelled", 409, true, "The attempt was ended here",
        "Connect again if you still want to.";
    KeyMismatch, "key_mismatch", 403, false, "The peer's keys do not fit its id",
        "Do not go on: compare the fingerprint with the peer's owner over another channel.";
    NameChanged, "name_changed", 403, false, "The name is somebody else's now",
        "Ask the peer's owner over another channel; then p2p contacts rebind NAME@INTRODUCER ID, or leave it.";
    PeerBlocked, "peer_blocked", 403, false, "The peer is blocked here",
        "POST /v1/contacts/{peer}/unblock first, if you want that.";
    PetnameTaken, "petname_taken", 409, false, "Another contact is called so, or looks so",
        "Choose another petname.";
    ContactNotFound, "contact_not_found", 404, false, "No such contact",
        "GET /v1/contacts lists them.";
    InviteInvalid, "invite_invalid", 422, false, "No whole invitation",
        "Copy the whole link, from p2p:j/ to its end.";
    InviteUnknown, "invite_unknown", 404, false, "No such invitation",
        "It was taken back: ask for a new link.";
    InviteExpired, "invite_expired", 410, false, "The invitation holds no more",
        "Ask for a new link.";
    InviteUsed, "invite_used", 410, false, "The invitation is used up",
        "Ask for a new link; if nobody else should have had this one, tell its maker.";
    InviteUnreachable, "invite_unreachable", 409, false, "Nobody could follow an invitation",
        "Add an introducer (p2p introducer runs one on any machine with a public address), allow direct paths, \
         or let strangers ask (strangers = ask).";
    NotKept, "not_kept", 507, true, "It cannot be written to disk",
        "Free some space in the state directory's file system, then repeat.";
    Throttled, "throttled", 429, true, "Too many requests to the introducer",
        "Wait as long as Retry-After says.";
    RequestTimedOut, "request_timed_out", 504, true, "No answer in time",
        "The peer may or may not have carried it out; ask again with a longer timeout_ms.";
    RequestCancelled, "request_cancelled", 409, true, "The request was given up here",
        "Ask again if you still want to.";
    Disconnected, "disconnected", 502, true, "The connection ended first",
        "Connect again, then repeat.";
    NoSuchService, "no_such_service", 404, false, "The peer has no such service",
        "Ask its owner which services it offers; node.hello and echo are always there.";
    ServiceRefused, "service_refused", 403, false, "The service refused",
        "Ask the peer's owner for access, or try again later.";
    ServiceFailed, "service_failed", 502, false, "The service answered with an error",
        "answer_status and answer_base64 carry what it said.";
    ServiceBusy, "service_busy", 503, true, "The peer has no room for the request",
        "Nothing was carried out; ask again later.";
    ServiceUnavailable, "service_unavailable", 503, true, "The service does not run now",
        "Nothing was carried out; ask again later.";
    ServiceBroken, "service_broken", 502, false, "The service broke off",
        "It may or may not have been carried out; ask the service's owner.";
    ServiceTimedOut, "service_timed_out", 504, false, "The service did not answer in time",
        "It may or may not have been carried out; ask the service's owner.";
    ServiceWrongKind, "service_wrong_kind", 409, false, "The service is of another kind",
        "Ask it with POST /v1/peers/{peer}/requests/{service}, or ask its owner what it speaks.";
    UpgradeNotSupported, "upgrade_not_supported", 501, false, "No WebSocket here",
        "Ask a node that runs as p2p, or reach the service through a forward.";
    UpgradeRequired, "upgrade_required", 426, false, "A WebSocket is expected here",
        "Open the path with a WebSocket client, for instance new WebSocket(URL) in a page.";
    ProxyLoop, "proxy_loop", 508, false, "The request goes round in circles",
        "Look where the applications of the services on the way send their requests.";
    HeadTooLarge, "head_too_large", 431, false, "Request head too large for a peer",
        "Send fewer or shorter header fields: 16 KiB and 100 fields pass.";
    BadFraming, "bad_framing", 400, false, "It is not clear where the body ends",
        "Send either one Content-Length or Transfer-Encoding: chunked.";
    AnswerTooLarge, "answer_too_large", 502, false, "The answer is too large",
        "It was carried out; use a stream for answers above 1,024 bytes.";
    RequestNotFound, "request_not_found", 404, false, "No such open request",
        "It was answered before, or its peer waits no longer.";
    MessageNotFound, "message_not_found", 404, false, "No such message",
        "States are kept for the newest messages of this run only.";
    ItemNotFound, "item_not_found", 404, false, "No such inbox item",
        "It was acknowledged or dropped; GET /v1/inbox lists what is there.";
    StreamNotFound, "stream_not_found", 404, false, "No such stream",
        "It ended, or the id is wrong.";
    StreamBusy, "stream_busy", 409, false, "The stream is in use",
        "One reader and one writer at a time.";
    StreamStopped, "stream_stopped", 409, false, "The peer reads no more",
        "What was sent after that is lost; agree with the peer on the end.";
    StreamNotEnded, "stream_not_ended", 409, true, "The stream has not ended",
        "Read it to its end first, then say that it was taken.";
    ServiceNotRegistered, "service_not_registered", 404, false, "Service not registered",
        "PUT /v1/services/{name} registers it.";
    TransferNotFound, "transfer_not_found", 404, false, "No such transfer",
        "GET /v1/transfers lists them.";
    TransferState, "transfer_state", 409, false, "The transfer does not stand there",
        "GET /v1/transfers/{id} tells where it stands.";
    TargetNotAllowed, "target_not_allowed", 422, false, "Not an address for services",
        "Give a port of this machine: http://127.0.0.1:PORT/path; not the node's own.";
    ForwardNotFound, "forward_not_found", 404, false, "No such forward",
        "GET /v1/forwards lists them; PUT /v1/forwards/{name} makes one.";
    ListenInUse, "listen_in_use", 409, false, "The port is in use",
        "Choose another port, or 0 for any that is free.";
    ListenRefused, "listen_refused", 422, false, "The port cannot be had",
        "Choose a port above 1023 on 127.0.0.1 or [::1], or 0 for any that is free.";
    LimitReached, "limit_reached", 503, true, "A limit is reached",
        "Wait until earlier work is done, or ask for less.";
    Busy, "busy", 503, true, "The surface is full",
        "Close unused connections, or wait as long as Retry-After says.";
    ShutDown, "shut_down", 503, false, "The node is shutting down",
        "Start the node again.";
}
