// Traces: which there are, one as a waterfall, and one beside another.

import { follow, h, s, say } from "./dom.js";
import { address, choice, hold, pages, panelLink, Reader, sharing, windowOf } from "./panels.js";
import { figure, percent, worldTime } from "./times.js";

const WIDE = 260;

/** toChat: called with a link. explain: called with a request id. */
export function traces(model, toChat, explain) {
  const wanted = { order: "slowest", service: "", op: "", kind: "", minutes: "60", to_ts: "", page: 0 };
  const list = new Reader(model);
  const one = new Reader(model);
  let listed = null;
  let shown = null;
  let before = null; // the trace that was open before this one

  const span = h("select", { "aria-label": "By a span", onchange: () => {
    [wanted.service = "", wanted.op = "", wanted.kind = ""] = span.value ? JSON.parse(span.value) : [];
    look();
  } });
  const order = choice("Which", [["slowest", "slowest"], ["failed", "failed"], ["latest", "latest"]], wanted.order, (value) => { wanted.order = value; look(); });
  const windows = windowOf(wanted, () => look());
  const turn = pages((page) => look(page));
  const rows = h("tbody", {});
  const found = h("div", { class: "trace" });
  const usual = h("button", { type: "button", onclick: () => open(shown.trace.trace, "usual") }, "Compare with a usual one");
  const earlier = h("button", { type: "button", onclick: () => open(shown.trace.trace, before) }, "Compare with the one before");
  const why = h("button", { type: "button", onclick: () => explain(shown.trace.trace) }, "Explain what was shown");
  const share = sharing(model, toChat, () => (shown ? {
    sql: shown.sql, what: `trace ${shown.trace.trace}`,
    link: shown.against ? panelLink(address(`traces/${shown.trace.trace}`, { against: shown.against.trace })) : { kind: "trace", value: shown.trace.trace },
  } : listed && { sql: listed.sql, what: "the list of traces", link: panelLink(address("traces", wanted)) }));

  async function look(page = 0) {
    wanted.page = page;
    const told = await list.read(address("traces", wanted));
    if (!told) return;
    listed = told;
    turn.draw(page, told.more);
    const options = told.ops.map((op) => [JSON.stringify([op.service, op.op, op.kind]),
      `${op.service} ${op.op} (${op.kind}): p50 ${figure(op.p50_ms)}, p99 ${figure(op.p99_ms)} ms${op.errors > 0 ? `, ${percent(op.errors)} failed` : ""}`]);
    const now = wanted.service ? JSON.stringify([wanted.service, wanted.op, wanted.kind]) : "";
    if (now && !options.some(([value]) => value === now)) options.push([now, wanted.op ? `${wanted.service} ${wanted.op} (${wanted.kind})` : `${wanted.service}, any span`]);
    span.replaceChildren(...[["", "any request"], ...options].map(([value, text]) => h("option", { value }, text)));
    span.value = now;
    follow(rows, told.traces, (line) => line.trace, row, (line) => JSON.stringify([line, line.trace === shown?.trace.trace]));
    if (told.traces.length === 0) say(list.status, "none in this time");
    share.draw();
  }

  function row(line) {
    return h("tr", { "aria-current": line.trace === shown?.trace.trace ? "true" : null },
      h("td", {}, h("button", { type: "button", class: "link", onclick: () => open(line.trace) }, line.trace.slice(0, 10))),
      h("td", {}, worldTime(line.world_ts).slice(11)), h("td", { class: "number" }, figure(line.latency_ms)),
      h("td", { class: "number" }, line.span_ms === null ? "" : figure(line.span_ms)),
      h("td", { class: line.status === "OK" ? null : "refusal" }, line.status), h("td", {}, line.fallback === "none" ? "" : line.fallback),
      h("td", {}, line.region), h("td", { class: "number" }, line.user));
  }

  async function open(trace, against = "") {
    const told = await one.read(address(`traces/${encodeURIComponent(trace)}`, { against }));
    if (!told) return;
    if (shown && shown.trace.trace !== told.trace.trace) before = shown.trace.trace;
    shown = told;
    earlier.hidden = !before || before === told.trace.trace;
    found.replaceChildren(...(told.against ? [compared(told), waterfall(told.trace), waterfall(told.against)] : [waterfall(told.trace)]));
    for (const tr of rows.children) tr.removeAttribute("aria-current");
    if (listed) follow(rows, listed.traces, (line) => line.trace, row, (line) => JSON.stringify([line, line.trace === told.trace.trace]));
    after.hidden = false;
    share.draw();
  }

  const after = h("div", { class: "row", hidden: true }, usual, earlier, why, one.status);
  const element = h("div", { class: "stack" },
    h("div", { class: "row" }, order, span, windows.element,
      h("button", { type: "button", onclick: () => look(wanted.page) }, "Refresh"), turn.element, share.element, list.status),
    h("div", { class: "list" }, h("table", {}, h("thead", {}, h("tr", {},
      ["trace", "world time", "ms", "span ms", "status", "fallback", "region", "user"].map((name) => h("th", { scope: "col" }, name)))), rows)),
    after, found);
  return {
    element,
    /** Looks for the list, if that was not done yet. */
    shown() { if (!listed) look(); },
    open,
    at: (span, here) => hold(wanted, span, windows, listed && here ? look : () => { listed = null; }),
    /** As a link has it. */
    async go(id, asked) {
      if (id) { open(id, asked.against ?? ""); return; }
      for (const name of Object.keys(wanted)) if (name in asked) wanted[name] = name === "page" ? Number(asked.page) || 0 : asked[name];
      order.value = wanted.order;
      windows.draw();
      await look(wanted.page);
    },
  };
}

/** A row for each span: what it was, its times, and where it lies in the request's. What comes after its answer, as events do
 * that its user sends, is no part of that. */
function waterfall(trace) {
  const end = answered(trace);
  const scale = WIDE / Math.max(end, 0.001);
  return h("table", { class: "waterfall" },
    h("caption", {}, `${trace.trace}, ${worldTime(trace.world_ts)}, ${figure(end)} ms`),
    h("thead", {}, h("tr", {}, ["span", "ms", "self", "queue", "status", `0 … ${figure(end)} ms`].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, trace.spans.map((span) => h("tr", {},
      h("td", { title: told(span) }, `${"· ".repeat(Math.min(span.depth, 12))}${span.service} ${span.op}${span.kind === "client" ? ` → ${span.peer}` : span.kind === "server" ? "" : ` (${span.kind})`}${span.attempt > 1 ? `, try ${span.attempt}` : ""}`),
      h("td", { class: "number" }, figure(span.dur_ms)), h("td", { class: "number" }, figure(span.self_ms)),
      h("td", { class: "number" }, span.queue_ms === null ? "" : figure(span.queue_ms)),
      h("td", { class: span.status === "OK" ? "quiet" : "refusal" }, span.status),
      h("td", {}, span.start_ms > end ? h("small", {}, `${figure(span.start_ms - end)} ms after it`) : s("svg", { viewBox: `0 0 ${WIDE} 12`, width: WIDE, height: 12, role: "img", "aria-label": `from ${figure(span.start_ms)} ms on` },
        s("rect", { x: Math.max(0, span.start_ms * scale), y: 1, width: Math.max(1, Math.min(span.dur_ms, end - span.start_ms) * scale), height: 10, rx: 2, class: `bar ${span.kind} ${span.status === "OK" ? "" : "bad"}` })))))));
}

/** Milliseconds until its answer. */
function answered(trace) {
  const root = trace.spans[0];
  return root && root.start_ms === 0 && root.parent_id === null ? root.dur_ms : trace.total_ms;
}

function told(span) {
  const more = [["instance", span.instance], ["peer", span.peer], ["keys", span.n_keys], ["batch", span.batch_size], ["start ms", span.start_ms]];
  return more.filter(([, value]) => value !== null).map(([name, value]) => `${name} ${value}`).join(", ");
}

/** Where the one lost its time against the other. */
function compared(document) {
  const most = Math.max(1, ...document.differences.map((one) => Math.abs(one.self_ms - one.against_self_ms)));
  return h("table", { class: "compared" },
    h("caption", {}, `Time of its own, ${document.trace.trace.slice(0, 10)} beside ${document.against.trace.slice(0, 10)}: ${figure(answered(document.trace))} against ${figure(answered(document.against))} ms`),
    h("thead", {}, h("tr", {}, ["spans", "calls", "self ms", "other's", "more", ""].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, document.differences.slice(0, 12).map((one) => {
      const more = one.self_ms - one.against_self_ms;
      return h("tr", {},
        h("td", {}, `${one.service} ${one.op}${one.kind === "client" ? ` → ${one.peer}` : ` (${one.kind})`}`),
        h("td", { class: "number" }, one.n === one.against_n ? one.n : `${one.n} / ${one.against_n}`),
        h("td", { class: "number" }, figure(one.self_ms)), h("td", { class: "number" }, figure(one.against_self_ms)),
        h("td", { class: "number" }, `${more > 0 ? "+" : ""}${figure(more)}`),
        h("td", {}, s("svg", { viewBox: "0 0 120 12", width: 120, height: 12, "aria-hidden": "true" },
          s("rect", { x: more < 0 ? 60 + 60 * more / most : 60, y: 1, width: Math.max(0.5, 60 * Math.abs(more) / most), height: 10, class: more > 0 ? "bar bad" : "bar" }))));
    })));
}
