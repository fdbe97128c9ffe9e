// The stack at a glance: services and the calls between them, and the golden signals with what happened marked on them.

import { call } from "./api.js";
import { commonly } from "./commonly.js";
import { follow, h, s, say } from "./dom.js";
import { figure, percent, worldClock } from "./times.js";

const EVERY_MS = 2500;
const W = 118;
const H = 46;
const AT = {
  gateway: [8, 158], features: [262, 8], retrieval: [262, 92], ranking: [262, 176], rules: [262, 260], events: [262, 344],
  model: [536, 134], redis: [700, 8], stream: [700, 344],
};
const CALLS = [
  ["gateway", "features"], ["gateway", "retrieval"], ["gateway", "ranking"], ["gateway", "rules"], ["gateway", "events"],
  ["retrieval", "model"], ["ranking", "model"], ["ranking", "features"],
];
const FLOWS = [["features", "redis"], ["events", "stream"], ["stream", "redis"]];
const SIGNALS = [
  ["request_rate", "Requests per second", figure], ["error_share", "Error share", percent],
  ["latency_p99_ms", "Latency, p99 (ms)", figure], ["ctr", "Clicks per impression", percent],
];

/** shown: () -> whether anybody can see it now: else nothing is asked. */
export function overview(model, shown) {
  const picture = diagram();
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
      picture.draw(seen);
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

function diagram() {
  const edges = new Map();
  const nodes = new Map();
  const lines = [...CALLS, ...FLOWS].map(([from, to]) => {
    const { path, x, y } = way(from, to);
    const line = s("path", { d: path, class: "edge", "marker-end": "url(#tip)" });
    const text = s("text", { x, y, class: "edge-text", "text-anchor": "middle" });
    edges.set(`${from} ${to}`, { line, text });
    return s("g", {}, line, text);
  });
  const boxes = Object.entries(AT).map(([name, [x, y]]) => {
    const box = s("rect", { x, y, width: W, height: H, rx: 6, class: "node" });
    const text = s("text", { x: x + W / 2, y: y + 19, "text-anchor": "middle", class: "node-name" }, name);
    const more = s("text", { x: x + W / 2, y: y + 36, "text-anchor": "middle", class: "node-more" });
    nodes.set(name, { box, more });
    return s("g", {}, box, text, more);
  });
  const tip = s("marker", { id: "tip", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, s("path", { d: "M0 0 L8 4 L0 8 z", class: "tip" }));
  const element = s("svg", { viewBox: "0 0 826 398", class: "diagram", role: "img", "aria-label": "Services and the calls between them" }, s("defs", {}, tip), lines, boxes);

  function draw(seen) {
    for (const [from, to] of CALLS) {
      const edge = seen.edges.find((one) => one.caller === from && one.callee === to);
      const { line, text } = edges.get(`${from} ${to}`);
      line.setAttribute("class", `edge ${edge && edge.errors > 0.01 ? "bad" : ""}`);
      text.setAttribute("class", `edge-text ${edge && edge.errors > 0.01 ? "bad" : ""}`);
      say(text, edge ? `${figure(edge.rate)}/s · ${figure(edge.p99_ms)} ms${edge.errors > 0 ? ` · ${percent(edge.errors)} err` : ""}` : "");
    }
    for (const [name, { box, more }] of nodes) {
      const node = seen.nodes.find((one) => one.service === name);
      const into = seen.edges.filter((one) => one.callee === name);
      const failing = into.some((one) => one.errors > 0.01);
      box.setAttribute("class", `node ${!node ? "gone" : failing ? "bad" : ""}`);
      if (name === "redis") say(more, seen.store ? `${figure(seen.store.ops)} ops/s · ${figure(seen.store.used_mb)} MB` : "");
      else if (name === "stream") say(more, seen.stream ? `${figure(seen.stream.rate)}/s · ${figure(seen.stream.backlog)} behind` : "");
      else say(more, node ? `${node.instances > 1 ? `${node.instances} × ` : ""}${figure(node.cpu_pct)} % cpu${node.queue >= 1 ? ` · ${figure(node.queue)} wait` : ""}` : "no process");
    }
  }
  return { element, draw };
}

/** From one box to another, and where its text stands. */
function way(from, to) {
  const [ax, ay] = AT[from];
  const [bx, by] = AT[to];
  if (from === "ranking" && to === "features") {
    const [x, y1, y2] = [ax + W, ay + 12, by + 34];
    return { path: `M${x} ${y1} C ${x + 62} ${y1 - 30}, ${x + 62} ${y2 + 40}, ${x} ${y2}`, x: x + 66, y: by + 78 };
  }
  if (from === "stream") return { path: `M${ax + W / 2} ${ay} L${bx + W / 2} ${by + H}`, x: 0, y: 0 };
  const [x1, y1, x2, y2] = [ax + W, ay + H / 2, bx, by + H / 2];
  const t = from === "gateway" ? 0.56 : 0.5;
  return { path: `M${x1} ${y1} L${x2} ${y2}`, x: x1 + (x2 - x1) * t, y: y1 + (y2 - y1) * t - 5 };
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
