// A room at a moment that is past, for the panels that show one: as model.js has it, but that nothing can be done.

import { follow, h, s, say, toast } from "./dom.js";
import { figure, worldClock } from "./times.js";
import { inWords } from "./words.js";

const SETTLED_MS = 600; // whoever steps fast asks for nothing on the way
const WHY = "this is how it was; nothing can be done here";

export class Past {
  constructor(base) {
    this.base = base;
    this.state = null;
    this.words = null;
    this.names = new Map([["instructor", "instructor"], ["room", "room"]]);
    this.log = [];
    this.lines = [];
    this.watchers = new Set();
    this.onEvent = new Set();
    this.again = new Set();
    this.seq = 1;
    this.settling = null;
    this.clock = { now: () => this.state?.room.world_ts ?? 0 };
  }

  watch(watcher) {
    this.watchers.add(watcher);
  }

  /** From now on it is that moment, after the event of number `seq`. lines: of the timeline up to it. */
  is(state, lines, seq) {
    this.state = state;
    this.lines = lines;
    this.log = lines.map(({ seq: of, kind, world_ts }) => ({ seq: of, kind, world_ts, what: {} }));
    this.seq = seq;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => { for (const work of this.again) work(); }, SETTLED_MS);
    for (const watcher of this.watchers) watcher(state);
  }

  why() {
    return WHY;
  }

  async send() {
    return null;
  }

  /** Has something done again with each moment, once it stays a while. */
  every(_, work) {
    this.again.add(work);
  }

  place(path) {
    return `${this.base}/${path}${path.includes("?") ? "&" : "?"}seq=${this.seq}`;
  }

  tell(error) {
    toast(error.message, "bad");
  }

  refresh() {}
}

const [W, H] = [160, 44];

/** The golden signals up to that moment, on the scale of the whole drill. signals: name -> [[world_ts, value]]. */
export function chartsOf(past, signals, began_ts) {
  const charts = Object.entries(signals).filter(([, points]) => points.some(([, value]) => value !== null)).map(([name, points]) => {
    const last = Math.max(began_ts + 1, ...points.map(([ts]) => ts));
    const most = Math.max(1e-9, ...points.map(([, value]) => value ?? 0)) * 1.1;
    const at = (ts) => ((ts - began_ts) / (last - began_ts)) * W;
    const line = s("polyline", { class: "line" });
    const marks = s("g", {});
    const figures = h("strong", {});
    past.watch((state) => {
      const known = points.filter(([ts, value]) => ts <= state.room.world_ts && value !== null);
      line.setAttribute("points", known.map(([ts, value]) => `${at(ts).toFixed(1)},${(H - 2 - (value / most) * (H - 6)).toFixed(1)}`).join(" "));
      say(figures, known.length ? figure(known.at(-1)[1]) : "–");
      follow(marks, state.actions, (action) => action.change, (action) => s("line", { class: "mark act", x1: at(action.world_ts), x2: at(action.world_ts), y1: 0, y2: H }, s("title", {}, action.action)));
    });
    return h("figure", {}, h("figcaption", {}, name.replaceAll("_", " "), " ", figures),
      s("svg", { viewBox: `0 0 ${W} ${H}`, class: "chart", role: "img", "aria-label": name }, s("line", { class: "base", x1: 0, x2: W, y1: H - 1, y2: H - 1 }), marks, line));
  });
  return h("div", { class: "past-charts", "aria-label": "Golden signals" }, charts);
}

/** What was asked, done, and written in the report by then. */
export function activityOf(past) {
  const list = (label) => h("ol", { class: "board", "aria-label": label });
  const [done, asked, report] = [list("Actions"), list("Queries"), list("The report")];
  past.watch((state) => {
    follow(done, state.actions, (action) => action.change, (action) => h("li", {}, h("span", {}, h("time", {}, worldClock(action.world_ts)), ` ${action.by}: ${action.action}`)));
    follow(asked, state.queries.slice(-8), (query) => query.seq, (query) => h("li", {}, h("span", {}, h("time", {}, worldClock(query.world_ts)), ` ${query.by}`), h("span", { class: "sql pre" }, query.sql)));
    follow(report, Object.entries(state.report), ([name]) => name, ([name, field]) => h("li", {}, h("strong", {}, name.replaceAll("_", " ")),
      h("span", { class: "pre" }, `${field.by}: ${inWords(field.value)}`)));
  });
  return [h("h3", {}, "Actions"), done, h("h3", {}, "Last queries"), asked, h("h3", {}, "The report"), report];
}
