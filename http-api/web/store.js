// What the page knows, and who wants to hear when it changes. Changes are told once per frame.

export const store = {
  node: null,
  peers: new Map(),
  why: new Map(),
  selected: null,
  unread: new Map(),
  online: true,
};

const listeners = new Set();
let scheduled = false;

export function subscribe(listener) {
  listeners.add(listener);
}

export function changed() {
  if (scheduled) return;
  scheduled = true;
  const tell = () => {
    scheduled = false;
    for (const listener of listeners) listener(store);
  };
  // Hidden pages draw no frames, yet titles and counts should go on.
  if (document.hidden) setTimeout(tell, 100);
  else requestAnimationFrame(tell);
}

export function peerOrBare(id) {
  return store.peers.get(id) ?? { id, name: null, state: "disconnected", path: null, fingerprint: [], alternatives: [] };
}
