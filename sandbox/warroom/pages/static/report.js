// The report, filled in together: each field by itself, and who wrote it last.

import { allow, ask, h, say } from "./dom.js";
import { rows, segmentText, segmentOf } from "./fields.js";

/** Each field: name -> {element, read() -> value, show(value)}. A field that somebody is in is not written over. */
export function report(model) {
  const words = model.words;
  const fields = editors(model, words);
  const cards = Object.entries(fields).map(([name, editor]) => field(model, name, editor));
  const checks = h("ul", { class: "checks", "aria-label": "Completeness" });
  const file = h("button", { type: "button", class: "main", onclick: filing }, "File the report …");

  async function filing() {
    const open = missing(model.state.report).filter(([ok]) => !ok).map(([, text]) => `– ${text}`);
    const detail = `This ends the drill for everybody.${open.length ? `\nStill open:\n${open.join("\n")}` : ""}`;
    if (await ask("File the report?", { detail, yes: "File it" })) model.send("file_report");
  }

  model.watch((state) => {
    if (!state.report) return;
    for (const card of cards) card.draw(state.report);
    checks.replaceChildren(...missing(state.report).map(([ok, text]) => h("li", { class: ok ? "ok" : "open" }, text)));
    allow(file, model.why("file_report"));
  });
  return h("div", { class: "halves wide" },
    h("div", { class: "stack" }, cards.map((card) => card.element)),
    h("aside", { class: "stack" }, h("h3", {}, "Complete?"), checks, file,
      h("p", { class: "quiet" }, "Times are world time, as in the tables. Each field has the value that was written last.")));
}

function field(model, name, editor) {
  const by = h("small", {});
  const other = h("small", { class: "refusal" });
  const title = name.replaceAll("_", " ");
  const element = h("fieldset", { class: "field", onchange: write }, h("legend", {}, title, " ", by), editor.element, other);
  let shown = 0; // seq of the value that stands here
  let pending = 0; // writes from here that are on their way: what the stream tells meanwhile is older
  const only = editor.element.matches("input, select, textarea") ? editor.element : editor.element.querySelector(":scope > textarea");
  only?.setAttribute("aria-label", title);

  async function write() {
    let value;
    try {
      value = editor.read();
    } catch (error) {
      say(other, error.message);
      return;
    }
    say(other, "");
    pending += 1;
    const seq = await model.send("report_field", { field: name, value });
    pending -= 1;
    shown = Math.max(shown, seq ?? 0);
    model.draw();
  }
  editor.write = write;

  function draw(draft) {
    const now = draft[name];
    element.disabled = model.why("report_field") !== null;
    element.title = model.why("report_field") ?? "";
    say(by, now ? `by ${now.by}` : "");
    if (!now || pending > 0 || now.seq <= shown) return;
    const inside = element.contains(document.activeElement) && document.activeElement.matches("input[type=text], textarea");
    if (inside && JSON.stringify(safely(editor)) !== JSON.stringify(now.value)) {
      say(other, `${now.by} has written another value; leave the field to write yours`);
      return;
    }
    shown = now.seq;
    say(other, "");
    editor.show(now.value);
  }
  return { element, draw };
}

function safely(editor) {
  try {
    return editor.read();
  } catch {
    return undefined;
  }
}

/** [whether it is there, what]: of a report that could be filed. */
export function missing(draft) {
  const value = (name) => draft[name]?.value;
  const incident = value("incident");
  const causes = value("causes") ?? [];
  const list = [[incident === true || incident === false, "says whether there is an incident"]];
  if (incident !== false) {
    list.push([causes.length > 0, "names a cause"]);
    list.push([causes.length > 0 && causes.every((cause) => cause.component && cause.mechanism), "component and mechanism of each"]);
    list.push([causes.length > 0 && causes.every((cause) => cause.started_at), "when each began"]);
    list.push([Boolean(value("detected_at")), "when it was noticed"]);
    const sizes = Object.values(value("impact") ?? {});
    list.push([sizes.length > 0 && sizes.every((size) => typeof (size?.estimate ?? size) === "number"), "how great the harm is"]);
  }
  list.push([(value("evidence") ?? []).length > 0, "evidence: a query that shows it"]);
  list.push([(value("ruled_out") ?? []).length > 0, "what it was not"]);
  list.push([typeof value("confidence") === "number", "how sure the team is"]);
  return list;
}

function editors(model, words) {
  const component = { kind: "select", label: "component", options: [["", "component …"], ...Object.keys(words.components).map((name) => [name, name])] };
  const mechanism = { kind: "select", label: "mechanism", options: [["", "mechanism …"], ...Object.entries(words.mechanisms).flatMap(([family, names]) => [[family, family], ...names.map((name) => [name, `  ${name}`])])] };
  const any = { kind: "text", label: "component or mechanism", list: [...Object.keys(words.components), ...Object.keys(words.mechanisms), ...Object.values(words.mechanisms).flat()] };
  return {
    incident: choice([["", "not decided"], ["true", "yes, something is wrong"], ["false", "no, nothing is wrong"]],
      (text) => ({ true: true, false: false }[text] ?? null), (value) => (value === null || value === undefined ? "" : String(value))),
    detected_at: line("2026-03-02 10:25:00", (text) => text || null, (value) => value ?? ""),
    causes: rows([component, mechanism,
      { kind: "text", label: "began (world time)", hint: "2026-03-02 10:20:00" },
      { kind: "text", label: "segment", hint: "region=EU; empty: everyone" }],
    ([component_, mechanism_, started, segment]) => ({
      component: component_, mechanism: mechanism_, ...(started ? { started_at: started } : {}), segment: segmentOf(segment),
    }),
    (value) => [value.component ?? "", value.mechanism ?? "", value.started_at ?? "", segmentText(value.segment)], "a cause"),
    impact: impact(words.sized),
    evidence: rows([{ kind: "text", label: "what it shows" }, { kind: "long", label: "query" }],
      ([claim, sql]) => ({ claim, sql }), (value) => [value.claim, value.sql], "evidence"),
    ruled_out: rows([any, { kind: "long", label: "query that shows so" }, { kind: "text", label: "what it shows" }],
      ([what, sql, claim]) => ({ what, ...(sql ? { sql } : {}), ...(claim ? { claim } : {}) }),
      (value) => [value.what, value.sql ?? "", value.claim ?? ""], "what it was not"),
    actions: lines(model),
    confidence: line("0 to 1", (text) => (text === "" ? null : number(text, "a number from 0 to 1")), (value) => (value ?? "") === "" ? "" : String(value)),
    notes: long((text) => text, (value) => value ?? ""),
  };
}

function number(text, expected) {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) throw new Error(`${text || "nothing"}: there should be ${expected}`);
  return value;
}

function choice(options, read, show) {
  const element = h("select", {}, options.map(([value, text]) => h("option", { value }, text)));
  return { element, read: () => read(element.value), show: (value) => { element.value = show(value); } };
}

function line(hint, read, show) {
  const element = h("input", { type: "text", maxlength: 400, placeholder: hint });
  return { element, read: () => read(element.value.trim()), show: (value) => { element.value = show(value); } };
}

function long(read, show) {
  const element = h("textarea", { rows: 4, maxlength: 8000 });
  return { element, read: () => read(element.value), show: (value) => { element.value = show(value); } };
}

/** The actions, one a line; those that were carried out can be taken over. */
function lines(model) {
  const area = h("textarea", { rows: 3, class: "sql", maxlength: 8000 });
  const editor = {
    read: () => area.value.split("\n").map((text) => text.trim()).filter(Boolean),
    show: (value) => { area.value = (value ?? []).join("\n"); },
  };
  const take = h("button", { type: "button", onclick: () => {
    const all = [...editor.read(), ...model.state.actions.map((one) => one.action)];
    editor.show([...new Set(all)]);
    editor.write();
  } }, "Take over those that were carried out");
  editor.element = h("div", { class: "stack" }, area, take);
  return editor;
}

/** name -> {estimate, low, high}. */
function impact(sized) {
  const list = rows([
    { kind: "select", label: "metric", options: [["", "metric …"], ...sized.map((name) => [name, name])] },
    { kind: "number", label: "estimate" }, { kind: "number", label: "low" }, { kind: "number", label: "high" }],
  ([name, estimate, low, high]) => {
    const at = number(estimate, "an estimate");
    return [name, { estimate: at, low: low === "" ? at : number(low, "a number"), high: high === "" ? at : number(high, "a number") }];
  },
  ([name, claim]) => (typeof claim === "number" ? [name, String(claim), "", ""] : [name, String(claim.estimate ?? ""), String(claim.low ?? ""), String(claim.high ?? "")]), "a size");
  return {
    ...list,
    element: list.element,
    set write(write) { list.write = write; },
    read: () => Object.fromEntries(list.read()),
    show: (value) => list.show(Object.entries(value ?? {})),
  };
}
