// What both pages for authors need: texts that are not saved, kept in this tab, and the way to sign in.

import { Problem } from "./api.js";
import { h } from "./dom.js";

const key = (name) => `scenario:${name}`;

/** draft: {text, base}, null to forget it. */
export function keepDraft(name, draft) {
  if (draft === null) sessionStorage.removeItem(key(name));
  else sessionStorage.setItem(key(name), JSON.stringify(draft));
}

export function draftOf(name) {
  try {
    return JSON.parse(sessionStorage.getItem(key(name)));
  } catch {
    return null;
  }
}

/** In place of a page that the server refused. again: what to try then. */
export function refused(page, error, again) {
  const known = error instanceof Problem;
  page.replaceChildren(h("section", { class: "join card" },
    h("h1", {}, known && error.code === "ROOM-004" ? "For the instructor" : "It can't be shown"),
    h("p", { class: "refusal", role: "alert" }, known ? error.message : "the server can't be reached"),
    h("button", { type: "button", onclick: again }, "Try again"),
    h("a", { href: "/instructor" }, known && error.code === "ROOM-004" ? "Sign in" : "Rooms"),
    h("a", { href: "/instructor/library" }, "Scenarios")));
}
