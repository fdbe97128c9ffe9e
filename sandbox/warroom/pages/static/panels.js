// What the panels have in common: reading their documents, links to them, and what the scribe needs of each.

import { call, Problem } from "./api.js";
import { allow, ask, h, say } from "./dom.js";
import { worldClock } from "./times.js";

/** A path with what is wanted of it; what is empty is left out. */
export function address(path, wanted = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(wanted)) if (value !== "" && value !== null && value !== undefined) query.set(name, value);
  const text = String(query);
  return text ? `${path}?${text}` : path;
}

/** ["logs", {text: "…"}] of such a path, as it stands in a link; null where it is none of `names`. */
export function parted(link, names) {
  const [path, query = ""] = String(link).split("?", 2);
  const [name, ...rest] = path.split("/");
  if (!names.includes(name)) return null;
  let id = "";
  try {
    id = decodeURIComponent(rest.join("/"));
  } catch { /* not one of ours */ }
  return { name, id, wanted: Object.fromEntries(new URLSearchParams(query)) };
}

/** Reads one document after the other: the last that was asked for is the one that is shown. */
export class Reader {
  /** status: an element in which it says how it goes. */
  constructor(model) {
    this.model = model;
    this.status = h("span", { class: "quiet", role: "status" });
    this.n = 0;
    this.tags = {};
  }

  /**
   * The document, null where it was refused, or another was asked for meanwhile, or it says what it said. quiet: says nothing
   * of how it goes, and wants only what is new.
   */
  async read(path, quiet = false) {
    this.n += 1;
    const mine = this.n;
    if (!quiet) say(this.status, "looking …");
    try {
      if (!quiet) this.tags = {};
      const found = await patient(this.model.place(path), this.tags, () => mine === this.n, () => say(this.status, "the desk is busy; once more …"));
      if (mine !== this.n) return null;
      say(this.status, "");
      return found;
    } catch (error) {
      if (mine !== this.n) return null;
      if (error instanceof Problem && error.code === "ROOM-004") this.model.tell(error);
      else say(this.status, error instanceof Problem ? error.message : "the server can't be reached");
      return null;
    }
  }
}

const AGAIN_MS = [1000, 2000, 3000, 4000, 5000];

/** The call, once more after a while where there are too many. wanted: whether somebody still wants it. */
async function patient(path, tags, wanted, onWait) {
  for (let n = 0; ; n += 1) {
    try {
      return await call(path, { tags });
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 429 || n >= AGAIN_MS.length || !wanted()) throw error;
      onWait();
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS[n]));
      if (!wanted()) throw error;
    }
  }
}

/** "Add as evidence" and "Show in chat". shown: () -> {sql, link, what} of what stands there, null where nothing does. */
export function sharing(model, toChat, shown) {
  const evidence = h("button", { type: "button", onclick: async () => {
    const { sql, what } = shown();
    const claim = await ask("What does this show?", { text: "", yes: "Add", detail: `${what}\n${sql.slice(0, 400)}` });
    if (claim) await model.append("evidence", { claim, sql });
  } }, "Add as evidence");
  const chat = h("button", { type: "button", onclick: () => toChat(shown().link) }, "Show in chat");
  function draw() {
    const now = shown();
    const none = now ? null : "look at something first";
    allow(evidence, model.why("report_field") ?? none ?? (now.sql ? null : "there is no query for it"));
    allow(chat, model.why("chat") ?? none ?? (now.link.value.length > 400 ? "too long for a link" : null));
  }
  model.watch(draw);
  return { element: h("span", { class: "row" }, evidence, chat), draw };
}

export const panelLink = (path) => ({ kind: "panel", value: path });

/** A choice with a name beside it. options: [value, text]. */
export function choice(label, options, value, onchange) {
  const select = h("select", { "aria-label": label, onchange: () => onchange(select.value) }, options.map(([id, text]) => h("option", { value: id }, text)));
  select.value = value;
  return select;
}

export const WINDOWS = [["15", "15 min"], ["60", "1 h"], ["180", "3 h"], ["720", "12 h"]];

/** Has a choice of WINDOWS show that many minutes, whether or not they are among them. */
export function fit(select, minutes) {
  const value = String(minutes);
  if (![...select.options].some((option) => option.value === value)) select.append(h("option", { value }, `${value} min`));
  select.value = value;
}

/** The window of a list, by now or by a time that is past. wanted: {minutes, to_ts}, texts. look: called when it is another. */
export function windowOf(wanted, look) {
  const select = choice("Window", WINDOWS, wanted.minutes, (value) => { wanted.minutes = value; look(); });
  const live = h("button", { type: "button", title: "back to now", onclick: () => { wanted.to_ts = ""; draw(); look(); } });
  function draw() {
    fit(select, wanted.minutes);
    live.hidden = wanted.to_ts === "";
    say(live, wanted.to_ts === "" ? "" : `until ${worldClock(Number(wanted.to_ts))} ×`);
  }
  draw();
  return { element: h("span", { class: "row" }, select, live), draw };
}

/** Puts such a window where all look. span: {minutes, to_ts} of a time that is past, null for now. look: called then. */
export function hold(wanted, span, windows, look) {
  Object.assign(wanted, span ? { minutes: String(span.minutes), to_ts: String(span.to_ts) } : { to_ts: "" });
  windows.draw();
  look();
}

/** Back and on through the pages of a list. turned: called with the number of a page. */
export function pages(turned) {
  let at = 0;
  const back = h("button", { type: "button", "aria-label": "Previous page", onclick: () => turned(at - 1) }, "‹");
  const on = h("button", { type: "button", "aria-label": "Next page", onclick: () => turned(at + 1) }, "›");
  function draw(page, more) {
    at = page;
    back.disabled = page === 0;
    on.disabled = !more || page >= 19;
  }
  draw(0, false);
  return { element: h("span", { class: "row" }, back, on), draw };
}
