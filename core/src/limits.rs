//! Every bound of the engine: name, value, unit, reason. No peer changes one. Configuration sets those that are a
//! node's own affair: what it grants as introducer and relay, either way ([`crate::api::OperatorLimits`]), and the
//! bytes it holds over all peers, downwards ([`crate::api::NodeConfig`]).

use core::time::Duration;

// --- wire -----------------------------------------------------------------------------------------------------

/// Largest datagram every path must carry, bytes of UDP payload: RFC 9000 §14 chose it for the same reason.
pub const BASE_DATAGRAM_BYTES: usize = 1_200;
/// Largest datagram the engine builds, bytes of UDP payload: 1,500 less IPv6 and UDP headers.
pub const MAX_DATAGRAM_BYTES: usize = 1_452;
/// Largest control message, bytes of JSON (protocol §5).
pub const CONTROL_BYTES: usize = 1_100;
/// Deepest nesting of a control message.
pub const CONTROL_DEPTH: usize = 8;
/// Largest body of a datagram, bytes; fits the base datagram through a relay.
pub const DATAGRAM_BODY_BYTES: usize = 1_080;
/// Largest body of a request or answer, bytes; fits the base datagram through a relay.
pub const REQUEST_BODY_BYTES: usize = 1_024;
/// Longest service name, bytes of UTF-8.
pub const SERVICE_NAME_BYTES: usize = 48;
/// Names of services that each side may use in an association; both remember each. Every packet that carries data of
/// a name that is not known to have arrived carries the name too.
pub const SERVICE_NAMES: usize = 128;
/// Most times that a request may be handed on to a third node.
pub const FORWARD_BUDGET: u8 = 3;
/// Longest registered name, bytes of UTF-8.
pub const NAME_BYTES: usize = 64;
/// Longest reason in CLOSE, bytes of UTF-8: a clause for a human, not a transcript.
pub const CLOSE_REASON_BYTES: usize = 64;
/// Longest cursor of a search, bytes of UTF-8: room for a name and a node id, the last entry of a page.
pub const CURSOR_BYTES: usize = 128;
/// Shortest search, characters: shorter prefixes would enumerate the directory.
pub const SEARCH_CHARACTERS_MIN: usize = 3;
/// Most entries on a page of search results.
pub const SEARCH_PAGE: usize = 20;
/// Most ranges in one acknowledgement; older ones are forgotten, which costs a retransmission at worst.
pub const ACK_RANGES: usize = 64;
/// Segments in one batch: what the kernel takes in one segmentation-offload call.
pub const BATCH_SEGMENTS: usize = 64;
/// Bytes in one batch: an IPv4 datagram's payload before segmentation.
pub const BATCH_BYTES: usize = 65_507;

// --- recovery ---------------------------------------------------------------------------------------------------

/// Longest wait before a lone acknowledgement (protocol §7); both ends count on it in their probe timeouts.
pub const MAX_ACK_DELAY: Duration = Duration::from_millis(10);
/// Ack-eliciting packets that call for an acknowledgement, unless the receiver is told otherwise (RFC 9000 §13.2.2).
pub const ACK_THRESHOLD: u32 = 2;
/// Round-trip time assumed before the first sample (RFC 9002 §6.2.2).
pub const INITIAL_RTT: Duration = Duration::from_millis(333);
/// Longest interval between probe timeouts, unless that is once doubled already: doubling further would only delay the
/// news that a path is back, and one packet a second is no load.
pub const PROBE_TIMEOUT_MAX: Duration = Duration::from_secs(1);
/// Lost packets remembered so that a late acknowledgement shows the loss as spurious.
pub const LOSSES_REMEMBERED: usize = 512;

// --- handshake and sessions -------------------------------------------------------------------------------------

/// Half-open handshakes kept at once that begin an association, over all sources. Beyond half of them, cookies are
/// asked for.
pub const PROVISIONAL_SESSIONS: usize = 1_024;
/// The same for those that go on with a live association: one for each peer, and with room of their own.
pub const PROVISIONAL_RESUMED_SESSIONS: usize = 8_192;
/// Half-open handshakes of one source: what its budget lets it begin in their life.
pub const PROVISIONAL_PER_SOURCE: usize = 64;
/// Half-open handshakes of one IPv6 /48.
pub const PROVISIONAL_PER_NETWORK: usize = 128;
/// Life of a half-open handshake.
pub const PROVISIONAL_LIFE: Duration = Duration::from_secs(5);
/// First repetition of a handshake datagram; doubles each time.
pub const HANDSHAKE_RETRY: Duration = Duration::from_millis(250);
/// Longest pause between repetitions of a handshake datagram.
pub const HANDSHAKE_RETRY_MAX: Duration = Duration::from_secs(1);
/// Age at which the initiator of a session replaces it.
pub const REKEY_AFTER: Duration = Duration::from_secs(120);
/// Age at which a session that carried data stops opening and sealing.
pub const SESSION_LIFE: Duration = Duration::from_secs(180);
/// How much later than its initiator the other side replaces a session.
pub const RESPONDER_REKEY_DELAY: Duration = Duration::from_secs(30);
/// Age at which a session that carried only control is replaced; its keys step every `REKEY_AFTER` until then.
pub const CONTROL_SESSION_REKEY_AFTER: Duration = Duration::from_secs(3 * 3_600);
/// Age at which a session that carried only control stops opening and sealing.
pub const CONTROL_SESSION_LIFE: Duration = Duration::from_secs(3 * 3_600 + 60);
/// Bytes after which a session is replaced.
pub const REKEY_AFTER_BYTES: u64 = 1 << 40;
/// Packets after which a session is replaced.
pub const REKEY_AFTER_PACKETS: u64 = 1 << 48;
/// Packets that fail to open before a session is replaced: half of what an AEAD's integrity bound allows.
pub const FORGERIES_REKEY: u64 = 1 << 35;
/// Packets that fail to open before a session ends (RFC 9001 §6.6).
pub const FORGERIES_MAX: u64 = 1 << 36;
/// How long the keys of a past key phase open reordered packets.
pub const PREVIOUS_PHASE_LIFE: Duration = Duration::from_secs(5);
/// Life of a half-open handshake that goes on with a live association: as long as that may stay silent, because
/// its initiator, who seals with the new keys already, would lose the association with it.
pub const PROVISIONAL_RESUMED_LIFE: Duration = Duration::from_secs(60);
/// Key records remembered as verified; a forgotten one costs a signature check.
pub const VERIFIED_RECORDS: usize = 4_096;
/// Handshake packets a second from one source (IPv4 /32, IPv6 /64).
pub const HANDSHAKES_PER_SOURCE_PER_S: u32 = 20;
/// Handshake packets at once from one source.
pub const HANDSHAKES_PER_SOURCE_BURST: u32 = 20;
/// Handshakes computed a second for strangers before cookies are demanded of all.
pub const HANDSHAKES_BEFORE_COOKIES_PER_S: u32 = 1_000;
/// Handshakes computed a second for all that showed a cookie: about a quarter of a core.
pub const HANDSHAKES_VALIDATED_PER_S: u32 = 2_000;
/// Handshakes a second of one network that showed cookies (IPv4 /32, IPv6 /48).
pub const HANDSHAKES_PER_NETWORK_PER_S: u32 = 100;
/// Handshakes a second of one network that come before those of busier ones.
pub const HANDSHAKES_MODEST_PER_S: u32 = 4;
/// Handshakes computed a second for datagrams that came through relays, where cookies prove nothing.
pub const HANDSHAKES_RELAYED_PER_S: u32 = 100;
/// Slots of the table that meters unauthenticated sources; 64 bytes each at most.
pub const SOURCE_SLOTS: usize = 65_536;
/// Life of the secret behind cookies.
pub const COOKIE_SECRET_LIFE: Duration = Duration::from_secs(120);
/// Stateless resets a second.
pub const RESETS_PER_S: u32 = 200;
/// Stateless resets a second to one source (IPv4 /32, IPv6 /48).
pub const RESETS_PER_SOURCE_PER_S: u32 = 10;
/// Packet numbers remembered behind the newest (RFC 6479).
pub const REPLAY_WINDOW: u64 = 8_192;

// --- peers ------------------------------------------------------------------------------------------------------

/// Streams open at once that one side opened.
pub const STREAMS_PER_PEER: u64 = 256;
/// Requests of one peer waiting for an answer.
pub const REQUESTS_PER_PEER: usize = 64;
/// Answers kept to repeat them.
pub const REPLY_CACHE: usize = 256;
/// How long an answer is kept to repeat it; longer than any request's deadline.
pub const REPLY_LIFE: Duration = Duration::from_secs(60);
/// References kept after their answer was acknowledged, against late copies; older ones are told by packet number.
pub const REQUESTS_SETTLED: usize = 16_384;
/// Longest deadline of a request.
pub const REQUEST_DEADLINE_MAX: Duration = Duration::from_secs(50);
/// Bytes a stream may be ahead of its reader, at first; grows with bandwidth and delay.
pub const STREAM_WINDOW_BYTES: u64 = 1 << 20;
/// Bytes a stream may ever be ahead of its reader: 1 Gbit/s over 100 ms, twice and a half.
pub const STREAM_WINDOW_MAX_BYTES: u64 = 32 << 20;
/// Bytes all streams of a peer together may be ahead of their readers, at first; grows with bandwidth and delay.
pub const STREAMS_WINDOW_BYTES: u64 = 4 << 20;
/// Bytes all streams of a peer together may ever be ahead of their readers: the largest stream and half of it.
pub const STREAMS_WINDOW_MAX_BYTES: u64 = 48 << 20;
/// Bytes written but not yet acknowledged, per stream, before `WriteStream` takes no more; twice what is under way
/// where that is more.
pub const STREAM_SEND_BUFFER_BYTES: u64 = 2 << 20;
/// Bytes that a stream takes even where the node's send budget is used up, so that it goes on.
pub const STREAM_SEND_BUFFER_LEAST_BYTES: u64 = 256 << 10;
/// Bytes written but not yet acknowledged that one stream ever holds.
pub const STREAM_SEND_BUFFER_MAX_BYTES: u64 = 32 << 20;
/// Bytes received and not taken by the application, over all peers of a node; what comes beyond is not acknowledged.
pub const RECEIVE_BUDGET_BYTES: u64 = 256 << 20;
/// Bytes of streams, and as many of messages, that a peer may have waiting even where the receive budget is used up.
pub const RECEIVE_LEAST_BYTES: u64 = 64 << 10;
/// Bytes written and not acknowledged, over all peers of a node.
pub const SEND_BUDGET_BYTES: u64 = 256 << 20;
/// Gaps kept in one reassembly; more are not acknowledged into it but dropped, never fatal.
pub const REASSEMBLY_GAPS: usize = 256;
/// Largest message.
pub const MESSAGE_BYTES: usize = 16 << 20;
/// Bytes of messages begun but not taken, per peer and direction, at first; grows with bandwidth and delay.
pub const MESSAGE_WINDOW_BYTES: u64 = 16 << 20;
/// Bytes of messages that may ever be begun but not taken, per peer and direction.
pub const MESSAGE_WINDOW_MAX_BYTES: u64 = 48 << 20;
/// Bytes granted above `MESSAGE_WINDOW_BYTES`, so that small credits need not be told one by one.
pub const MESSAGE_WINDOW_SLACK_BYTES: u64 = 1 << 20;
/// Messages begun but not taken, per peer and direction.
pub const MESSAGES_IN_FLIGHT: usize = 1_024;
/// How long an incomplete message may make no progress.
pub const MESSAGE_PARTIAL_LIFE: Duration = Duration::from_secs(30);
/// Datagrams waiting to be sent; the oldest goes first when one more comes.
pub const DATAGRAM_QUEUE: usize = 1_024;
/// Largest key of a latest value, bytes.
pub const LATEST_KEY_BYTES: usize = 48;
/// Largest latest value, bytes; with the largest key it fits the base datagram through a relay.
pub const LATEST_VALUE_BYTES: usize = 1_024;
/// Keys of latest values in each direction of an association; both sides remember one number for each.
pub const LATEST_KEYS: usize = 256;
/// Bytes of datagrams waiting to be sent.
pub const DATAGRAM_QUEUE_BYTES: usize = 1 << 20;
/// Control messages a second from one peer.
pub const CONTROLS_PER_S: u32 = 100;
/// Control messages without an answer waiting to be sent to one peer; the oldest goes first.
pub const CONTROLS_QUEUED: usize = 16;
/// Control messages at once from one peer.
pub const CONTROLS_BURST: u32 = 200;

// --- paths ------------------------------------------------------------------------------------------------------

/// Links of a node: sockets that its driver has opened.
pub const LINKS: usize = 16;
/// Candidates taken from one peer.
pub const CANDIDATES: usize = 8;
/// Probes to one candidate in one round.
pub const PROBES_PER_CANDIDATE: u32 = 10;
/// Probes a minute to unvalidated addresses, over all peers of a node.
pub const PROBES_PER_MINUTE: u32 = 4_096;
/// Bytes sent to an unvalidated address for each byte from it (RFC 9000 §8).
pub const AMPLIFICATION: u64 = 3;
/// Quiet time before a keep-alive.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Time without anything but signs of life after which a peer is put to rest: longer than the pauses within a
/// conversation, because waking costs a key schedule for each direction and slow start.
pub const REST_AFTER: Duration = Duration::from_secs(5);
/// The same where nothing but control was ever said, as between most nodes and their introducer.
pub const CONTROL_REST_AFTER: Duration = Duration::from_secs(1);
/// Quiet time (nothing received) before a path must prove itself again (RFC 7675).
pub const CONSENT_AFTER: Duration = Duration::from_secs(15);
/// Quiet time after which a connection is over.
pub const PEER_TIMEOUT: Duration = Duration::from_secs(60);

/// Sessions that others began and the owner did not ask for, at a node that is no introducer; an introducer has as many
/// more as it has registrations.
pub const GUESTS: usize = 4_096;
/// Sessions of one IPv6 /48 that others began.
pub const SESSIONS_PER_NETWORK: usize = 1_024;
/// How long a session with an introducer stands without a registration.
pub const UNREGISTERED_LIFE: Duration = Duration::from_secs(10);
/// Sessions at an introducer whose time to register runs; where there are more, that of the oldest is over.
pub const UNREGISTERED_SESSIONS: usize = 4_096;

// --- introducer and relay ---------------------------------------------------------------------------------------

/// Life of a registration unless renewed.
pub const REGISTRATION_LIFE: Duration = Duration::from_secs(60);
/// Time during which a name stays its owner's after the registration ended.
pub const NAME_GRACE: Duration = Duration::from_secs(300);
/// Registrations held by one introducer.
pub const REGISTRATIONS: usize = 1_000_000;
/// Names of one identity at one introducer.
pub const NAMES_PER_KEY: usize = 8;
/// Registered identities behind one address (IPv4 /32, IPv6 /64).
pub const KEYS_PER_SOURCE: usize = 64;
/// Searches a minute by one peer.
pub const SEARCHES_PER_MINUTE: u32 = 10;
/// Searches at once by one peer.
pub const SEARCH_BURST: u32 = 20;
/// Connect orders a minute by one requester.
pub const CONNECTS_PER_MINUTE: u32 = 30;
/// Connect orders a minute towards one target.
pub const CONNECTS_TO_TARGET_PER_MINUTE: u32 = 60;
/// Connect orders a minute by one source; a source has many keys.
pub const CONNECTS_PER_SOURCE_PER_MINUTE: u32 = 120;
/// Connect orders a minute towards one target with which a source counts as asking for little: half of the target's
/// budget is for such sources alone.
pub const CONNECTS_MODEST_PER_MINUTE: u32 = 6;
/// Relay channels open at once.
pub const RELAY_CHANNELS: usize = 65_536;
/// Relay channels of one peer.
pub const RELAY_CHANNELS_PER_PEER: usize = 128;
/// Relay channels of one requester to one target; the newest stay.
pub const RELAY_CHANNELS_PER_PAIR: usize = 2;
/// Relay channels to one target from one source (IPv4 /32, IPv6 /64).
pub const RELAY_CHANNELS_TO_TARGET_PER_SOURCE: usize = 16;
/// Relay channels from one source; four times as many from an IPv6 /48.
pub const RELAY_CHANNELS_PER_SOURCE: usize = 512;
/// Time after which a relay channel ends whose target has not answered.
pub const RELAY_UNANSWERED_LIFE: Duration = Duration::from_secs(10);
/// Quiet time after which a relay channel ends.
pub const RELAY_CHANNEL_LIFE: Duration = Duration::from_secs(120);
/// Bytes a second through one relay channel, each direction.
pub const RELAY_BYTES_PER_S: u64 = 1 << 20;
/// Bytes at once through one relay channel.
pub const RELAY_BURST_BYTES: u64 = 4 << 20;
/// STUN answers a second.
pub const STUN_PER_S: u32 = 1_000;
/// Relayed datagrams of one batch waiting for their turn.
pub const RELAYED_WAITING: usize = 16_384;
/// Events waiting for the application before datagrams, measurements and news of paths are left out.
pub const EVENTS_WAITING: usize = 8_192;
/// Bytes waiting to be forwarded to one peer; more is dropped, as a router would.
pub const RELAY_QUEUE_BYTES: usize = 256 << 10;
/// Round-trip measurements waiting to be sent to one peer.
pub const PINGS_QUEUED: u32 = 16;
/// How long a call (handshake of ours) is repeated before the peer counts as unreachable.
pub const HANDSHAKE_LIFE: Duration = Duration::from_secs(12);
/// How long a control request is repeated before it counts as failed.
pub const CONTROL_LIFE: Duration = Duration::from_secs(10);
/// Life that we ask for a name, seconds.
pub const NAME_LIFE_S: u32 = 600;
/// Peers that the owner has blocked.
pub const BLOCKED: usize = 10_000;
/// Peers kept in memory that are not connected any more.
pub const PEERS_REMEMBERED: usize = 4_096;

/// Strangers that the owner hears of within a minute where they may only knock.
pub const KNOCKS_A_MINUTE: usize = 64;
