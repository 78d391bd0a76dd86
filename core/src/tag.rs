//! What DATAGRAM, MESSAGE and STREAM say of what they carry (protocol §5.1): what it is for, and flags.

/// What something is for, as the wire says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// A number that the applications have agreed on.
    Channel(u32),
    /// A service, by the number that its sender gave to the name.
    Service(u32),
}

impl Topic {
    /// Channels are even, services odd: the small ones of both take one byte.
    #[must_use]
    pub(crate) const fn to_wire(self) -> u64 {
        match self {
            Self::Channel(number) => (number as u64) << 1,
            Self::Service(number) => (number as u64) << 1 | 1,
        }
    }

    /// `None` for what no number of 32 bits stands for.
    #[must_use]
    pub(crate) const fn from_wire(value: u64) -> Option<Self> {
        let number = value >> 1;
        if number > u32::MAX as u64 {
            return None;
        }
        Some(match value & 1 {
            0 => Self::Channel(number as u32),
            _ => Self::Service(number as u32),
        })
    }
}

/// What something is for, with flags whose meaning is the applications'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// What it is for.
    pub(crate) topic: Topic,
    /// Passed on as they are.
    pub(crate) flags: u32,
}

impl Tag {
    /// Both numbers in the order of the wire.
    #[must_use]
    pub(crate) const fn numbers(self) -> [u64; 2] {
        [self.topic.to_wire(), self.flags as u64]
    }
}

impl From<u32> for Tag {
    /// A channel without flags.
    fn from(channel: u32) -> Self {
        Self {
            topic: Topic::Channel(channel),
            flags: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protocol §5.1.
    #[test]
    fn channels_are_even_and_services_odd() {
        assert_eq!(Topic::Channel(3).to_wire(), 6);
        assert_eq!(Topic::Service(3).to_wire(), 7);
        for topic in [
            Topic::Channel(0),
            Topic::Channel(u32::MAX),
            Topic::Service(u32::MAX),
        ] {
            assert_eq!(Topic::from_wire(topic.to_wire()), Some(topic));
        }
        assert_eq!(Topic::from_wire(1 << 33), None);
    }
}
