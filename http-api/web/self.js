// This node: name, id to copy, fingerprint words, introducers with their states.

import { call, segment } from "./api.js";
import { $, copy, h, icon, milliseconds, toast } from "./dom.js";

const STATES = {
  registered: ["good", "registered"],
  registering: ["busy", "registering"],
  connecting: ["busy", "connecting"],
  resolving: ["busy", "looking up"],
  unreachable: ["bad", "unreachable"],
  unresolved: ["bad", "name not found"],
  refused: ["bad", "refused"],
};

let shown = "";

/** Draws the node anew where something visible has changed. */
export function renderSelf({ node }) {
  if (!node) return;
  const picture = JSON.stringify([node.id, node.name, node.introducers]);
  if (picture === shown) return;
  shown = picture;
  const open = [...$("self").querySelectorAll("details")].map((d) => d.open);
  $("version").textContent = node.version;
  $("self").replaceChildren(
    h("p", { class: "self-name" }, node.name || "Unnamed node"),
    h("div", { class: "id-row" },
      h("code", { title: node.id }, node.id),
      h("button", { class: "icon-button", type: "button", "aria-label": "Copy the id of this node", title: "Copy id",
        onclick: () => copy(node.id, "Id") }, icon("copy"))),
    h("details", { open: open[0] },
      h("summary", {}, "Fingerprint in words"),
      h("ol", { class: "words", "aria-label": "Fingerprint" }, node.fingerprint.map((w) => h("li", {}, w)))),
    h("ul", { class: "introducers", "aria-label": "Introducers" }, node.introducers.map(introducer)),
    h("details", { open: node.introducers.length === 0 || open[1] },
      h("summary", {}, node.introducers.length === 0 ? "Add an introducer to find others" : "Add an introducer"),
      addForm()),
  );
}

function introducer(item) {
  const [tone, words] = STATES[item.state] ?? ["", item.state];
  const host = item.address.replace(/^p2p:\/\/[^@]+@/, "");
  return h("li", { title: item.address },
    h("span", { class: `dot ${tone}`, "aria-hidden": "true" }),
    h("span", { class: "host" }, host),
    h("span", { class: "fine" }, item.reason ? `${words}: ${item.reason}` : words,
      item.rtt_ms !== null ? ` · ${milliseconds(item.rtt_ms)}` : ""),
    h("button", { class: "icon-button", type: "button", "aria-label": `Leave the introducer ${host}`, title: "Leave",
      onclick: () => leave(item, host) }, icon("cross")));
}

async function leave(item, host) {
  try {
    await call("DELETE", `/v1/introducers/${segment(item.id)}`);
    toast(`Left ${host}`);
  } catch (problem) {
    toast(problem.message);
  }
}

function addForm() {
  const input = h("input", { class: "input mono", placeholder: "p2p://id@host:port", "aria-label": "Address of the introducer",
    spellcheck: "false", autocomplete: "off", maxlength: "400" });
  const error = h("p", { class: "error", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    error.textContent = "";
    try {
      await call("POST", "/v1/introducers", { json: { address: input.value.trim() } });
      input.value = "";
      toast("Introducer added");
    } catch (problem) {
      error.textContent = problem.errors[0]?.message || `${problem.message} ${problem.hint}`;
    }
  };
  return h("form", { class: "add-introducer", onsubmit: submit }, input, error,
    h("div", { class: "row" }, h("button", { class: "button small", type: "submit" }, "Add")));
}
