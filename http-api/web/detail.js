// One peer: how it is connected and why, and the conversation with it.

import { call, segment } from "./api.js";
import { Chat } from "./chat.js";
import { contactTools } from "./contact.js";
import { $, avatar, bytes, copy, h, icon, milliseconds, peerName, setText, toast } from "./dom.js";
import { pathBadge } from "./peers.js";
import { changed, peerOrBare, store } from "./store.js";

let view = null;
let contactChanged = () => {};

/** `onContact` hears that what a peer is to the owner was changed. */
export function startDetail(onContact) {
  contactChanged = onContact;
}

const ATTEMPT_KINDS = { host: "its own interface", server_reflexive: "seen by an introducer", peer_reflexive: "learnt from a probe" };

/** Draws the selected peer; its parts are made once per peer. */
export function renderDetail({ selected }) {
  $("app").classList.toggle("has-peer", Boolean(selected));
  $("detail-empty").hidden = Boolean(selected);
  $("peer").hidden = !selected;
  if (!selected) { view = null; return; }
  if (view?.id !== selected) view = makeView(selected);
  update(view, peerOrBare(selected), store.why.get(selected));
  view.chat.render(peerOrBare(selected));
}

function makeView(id) {
  const parts = {
    id,
    shown: "",
    face: h("span", {}),
    title: h("h1", { dir: "auto" }),
    meta: h("div", { class: "meta" }),
    actions: h("div", { class: "row" }),
    summary: h("span", {}),
    whyBody: h("div", { class: "why-body" }),
    contact: h("div", { class: "why-body" }),
    contactShown: "",
    chat: new Chat(id),
  };
  const back = h("button", { class: "icon-button back", type: "button", "aria-label": "Back to all peers",
    onclick: () => { location.hash = "#/"; } }, icon("back"));
  const chevron = h("span", { class: "chevron" }, icon("chevron"));
  parts.why = h("details", { class: "why", ontoggle: () => parts.why.open && loadWhy(id) },
    h("summary", {}, chevron, parts.summary, h("span", { class: "more" }, "Details")),
    parts.whyBody, parts.contact);
  $("peer").replaceChildren(
    h("header", { class: "peer-head" }, back, parts.face, h("div", { class: "title" }, parts.title, parts.meta), parts.actions),
    parts.why, parts.chat.log, parts.chat.form);
  loadWhy(id);
  return parts;
}

function update(parts, peer, why) {
  const picture = JSON.stringify([peer, why]);
  if (picture === parts.shown) return;
  parts.shown = picture;
  parts.face.replaceChildren(avatar(peer, true));
  setText(parts.title, peerName(peer));
  parts.meta.replaceChildren(pathBadge(peer),
    peer.state === "connected" ? h("span", {}, `${milliseconds(peer.path?.rtt_ms)} round trip`) : "",
    h("button", { class: "link-button fine", type: "button", onclick: () => copy(peer.id, "Id") }, "Copy id"));
  parts.actions.replaceChildren(action(peer));
  setText(parts.summary, why?.text ?? (peer.state === "connected" ? "Looking at the path…" : "Not connected now."));
  parts.whyBody.replaceChildren(...whyBody(peer, why));
  // Apart from the figures, which change while somebody types a name.
  const contact = JSON.stringify([peer.name, peer.name_kind, peer.trust, peer.blocked]);
  if (contact === parts.contactShown) return;
  parts.contactShown = contact;
  parts.contact.replaceChildren(peer.trust ? contactTools(peer, contactChanged) : "");
}

function action(peer) {
  if (peer.state === "connected") {
    return h("button", { class: "button small", type: "button", onclick: () => disconnect(peer.id) }, "Disconnect");
  }
  const button = h("button", { class: "button small primary", type: "button", disabled: peer.state === "connecting" },
    peer.state === "connecting" ? "Connecting…" : "Connect");
  button.addEventListener("click", () => reconnect(peer.id, button));
  return button;
}

async function disconnect(id) {
  try {
    await call("DELETE", `/v1/peers/${segment(id)}/connection`);
  } catch (problem) {
    toast(problem.message);
  }
}

async function reconnect(id, button) {
  button.disabled = true;
  setText(button, "Connecting…");
  try {
    await call("POST", `/v1/peers/${segment(id)}/connect`, { json: {} });
  } catch (problem) {
    toast(`${problem.message} ${problem.hint}`);
  } finally {
    button.disabled = false;
    setText(button, "Connect");
  }
}

/** Asks why the path is what it is. */
export async function loadWhy(id) {
  try {
    store.why.set(id, await call("GET", `/v1/peers/${segment(id)}/why`));
    changed();
  } catch {
    // The summary says what is known without it.
  }
}

function fact(name, value) {
  return value ? h("div", {}, h("dt", {}, name), h("dd", {}, value)) : null;
}

function whyBody(peer, why) {
  const path = peer.path;
  const loss = peer.sent_packets ? `${((100 * peer.lost_packets) / peer.sent_packets).toFixed(1)} %` : null;
  return [
    why?.action ? h("p", { class: "why-action" }, why.action) : "",
    h("dl", { class: "facts" },
      fact("Path", path && (path.kind === "direct" ? "Direct" : "Through a relay")),
      fact(path?.kind === "relay" ? "Relay" : "Their address", path?.remote),
      fact("Round trip", path && milliseconds(path.rtt_ms)),
      fact("Largest datagram", path && `${path.mtu_bytes} bytes`),
      fact("Sent", peer.sent_bytes ? bytes(peer.sent_bytes) : null),
      fact("Received", peer.received_bytes ? bytes(peer.received_bytes) : null),
      fact("Lost on the way", loss),
      fact("Your address outside", why?.local_observed.join(", "))),
    why?.attempts.length ? attempts(why.attempts) : "",
    peer.fingerprint.length ? h("div", {},
      h("p", { class: "fine" }, "Fingerprint: compare these words with your peer over a call to be sure whom you talk to."),
      h("ol", { class: "words" }, peer.fingerprint.map((word) => h("li", {}, word)))) : "",
  ];
}

function attempts(list) {
  const head = ["Address tried", "Where it comes from", "Probes out", "in", "Result"].map((t) => h("th", { scope: "col" }, t));
  const rows = list.map((a) => h("tr", {},
    h("td", { class: "mono" }, a.remote),
    h("td", {}, ATTEMPT_KINDS[a.kind] ?? a.kind),
    h("td", {}, String(a.probes_sent)),
    h("td", {}, String(a.probes_received)),
    h("td", {}, a.validated ? "works" : a.skipped ? `not tried: ${a.skipped}` : "no answer")));
  return h("div", { class: "table-scroll" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)));
}
