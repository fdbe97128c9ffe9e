// Charts of our own: lines over world time, bars by category, and which of the two an answer in SQL wants to be.

import { follow, h, s, say } from "./dom.js";
import { figure, worldClock, worldTime } from "./times.js";

const W = 340;
const HEIGHT = 130;
const FOOT = 14;
const HEAD = 12;
const MOST_LINES = 8;
const MOST_BARS = 30;

/**
 * Lines over world time, with what happened marked; hovering, or the arrow keys, tell when and how much. format: of a value, as
 * text. chosen: called with {from, to} where one clicks, or presses Enter; null for a chart in which no time is chosen. H: of
 * the picture, on a width of W.
 */
export function plot(title, format, chosen = null, H = HEIGHT) {
  const drawn = s("g", {});
  const marks = s("g", {});
  const cursor = s("line", { class: "cursor", y1: HEAD, y2: H - FOOT, visibility: "hidden" });
  const band = s("rect", { class: "span", y: HEAD, height: H - FOOT - HEAD, visibility: "hidden" });
  const top = s("text", { x: 2, y: 10, class: "axis" });
  const begin = s("text", { x: 2, y: H - 3, class: "axis" });
  const end = s("text", { x: W - 2, y: H - 3, class: "axis", "text-anchor": "end" });
  const legend = h("ul", { class: "legend" });
  const value = h("strong", {});
  const picture = s("svg", { viewBox: `0 0 ${W} ${H}`, class: "chart", role: "img", "aria-label": chosen ? `${title}; arrow keys step, Enter looks at that time` : title, tabindex: 0,
    onmousemove: hover, onmouseleave: leave, onblur: leave, onkeydown: key, onclick: choose },
    s("line", { class: "base", x1: 0, x2: W, y1: H - FOOT, y2: H - FOOT }), band, marks, drawn, cursor, top, begin, end);
  let shown = null;
  let pointed = null; // the time under the cursor

  const times = () => [...new Set(shown?.lines.flatMap((line) => line.points.map(([at]) => at)) ?? [])].sort((a, b) => a - b);

  function hover(event) {
    if (!shown) return;
    const box = picture.getBoundingClientRect();
    point(shown.from + ((event.clientX - box.left) / box.width) * (shown.to - shown.from));
  }

  function key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Enter") choose();
    if (!step || !shown) return;
    event.preventDefault();
    const all = times();
    const here = pointed === null ? (step > 0 ? -1 : all.length) : all.indexOf(pointed);
    if (all.length) point(all[Math.max(0, Math.min(all.length - 1, here + step))]);
  }

  function choose() {
    if (chosen && pointed !== null) chosen({ from: pointed, to: pointed });
  }

  function point(ts) {
    const all = times();
    if (all.length === 0) return;
    const near = all.reduce((best, at) => (Math.abs(at - ts) < Math.abs(best - ts) ? at : best), all[0]);
    pointed = near;
    cursor.setAttribute("x1", shown.at(near));
    cursor.setAttribute("x2", shown.at(near));
    cursor.setAttribute("visibility", "visible");
    const told = shown.marks.filter((mark) => Math.abs(shown.at(mark.ts) - shown.at(near)) < 4).map((mark) => mark.text);
    name((line) => line.points.find(([at]) => at === near)?.[1], [worldClock(near), ...told.slice(0, 2)].join(" · "));
  }

  function leave() {
    pointed = null;
    cursor.setAttribute("visibility", "hidden");
    if (shown) name((line) => line.points.findLast(([, y]) => y !== null)?.[1]);
  }

  /** Lines by name, each with a value; that of one alone stands in the title. when: the time of it, empty for the last. */
  function name(valueOf, when = "") {
    const alone = shown.lines.length === 1 && !shown.lines[0].name;
    const of = alone ? valueOf(shown.lines[0]) : undefined;
    say(value, [alone ? (of === undefined || of === null ? "–" : format(of)) : "", when].filter(Boolean).join(" at "));
    legend.hidden = alone;
    follow(legend, (alone ? [] : shown.lines).map((line, i) => ({ line, i, value: valueOf(line) })), ({ i }) => i, ({ line, i, value: of }) =>
      h("li", {}, s("svg", { viewBox: "0 0 14 8", width: 14, height: 8, "aria-hidden": "true" }, s("line", { x1: 0, x2: 14, y1: 4, y2: 4, class: kind(line) })),
        ` ${line.name}${line.name ? " " : ""}`, h("strong", {}, of === undefined || of === null ? "–" : format(of))), ({ line, value: of }) => JSON.stringify([line.name, of]));
  }

  function colour(line) {
    return `s${shown.lines.filter((other) => other.beside === line.beside).indexOf(line) % 8}`;
  }

  function kind(line) {
    return `series ${colour(line)} ${line.beside ? "beside" : ""}`;
  }

  /** lines: [{name, beside, points: [[ts, value or null]]}]. marks: [{ts, kind, text}]. from, to, and of a span that is looked
   * at: world seconds. */
  function draw({ lines, marks: told, from, to, span = null }) {
    const all = lines.flatMap((line) => line.points.map(([, y]) => y)).filter((y) => y !== null);
    const highest = Math.max(0, ...all);
    const lowest = Math.min(0, ...all);
    const most = (highest - lowest || 1) * 1.1;
    const width = Math.max(to - from, 1);
    const at = (ts) => Math.round(((ts - from) / width) * W * 10) / 10;
    const up = (y) => Math.round((H - FOOT - ((y - lowest) / most) * (H - FOOT - HEAD)) * 10) / 10;
    const within = told.filter((mark) => mark.ts >= from && mark.ts <= to);
    shown = { lines, marks: within, at, from, to };
    follow(drawn, lines.map((line, i) => [line, i]), ([, i]) => i, ([line, i]) => s("g", {}, runs(line.points).map((run) => (run.length === 1
      ? s("circle", { cx: at(run[0][0]), cy: up(run[0][1]), r: 1.5, class: `dot ${colour(line)}` })
      : s("polyline", { class: kind(line), points: run.map(([x, y]) => `${at(x)},${up(y)}`).join(" ") })))),
    ([line]) => JSON.stringify([line.points, from, to, most]));
    follow(marks, within, (mark) => `${mark.kind} ${mark.ts} ${mark.text}`, (mark) =>
      s("line", { class: `mark ${mark.kind}`, x1: at(mark.ts), x2: at(mark.ts), y1: HEAD, y2: H - FOOT }, s("title", {}, `${worldClock(mark.ts)} ${mark.text}`)), (mark) => String(at(mark.ts)));
    band.setAttribute("visibility", span ? "visible" : "hidden");
    if (span) {
      band.setAttribute("x", at(Math.max(from, span.from)));
      band.setAttribute("width", Math.max(2, at(span.to) - at(Math.max(from, span.from))));
    }
    say(top, all.length ? format(highest) : "nothing in this time");
    say(begin, worldClock(from));
    say(end, worldClock(to));
    if (cursor.getAttribute("visibility") === "hidden") leave();
  }
  return { draw, element: h("figure", { class: "plot" }, h("figcaption", {}, title, " ", value), picture, legend) };
}

/** Points that follow each other without one that has no value. */
function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (point[1] === null) found.push([]);
    else found.at(-1).push(point);
  }
  return found.filter((run) => run.length > 0);
}

/** Bars, the greatest on top. rows: [[name, value]]. */
export function bars(title, rows) {
  const shown = rows.slice(0, MOST_BARS);
  const most = Math.max(1e-12, ...shown.map(([, value]) => Math.abs(value ?? 0)));
  const [row, left, wide] = [18, 190, 240];
  return h("figure", { class: "plot" }, h("figcaption", {}, title, rows.length > shown.length ? ` (the first ${shown.length} of ${rows.length})` : ""),
    s("svg", { viewBox: `0 0 ${left + wide + 70} ${row * shown.length + 4}`, class: "chart bars", role: "img", "aria-label": title },
      shown.map(([name, value], i) => s("g", {}, s("title", {}, `${name}: ${figure(value)}`),
        s("text", { x: left - 6, y: row * i + 13, "text-anchor": "end", class: "axis big" }, name.length > 28 ? `${name.slice(0, 27)}…` : name),
        s("rect", { x: left, y: row * i + 3, width: Math.max(0.5, (Math.abs(value ?? 0) / most) * wide), height: row - 5, rx: 2, class: (value ?? 0) < 0 ? "bar bad" : "bar" }),
        s("text", { x: left + (Math.abs(value ?? 0) / most) * wide + 4, y: row * i + 13, class: "axis big" }, figure(value))))));
}

const TIME = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?$/;

/**
 * The chart that an answer wants to be: lines over its first column of times, else bars by its first column of texts; null
 * where it has no numbers for either. Columns go by position, their names are text of whoever asked. marks: as of a plot.
 */
export function chartOf(columns, rows, marks = []) {
  const of = (i, is) => rows.length > 0 && rows.some((row) => row[i] !== null) && rows.every((row) => row[i] === null || is(row[i]));
  const places = columns.map((_, i) => i);
  const time = places.find((i) => of(i, (value) => typeof value === "string" && TIME.test(value)));
  const numbers = places.filter((i) => of(i, (value) => typeof value === "number"));
  const names = places.filter((i) => i !== time && !numbers.includes(i));
  if (numbers.length === 0) return null;
  if (time !== undefined) return overTime(columns, rows, time, numbers, names, marks);
  if (names.length === 0 && numbers.length < 2) return null;
  const by = names.length ? names : [numbers[0]];
  const value = numbers.find((i) => !by.includes(i));
  if (value === undefined) return null;
  return bars(`${columns[value]} by ${by.map((i) => columns[i]).join(", ")}`, rows.map((row) => [by.map((i) => text(row[i])).join(", "), row[value]]));
}

function overTime(columns, rows, time, numbers, names, marks) {
  const lines = new Map();
  for (const row of rows) {
    if (row[time] === null) continue;
    const ts = Date.parse(`${row[time].replace(" ", "T")}${row[time].length > 10 ? "Z" : "T00:00Z"}`) / 1000;
    const of = names.map((i) => text(row[i])).join(", ");
    for (const i of numbers) {
      const name = [of, numbers.length > 1 || !of ? columns[i] : ""].filter(Boolean).join(" ");
      const key = `${i} ${of}`;
      if (!lines.has(key) && lines.size >= MOST_LINES) continue;
      if (!lines.has(key)) lines.set(key, { name, beside: false, points: [] });
      lines.get(key).points.push([ts, row[i]]);
    }
  }
  const all = [...lines.values()];
  for (const line of all) line.points.sort(([a], [b]) => a - b);
  const times = all.flatMap((line) => line.points.map(([ts]) => ts)).filter(Number.isFinite);
  if (times.length === 0) return null;
  const [from, to] = [times.reduce((a, b) => Math.min(a, b)), times.reduce((a, b) => Math.max(a, b))];
  const one = plot(`${numbers.map((i) => columns[i]).join(", ")} over ${columns[time]}, ${worldTime(from).slice(0, 16)} on`, figure);
  one.draw({ lines: all, marks, from, to });
  return one.element;
}

const text = (value) => (value === null ? "NULL" : typeof value === "object" ? JSON.stringify(value) : String(value));

/** What happened in the room, as marks: the page, and what the team did. */
export function ownMarks(model) {
  const page = model.log.find((event) => event.kind === "page_came");
  return [
    ...(page ? [{ ts: page.world_ts, kind: "page", text: "the page came" }] : []),
    ...model.state.actions.map((one) => ({ ts: one.world_ts, kind: "act", text: `${one.by}: ${one.action}` })),
  ];
}
