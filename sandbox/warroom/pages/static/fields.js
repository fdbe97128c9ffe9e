// Lists of small forms, as a report has them.

import { h } from "./dom.js";

let lists = 0;

/** cells: [{kind: text|number|long|select, label, hint, options, list}]. read: texts -> entry. show: entry -> texts. */
export function rows(cells, read, show, what) {
  const place = h("ol", { class: "rows" });
  const editor = { write: () => {} };
  const offered = cells.filter((cell) => cell.list).map((cell) => {
    lists += 1;
    cell.id = `list-${lists}`;
    return h("datalist", { id: cell.id }, cell.list.map((value) => h("option", { value })));
  });
  const add = h("button", { type: "button", onclick: () => { place.append(row(cells.map(() => ""))); place.lastChild.querySelector("input, select, textarea").focus(); } }, `Add ${what}`);

  function row(texts) {
    const inputs = cells.map((cell, i) => input(cell, texts[i]));
    const line = h("li", {}, inputs, h("button", { type: "button", "aria-label": `Remove ${what}`, onclick: () => { line.remove(); editor.write(); } }, "×"));
    line.read = () => inputs.map((one) => one.value.trim());
    return line;
  }

  editor.element = h("div", { class: "stack" }, place, offered, add);
  // A row whose first cell is empty is still being written.
  editor.read = () => [...place.children].map((line) => line.read()).filter((texts) => texts[0] !== "").map(read);
  editor.show = (value) => {
    const unfinished = [...place.children].filter((line) => line.read()[0] === "" && line.contains(document.activeElement));
    place.replaceChildren(...(value ?? []).map((entry) => row(show(entry))), ...unfinished);
  };
  return editor;
}

function input(cell, value) {
  const label = { "aria-label": cell.label, placeholder: cell.hint ?? cell.label };
  if (cell.kind === "select") {
    const select = h("select", label, cell.options.map(([id, text]) => h("option", { value: id }, text)));
    select.value = value;
    return select;
  }
  if (cell.kind === "long") return h("textarea", { ...label, rows: 2, class: "sql", maxlength: 4000, value });
  if (cell.kind === "number") return h("input", { ...label, type: "text", inputmode: "decimal", class: "number", maxlength: 40, value });
  return h("input", { ...label, type: "text", maxlength: 400, list: cell.id, value });
}

/** "region=EU, client=app|web" -> {region: "EU", client: ["app", "web"]}. */
export function segmentOf(text) {
  const of = new Map();
  for (const part of text.split(",").map((one) => one.trim()).filter(Boolean)) {
    const [column, ...rest] = part.split("=");
    const value = rest.join("=").trim();
    if (!column.trim() || !value) throw new Error("segment: column=value, several by commas");
    of.set(column.trim(), value.includes("|") ? value.split("|").map((one) => one.trim()) : value);
  }
  return Object.fromEntries(of);
}

export function segmentText(segment) {
  return Object.entries(segment ?? {}).map(([column, value]) => `${column}=${[value].flat().join("|")}`).join(", ");
}
