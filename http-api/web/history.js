// Chat history of this tab: kept in session storage, so that it survives a reload and goes when the tab is closed.

const KEPT = 200;
const cache = new Map();

function key(peer) {
  return `chat:${peer}`;
}

export function history(peer) {
  let list = cache.get(peer);
  if (!list) {
    try {
      list = JSON.parse(sessionStorage.getItem(key(peer)) ?? "[]");
    } catch {
      list = [];
    }
    cache.set(peer, list);
  }
  return list;
}

function save(peer) {
  const list = history(peer);
  if (list.length > KEPT) list.splice(0, list.length - KEPT);
  try {
    sessionStorage.setItem(key(peer), JSON.stringify(list));
  } catch {
    // Storage is full or switched off: the history lives as long as the page.
  }
}

/** Adds an entry unless it is there; whether it was added. What we sent and what arrived are numbered apart. */
export function add(peer, entry) {
  const list = history(peer);
  if (entry.id && list.some((e) => e.id === entry.id && e.mine === entry.mine)) return false;
  list.push(entry);
  save(peer);
  return true;
}

/** Changes the entry that `fits`. */
export function change(peer, fits, values) {
  const entry = history(peer).find(fits);
  if (!entry) return false;
  Object.assign(entry, values);
  save(peer);
  return true;
}
