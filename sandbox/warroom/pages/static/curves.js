// Harm per world minute, as the twin has it: as it went, had nothing been done, and with the best response.

import { plot } from "./charts.js";
import { follow, h } from "./dom.js";
import { figure } from "./times.js";

const LINES = [["per_minute", "as it went"], ["with_nothing_done", "had nothing been done"], ["with_best_response", "with the best response"]];
const MEANS = ["p99_ms", "exposure_gap"]; // what is no sum over minutes
const MOST_POINTS = 60;

/** An element and `draw(twin, room, page)`: the twin that a grade keeps, null where there is none; page: when it came, or null. */
export function curves() {
  const of = h("select", { "aria-label": "Metric of the harm", onchange: () => shown && show() });
  const chart = plot("Harm per minute; none on a day without the fault", figure);
  const element = h("section", { class: "stack", hidden: true }, h("div", { class: "row" }, h("h3", {}, "Harm per minute"), of), chart.element);
  let shown = null;

  function draw(twin, room, page) {
    element.hidden = !twin?.per_minute?.length;
    if (element.hidden || shown) return; // a grade does not change, and what is chosen here stays
    const metrics = Object.keys(twin.per_minute[0]).filter((name) => name !== "minute");
    shown = { twin, room, page };
    follow(of, metrics, (name) => name, (name) => h("option", { value: name }, name.replaceAll("_", " ")));
    of.value = metrics.reduce((best, name) => (clear(twin.harm?.[name]) > clear(twin.harm?.[best]) ? name : best), metrics[0]);
    show();
  }

  function show() {
    const { twin, room, page } = shown;
    const lines = LINES.filter(([key]) => twin[key]?.length).map(([key, name]) => ({ name, beside: false, points: binned(twin[key], of.value, room.began_ts) }));
    const times = lines.flatMap((line) => line.points.map(([ts]) => ts));
    const marks = [[twin.onset_s, "act", "onset"], [twin.filed_s, "act", "report"]].filter(([at]) => at !== null && at !== undefined)
      .map(([at, kind, text]) => ({ ts: room.began_ts + at, kind, text }));
    if (page) marks.push({ ts: page, kind: "page", text: "the page came" });
    chart.draw({ lines, marks, from: Math.min(...times), to: Math.max(...times) });
  }

  return { element, draw };
}

/** How clear a harm is: in widths of its interval. */
function clear(estimate) {
  const width = (estimate?.high ?? 0) - (estimate?.low ?? 0);
  return width > 0 ? (estimate.estimate ?? 0) / width : 0;
}

/** [[ts, value]] of at most MOST_POINTS points: sums a minute, or means. */
function binned(rows, metric, began_ts) {
  const size = Math.max(1, Math.ceil(rows.length / MOST_POINTS));
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, n) => {
    const part = rows.slice(n * size, (n + 1) * size);
    const known = part.map((row) => row[metric]).filter((value) => value !== null && value !== undefined);
    const sum = known.reduce((a, b) => a + b, 0);
    return [began_ts + part[0].minute * 60, known.length ? sum / (MEANS.includes(metric) ? known.length : part.length) : null];
  });
}
