// Start, log-in, and what happens when the node tells something.

import { call, logIn, logOut, resume, whenLoggedOut } from "./api.js";
import { CHAT_CHANNEL, onItem, onMessageState, refreshStates } from "./chat.js";
import { loadWhy, renderDetail, startDetail } from "./detail.js";
import { $, icon, peerName, setText, toast } from "./dom.js";
import { refreshKnocks } from "./knocks.js";
import { follow } from "./live.js";
import { onInviteAnswered, onInviteTaken, startMeet } from "./meet.js";
import { renderPeers, startPeers } from "./peers.js";
import { renderSelf } from "./self.js";
import { changed, store, subscribe } from "./store.js";
import { startTheme } from "./theme.js";

const REFRESH_MS = 5_000;
let stopFollowing = null;

/** The ticket in the address, taken out of it at once so that it is neither kept nor shown. */
function ticketFromAddress() {
  const match = /^#t=([^&]+)$/.exec(location.hash);
  if (!match) return null;
  history.replaceState(null, "", "/");
  return decodeURIComponent(match[1]);
}

async function start() {
  startTheme();
  const ticket = ticketFromAddress();
  try {
    if (ticket) await logIn(ticket);
    else if (!(await resume())) return showLogin("");
  } catch (problem) {
    return showLogin(problem.message);
  }
  showApp();
}

function showLogin(message) {
  stopFollowing?.();
  stopFollowing = null;
  $("app").hidden = true;
  $("banner").hidden = true;
  $("login").hidden = false;
  setText($("login-error"), message);
}

async function showApp() {
  $("login").hidden = true;
  $("app").hidden = false;
  stopFollowing?.();
  stopFollowing = follow(HANDLERS, refreshAll, start);
  onAddress();
  await refreshAll();
}

/** Everything anew: at the start, after a break, after a gap. */
async function refreshAll() {
  await Promise.allSettled([refreshNode(), refreshPeers(), fetchInbox(), refreshKnocks(peersSoon)]);
  if (store.selected) {
    loadWhy(store.selected);
    refreshStates(store.selected);
  }
}

async function refreshNode() {
  store.node = await call("GET", "/v1/node");
  changed();
}

async function refreshPeers() {
  const peers = new Map();
  let cursor = null;
  do {
    const page = await call("GET", `/v1/peers?limit=500${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    for (const peer of page.items) peers.set(peer.id, peer);
    cursor = page.next;
  } while (cursor && peers.size < 5_000);
  store.peers = peers;
  changed();
}

let inboxBusy = null;
/** Takes messages out of the inbox into the history of this tab, and acknowledges them. */
function fetchInbox() {
  inboxBusy ??= takeInbox().finally(() => { inboxBusy = null; });
  return inboxBusy;
}

async function takeInbox() {
  for (;;) {
    const page = await call("GET", `/v1/inbox?channel=${CHAT_CHANNEL}&type=message&limit=100`);
    if (!page.items.length) return;
    for (const item of page.items) {
      if (onItem(item) && (item.peer !== store.selected || document.hidden)) {
        store.unread.set(item.peer, (store.unread.get(item.peer) ?? 0) + 1);
      }
    }
    await call("POST", "/v1/inbox/ack", { json: { cursor: page.next, channel: CHAT_CHANNEL, type: "message" } });
    changed();
  }
}

// Peers change in bursts while paths are tried: two looks a second are enough.
let peersDue = null;
function peersSoon() {
  peersDue ??= setTimeout(() => {
    peersDue = null;
    refreshPeers().catch(() => {});
    if (store.selected) loadWhy(store.selected);
  }, 400);
}

const HANDLERS = {
  message: (item) => item.channel === CHAT_CHANNEL && fetchInbox().then(fetchInbox).catch(() => {}),
  message_state: onMessageState,
  connected: peersSoon,
  connect_failed: peersSoon,
  path_changed: peersSoon,
  disconnected: peersSoon,
  introducer: () => refreshNode().catch(() => {}),
  inbox: () => refreshNode().catch(() => {}),
  invite_taken: (taken) => { peersSoon(); onInviteTaken(taken); },
  invite_answered: (answered) => { peersSoon(); onInviteAnswered(answered); },
  knocked: () => refreshKnocks(peersSoon).catch(() => {}),
};

function select(id) {
  location.hash = `#/peer/${id}`;
}

function onAddress() {
  const match = /^#\/peer\/([a-z0-9]{52})$/.exec(location.hash);
  const selected = match ? match[1] : null;
  const other = selected !== store.selected;
  store.selected = selected;
  if (selected) store.unread.delete(selected);
  changed();
  if (other && selected && matchMedia("(max-width: 760px)").matches) $("detail").focus({ preventScroll: true });
}

/** What the banner says; empty where all is well. */
function trouble({ online, node }) {
  if (!online) return "The node does not answer: what stands here is from before. Trying again…";
  const inbox = node?.inbox;
  if (!inbox || inbox.state === "ok") return "";
  if (inbox.state === "not_kept") return "The disk of the node refuses messages: they wait outside. Make room there.";
  const place = inbox.fullest?.service ? `service ${inbox.fullest.service}` : `channel ${inbox.fullest?.channel}`;
  const what = inbox.state === "full" ? "The inbox is full: messages wait outside." : "The inbox is filling up.";
  return `${what} No program reads ${place}.`;
}

function renderFrame({ online, node, unread, peers, selected }) {
  const words = trouble({ online, node });
  $("banner").hidden = !words || $("app").hidden;
  setText($("banner-text"), words);
  document.body.classList.toggle("stale", !online);
  const count = [...unread.values()].reduce((sum, n) => sum + n, 0);
  const name = selected && peers.has(selected) && peerName(peers.get(selected));
  document.title = `${count ? `(${count}) ` : ""}${name ? `${name} · ` : ""}p2p`;
}

$("logout").append(icon("out"));
$("detail-empty-icon").append(icon("talk"));
$("logout").addEventListener("click", async () => {
  try {
    await logOut();
    showLogin("");
  } catch (problem) {
    toast(problem.message);
  }
});
$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  // A whole link is as good as the ticket in it.
  const ticket = $("login-ticket").value.trim().replace(/^.*#t=/, "");
  try {
    await logIn(ticket);
    $("login-ticket").value = "";
    showApp();
  } catch (problem) {
    setText($("login-error"), `${problem.message} ${problem.hint}`);
  }
});
addEventListener("hashchange", () => {
  const ticket = ticketFromAddress();
  if (ticket) logIn(ticket).then(showApp, (problem) => showLogin(problem.message));
  else onAddress();
});
addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.matches("input, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    $("search-input").focus();
  } else if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (store.selected) location.hash = "#/";
  }
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && store.selected) { store.unread.delete(store.selected); changed(); }
});
setInterval(() => {
  if (document.hidden || $("app").hidden || !store.online) return;
  refreshPeers().catch(() => {});
  refreshNode().catch(() => {});
}, REFRESH_MS);

whenLoggedOut(() => showLogin("Your log-in has ended."));
startDetail(() => refreshPeers().catch(() => {}));
startMeet((id) => refreshPeers().then(() => select(id)));
startPeers(select, (id) => refreshPeers().then(() => select(id)));
subscribe(renderSelf);
subscribe(renderPeers);
subscribe(renderDetail);
subscribe(renderFrame);
start();
