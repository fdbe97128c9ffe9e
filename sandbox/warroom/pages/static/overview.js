// The stack at a glance: services and the calls between them, and the golden signals with what happened marked on them.

import { call } from "./api.js";
import { ownMarks, plot } from "./charts.js";
import { commonly } from "./commonly.js";
import { diagram } from "./diagram.js";
import { follow, h, say } from "./dom.js";
import { figure, percent, worldClock } from "./times.js";

const EVERY_MS = 1000;
const HIGH = 84; // of a chart, so that all of them are seen without scrolling
const SHORTEST_S = 600; // world seconds that the charts have at least
const SIGNALS = [
  ["request_rate", "Requests per second", figure], ["error_share", "Error share", percent],
  ["latency_p99_ms", "Latency, p99 (ms)", figure], ["ctr", "Clicks per impression", percent],
];

/**
 * shown: () -> whether anybody can see it now: else it is not watched. go: called with the link of the panel of what is clicked.
 * toTime: called with {from, to} of what is chosen in a chart. Returns the element, `look()` and `at(span)`, null for now.
 */
export function overview(model, shown, go, toTime) {
  const picture = diagram(go);
  const charts = SIGNALS.map(([name, title, format]) => ({ name, ...plot(title, format, toTime, HIGH) }));
  const alerts = h("ul", { class: "alerts", "aria-label": "Alerts" });
  const quiet = h("p", { class: "quiet", role: "status" });
  let drawn = null;
  let span = null; // of a time that is past, while one looks at that

  function look() {
    const there = !document.hidden && shown();
    model.watches(there);
    if (!there) return;
    const { sight } = model;
    if (sight && sight !== drawn && !span) draw(drawn = sight);
    const { began_ts } = model.state.room;
    const marks = ownMarks(model);
    for (const one of charts) {
      const points = sight?.signals[one.name] ?? [];
      const to = Math.max(model.clock.now(), points.at(-1)?.[0] ?? began_ts, began_ts + SHORTEST_S);
      one.draw({ lines: [{ name: "", beside: false, points }], marks, from: began_ts, to, span });
    }
  }

  function draw(sight) {
    picture.draw(sight, Object.fromEntries(Object.entries(sight.signals).map(([name, points]) => [name, points.at(-1)?.[1] ?? null])));
    follow(alerts, sight.alerts, (alert) => alert.rule, (alert) =>
      h("li", {}, h("strong", {}, alert.rule), ` since ${worldClock(alert.since_ts)}: ${alert.summary}`));
    say(quiet, sight.alerts.length ? "" : span ? `No alert was firing at ${worldClock(span.to)}.` : "No alert is firing.");
  }

  async function at(chosen) {
    span = chosen;
    drawn = null;
    picture.element.classList.toggle("back-then", Boolean(span));
    if (span) {
      try {
        const then = await call(model.place(`stack?to_ts=${span.to}`));
        if (span === chosen) draw(then);
      } catch (error) {
        model.tell(error);
      }
    }
    look();
  }

  model.onSight.add(look);
  model.every(EVERY_MS, look); // the time goes on, and what the team did is marked, where nothing else is new
  const element = h("div", { class: "overview" }, h("section", { "aria-label": "Alerts that fire" }, quiet, alerts), picture.element,
    commonly(model, picture.element),
    h("div", { class: "charts" }, charts.map((one) => one.element)));
  return { element, look, at };
}
