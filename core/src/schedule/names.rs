//! Names of services go before the frames that need them, in the same packet.

use super::{Content, LevelSent, SentFrame};
use crate::level::names::Names;
use crate::tag::Topic;
use crate::wire::Writer;
use crate::wire::frame::ServiceNameFrame;

/// Writes the name that `topic` needs in this packet, if any. `None`: it does not fit.
pub(super) fn announce(
    names: &mut Names,
    topic: Topic,
    w: &mut Writer<'_>,
    content: &mut Content,
) -> Option<()> {
    let Some((number, name)) = names.needed(topic) else {
        return Some(());
    };
    let name = name.as_str();
    ServiceNameFrame { number, name }.encode(w).ok()?;
    names.on_sent(number);
    content.push(SentFrame::Level(LevelSent::ServiceName(number)));
    Some(())
}
