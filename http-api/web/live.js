// Live events of the node: one EventSource that comes back by itself, and a listener per kind.

import { store, changed } from "./store.js";

const KINDS = [
  "message", "message_state", "connected", "connect_failed", "path_changed", "disconnected", "introducer", "inbox", "knocked", "invite_taken", "invite_answered", "pong", "gap",
];

/** Follows events; `handlers` maps kinds to listeners, `onReturn` is called after a break or a gap. */
export function follow(handlers, onReturn, onRefused) {
  let broken = false;
  const source = new EventSource(`/v1/events?types=${KINDS.join(",")}`);
  source.addEventListener("open", () => {
    store.online = true;
    changed();
    if (broken) onReturn();
    broken = false;
  });
  source.addEventListener("error", () => {
    broken = true;
    store.online = false;
    changed();
    // The browser tries again by itself unless the node refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(onRefused, 2000);
  });
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      const data = JSON.parse(event.data);
      if (kind === "gap") onReturn();
      else handlers[kind]?.(data);
    });
  }
  return () => source.close();
}
