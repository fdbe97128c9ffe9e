// A room at a moment that is past, for the panels that show one: as model.js has it, but that nothing can be done.

import { follow, h } from "./dom.js";
import { worldClock } from "./times.js";

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
  }

  watch(watcher) {
    this.watchers.add(watcher);
  }

  /** From now on it is that moment. lines: of the timeline up to it. */
  is(state, lines) {
    this.state = state;
    this.lines = lines;
    for (const watcher of this.watchers) watcher(state);
  }

  why() {
    return WHY;
  }

  async send() {
    return null;
  }

  every() {}

  refresh() {}
}

/** What was asked, done, and written in the report by then. */
export function activityOf(past) {
  const list = (label) => h("ol", { class: "board", "aria-label": label });
  const [done, asked, report] = [list("Actions"), list("Queries"), list("The report")];
  past.watch((state) => {
    follow(done, state.actions, (action) => action.change, (action) => h("li", {}, h("span", {}, h("time", {}, worldClock(action.world_ts)), ` ${action.by}: ${action.action}`)));
    follow(asked, state.queries.slice(-8), (query) => query.seq, (query) => h("li", {}, h("span", {}, h("time", {}, worldClock(query.world_ts)), ` ${query.by}`), h("span", { class: "sql pre" }, query.sql)));
    follow(report, Object.entries(state.report), ([name]) => name, ([name, field]) => h("li", {}, h("strong", {}, name.replaceAll("_", " ")),
      h("span", { class: "pre" }, `${field.by}: ${typeof field.value === "string" ? field.value : JSON.stringify(field.value)}`)));
  });
  return [h("h3", {}, "Actions"), done, h("h3", {}, "Last queries"), asked, h("h3", {}, "The report"), report];
}
