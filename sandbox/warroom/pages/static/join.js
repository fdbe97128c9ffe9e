// The form by which one joins: a code, a name, a role.

import { call, Problem } from "./api.js";
import { h, say } from "./dom.js";

const ABOUT = {
  commander: "leads, decides, files the report",
  deputy: "stands in for the commander",
  operations: "carries out actions",
  ml_engineer: "looks at models, features, indexes",
  data_analyst: "asks in SQL, sizes the harm",
  communications: "answers stakeholders",
  scribe: "keeps the timeline",
  observer: "shadows: sees, and does nothing",
};

/** code: from the address, may be empty. why: this browser is not in the room any more, empty at first. */
export function joining(page, code, why, joined) {
  const room = h("input", { id: "code", value: code, maxlength: 12, autocomplete: "off", spellcheck: "false", required: true, class: "code" });
  const name = h("input", { id: "name", maxlength: 40, autocomplete: "nickname", required: true, value: remembered() });
  const role = h("select", { id: "role" }, Object.entries(ABOUT).map(([id, about]) =>
    h("option", { value: id }, `${id.replaceAll("_", " ")}: ${about}`)));
  const refusal = h("p", { class: "refusal", role: "alert" });
  const button = h("button", { type: "submit", class: "main" }, "Join");
  const form = h("form", { class: "join card", onsubmit: submit },
    h("h1", {}, "Join a room"),
    why ? h("p", { class: "refusal" }, why) : null,
    h("label", { for: "code" }, "Code of the room", room),
    h("label", { for: "name" }, "Your name", name),
    h("label", { for: "role" }, "Role", role),
    refusal, button,
    h("p", { class: "quiet" }, "The code is on the instructor's screen. ", h("a", { href: "/instructor" }, "I am the instructor")));

  async function submit(event) {
    event.preventDefault();
    say(refusal, "");
    button.disabled = true;
    const to = room.value.trim().toUpperCase();
    try {
      await call(`/api/v1/rooms/${encodeURIComponent(to)}/join`, { method: "POST", body: { name: name.value.trim(), role: role.value } });
      remember(name.value.trim());
      joined(to);
    } catch (error) {
      say(refusal, error instanceof Problem ? told(error) : "the server can't be reached");
    } finally {
      button.disabled = false;
    }
  }

  page.replaceChildren(form);
  (code ? name : room).focus();
}

function told({ code, document, message }) {
  if (code === "ROOM-001") return `There is no room ${document.seen} here. Ask the instructor for its code.`;
  if (code === "ROOM-007") return `${document.where.replace("join, ", "").replace(/^./, (c) => c.toUpperCase())} “${document.seen}” is taken: there should be ${document.expected}. ${document.fix}.`;
  return message;
}

function remembered() {
  return localStorage.getItem("name") ?? "";
}

function remember(name) {
  localStorage.setItem("name", name);
}
