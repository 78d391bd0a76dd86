//! The inbox and the disk: a message goes there before it is taken out of the engine, and what the disk says of it and
//! of all else that was ordered comes back here.

use bytes::Bytes;
use p2p_core::api::Engine;
use p2p_core::time::Instant;
use p2p_storage::{Change, KeptMessage};

use super::{Surface, not_kept};
use crate::inbox::{Item, ItemKind};
use crate::keeping::Arriving;
use crate::reply::WaitFor;
use crate::waiting::Waiting;

impl Surface {
    /// Puts a message that waits in the engine where messages are kept. Its sender hears of it when it is there.
    pub(super) fn on_message(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        waiting: Waiting,
        data: Bytes,
    ) {
        let label = waiting.label.clone();
        let item = self.item((now, &*node), ItemKind::Message, waiting.peer, label, data);
        if self.state.keeps_messages() {
            return self.write_message(waiting, item);
        }
        if self.admit_item(now, item).is_some() {
            let _ = node.take_message(now, waiting.peer, waiting.message);
        }
    }

    fn write_message(&mut self, waiting: Waiting, mut item: Item) {
        let state = &mut self.state;
        let number = state.keeping.next_number();
        item.kept = Some(number);
        let message = KeptMessage {
            number,
            peer: item.peer,
            is_stranger: item.stranger,
            claimed_name: state.claimed_name(&item.peer).map(ToOwned::to_owned),
            label: item.label.clone(),
            received_unix_ms: item.received_unix_ms,
            data: item.data.clone(),
        };
        if let Some(order) = state.orders.place(vec![Change::Message(message)]) {
            state.inbox.hold(&item);
            state.keeping.write(order, Arriving { waiting, item });
        }
    }

    /// Changes are on disk, or cannot be.
    pub fn handle_kept(&mut self, now: Instant, node: &mut dyn Engine, order: u64, is_kept: bool) {
        if let Some(arriving) = self.state.keeping.on_written(now, order, is_kept) {
            self.on_written(now, node, arriving, is_kept);
        } else {
            self.on_changed(now, node, order, is_kept);
        }
        self.take_waiting_messages(now, node);
        self.drive_followers(now);
    }

    fn on_written(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        Arriving { waiting, item }: Arriving,
        is_kept: bool,
    ) {
        self.state.inbox.release(&item);
        if !is_kept {
            return self.state.waiting.put_back(waiting);
        }
        let is_wanted = !self.state.contacts.is_blocked(&item.peer);
        // An error tells that its sender gave it up meanwhile.
        if is_wanted
            && node
                .take_message(now, waiting.peer, waiting.message)
                .is_ok()
        {
            let number = self.state.inbox.insert(item);
            self.announce(now, number);
        } else if let Some(number) = item.kept {
            let _ = self.state.orders.place(vec![Change::MessageDone(number)]);
        }
    }

    fn on_changed(&mut self, now: Instant, node: &mut dyn Engine, order: u64, is_kept: bool) {
        let state = &mut self.state;
        let items = state.keeping.on_deleted(order);
        if !is_kept {
            log::warn!("a change to contacts, names or the inbox cannot be kept");
            state.inbox.put_back(items);
        }
        state.contacts.on_kept(order, is_kept);
        self.on_kept_meeting(now, node, order, is_kept);
        self.on_kept_set_up(now, node, order, is_kept);
        if let Some(answer) = self.state.answers.remove(&order) {
            let answer = if is_kept { answer } else { not_kept().into() };
            self.resolve(&WaitFor::Kept(order), &answer);
        }
    }
}
