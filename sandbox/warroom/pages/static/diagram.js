// The architecture: services, stores, stream and batch job, and the calls between them, with how each does.

import { s, say } from "./dom.js";
import { figure, percent, worldClock } from "./times.js";

const W = 128;
const H = 58;
const AT = {
  gateway: [8, 160], features: [262, 8], retrieval: [262, 94], ranking: [262, 180], rules: [262, 266], events: [262, 352],
  model: [526, 137], redis: [700, 8], materialiser: [526, 266], stream: [700, 352],
};
const CALLS = [
  ["gateway", "features"], ["gateway", "retrieval"], ["gateway", "ranking"], ["gateway", "rules"], ["gateway", "events"],
  ["retrieval", "model"], ["ranking", "model"], ["ranking", "features"], ["features", "redis"],
];
const FLOWS = [["events", "stream"], ["stream", "redis"]];
const BATCH = ["materialiser", "redis"];
const TITLES = { materialiser: "batch job" };
const VERSIONS = { model_version: ["model", "model"], encoder_version: ["model", "encoder"], index_version: ["retrieval", "index"], rules_version: ["rules", "rules"] };
const FAILING = 0.01; // share of calls

/** The link of the panel that shows more of a box. */
function panelOf(name) {
  if (name === "gateway") return "dashboards/requests";
  if (["redis", "stream", "materialiser"].includes(name)) return "dashboards/features";
  return `traces?order=slowest&service=${name}`;
}

/** go: called with a link when a box is clicked; null where there is nowhere to go. */
export function diagram(go = null) {
  const edges = new Map();
  const nodes = new Map();
  const lines = [...CALLS, ...FLOWS, BATCH].map(([from, to]) => {
    const { path, x, y } = way(from, to);
    const line = s("path", { d: path, class: "edge", "marker-end": "url(#tip)" });
    const text = s("text", { x, y, class: "edge-text", "text-anchor": "middle" });
    const tip = s("title", {});
    edges.set(`${from} ${to}`, { line, text, tip });
    return s("g", {}, tip, line, text);
  });
  const boxes = Object.entries(AT).map(([name, [x, y]]) => {
    const box = s("rect", { x, y, width: W, height: H, rx: 6, class: "node", "data-of": name });
    const text = s("text", { x: x + W / 2, y: y + 18, "text-anchor": "middle", class: "node-name" });
    const [first, second] = [33, 47].map((at) => s("text", { x: x + W / 2, y: y + at, "text-anchor": "middle", class: "node-more" }));
    const changed = s("text", { x: x + W - 5, y: y + 13, "text-anchor": "end", class: "node-changed" });
    const tip = s("title", {});
    nodes.set(name, { box, text, first, second, changed, tip });
    const opens = () => go(panelOf(name));
    return s("g", go ? {
      class: "opens", tabindex: 0, role: "button", "aria-label": `${TITLES[name] ?? name}: open its panel`, onclick: opens,
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); opens(); } },
    } : {}, tip, box, text, first, second, changed);
  });
  const tip = s("marker", { id: "tip", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, s("path", { d: "M0 0 L8 4 L0 8 z", class: "tip" }));
  const element = s("svg", { viewBox: "0 0 836 418", class: "diagram", role: go ? "group" : "img", "aria-label": "Services and the calls between them" }, s("defs", {}, tip), lines, boxes);

  /** seen: an overview. latest: the last value of each golden signal, by name. */
  function draw(seen, latest) {
    for (const [from, to] of CALLS) {
      const edge = seen.edges.find((one) => one.caller === from && one.callee === to);
      const { line, text, tip: more } = edges.get(`${from} ${to}`);
      const bad = edge && edge.errors > FAILING ? " bad" : "";
      line.setAttribute("class", `edge${bad}`);
      text.setAttribute("class", `edge-text${bad}`);
      say(text, edge ? rates(edge.rate, edge.p99_ms, edge.errors) : "");
      say(more, `${from} calls ${to}: ${edge ? `${figure(edge.rate)} a second, ${percent(edge.errors ?? 0)} failed, p99 ${figure(edge.p99_ms)} ms` : "no calls in 5 minutes"}`);
    }
    for (const [from, to] of FLOWS) {
      const flow = seen.flows.find((one) => one.source === from && one.target === to);
      const { text, tip: more } = edges.get(`${from} ${to}`);
      const behind = flow && flow.behind_s !== null ? `${figure(flow.behind_s)} s behind` : "";
      say(text, flow ? [`${figure(flow.rate)}/s`, behind].filter(Boolean).join(" · ") : "");
      say(more, `${from} to ${to}: ${flow ? [`${figure(flow.rate)} entries a second`, behind].filter(Boolean).join(", ") : "nothing in 5 minutes"}`);
    }
    const { text: written, tip: last } = edges.get(BATCH.join(" "));
    const rows = seen.jobs.reduce((sum, job) => sum + (job.rows ?? 0), 0);
    say(written, seen.jobs.length ? `${figure(rows)} rows` : "");
    say(last, `the batch job wrote ${figure(rows)} rows by its last runs`);
    for (const [name, node] of nodes) {
      const told = lookOf(name, seen, latest);
      const changes = seen.changes.filter((change) => change.target === name);
      node.box.setAttribute("class", `node ${told.health}`);
      say(node.text, `${told.instances > 1 ? `${told.instances} × ` : ""}${TITLES[name] ?? name}`);
      say(node.first, told.first);
      say(node.second, told.second);
      say(node.changed, changes.length ? `▲${changes.length > 1 ? changes.length : ""}` : "");
      say(node.tip, [told.more, ...changes.map((change) => `changed ${worldClock(change.world_ts)}: ${change.text}`)].filter(Boolean).join("\n"));
    }
  }
  return { element, draw };
}

const rates = (rate, ms, errors) => `${figure(rate)}/s · ${figure(ms)} ms${errors > 0 ? ` · ${percent(errors)} err` : ""}`;

/** What stands in a box: {health, instances, first, second, more}. */
function lookOf(name, seen, latest) {
  if (name === "materialiser") return ofJobs(seen.jobs);
  const node = seen.nodes.find((one) => one.service === name);
  const told = { health: node || name === "redis" ? "" : "gone", instances: node?.instances ?? 1, first: "", second: "", more: "" };
  const into = seen.edges.filter((edge) => edge.callee === name);
  const failing = into.some((edge) => edge.errors > FAILING) ? "bad" : "";
  if (name === "redis") return { ...told, first: seen.store ? `${figure(seen.store.ops)} ops/s` : "", second: seen.store ? `${figure(seen.store.used_mb)} MB` : "", health: seen.store ? failing : "gone" };
  if (!node) return { ...told, first: "no process" };
  const wait = node.queue >= 1 ? ` · ${figure(node.queue)} wait` : "";
  const cpu = `${figure(node.cpu_pct)} % cpu${wait}`;
  if (name === "stream") return { ...told, first: seen.stream ? `${figure(seen.stream.rate)}/s · ${figure(seen.stream.backlog)} behind` : "", second: cpu };
  if (name === "gateway") {
    return { ...told, health: latest.error_share > FAILING ? "bad" : "", first: latest.request_rate === null || latest.request_rate === undefined ? "" : rates(latest.request_rate, latest.latency_p99_ms, latest.error_share), second: cpu };
  }
  const rate = into.reduce((sum, edge) => sum + (edge.rate ?? 0), 0);
  const failed = into.reduce((sum, edge) => sum + (edge.rate ?? 0) * (edge.errors ?? 0), 0);
  const slowest = Math.max(0, ...into.map((edge) => edge.p99_ms ?? 0));
  const versions = seen.versions.filter((one) => VERSIONS[one.of]?.[0] === name);
  const more = versions.map((one) => `${VERSIONS[one.of][1]} ${one.version}: ${percent(one.share)} of requests`).join("\n");
  return {
    ...told, health: failing, more: `${cpu}${more ? `\n${more}` : ""}`,
    first: into.length ? rates(rate, slowest, rate ? failed / rate : 0) : cpu, second: versions.length ? shortened(versions) : cpu,
  };
}

/** Versions in a box: one, or how many serve at a time. */
function shortened(versions) {
  const [kind] = versions.map((one) => one.of).sort((a, b) => (a === "model_version" ? -1 : b === "model_version" ? 1 : 0));
  const mine = versions.filter((one) => one.of === kind).sort((a, b) => b.share - a.share);
  const text = mine[0].version.length > 14 ? `${mine[0].version.slice(0, 13)}…` : mine[0].version;
  return `${VERSIONS[kind][1]} ${text}${mine.length > 1 ? ` +${mine.length - 1}` : ""}`;
}

function ofJobs(jobs) {
  if (!jobs.length) return { health: "gone", instances: 1, first: "no run in a day", second: "", more: "" };
  const last = jobs.reduce((a, b) => (a.finished_ts > b.finished_ts ? a : b));
  const failed = jobs.filter((job) => job.status !== "OK");
  return {
    health: failed.length ? "bad" : "", instances: 1, first: `last run ${worldClock(last.finished_ts)}`,
    second: failed.length ? `${failed.length} of ${jobs.length} failed` : `${jobs.length} views OK`,
    more: jobs.map((job) => `${job.view}: ${job.status} at ${worldClock(job.finished_ts)}, ${figure(job.rows)} rows`).join("\n"),
  };
}

/** From one box to another, and where its text stands. */
function way(from, to) {
  const [ax, ay] = AT[from];
  const [bx, by] = AT[to];
  if (from === "ranking" && to === "features") {
    const [x, y1, y2] = [ax + W, ay + 14, by + 42];
    return { path: `M${x} ${y1} C ${x + 62} ${y1 - 30}, ${x + 62} ${y2 + 40}, ${x} ${y2}`, x: x + 70, y: by + 86 };
  }
  if (from === "stream") return { path: `M${ax + W / 2} ${ay} L${bx + W / 2} ${by + H}`, x: ax + W / 2, y: ay - 26 };
  if (from === "materialiser") return { path: `M${ax + W} ${ay + H / 2} L${bx + W / 3} ${by + H}`, x: ax + W - 10, y: ay - 8 };
  const [x1, y1, x2, y2] = [ax + W, ay + H / 2, bx, by + H / 2];
  const t = from === "gateway" ? 0.56 : 0.5;
  return { path: `M${x1} ${y1} L${x2} ${y2}`, x: x1 + (x2 - x1) * t, y: y1 + (y2 - y1) * t - 5 };
}
