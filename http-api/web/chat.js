// The conversation with one peer: messages on channel 1, with their delivery states.

import { call, segment } from "./api.js";
import { clockTime, h, icon, peerName } from "./dom.js";
import { add, change, history } from "./history.js";
import { changed, store } from "./store.js";

export const CHAT_CHANNEL = 1;
const STATES = {
  sending: ["clock", "Sending"],
  queued: ["clock", "Queued"],
  delivered: ["checks", "Delivered"],
};
const REASONS = { timed_out: "not delivered in time", abandoned: "given up", disconnected: "connection lost, may have arrived" };

/** Log and composer of one peer. */
export class Chat {
  constructor(peer) {
    this.peer = peer;
    this.nodes = new Map();
    this.day = null;
    this.log = h("div", { class: "chat", role: "log", "aria-live": "polite", "aria-label": "Conversation", tabindex: "0" });
    this.input = h("textarea", { rows: "1", placeholder: "Write a message", "aria-label": "Message", maxlength: "100000",
      onkeydown: (event) => this.onKey(event) });
    this.form = h("form", { class: "compose", onsubmit: (event) => { event.preventDefault(); this.submit(); } },
      this.input, h("button", { class: "button primary", type: "submit" }, "Send"));
    this.empty = null;
  }

  onKey(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.submit();
    }
  }

  submit() {
    const text = this.input.value.trim();
    if (!text) return;
    this.input.value = "";
    send(this.peer, text);
  }

  /** Adds what is new and changes what has changed; what is there stays. */
  render(peer) {
    const entries = history(this.peer);
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 80;
    let grew = false;
    for (const entry of entries) {
      const picture = JSON.stringify(entry);
      const known = this.nodes.get(entry.key);
      if (known?.picture === picture) continue;
      if (known) {
        const element = bubble(this.peer, entry);
        known.element.replaceWith(element);
        this.nodes.set(entry.key, { element, picture });
        continue;
      }
      this.separateDays(entry.at);
      const element = bubble(this.peer, entry);
      this.nodes.set(entry.key, { element, picture });
      this.log.append(element);
      grew = true;
    }
    this.renderEmpty(peer, entries.length === 0);
    if (grew && (atEnd || entries.at(-1).mine)) this.log.scrollTop = this.log.scrollHeight;
  }

  separateDays(at) {
    const day = new Date(at).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
    if (day === this.day) return;
    this.day = day;
    this.log.append(h("p", { class: "day" }, day));
  }

  renderEmpty(peer, isEmpty) {
    if (!isEmpty) { this.empty?.remove(); this.empty = null; return; }
    const name = peerName(peer);
    const words = peer.state === "connected" ? `Say hello to ${name}.` : `Say hello to ${name}: the message connects by itself.`;
    if (this.empty?.dataset.words === words) return;
    this.empty?.remove();
    this.empty = h("div", { class: "chat-empty", "data-words": words }, h("strong", {}, "No messages yet"), h("p", { dir: "auto" }, words));
    this.log.append(this.empty);
  }
}

function bubble(peer, entry) {
  const failed = entry.state === "failed";
  const stamp = h("div", { class: "stamp" }, h("time", { datetime: entry.at, title: new Date(entry.at).toLocaleString() }, clockTime(entry.at)));
  if (entry.mine && failed) {
    stamp.append(icon("alert"), h("span", { class: "bad" }, entry.problem || `Failed: ${REASONS[entry.reason] ?? "unknown reason"}`),
      h("button", { class: "link-button", type: "button", onclick: () => retry(peer, entry) }, "Retry"));
  } else if (entry.mine) {
    const [name, words] = STATES[entry.state] ?? ["clock", "State unknown"];
    stamp.append(icon(name), h("span", {}, words));
  }
  return h("div", { class: `message ${entry.mine ? "mine" : "theirs"} ${failed ? "failed" : ""}` },
    h("span", { class: "visually-hidden" }, entry.mine ? "You wrote" : "They wrote"),
    h("div", { class: "bubble", dir: "auto" }, entry.text), stamp);
}

/** Sends a message and keeps its entry up to date. */
export async function send(peer, text) {
  const key = crypto.randomUUID();
  add(peer, { key, mine: true, text, at: new Date().toISOString(), state: "sending" });
  changed();
  const mine = (entry) => entry.key === key;
  try {
    if (store.peers.get(peer)?.state !== "connected") {
      await call("POST", `/v1/peers/${segment(peer)}/connect`, { json: {} });
    }
    const sent = await call("POST", `/v1/peers/${segment(peer)}/messages?channel=${CHAT_CHANNEL}`, { text });
    const open = history(peer).find(mine);
    // The event with the delivery may have been quicker than this answer.
    const early = arrived.get(sent.id);
    arrived.delete(sent.id);
    if (open) change(peer, mine, { id: sent.id, state: sent.state, ...early });
  } catch (problem) {
    change(peer, mine, { state: "failed", problem: problem.message });
  }
  changed();
}

function retry(peer, entry) {
  const list = history(peer);
  list.splice(list.indexOf(entry), 1);
  for (const element of document.querySelectorAll(".message.failed")) {
    if (element.querySelector(".bubble")?.textContent === entry.text) { element.remove(); break; }
  }
  send(peer, entry.text);
}

const arrived = new Map();

/** A message of ours was delivered or failed. */
export function onMessageState(message) {
  const values = { state: message.state, reason: message.reason };
  if (!change(message.peer, (entry) => entry.mine && entry.id === message.id, values)) {
    arrived.set(message.id, values);
    if (arrived.size > 100) arrived.delete(arrived.keys().next().value);
  }
  changed();
}

/** Puts an inbox item into the history; whether it was new. */
export function onItem(item) {
  const text = item.text ?? `Binary content, ${item.size_bytes} bytes`;
  const cut = text.length > 20_000 ? `${text.slice(0, 20_000)}…` : text;
  return add(item.peer, { key: item.id, id: item.id, mine: false, text: cut, at: item.received_at });
}

/** After a break: asks where messages stand that were on their way. */
export async function refreshStates(peer) {
  for (const entry of history(peer).filter((e) => e.mine && e.id && e.state === "queued")) {
    try {
      const message = await call("GET", `/v1/messages/${segment(entry.id)}`);
      change(peer, (e) => e.key === entry.key, { state: message.state, reason: message.reason });
    } catch (problem) {
      if (problem.status === 404) {
        change(peer, (e) => e.key === entry.key, { state: "failed", problem: "The node restarted; may have arrived" });
      }
    }
  }
  changed();
}
