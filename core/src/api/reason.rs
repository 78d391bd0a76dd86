//! Reasons as types, each with the words that a user reads.

use core::fmt;

macro_rules! reasons {
    ($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $reason:ident: $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$of])* $reason,)*
        }

        impl $name {
            /// In words for a user.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$reason => $text,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.text())
            }
        }
    };
}

reasons! {
    /// Why an introducer refuses a registration (protocol §6.3).
    RegistrationRefusal {
        /// Another key took the name first.
        NameTaken: "the name belongs to another key",
        /// It holds as many registrations as it may.
        Full: "the introducer is full",
        /// It was asked too often.
        Throttled: "too many attempts",
        /// It does not have the role.
        NoIntroducer: "the node is no introducer",
        /// It finds the registration malformed.
        Malformed: "the introducer does not understand the registration",
        /// It does not say.
        Unspecified: "the introducer refused",
    }
}

reasons! {
    /// Why an address of a peer is not tried (protocol §9.3).
    CandidateRefusal {
        /// Ports of system services are left alone.
        LowPort: "port below 1024",
        /// It is this node's own.
        Own: "own address",
        /// It stands for no host.
        Unspecified: "unspecified address",
        /// It stands for many hosts.
        Multicast: "multicast address",
        /// It stands for all hosts of a network.
        Broadcast: "broadcast address",
        /// It is not assigned.
        Reserved: "reserved address",
        /// The loopback of another host.
        ForeignLoopback: "loopback address of another host",
        /// Only hosts of its own link reach it.
        ForeignLink: "link-local address of another link",
        /// Only hosts of its own network reach it.
        ForeignNetwork: "private address of another network",
        /// Trying it would show a stranger an address of ours that its introducer does not see.
        Stranger: "would show a stranger another address of ours",
        /// The peer names more new addresses than a peer may.
        TooMany: "too many new addresses",
        /// As many paths as there may be are known.
        NoRoom: "no room",
        /// The setting says so.
        SwitchedOff: "direct paths are switched off",
        /// It came through a relay channel that is not known.
        UnknownChannel: "unknown relay channel",
    }
}
