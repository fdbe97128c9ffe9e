// The stack at a glance: services and the calls between them, and the golden signals with what happened marked on them.

import { call } from "./api.js";
import { commonly } from "./commonly.js";
import { diagram } from "./diagram.js";
import { follow, h, s, say } from "./dom.js";
import { figure, percent, worldClock } from "./times.js";

const EVERY_MS = 2500;
const SIGNALS = [
  ["request_rate", "Requests per second", figure], ["error_share", "Error share", percent],
  ["latency_p99_ms", "Latency, p99 (ms)", figure], ["ctr", "Clicks per impression", percent],
];

/** shown: () -> whether anybody can see it now: else nothing is asked. go: called with the link of the panel of what is clicked. */
export function overview(model, shown, go) {
  const picture = diagram(go);
  const charts = SIGNALS.map(([name, title, format]) => chart(name, title, format));
  const alerts = h("ul", { class: "alerts", "aria-label": "Alerts" });
  const quiet = h("p", { class: "quiet" }, "No alert is firing.");
  const signals = new Map(SIGNALS.map(([name]) => [name, []]));
  let last = 0;
  let busy = false;

  async function look() {
    if (busy || document.hidden || !shown()) return;
    busy = true;
    try {
      const seen = await call(`${model.base}/overview?since=${last}`);
      for (const [name, points] of Object.entries(seen.signals)) {
        const kept = signals.get(name);
        if (!kept) continue;
        const newest = kept.at(-1)?.[0] ?? 0;
        kept.push(...points.filter(([ts]) => ts > newest));
      }
      last = Math.max(last, ...[...signals.values()].map((points) => points.at(-1)?.[0] ?? 0));
      picture.draw(seen, Object.fromEntries([...signals].map(([name, points]) => [name, points.at(-1)?.[1] ?? null])));
      follow(alerts, seen.alerts, (alert) => alert.rule, (alert) =>
        h("li", {}, h("strong", {}, alert.rule), ` since ${worldClock(alert.since_ts)}: ${alert.summary}`));
      quiet.hidden = seen.alerts.length > 0;
      draw();
    } catch { /* the stream says that the connection is gone; the next look is soon */ } finally {
      busy = false;
    }
  }

  function draw() {
    for (const one of charts) one.draw(signals.get(one.name), model);
  }

  model.every(EVERY_MS, look);
  const element = h("div", { class: "overview" }, h("section", { "aria-label": "Alerts that fire" }, quiet, alerts), picture.element,
    commonly(model, picture.element),
    h("div", { class: "charts" }, charts.map((one) => one.element)));
  return { element, look };
}

const CW = 300;
const CH = 96;

/** A line over the drill's time; the page, own actions and hovering tell what and when. */
function chart(name, title, format) {
  const line = s("polyline", { class: "line" });
  const marks = s("g", {});
  const cursor = s("line", { class: "cursor", y1: 0, y2: CH, visibility: "hidden" });
  const top = s("text", { x: 2, y: 10, class: "axis" });
  const begin = s("text", { x: 2, y: CH - 3, class: "axis" });
  const end = s("text", { x: CW - 2, y: CH - 3, class: "axis", "text-anchor": "end" });
  const value = h("strong", {});
  const plot = s("svg", { viewBox: `0 0 ${CW} ${CH}`, class: "chart", role: "img", "aria-label": title, onmousemove: hover, onmouseleave: leave },
    s("line", { class: "base", x1: 0, x2: CW, y1: CH - 14, y2: CH - 14 }), marks, line, cursor, top, begin, end);
  let shown = { points: [], at: () => 0, last: "–" };

  function hover(event) {
    const box = plot.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * CW;
    const near = shown.points.reduce((best, point) => (Math.abs(shown.at(point[0]) - x) < Math.abs(shown.at(best[0]) - x) ? point : best), shown.points[0]);
    if (!near) return;
    cursor.setAttribute("x1", shown.at(near[0]));
    cursor.setAttribute("x2", shown.at(near[0]));
    cursor.setAttribute("visibility", "visible");
    say(value, `${format(near[1])} at ${worldClock(near[0])}`);
  }

  function leave() {
    cursor.setAttribute("visibility", "hidden");
    say(value, shown.last);
  }

  function draw(points, model) {
    const { began_ts } = model.state.room;
    const now = Math.max(model.clock.now(), points.at(-1)?.[0] ?? began_ts, began_ts + 600);
    const highest = Math.max(0, ...points.map(([, y]) => y ?? 0));
    const most = (highest || 1) * 1.15;
    const at = (ts) => Math.round(((ts - began_ts) / (now - began_ts)) * CW * 10) / 10;
    const up = (y) => Math.round((CH - 14 - (y / most) * (CH - 26)) * 10) / 10;
    line.setAttribute("points", points.filter(([, y]) => y !== null).map(([x, y]) => `${at(x)},${up(y)}`).join(" "));
    const page = model.log.find((event) => event.kind === "page_came");
    const told = [...(page ? [["page", page.world_ts, "page"]] : []), ...model.state.actions.map((one) => ["act", one.world_ts, one.action])];
    follow(marks, told, ([kind, ts]) => `${kind}${ts}`, ([kind, ts, text]) =>
      s("line", { class: `mark ${kind}`, x1: at(ts), x2: at(ts), y1: 12, y2: CH - 14 }, s("title", {}, `${worldClock(ts)} ${text}`)), ([, ts]) => String(at(ts)));
    say(top, points.length ? format(highest) : "");
    say(begin, worldClock(began_ts));
    say(end, worldClock(now));
    shown = { points, at, last: points.length ? format(points.at(-1)[1]) : "–" };
    if (cursor.getAttribute("visibility") === "hidden") say(value, shown.last);
  }
  return { name, draw, element: h("figure", {}, h("figcaption", {}, title, " ", value), plot) };
}
