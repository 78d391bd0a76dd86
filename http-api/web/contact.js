// What a peer is to the owner: a name of the owner's own, whether the words were compared, a block, forgetting.

import { call, segment } from "./api.js";
import { h, isClaim, toast } from "./dom.js";

const TRUST = {
  stranger: "A stranger: nothing shows yet who this is.",
  found: "Found by a look-up of yours.",
  verified: "Verified: you compared the words.",
  attested: "Vouched for by a realm that you trust.",
};

/** The tools for one peer; `onChange` hears that something was changed. */
export function contactTools(peer, onChange) {
  const path = `/v1/contacts/${segment(peer.id)}`;
  const act = async (method, rest, body, said) => {
    try {
      await call(method, path + rest, body ? { json: body } : {});
      toast(said);
      onChange();
    } catch (problem) {
      toast(`${problem.message} ${problem.hint}`);
    }
  };
  const own = peer.name_kind === "petname" ? peer.name : "";
  const name = h("input", { class: "input", type: "text", maxlength: "64", value: own, "aria-label": "Your name for this peer", placeholder: "Your name for this peer" });
  const form = h("form", { class: "row" }, name, h("button", { class: "button small", type: "submit" }, "Save name"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act("PUT", "", { petname: name.value.trim() }, "Name saved");
  });
  const button = (words, order) => h("button", { class: "button small", type: "button", onclick: order }, words);
  const words = peer.trust === "verified"
    ? button("Take “verified” back", () => act("PUT", "", { trust: "stranger" }, "Not verified any more"))
    : button("The words match", () => act("PUT", "", { trust: "verified" }, "Verified"));
  const block = peer.blocked
    ? button("Unblock", () => act("POST", "/unblock", null, "Not blocked any more"))
    : button("Block", () => act("POST", "/block", null, "Blocked"));
  return h("div", { class: "contact" },
    h("p", { class: "fine" }, peer.blocked ? "Blocked: nothing is wanted of this peer." : TRUST[peer.trust] ?? ""),
    isClaim(peer) ? h("p", { class: "fine" }, `It says that it is “${peer.name}”; anybody can say so.`) : "",
    form,
    h("div", { class: "row" }, words, block, button("Forget", () => act("DELETE", "", null, "Forgotten"))));
}
