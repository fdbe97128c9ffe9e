// Answers as tables. Cells go by position: names of columns are words of whoever asked, and are shown, never used.

import { h } from "./dom.js";

const MOST = 200;

export function table(columns, rows) {
  return h("table", {},
    h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.slice(0, MOST).map((row) => h("tr", {}, row.map((value) =>
      h("td", { class: typeof value === "number" ? "number" : null }, cell(value)))))));
}

function cell(value) {
  if (value === null) return h("span", { class: "quiet" }, "NULL");
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(7)));
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
