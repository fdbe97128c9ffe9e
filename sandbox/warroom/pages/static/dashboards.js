// Dashboards: boards of charts by a segment, beside an earlier time or another segment.

import { ownMarks, plot } from "./charts.js";
import { h, say } from "./dom.js";
import { address, choice, fit, panelLink, Reader, sharing, WINDOWS } from "./panels.js";
import { figure, percent, worldTime } from "./times.js";

const EVERY_MS = 1000;
const BOARDS = [
  ["requests", "Requests"], ["services", "Services"], ["quality", "Quality"], ["features", "Features"], ["versions", "Versions"],
  ["policy", "Policy"], ["business", "Business"],
];
const EARLIER = [["0", "nothing"], ["60", "1 h earlier"], ["180", "3 h earlier"], ["1440", "a day earlier"]];
const FORMATS = { share: percent, ms: (value) => `${figure(value)} ms`, minutes: (value) => `${figure(value)} min` };

let made = 0; // lists of values have names of their own, however many dashboards a page has

/** shown: () -> whether anybody can see it now. toTime: called with {from, to} of what is chosen in a chart. */
export function dashboards(model, toChat, shown, toTime = null) {
  made += 1;
  const id = `segment-values-${made}`;
  const wanted = { board: "requests", by: "", only: "", beside: "", earlier: "0", minutes: "60", to_ts: "" };
  const reader = new Reader(model);
  const charts = new Map();
  const place = h("div", { class: "charts" });
  let told = null;
  let span = null; // that is looked at, {from, to}
  let busy = 0; // looks that are on their way: another one by itself would overtake them for ever

  const board = choice("Dashboard", BOARDS, wanted.board, (value) => { wanted.board = value; look(); });
  const by = choice("By", [["", "by nothing"]], "", (value) => { wanted.by = value; look(); });
  const values = h("datalist", { id });
  const segment = (name, hint) => h("input", { type: "text", maxlength: 200, list: id, placeholder: hint, "aria-label": hint, size: 14,
    onchange: (event) => { wanted[name] = event.target.value.trim(); look(); } });
  const only = segment("only", "only region=EU");
  const beside = segment("beside", "beside region=US");
  const earlier = choice("Beside", EARLIER.map(([id, text]) => [id, `beside ${text}`]), wanted.earlier, (value) => { wanted.earlier = value; look(); });
  const windows = choice("Window", WINDOWS, wanted.minutes, (value) => { wanted.minutes = value; look(); });
  const until = h("button", { type: "button", onclick: () => { wanted.to_ts = wanted.to_ts === "" && told ? String(told.to_ts) : ""; hold(); look(); } });
  const back = h("button", { type: "button", "aria-label": "Earlier", onclick: () => move(-1) }, "‹");
  const on = h("button", { type: "button", "aria-label": "Later", onclick: () => move(1) }, "›");

  function hold() {
    say(until, wanted.to_ts === "" ? "Hold" : "Live");
    on.disabled = wanted.to_ts === "";
  }

  function move(way) {
    if (!told) return;
    const to = told.to_ts + way * (told.to_ts - told.from_ts) / 2;
    wanted.to_ts = way > 0 && to >= model.clock.now() ? "" : String(Math.max(to, model.state.room.began_ts));
    hold();
    look();
  }

  function path(fixed) {
    const { board: name, ...rest } = { ...wanted, earlier: wanted.earlier === "0" ? "" : wanted.earlier, ...fixed };
    return address(`dashboards/${name}`, rest);
  }

  async function look(quiet = false) {
    if (quiet === true && (busy > 0 || document.hidden || !shown() || wanted.to_ts !== "")) return;
    busy += 1;
    const found = await reader.read(path({}), quiet === true);
    busy -= 1;
    if (!found) return draw(); // what the team did may be new
    told = found;
    if (by.options.length !== found.segments.length + 1) {
      by.replaceChildren(...["", ...found.segments].map((name) => h("option", { value: name }, name ? `by ${name.replaceAll("_", " ")}` : "by nothing")));
    }
    by.value = wanted.by;
    return draw();
  }

  function draw() {
    if (!told) return;
    const marks = [...told.marks.map((mark) => ({ ts: mark.world_ts, kind: mark.kind, text: mark.text })), ...ownMarks(model)];
    for (const chart of told.charts) {
      const key = `${told.board} ${chart.name} ${chart.split}`;
      if (!charts.has(key)) charts.set(key, chartOf(chart, told.board));
      charts.get(key).draw(chart, marks);
    }
    const now = told.charts.map((chart) => charts.get(`${told.board} ${chart.name} ${chart.split}`).element);
    if (now.length !== place.children.length || now.some((element, i) => element !== place.children[i])) place.replaceChildren(...now);
    const known = told.charts.filter((chart) => chart.split === wanted.by && wanted.by).flatMap((chart) => chart.lines.map((line) => `${wanted.by}=${line.name}`));
    if (known.length) values.replaceChildren(...[...new Set(known)].map((value) => h("option", { value })));
  }

  function chartOf(chart, name) {
    const one = plot(`${chart.title}${chart.split ? `, by ${chart.split.replaceAll("_", " ")}` : ""}`, FORMATS[chart.unit] ?? figure, toTime);
    let last = chart;
    const share = sharing(model, toChat, () => ({
      sql: last.sql, what: `${last.title}, ${worldTime(told.from_ts)} to ${worldTime(told.to_ts).slice(11)}`,
      link: panelLink(path({ board: name, to_ts: String(told.to_ts), chart: last.name })),
    }));
    const more = h("small", {});
    one.element.append(h("div", { class: "row small" }, more, share.element));
    return { element: one.element, draw(now, marks) {
      last = now;
      say(more, now.more ? "the commonest alone" : "");
      one.draw({ lines: now.lines, marks, span, from: Math.min(Math.max(told.from_ts, model.state.room.began_ts), told.to_ts), to: told.to_ts });
      share.draw();
    } };
  }

  model.every(EVERY_MS, () => look(true));
  hold();
  return {
    element: h("div", { class: "stack" },
      h("div", { class: "row dash" }, board, by, only, values, earlier, beside, windows, back, until, on, reader.status), place),
    shown() { look(); },
    /** chosen: {from, to, minutes, to_ts} of a time that is past, null for now. */
    at(chosen) {
      span = chosen;
      Object.assign(wanted, span ? { minutes: String(span.minutes), to_ts: String(span.to_ts) } : { to_ts: "" });
      fit(windows, wanted.minutes);
      hold();
      if (shown()) look();
    },
    async go(id, asked) {
      Object.assign(wanted, { by: "", only: "", beside: "", earlier: "0", to_ts: "" });
      if (BOARDS.some(([name]) => name === id)) wanted.board = id;
      for (const name of ["by", "only", "beside", "earlier", "minutes", "to_ts"]) if (name in asked) wanted[name] = asked[name];
      [board.value, by.value, only.value, beside.value, earlier.value] = [wanted.board, wanted.by, wanted.only, wanted.beside, wanted.earlier];
      fit(windows, wanted.minutes);
      hold();
      await look();
      const chart = told?.charts.find((one) => one.name === asked.chart);
      if (chart) charts.get(`${told.board} ${chart.name} ${chart.split}`).element.scrollIntoView({ block: "center" });
    },
  };
}
