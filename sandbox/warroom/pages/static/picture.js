// A scenario's timeline before it starts: what happens when, and how strongly.

import { h, s } from "./dom.js";

const LEFT = 8;
const ROW = 34;
const LETTER = 7.4; // width of a bold one, on average
const TOP = 22;
const STEPS_MIN = [5, 10, 20, 30, 60, 120, 360, 720, 1440]; // between two lines with a time
const MOST_TICKS = 8;
const NAMES = { change: "change", release: "release", fault: "fault", traffic: "traffic", page: "page", evidence: "evidence" };

/** picture: {length_s, told, lines: [{kind, at_s, label, guilty, curve}]}, of the server. width: narrower where there is less room. */
export function timeline(picture, width = 900) {
  const { lines, length_s: length } = picture;
  const height = TOP + ROW * lines.length + 8;
  const x = (at) => LEFT + (width - 2 * LEFT) * Math.min(1, at / length);
  const step = STEPS_MIN.find((minutes) => length / 60 / minutes <= MOST_TICKS) ?? STEPS_MIN.at(-1);
  const last = Math.floor(length / 60 / step);
  const grid = Array.from({ length: last + 1 }, (_, i) => {
    const at = i * step * 60;
    const anchor = i === 0 ? "start" : i === last ? "end" : "middle";
    return [s("line", { class: "base", x1: x(at), x2: x(at), y1: TOP - 6, y2: height }),
      s("text", { class: "axis", x: x(at), y: 11, "text-anchor": anchor }, `${i * step}${i === last ? " world min" : ""}`)];
  });
  const rows = lines.map((line, i) => row(line, TOP + ROW * i + 14, x, length, width));
  const told = lines.map((line) => `minute ${Math.round(line.at_s / 60)}: ${line.label}`).join("; ");
  return h("figure", { class: "picture" },
    h("figcaption", {}, picture.told.map((text) => h("p", {}, h("strong", {}, text)))),
    s("svg", { viewBox: `0 0 ${width} ${height}`, class: "timeline", role: "img", "aria-label": told }, grid, rows));
}

function row({ kind, at_s: at, label, guilty, curve }, y, x, length, width) {
  const right = at < length * 0.55;
  const most = Math.floor((right ? width - x(at) : x(at)) / LETTER) - 8;
  const short = label.length > most ? `${label.slice(0, most - 1)}…` : label;
  const text = s("text", { class: guilty ? "step guilty" : "step", x: x(at) + (right ? 9 : -9), y: y + 4, "text-anchor": right ? "start" : "end" }, `${Math.round(at / 6) / 10}  ${short}`);
  const tip = s("title", {}, `${NAMES[kind] ?? kind}: ${label}`);
  if (!curve) return s("g", { class: `at ${kind}` }, tip, s("circle", { cx: x(at), cy: y, r: 5 }), text);
  const base = y + 15;
  const points = curve.map((value, i) => `${x((length * i) / (curve.length - 1)).toFixed(1)},${(base - 14 * value).toFixed(1)}`);
  return s("g", { class: `at ${kind}` }, tip, s("polygon", { points: `${x(0)},${base} ${points.join(" ")} ${x(length)},${base}` }), text);
}
