// Builds elements from text nodes only: nothing that a peer said is ever read as markup.

export const $ = (id) => document.getElementById(id);

/** Makes an element; `on*` members of `props` are listeners, `class` and others are attributes. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

/** Sets text only where it differs, so that screen readers and selections are left alone. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const SHAPES = {
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 12.5l4.5 4.5L19 7.5",
  checks: "M2.5 12.5l4 4L15 8M11 15.5l1.5 1.5L21.5 8",
  clock: "M12 7v5l3 2M12 3.5a8.500 8.500 0 1 0 0 17a8.500 8.500 0 1 0 0-17",
  alert: "M12 8v5M12 16.500v.01M12 3.500l9.500 16.500h-19z",
  search: "M11 4.500a6.500 6.500 0 1 0 0 13a6.500 6.500 0 1 0 0-13M16 16l4.500 4.500",
  direct: "M4 12h16M15 7l5 5-5 5M9 7l-5 5 5 5",
  relay: "M3 17h4c5 0 5-10 10-10h4M18 4l3 3-3 3",
  off: "M5 5l14 14M12 3.500a8.500 8.500 0 1 0 0 17a8.500 8.500 0 1 0 0-17",
  wait: "M12 3.500a8.500 8.500 0 0 1 8.500 8.500",
  chevron: "M9 6l6 6-6 6",
  cross: "M6 6l12 12M18 6L6 18",
  back: "M15 6l-6 6 6 6",
  sun: "M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8M12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z",
  auto: "M12 3.500a8.500 8.500 0 1 0 0 17a8.500 8.500 0 1 0 0-17M12 3.500v17M12 8h5.500M12 12h8M12 16h5.500",
  out: "M14 5H5v14h9M10 12h11M17 8l4 4-4 4",
  talk: "M4 5h16v11H10l-5 4v-4H4z",
};

/** A line drawing, hidden from screen readers: the words beside it say the same. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({
    class: "icon", viewBox: "0 0 24 24", fill: "none", stroke: "currentColor",
    "stroke-width": "1.9", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true",
  })) svg.setAttribute(key, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name] ?? "");
  svg.append(path);
  return svg;
}

/** A short note at the bottom that goes by itself. */
export function toast(text) {
  const element = $("toast");
  element.textContent = text;
  element.classList.add("shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => element.classList.remove("shown"), 2600);
}

/** Copies text and says so. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast("The browser does not allow copying here");
  }
}

export const shortId = (id) => `${id.slice(0, 8)}…${id.slice(-4)}`;
// What only the peer itself says is no name: it stands in quotation marks behind the id.
export const isClaim = (peer) => peer.name_kind === "claimed";
export const peerName = (peer) => isClaim(peer) ? `${shortId(peer.id)} says it is “${peer.name}”` : peer.name || shortId(peer.id);

export function avatar(peer, large = false) {
  const letters = [...(peer.name || peer.id)].slice(0, 2).join("");
  const element = h("span", { class: large ? "avatar large" : "avatar", "aria-hidden": "true" }, letters);
  let hue = 0;
  for (const letter of peer.id) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  element.style.setProperty("--hue", hue);
  return element;
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function clockTime(iso) {
  return new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
