//! Every setting of a node, declared once: from a row come the option on the command line, the environment variable,
//! the key in the file, what `settings` shows, and a row of docs/cli.md.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use p2p_core::api::{IntroducerAddress, Roles};
use p2p_core::limits;
use p2p_http_api::SettingValue;

use crate::options::NodeOptions;

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One value; how it is written.
    One(&'static str),
    /// Several values, on the command line one for each time the option stands or separated by commas; how one is
    /// written.
    Many(&'static str),
    /// True unless its option stands on the command line.
    Switch,
}

/// One setting.
pub struct Setting {
    /// Key in the configuration file.
    pub key: &'static str,
    /// Option on the command line, without dashes.
    pub option: &'static str,
    /// Environment variable.
    pub variable: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The default, as the user is told it.
    pub default: &'static str,
    /// What it is for, in one clause.
    pub what: &'static str,
    /// Takes values over.
    pub(super) set: fn(&mut NodeOptions, &[String]) -> Result<(), String>,
    /// What stands.
    pub(super) get: fn(&NodeOptions) -> Option<SettingValue>,
}

/// All settings, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "name",
        option: "name",
        variable: "P2P_NAME",
        kind: Kind::One("NAME"),
        default: "none: reachable by id only",
        what: "Name to register at introducers",
        set: |o, v| one(v).map(|name: String| o.name = Some(name)),
        get: |o| o.name.as_deref().map(text),
    },
    Setting {
        key: "listen",
        option: "listen",
        variable: "P2P_LISTEN",
        kind: Kind::One("ADDR:PORT"),
        default: "port 6660 on all addresses",
        what: "UDP address for peers",
        set: |o, v| address(v).map(|at| o.listen = Some(at)),
        get: |o| o.listen.map(text),
    },
    Setting {
        key: "http",
        option: "http",
        variable: "P2P_HTTP",
        kind: Kind::One("ADDR:PORT"),
        default: "127.0.0.1:8080 and [::1]:8080",
        what: "Loopback address for HTTP",
        set: |o, v| address(v).map(|at| o.http = Some(at)),
        get: |o| o.http.map(text),
    },
    Setting {
        key: "introducers",
        option: "introducer",
        variable: "P2P_INTRODUCER",
        kind: Kind::Many("p2p://ID@HOST:PORT"),
        default: "none",
        what: "Introducer to register with",
        set: |o, v| {
            let parse = |text: &String| text.parse().map_err(|e| format!("\"{text}\": {e}"));
            let found: Result<Vec<IntroducerAddress>, String> = v.iter().map(parse).collect();
            found.map(|found| o.introducers = found)
        },
        get: |o| list(&o.introducers),
    },
    Setting {
        key: "roles",
        option: "role",
        variable: "P2P_ROLE",
        kind: Kind::Many("ROLE"),
        default: "none (`p2p introducer`: all)",
        what: "What to do for others: introducer, relay, stun",
        set: |o, v| parse_roles(v).map(|roles| o.roles = roles),
        get: |o| list(&role_names(o.roles)),
    },
    Setting {
        key: "listed",
        option: "unlisted",
        variable: "P2P_LISTED",
        kind: Kind::Switch,
        default: "true",
        what: "Whether searches may list the name",
        set: |o, v| one(v).map(|on| o.listed = on),
        get: |o| Some(SettingValue::Switch(o.listed)),
    },
    Setting {
        key: "strangers",
        option: "strangers",
        variable: "P2P_STRANGERS",
        kind: Kind::One("WORD"),
        default: "public",
        what: "Peers that you never connected or wrote to: public (may connect, see the address that your introducer \
               sees), relayed (may connect, see no address), ask (may knock, you decide), refuse",
        set: |o, v| {
            let text = v.last().map_or("", String::as_str);
            let kind = text.parse().map_err(|e| format!("\"{text}\": {e}"));
            kind.map(|kind| o.strangers = kind)
        },
        get: |o| Some(text(o.strangers)),
    },
    Setting {
        key: "direct_paths",
        option: "no-direct",
        variable: "P2P_DIRECT_PATHS",
        kind: Kind::Switch,
        default: "true",
        what: "Whether direct paths are tried; otherwise peers do not learn the address, and all is relayed",
        set: |o, v| one(v).map(|on| o.direct_paths = on),
        get: |o| Some(SettingValue::Switch(o.direct_paths)),
    },
    Setting {
        key: "local_forwards",
        option: "open-forwards",
        variable: "P2P_LOCAL_FORWARDS",
        kind: Kind::Switch,
        default: "true",
        what: "Whether forwards listen on loopback only; otherwise where they are told to, and the network around \
               reaches your peers' services through them",
        set: |o, v| one(v).map(|on| o.local_forwards = on),
        get: |o| Some(SettingValue::Switch(o.local_forwards)),
    },
    Setting {
        key: "network",
        option: "network",
        variable: "P2P_NETWORK",
        kind: Kind::One("LABEL"),
        default: "p2p",
        what: "Nodes of different networks never meet",
        set: |o, v| one(v).map(|label: String| o.network = Some(label)),
        get: |o| o.network.as_deref().map(text),
    },
    Setting {
        key: "inbox",
        option: "inbox",
        variable: "P2P_INBOX",
        kind: Kind::One("WORD"),
        default: "disk (`p2p-mini`: memory)",
        what: "Where received messages are until they are acknowledged: disk (a message is told to be delivered once \
               it is synced there) or memory (they end with the node)",
        set: |o, v| {
            let text = v.last().map_or("", String::as_str);
            let place = text.parse().map_err(|must| format!("\"{text}\" {must}"));
            place.map(|place| o.inbox = Some(place))
        },
        get: |o| o.inbox.map(|place| text(place.word())),
    },
    Setting {
        key: "congestion",
        option: "congestion",
        variable: "P2P_CONGESTION",
        kind: Kind::One("NAME"),
        default: "cubic",
        what: "Congestion control of every path: bbr, cubic or newreno",
        set: |o, v| {
            let text = v.last().map_or("", String::as_str);
            let kind = text.parse().map_err(|e| format!("\"{text}\": {e}"));
            kind.map(|kind| o.congestion = kind)
        },
        get: |o| Some(text(o.congestion)),
    },
    Setting {
        key: "receive_budget_bytes",
        option: "receive-budget",
        variable: "P2P_RECEIVE_BUDGET_BYTES",
        kind: Kind::One("BYTES"),
        default: "268435456",
        what: "Bytes received and not taken, over all peers; may only be lowered",
        set: |o, v| {
            number(v, 1 << 20, limits::RECEIVE_BUDGET_BYTES).map(|n| o.receive_budget_bytes = n)
        },
        get: |o| amount(o.receive_budget_bytes),
    },
    Setting {
        key: "send_budget_bytes",
        option: "send-budget",
        variable: "P2P_SEND_BUDGET_BYTES",
        kind: Kind::One("BYTES"),
        default: "268435456",
        what: "Bytes written and not acknowledged, over all peers; may only be lowered",
        set: |o, v| number(v, 1 << 20, limits::SEND_BUDGET_BYTES).map(|n| o.send_budget_bytes = n),
        get: |o| amount(o.send_budget_bytes),
    },
    Setting {
        key: "registrations",
        option: "registrations",
        variable: "P2P_REGISTRATIONS",
        kind: Kind::One("NUMBER"),
        default: "1000000",
        what: "Identities registered here at once",
        set: |o, v| number(v, 0, 100_000_000).map(|n| o.operator.registrations = n),
        get: |o| amount(o.operator.registrations),
    },
    Setting {
        key: "registrations_per_source",
        option: "registrations-per-source",
        variable: "P2P_REGISTRATIONS_PER_SOURCE",
        kind: Kind::One("NUMBER"),
        default: "64",
        what: "Identities registered here from one IPv4 address or IPv6 /64",
        set: |o, v| number(v, 1, 1_000_000).map(|n| o.operator.registrations_per_source = n),
        get: |o| amount(o.operator.registrations_per_source),
    },
    Setting {
        key: "searches_per_minute",
        option: "searches-per-minute",
        variable: "P2P_SEARCHES_PER_MINUTE",
        kind: Kind::One("NUMBER"),
        default: "10",
        what: "Searches a minute that a peer may ask of this introducer",
        set: |o, v| number(v, 1, 1_000_000).map(|n| o.operator.searches_per_minute = n),
        get: |o| amount(o.operator.searches_per_minute),
    },
    Setting {
        key: "connects_per_minute",
        option: "connects-per-minute",
        variable: "P2P_CONNECTS_PER_MINUTE",
        kind: Kind::One("NUMBER"),
        default: "30",
        what: "Connections a minute that a peer may ask of this introducer",
        set: |o, v| number(v, 1, 1_000_000).map(|n| o.operator.connects_per_minute = n),
        get: |o| amount(o.operator.connects_per_minute),
    },
    Setting {
        key: "connects_to_target_per_minute",
        option: "connects-to-target-per-minute",
        variable: "P2P_CONNECTS_TO_TARGET_PER_MINUTE",
        kind: Kind::One("NUMBER"),
        default: "60",
        what: "Connections a minute to one peer that may be asked of this introducer",
        set: |o, v| number(v, 1, 1_000_000).map(|n| o.operator.connects_to_target_per_minute = n),
        get: |o| amount(o.operator.connects_to_target_per_minute),
    },
    Setting {
        key: "relay_channels",
        option: "relay-channels",
        variable: "P2P_RELAY_CHANNELS",
        kind: Kind::One("NUMBER"),
        default: "65536",
        what: "Pairs of peers relayed at once",
        set: |o, v| number(v, 0, 16_777_216).map(|n| o.operator.relay_channels = n),
        get: |o| amount(o.operator.relay_channels),
    },
    Setting {
        key: "relay_channels_per_peer",
        option: "relay-channels-per-peer",
        variable: "P2P_RELAY_CHANNELS_PER_PEER",
        kind: Kind::One("NUMBER"),
        default: "128",
        what: "Pairs relayed at once that one peer is in",
        set: |o, v| number(v, 1, 1_000_000).map(|n| o.operator.relay_channels_per_peer = n),
        get: |o| amount(o.operator.relay_channels_per_peer),
    },
    Setting {
        key: "relay_bytes_per_s",
        option: "relay-rate",
        variable: "P2P_RELAY_BYTES_PER_S",
        kind: Kind::One("BYTES"),
        default: "1048576",
        what: "Bytes a second relayed for a pair of peers, each way",
        set: |o, v| number(v, 1_024, 1 << 40).map(|n| o.operator.relay_bytes_per_s = n),
        get: |o| amount(o.operator.relay_bytes_per_s),
    },
    Setting {
        key: "record",
        option: "record",
        variable: "P2P_RECORD",
        kind: Kind::One("FILE"),
        default: "nothing is recorded",
        what: "New file that takes down all that the node is told, secret keys included",
        set: |o, v| one(v).map(|path: PathBuf| o.record = Some(path)),
        get: |o| o.record.as_ref().map(|path| text(path.display())),
    },
];

/// The one value. Where a setting is given twice in one place, the last holds.
fn one<T: FromStr>(values: &[String]) -> Result<T, String> {
    let text = values.last().map_or("", String::as_str);
    text.parse()
        .map_err(|_| format!("\"{text}\" is not {}", expected::<T>()))
}

fn expected<T>() -> &'static str {
    if std::any::type_name::<T>() == "bool" {
        "true or false"
    } else {
        "such a value"
    }
}

fn address(values: &[String]) -> Result<std::net::SocketAddr, String> {
    let text = values.last().map_or("", String::as_str);
    text.parse()
        .map_err(|_| format!("\"{text}\" is no address and port, such as 127.0.0.1:6660"))
}

fn number<T>(values: &[String], least: T, most: T) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    let text = values.last().map_or("", String::as_str);
    match text.replace('_', "").parse() {
        Ok(n) if n >= least && n <= most => Ok(n),
        _ => Err(format!("\"{text}\" is not a number from {least} to {most}")),
    }
}

fn list(items: &[impl ToString]) -> Option<SettingValue> {
    let texts: Vec<_> = items.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then_some(SettingValue::List(texts))
}

fn text(value: impl ToString) -> SettingValue {
    SettingValue::Text(value.to_string())
}

/// A number that was read from a setting; all of them fit.
fn amount(number: impl TryInto<u64>) -> Option<SettingValue> {
    number.try_into().ok().map(SettingValue::Number)
}

fn parse_roles(names: &[String]) -> Result<Roles, String> {
    let mut roles = Roles::default();
    for name in names {
        match name.as_str() {
            "introducer" => roles.introducer = true,
            "relay" => roles.relay = true,
            "stun" => roles.stun = true,
            _ => return Err(format!("\"{name}\" is no role: introducer, relay or stun")),
        }
    }
    Ok(roles)
}

fn role_names(roles: Roles) -> Vec<&'static str> {
    let all = [
        (roles.introducer, "introducer"),
        (roles.relay, "relay"),
        (roles.stun, "stun"),
    ];
    all.iter().filter(|(on, _)| *on).map(|(_, n)| *n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use p2p_core::api::OperatorLimits;

    #[test]
    fn the_engine_has_the_documented_defaults() {
        let defaults = NodeOptions::default();
        assert_eq!(defaults.operator, OperatorLimits::default());
        for setting in SETTINGS {
            if let Some(shown) = (setting.get)(&defaults) {
                assert_eq!(shown.to_string(), setting.default, "{}", setting.key);
            }
        }
    }

    #[test]
    fn names_are_unique_and_follow_one_rule() {
        for (i, setting) in SETTINGS.iter().enumerate() {
            let others = &SETTINGS[i + 1..];
            let same = |o: &&Setting| {
                o.key == setting.key || o.option == setting.option || o.variable == setting.variable
            };
            assert!(others.iter().find(same).is_none(), "{}", setting.key);
            let of_key = format!("P2P_{}", setting.key.to_uppercase());
            let of_option = format!("P2P_{}", setting.option.to_uppercase());
            assert!(
                [of_key, of_option].contains(&setting.variable.to_owned()),
                "{}",
                setting.variable
            );
        }
    }

    #[test]
    fn what_is_set_is_shown() {
        let id = p2p_core::id::NodeId::from_bytes([9; 32]);
        let introducer = format!("p2p://{id}@192.0.2.1:6660");
        for (key, value) in [
            ("name", "ada"),
            ("listen", "127.0.0.1:1"),
            ("http", "127.0.0.1:2"),
            ("introducers", &introducer),
            ("roles", "introducer"),
            ("listed", "false"),
            ("network", "lab"),
            ("inbox", "memory"),
            ("congestion", "newreno"),
            ("relay_bytes_per_s", "2048"),
            ("registrations", "3"),
        ] {
            let setting = SETTINGS.iter().find(|s| s.key == key).expect("a setting");
            let mut options = NodeOptions::default();
            (setting.set)(&mut options, &[value.to_owned()]).expect("a good value");
            let shown = (setting.get)(&options).map(|shown| shown.to_string());
            assert_eq!(shown.as_deref(), Some(value), "{key}");
        }
    }
}
