// Two versions of one text, and which of them is to stand.

import { h } from "./dom.js";

const AROUND = 2; // lines of what is alike
const MOST = 400; // lines that are shown
const MOST_CELLS = 4_000_000; // two texts of 2,000 lines

/** why: what was done for both. mine, theirs: texts. act: {mine, theirs, as}. */
export function conflict(why, mine, theirs, act) {
  const button = (title, then) => h("button", { type: "button", onclick: then }, title);
  return h("section", { class: "card stack conflict", "aria-label": "Two versions" },
    h("h3", {}, "The file changed since you opened it"), h("p", {}, why),
    h("div", { class: "row" }, button("Save mine over it", act.mine), button("Take the one on disk", act.theirs), button("Save mine as …", act.as)),
    h("pre", { class: "difference", tabindex: 0, "aria-label": "What differs" }, difference(theirs.split("\n"), mine.split("\n")).map(([sign, line]) =>
      h("span", { class: { "-": "gone", "+": "came" }[sign] ?? null }, `${sign} ${line}\n`))));
}

/** All lines of what differs, and some around it: [sign, line], `-` on disk alone, `+` mine alone. */
function difference(old, own) {
  const lines = aligned(old, own);
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - AROUND), i + AROUND + 1).some(([sign]) => sign !== " "));
  return lines.flatMap((line, i) => (near[i] ? [line] : i > 0 && near[i - 1] ? [["…", ""]] : [])).slice(0, MOST);
}

/** By the longest run of lines that both have; very long texts only by what they begin and end with. */
function aligned(old, own) {
  let head = 0;
  while (head < Math.min(old.length, own.length) && old[head] === own[head]) head += 1;
  let tail = 0;
  while (tail < Math.min(old.length, own.length) - head && old.at(-1 - tail) === own.at(-1 - tail)) tail += 1;
  const [a, b] = [old.slice(head, old.length - tail), own.slice(head, own.length - tail)];
  const common = (lines) => lines.map((line) => [" ", line]);
  const middle = a.length * b.length > MOST_CELLS ? [...a.map((line) => ["-", line]), ...b.map((line) => ["+", line])] : longest(a, b);
  return [...common(own.slice(0, head)), ...middle, ...common(own.slice(own.length - tail))];
}

function longest(a, b) {
  const most = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1)); // of a[i..], b[j..]
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) most[i][j] = a[i] === b[j] ? most[i + 1][j + 1] + 1 : Math.max(most[i + 1][j], most[i][j + 1]);
  }
  const found = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && a[i] === b[j]) { found.push([" ", a[i]]); i += 1; j += 1; }
    else if (j >= b.length || (i < a.length && most[i + 1][j] >= most[i][j + 1])) { found.push(["-", a[i]]); i += 1; }
    else { found.push(["+", b[j]]); j += 1; }
  }
  return found;
}
