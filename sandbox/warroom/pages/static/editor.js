// The editor of one scenario: its text with what the checker finds at its lines, saved into a pack of one's own.

import { call, uid } from "./api.js";
import { draftOf, keepDraft, refused } from "./author.js";
import { conflict } from "./conflict.js";
import { allow, ask, follow, h, say, toast } from "./dom.js";
import { gutter } from "./gutter.js";
import { jobs } from "./jobs.js";
import { timeline } from "./picture.js";
import { offers } from "./yaml.js";

const AT = "/api/v1/instructor";
const REST_MS = 900; // after the last key, before the text is checked
const SLOW_MS = 800; // a check that takes longer can be stopped
const page = document.getElementById("page");

async function begin() {
  const name = location.hash.slice(1);
  try {
    const draft = draftOf(name);
    const source = await call(`${AT}/library/${encodeURIComponent(name)}/source`).catch((error) => {
      if (draft && error.code === "DRILL-001") return { id: name, pack: "own", own: true, text: "", version: null };
      throw error;
    });
    draw(source, draft);
  } catch (error) {
    refused(page, error, begin);
  }
}

function draw(source, draft) {
  const { id: name } = source;
  let saved = source.version === null ? null : source.text;
  let base = draft ? draft.base : source.version;
  let words = null;
  let busy = false;
  let checked = null; // of the text as it is, null while it is not known
  let timer = null;
  let checking = null; // the ticket of the check that is under way

  const state = h("span", { class: "quiet", role: "status" });
  const count = h("strong", { role: "status" });
  const list = h("ol", { class: "findings", "aria-label": "What the checker finds" });
  const seen = h("div", {});
  const beside = h("div", {});
  const pad = gutter(`The text of ${name}; Ctrl and Space offer words`, {
    offers: (text, at) => (words ? offers(words, text, at) : { part: "", list: [] }), onInput: changed, onKey: keyed,
  });
  const work = jobs((is) => { busy = is; buttons(); });
  const save = h("button", { type: "button", class: "main", onclick: () => saving(base) }, "Save (Ctrl-S)");
  const check = h("button", { type: "button", onclick: () => look() }, "Check (Ctrl-Enter)");
  const stop = h("button", { type: "button", hidden: true, onclick: () => {
    stop.disabled = true;
    call(`${AT}/check/${checking}`, { method: "DELETE" }).catch((error) => toast(error.message, "bad"));
  } }, "Stop the check");
  const as = h("button", { type: "button", onclick: saveAs }, "Save as …");
  const runs = [["Dry run", "dry_run", false], ["Prove quickly", "prove", true], ["Prove", "prove", false]].map(([title, kind, quick]) =>
    h("button", { type: "button", onclick: () => work.start(kind, name, quick) }, title));

  const isDirty = () => pad.area.value !== saved;

  function changed() {
    checked = null;
    keepDraft(name, isDirty() ? { text: pad.area.value, base } : null);
    buttons();
    clearTimeout(timer);
    timer = setTimeout(look, REST_MS);
  }

  function buttons() {
    const locked = source.own ? null : "a scenario of another pack: save it under a name of your own";
    allow(save, locked ?? (isDirty() ? null : "nothing is changed"));
    const why = isDirty() ? "save it first: what is run is the file" : checked && !checked.ok ? "mend its errors first" : busy ? "one at a time" : null;
    runs.forEach((button) => allow(button, why));
    say(state, !source.own ? `read only: ${source.pack === "core" ? "core pack" : `pack ${source.pack}`}` : isDirty() ? "not saved" : "saved");
  }

  async function look() {
    clearTimeout(timer);
    if (checking) return;
    const text = pad.area.value;
    checking = uid();
    say(count, "it is checked …");
    const slow = setTimeout(() => { stop.hidden = false; }, SLOW_MS);
    try {
      const found = await call(`${AT}/check`, { method: "POST", body: { name, text, ticket: checking } });
      if (pad.area.value === text) tell(found);
    } catch (error) {
      say(count, error.message);
    }
    clearTimeout(slow);
    stop.hidden = true;
    stop.disabled = false;
    checking = null;
    if (pad.area.value !== text) timer = setTimeout(look, REST_MS);
  }

  function tell(found) {
    checked = found;
    const errors = found.findings.filter((one) => one.severity === "error").length;
    const warnings = found.findings.length - errors;
    const told = [[errors, "error"], [warnings, "warning"]].filter(([n]) => n).map(([n, word]) => `${n} ${word}${n > 1 ? "s" : ""}`);
    say(count, told.length ? told.join(", ") : "nothing to mend");
    count.className = errors ? "refusal" : warnings ? "warned" : "good";
    pad.mark(found.findings.map((one) => ({ line: one.line, severity: one.severity, text: `${one.code}: ${one.expected}` })));
    follow(list, found.findings.map((one, i) => ({ ...one, i })), (one) => one.i, finding);
    if (found.picture) seen.replaceChildren(timeline(found.picture, 520));
    buttons();
  }

  function finding(one) {
    const meant = /^did you mean (.+)\?$/.exec(one.fix);
    const names = meant ? meant[1].split(" or ") : [];
    return h("li", { class: one.severity },
      h("button", { type: "button", class: "link", onclick: () => pad.goTo(one.line) }, h("strong", {}, `line ${one.line}`), ` ${one.severity}, ${one.code}${one.place ? `: ${one.place}` : ""}`),
      h("p", {}, `seen ${typeof one.seen === "string" ? one.seen : JSON.stringify(one.seen)}, expected ${one.expected}`), h("p", { class: "quiet" }, one.fix),
      names.length && typeof one.seen === "string" ? h("p", { class: "row" }, names.map((word) => h("button", { type: "button", onclick: () => replace(one, word) }, `write ${word}`))) : null);
  }

  /** The wrong word of a finding's line, by the right one. */
  function replace(one, word) {
    const lines = pad.area.value.split("\n");
    const at = lines.findIndex((line, i) => i >= one.line - 1 && line.includes(one.seen));
    if (at < 0) return toast(`${one.seen} is not there any more`, "warn");
    const from = lines.slice(0, at).reduce((sum, line) => sum + line.length + 1, 0) + lines[at].indexOf(one.seen);
    pad.area.focus();
    pad.area.setSelectionRange(from, from + one.seen.length);
    pad.type(word);
    look();
  }

  /** over: the version that may be written over. */
  async function saving(over) {
    if (save.disabled) return;
    const text = pad.area.value;
    allow(save, "it is saved …");
    try {
      const told = await call(`${AT}/library/${encodeURIComponent(name)}/source`, { method: "PUT", body: { text, base: over } });
      saved = text;
      base = told.version;
      keepDraft(name, isDirty() ? { text: pad.area.value, base } : null);
      beside.replaceChildren();
      if (!checked) look();
    } catch (error) {
      if (error.code === "ROOM-007" && source.own) await differs(error);
      else toast(error.message ?? "the server can't be reached", "bad");
    }
    buttons();
  }

  /** The file changed meanwhile: both are shown, and nothing is lost. */
  async function differs(error) {
    let theirs;
    try {
      theirs = await call(`${AT}/library/${encodeURIComponent(name)}/source`);
    } catch (gone) {
      if (gone.code !== "DRILL-001") return toast(error.message, "bad");
      theirs = { text: "", version: null };
    }
    const panel = conflict(error.document.fix, pad.area.value, theirs.text, {
      mine: () => saving(theirs.version),
      theirs: () => { beside.replaceChildren(); saved = theirs.text; base = theirs.version; pad.set(theirs.text); changed(); },
      as: saveAs,
    });
    beside.replaceChildren(panel);
    panel.querySelector("button").focus();
  }

  async function saveAs() {
    const other = await ask("Under which name?", { text: `my-${name}`.slice(0, 60), yes: "Go on", detail: "Small letters and digits, joined by hyphens. It is written once you save it there." });
    if (!other || other === name) return;
    const text = pad.area.value.replace(/^id:.*$/m, `id: ${other}`);
    keepDraft(other, { text, base: null });
    if (source.own && saved === null) keepDraft(name, null);
    location.hash = other;
  }

  function keyed(event) {
    if (!(event.ctrlKey || event.metaKey)) {
      if (event.key !== "F8") return false;
      event.preventDefault();
      next(event.shiftKey ? -1 : 1);
      return true;
    }
    const act = { s: () => saving(base), Enter: look }[event.key];
    if (!act) return false;
    event.preventDefault();
    act();
    return true;
  }

  /** The next line with a finding, from the one where the cursor is. */
  function next(step) {
    const line = pad.area.value.slice(0, pad.area.selectionStart).split("\n").length;
    const lines = [...new Set((checked?.findings ?? []).map((one) => one.line))].sort((a, b) => step * (a - b));
    const to = lines.find((one) => step * (one - line) > 0) ?? lines[0];
    if (to) pad.goTo(to);
  }

  page.replaceChildren(h("div", { class: "editing" },
    h("header", { class: "top" }, h("a", { href: `/instructor/library#${name}` }, "← Scenarios"), h("h1", {}, name), state, h("span", { class: "gap" }),
      check, save, as, runs),
    h("section", { class: "pad" }, pad.element),
    h("aside", { class: "stack scroll" }, beside, h("div", { class: "card stack" }, h("div", { class: "row" }, count, stop), list, h("p", { class: "quiet" }, "F8: the next line. Ctrl-Space: words. Ctrl-] and Ctrl-[: in and out.")),
      work.element, h("div", { class: "card" }, h("h3", {}, "What happens"), seen))));
  pad.lock(!source.own);
  pad.set(draft ? draft.text : source.text);
  buttons();
  pad.area.focus();
  work.resume(name).catch(() => {});
  const world = /^world:\s*([a-z0-9_-]+)/m.exec(pad.area.value)?.[1] ?? "laptop";
  call(`${AT}/authors-words?world=${encodeURIComponent(world)}`)
    .then((told) => { words = told; }, () => toast("there is no completion: the server gave no words", "warn"))
    .finally(look); // one thing at a time: words are quick
}

window.addEventListener("hashchange", begin);
begin();
