// The list of peers, and the search that fills it.

import { call, segment } from "./api.js";
import { $, avatar, h, icon, milliseconds, peerName, setText, shortId } from "./dom.js";
import { history } from "./history.js";
import { store } from "./store.js";

const rows = new Map();
let select = () => {};
let connected = () => {};

/** A badge that tells the path in a symbol and a word. */
export function pathBadge(peer) {
  const [name, word, title] = badgeWords(peer);
  return h("span", { class: `badge ${name}`, title }, icon(name), word);
}

function badgeWords(peer) {
  if (peer.state === "connecting") return ["wait", "Connecting", "An introduction or a handshake is under way"];
  if (peer.state !== "connected" || !peer.path) return ["off", "Offline", "Not connected now"];
  if (peer.path.kind === "direct") return ["direct", "Direct", "Straight to the peer, nobody in between"];
  return ["relay", "Relay", "Through a relay, sealed end to end"];
}

function rank(peer) {
  return { connected: 0, connecting: 1 }[peer.state] ?? 2;
}

export function renderPeers({ peers, selected, unread }) {
  const list = [...peers.values()].sort((a, b) => rank(a) - rank(b) || peerName(a).localeCompare(peerName(b)));
  setText($("peers-count"), list.length ? String(list.length) : "");
  $("peers-empty").hidden = list.length > 0;
  for (const [id, row] of rows) {
    if (!peers.has(id)) { row.item.remove(); rows.delete(id); }
  }
  list.forEach((peer, at) => {
    let row = rows.get(peer.id);
    if (!row) { row = makeRow(peer.id); rows.set(peer.id, row); }
    updateRow(row, peer, peer.id === selected, unread.get(peer.id) ?? 0);
    if ($("peers").children[at] !== row.item) $("peers").insertBefore(row.item, $("peers").children[at] ?? null);
  });
}

function makeRow(id) {
  const face = h("span", {});
  const name = h("span", { class: "name", dir: "auto" });
  const sub = h("span", { class: "sub", dir: "auto" });
  const info = h("span", { class: "side-info" });
  const button = h("button", { class: "peer-item", type: "button", onclick: () => select(id) },
    face, h("span", { class: "who" }, name, sub), info);
  return { item: h("li", {}, button), button, face, name, sub, info, shown: "" };
}

function updateRow(row, peer, isSelected, unread) {
  const last = history(peer.id).at(-1);
  const bare = peer.name ? shortId(peer.id) : peer.fingerprint.slice(0, 3).join(" ");
  const preview = last ? `${last.mine ? "You: " : ""}${last.text}` : bare;
  const rtt = peer.state === "connected" ? milliseconds(peer.path?.rtt_ms) : "";
  const picture = JSON.stringify([peer.name, peer.name_kind, peer.state, peer.path?.kind, rtt, preview.slice(0, 80), isSelected, unread]);
  if (row.shown === picture) return;
  row.shown = picture;
  row.button.setAttribute("aria-current", String(isSelected));
  row.face.replaceChildren(avatar(peer));
  setText(row.name, peerName(peer));
  setText(row.sub, preview.slice(0, 80));
  row.info.replaceChildren(pathBadge(peer),
    unread ? h("span", { class: "unread", "aria-label": `${unread} unread` }, String(unread)) : h("span", {}, rtt));
}

/** Wires the search; `onSelect` shows a peer, `onConnected` hears of a new connection. */
export function startPeers(onSelect, onConnected) {
  select = onSelect;
  connected = onConnected;
  $("search-icon").append(icon("search"));
  $("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    search($("search-input").value.trim());
  });
  $("search-input").addEventListener("input", () => {
    if (!$("search-input").value) { status(""); $("search-results").replaceChildren(); }
  });
}

function status(text, bad = false) {
  setText($("search-status"), text);
  $("search-status").classList.toggle("error", bad);
}

async function search(text) {
  $("search-results").replaceChildren();
  if (!text) return status("");
  if (text.length === 52 && /^[a-z0-9]+$/.test(text)) {
    status("This is an id: it can be connected to as it is.");
    return offer([{ id: text, name: null }]);
  }
  if (text.includes("@")) {
    status("A name at an introducer: it can be connected to as it is.");
    return offer([{ id: text, name: text }]);
  }
  if ([...text].length < 3) return status("Type three characters or more.");
  status("Asking introducers…");
  try {
    const found = await call("GET", `/v1/search?q=${segment(text)}`);
    status(found.items.length
      ? `${found.items.length}${found.next ? "+" : ""} found`
      : "Nobody registered a name that begins so. Check the spelling, or ask for the id.");
    offer(found.items);
  } catch (problem) {
    const wait = problem.retryAfterMs ? ` Again in ${Math.ceil(problem.retryAfterMs / 1000)} s.` : ` ${problem.hint}`;
    status(problem.message + wait, true);
  }
}

function offer(items) {
  $("search-results").replaceChildren(...items.map((item) => {
    const known = store.peers.get(item.id);
    const button = h("button", { class: "button small primary", type: "button" },
      known?.state === "connected" ? "Open" : "Connect");
    button.addEventListener("click", () => (known?.state === "connected" ? select(item.id) : connect(item, button)));
    return h("li", {}, avatar(item),
      h("span", { class: "who" },
        h("span", { class: "name", dir: "auto" }, item.name || shortId(item.id)),
        h("span", { class: "sub", title: item.fingerprint?.join(" ") }, item.fingerprint?.slice(0, 3).join(" ") || "")),
      button);
  }));
}

async function connect(item, button) {
  button.disabled = true;
  setText(button, "Connecting…");
  try {
    const via = item.introducer ? { introducer: item.introducer } : {};
    const done = await call("POST", `/v1/peers/${segment(item.id)}/connect`, { json: { ...via, timeout_ms: 15_000 } });
    $("search-results").replaceChildren();
    $("search-input").value = "";
    status("");
    connected(done.peer);
  } catch (problem) {
    status(`${problem.message} ${problem.hint}`, true);
    button.disabled = false;
    setText(button, "Try again");
  }
}
