// A dry run: the healthy and the broken day side by side, in curves and in the answers to the scenario's own queries.

import { h, s } from "./dom.js";
import { table } from "./tables.js";
import { figure } from "./times.js";

const W = 420;
const H = 130;
const FOOT = 16;
const FIRST = 4; // charts that are open; they come with what tells most first

/** run: the answer of a job of kind dry run. */
export function days(run) {
  const [first, rest] = [run.curves.slice(0, FIRST), run.curves.slice(FIRST)];
  const draw = (curve) => chart(curve, run.marks);
  return h("section", { class: "stack days", "aria-label": "Dry run" },
    h("h3", {}, `Dry run in world ${run.world}: nobody acts`),
    h("p", { class: "legend" }, h("span", { class: "healthy" }, "the healthy day"), h("span", { class: "broken" }, "the broken day")),
    h("div", { class: "charts" }, first.map(draw)),
    rest.length ? h("details", {}, h("summary", {}, "the other metrics"), h("div", { class: "charts" }, rest.map(draw))) : null,
    h("h3", {}, "Evidence on both days"), run.evidence.map(evidence));
}

function chart(curve, marks) {
  const { minutes, each } = curve;
  const last = minutes.at(-1) + each;
  const numbers = [...curve.healthy, ...curve.broken].filter((value) => value !== null);
  const most = Math.max(...numbers, 0) || 1;
  const least = Math.min(...numbers, 0);
  const x = (minute) => ((minute / last) * W).toFixed(1);
  const y = (value) => (H - FOOT - ((value - least) / (most - least)) * (H - FOOT - 14)).toFixed(1);
  const line = (day) => s("polyline", { class: `line ${day}`, points: curve[day].map((value, i) => `${x(minutes[i] + each / 2)},${y(value)}`).join(" ") });
  const marked = marks.filter(([minute]) => minute <= last).map(([minute, name]) => s("g", { class: "happens" },
    s("title", {}, `${name}, minute ${minute}`), s("line", { x1: x(minute), x2: x(minute), y1: 14, y2: H - FOOT }),
    s("text", { class: "axis", x: x(minute), y: 11, "text-anchor": minute > last * 0.9 ? "end" : "middle" }, name.split(/\W/)[0])));
  const mean = (day) => figure(curve[day].reduce((sum, value) => sum + value, 0) / curve[day].length);
  const over = each === 1 ? "world minute" : `${each} world minutes`;
  const title = `${curve.metric.replace(/_ms$/, "").replaceAll("_", " ")}, ${curve.unit}${curve.sums ? ` per ${over}` : each === 1 ? "" : `, means of ${over}`}`;
  return h("figure", {}, h("figcaption", {}, h("strong", {}, title), h("small", {}, ` on average ${mean("healthy")} and ${mean("broken")}`)),
    s("svg", { viewBox: `0 0 ${W} ${H}`, class: "chart", role: "img", "aria-label": `${title}: on average ${mean("healthy")} on the healthy day, ${mean("broken")} on the broken one` },
      s("line", { class: "base", x1: 0, x2: W, y1: y(0), y2: y(0) }), marked, line("healthy"), line("broken"),
      s("text", { class: "axis", x: 2, y: 10 }, figure(most)), s("text", { class: "axis", x: 2, y: H - 3 }, "0"),
      s("text", { class: "axis", x: W - 2, y: H - 3, "text-anchor": "end" }, `${last} world min`)));
}

function evidence(row) {
  const verdict = { true: "holds", false: "does not hold", null: "fails" };
  const side = (day) => h("div", { class: "stack" }, h("p", {}, h("strong", {}, `${day}: `), verdict[row[day].holds]),
    row[day].failed ? h("p", { class: "refusal" }, row[day].failed) : h("div", { class: "wide" }, table(row[day].columns, row[day].rows)));
  const well = row.broken.holds === true && row.healthy.holds === false;
  return h("details", { class: "card", open: !well }, h("summary", {}, h("span", { class: well ? "good" : "refusal" }, well ? "● " : "○ "), row.claim),
    h("pre", {}, row.predicate), h("div", { class: "halves" }, side("healthy"), side("broken")));
}
