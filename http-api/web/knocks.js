// Strangers that wait for a word of the owner: let them in, or take them off the list.

import { call, segment } from "./api.js";
import { $, h, setText, shortId, toast } from "./dom.js";

let changed = () => {};

/** Fetches and shows who knocked; `onAccepted` hears of one that was let in. */
export async function refreshKnocks(onAccepted = changed) {
  changed = onAccepted;
  const { items } = await call("GET", "/v1/knocks");
  $("knocks").hidden = items.length === 0;
  setText($("knocks-title"), items.length > 1 ? `Knocking (${items.length})` : "Knocking");
  $("knock-list").replaceChildren(...items.map(row));
}

function row(knock) {
  const claim = knock.claimed_name ? `says it is “${knock.claimed_name}”` : "says no name";
  return h("li", { class: "knock" },
    h("span", { class: "who" },
      h("span", { class: "name", dir: "auto" }, claim),
      h("span", { class: "sub", title: knock.fingerprint.join(" ") }, shortId(knock.peer))),
    h("button", { class: "button small primary", type: "button", onclick: () => decide("POST", "/accept", knock) }, "Let in"),
    h("button", { class: "button small", type: "button", onclick: () => decide("DELETE", "", knock) }, "Dismiss"));
}

async function decide(method, what, knock) {
  try {
    await call(method, `/v1/knocks/${segment(knock.peer)}${what}`);
    if (what) toast("It may connect from now on.");
  } catch (problem) {
    toast(problem.message);
  }
  await refreshKnocks().catch(() => {});
  changed();
}
