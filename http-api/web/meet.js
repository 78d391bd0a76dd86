// Meeting: a link for somebody else, and somebody else's link.

import { call } from "./api.js";
import { $, copy, h, icon, setText, toast } from "./dom.js";

let select = () => {};
/** The invitation that the dialog shows. */
let shown = null;

/** Wires the two buttons; `onMet` shows a peer that has become a contact. */
export function startMeet(onMet) {
  select = onMet;
  $("meet-invite").addEventListener("click", invite);
  $("meet-join").addEventListener("click", join);
  $("meet-dialog").addEventListener("close", () => { shown = null; });
}

/** Somebody followed a link of this node. */
export function onInviteTaken({ invite: id, peer, petname }) {
  toast(`${petname ?? "Somebody"} followed your link and is your contact now`);
  if (id !== shown) return;
  $("meet-dialog").close();
  select(peer);
}

/** An inviter answered at last, or its link came to nothing. */
export function onInviteAnswered({ petname, state }) {
  const who = petname ?? "The inviter";
  toast(state === "joined" ? `${who} answered: you are contacts now` : `The link of ${who} came to nothing`);
}

function open(title, ...content) {
  $("meet-dialog").replaceChildren(
    h("form", { method: "dialog", class: "dialog-head" }, h("h2", { id: "meet-title" }, title),
      h("button", { class: "icon-button", "aria-label": "Close", title: "Close" }, icon("cross"))),
    ...content);
  if (!$("meet-dialog").open) $("meet-dialog").showModal();
}

async function invite() {
  $("meet-invite").disabled = true;
  try {
    const made = await call("POST", "/v1/invites", { json: {} });
    shown = made.id;
    const until = new Date(made.expires).toLocaleString([], { weekday: "long", hour: "2-digit", minute: "2-digit" });
    open("Invite somebody",
      h("p", {}, "Send this link to one person, by any way that you trust, or let them read the code. When they open it with their own node you are contacts."),
      made.qr_svg && h("img", { class: "qr", alt: "The link as a QR code", src: `data:image/svg+xml,${encodeURIComponent(made.qr_svg)}` }),
      h("div", { class: "id-row" }, h("code", { title: made.link }, made.link),
        h("button", { class: "icon-button", type: "button", "aria-label": "Copy the link", title: "Copy link",
          onclick: () => copy(made.link, "Link") }, icon("copy"))),
      h("p", { class: "fine" }, `It works once, until ${until}. `,
        h("button", { class: "link-button", type: "button", onclick: () => revoke(made.id) }, "Take it back")));
  } catch (problem) {
    open("Invite somebody", h("p", { class: "error", role: "alert" }, `${problem.message} ${problem.hint}`));
  } finally {
    $("meet-invite").disabled = false;
  }
}

async function revoke(id) {
  try {
    await call("DELETE", `/v1/invites/${id}`);
    toast("The link works no more");
    $("meet-dialog").close();
  } catch (problem) {
    toast(problem.message);
  }
}

function join() {
  const link = h("textarea", { id: "join-link", class: "input mono", rows: "4", required: true, autocomplete: "off", spellcheck: "false", placeholder: "p2p:j/…" });
  const name = h("input", { id: "join-name", class: "input", maxlength: "64", autocomplete: "off", placeholder: "as the link says" });
  const status = h("p", { class: "fine", role: "status" });
  const button = h("button", { class: "button primary", type: "submit" }, "Join");
  const form = h("form", { class: "dialog-form" },
    h("label", { for: "join-link" }, "The link that you were sent"), link,
    h("label", { for: "join-name" }, "What you call them (optional)"), name,
    button, status);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    setText(status, "Calling…");
    status.classList.remove("error");
    try {
      const petname = name.value.trim();
      const json = { link: link.value, ...(petname && { petname }), timeout_ms: 20_000 };
      const done = await call("POST", "/v1/invites/accept", { json });
      if (done.state === "joined") {
        $("meet-dialog").close();
        toast(`${done.petname ?? "The inviter"} is your contact now`);
        return select(done.peer);
      }
      setText(status, `${done.petname ?? "The inviter"} does not answer yet. This node goes on calling; you may close this.`);
    } catch (problem) {
      setText(status, `${problem.message} ${problem.hint}`);
      status.classList.add("error");
    }
    button.disabled = false;
  });
  open("Join somebody", form);
  link.focus();
}
