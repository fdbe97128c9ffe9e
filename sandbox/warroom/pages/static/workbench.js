// Questions in SQL: an editor, what the team asked before, and answers by position.

import { allow, ask, follow, h, say } from "./dom.js";
import { chartOf, ownMarks } from "./charts.js";
import { table } from "./tables.js";
import { worldClock } from "./times.js";

const FIRST = `SELECT time_bucket(INTERVAL 5 MINUTE, ts) AS t, count(*) AS requests,
       round(quantile_cont(latency_ms, 0.99), 1) AS p99_ms
FROM requests WHERE ts >= $began GROUP BY t ORDER BY t`;

const PAGE = 200; // rows of an answer that are shown at once, at most

/** toChat: called with a link to a query. */
export function workbench(model, toChat) {
  const key = `sql:${model.base}`;
  const editor = h("textarea", {
    class: "sql", rows: 6, maxlength: 8000, spellcheck: "false", autocapitalize: "off", "aria-label": "SQL; Ctrl and Enter run it",
    value: sessionStorage.getItem(key) ?? FIRST,
    oninput: () => { sessionStorage.setItem(key, editor.value); complete(); },
    onkeydown: keyed, onblur: () => setTimeout(shut, 150),
  });
  const offers = h("ul", { class: "offers", role: "listbox", "aria-label": "Completions", hidden: true });
  const run = h("button", { type: "button", class: "main", onclick: () => asking() }, "Run (Ctrl-Enter)");
  const times = ["$began", "$paged", "$now"].map((word) => h("button", { type: "button", onclick: () => insert(`${word}`) }, word));
  const evidence = h("button", { type: "button", onclick: addEvidence }, "Add as evidence");
  const share = h("button", { type: "button", onclick: () => shown && toChat({ kind: "event", value: String(shown.seq) }) }, "Show in chat");
  const back = h("button", { type: "button", "aria-label": "Rows before", onclick: () => turn(false) }, "‹");
  const on = h("button", { type: "button", "aria-label": "Rows after", onclick: () => turn(true) }, "›");
  const asChart = h("input", { type: "checkbox", onchange: () => shown && render() });
  const told = h("span", { class: "quiet", role: "status" });
  const result = h("div", { class: "result", tabindex: 0, "aria-label": "Answer" });
  const history = h("ol", { class: "history", "aria-label": "Asked so far" });
  const user = h("input", { type: "number", min: 0, step: 1, value: "0", "aria-label": "User" });
  const recommend = h("button", { type: "submit" }, "Show");
  const words = Object.entries(model.words.tables).flatMap(([name, columns]) => [name, ...columns.map(([column]) => column)]);
  const known = [...new Set([...words, "$began", "$paged", "$now"])].sort();
  let shown = null;
  let busy = false;
  let chosen = 0;

  async function asking() {
    const sql = editor.value.trim();
    if (!sql || busy || model.why("ask")) return;
    await during("asking …", () => model.send("ask", { sql }));
  }

  /** The rows before or after those that are shown: the same question once more, from another row on. */
  async function turn(on) {
    const { what } = shown;
    const offset = on ? what.offset + what.rows.length : Math.max(0, what.offset - PAGE);
    if (busy || model.why("ask")) return;
    await during("asking …", () => model.send("ask", { sql: what.sql, offset }));
  }

  async function during(text, work) {
    busy = true;
    draw();
    say(told, text);
    const began = performance.now();
    const seq = await work();
    busy = false;
    draw();
    say(told, seq === null ? "refused" : "");
    if (seq !== null) await open(seq, performance.now() - began);
  }

  async function open(seq, ms = null) {
    try {
      const event = await model.answer(seq);
      shown = event;
      const { what } = event;
      const n = what.n_rows ?? what.rows.length;
      const by = model.names.get(event.who) ?? event.who;
      say(told, `${n} rows${what.truncated ? `, ${what.offset ? `${what.offset + 1} to ${what.offset + what.rows.length}` : what.rows.length} shown` : ""}, ${by} at ${worldClock(event.world_ts)}${ms === null ? "" : `, ${Math.round(ms)} ms`}${what.note ? `; ${what.note}` : ""}`);
      if (what.sql && ms === null && editor.value !== what.sql) { editor.value = what.sql; sessionStorage.setItem(key, what.sql); }
      render();
      draw();
    } catch (error) {
      model.tell(error);
    }
  }

  /** The answer as a table, or as the chart that it wants to be. */
  function render() {
    const { columns, rows } = shown.what;
    const chart = asChart.checked ? chartOf(columns, rows, ownMarks(model)) : null;
    result.replaceChildren(...(asChart.checked && !chart ? [h("p", { class: "quiet" }, "No chart: it takes a column of times or names, and one of numbers.")] : []), chart ?? table(columns, rows));
  }

  async function addEvidence() {
    if (!shown?.what.sql) return;
    const claim = await ask("What does this query show?", { text: "", yes: "Add", detail: shown.what.sql.slice(0, 400) });
    if (claim) await model.append("evidence", { claim, sql: shown.what.sql });
  }

  function insert(text, over = 0) {
    const at = editor.selectionStart;
    editor.setRangeText(text, at - over, editor.selectionEnd, "end");
    sessionStorage.setItem(key, editor.value);
    editor.focus();
  }

  function word() {
    return /[$\w]+$/.exec(editor.value.slice(0, editor.selectionStart))?.[0] ?? "";
  }

  function complete() {
    const part = word().toLowerCase();
    const found = part.length < 2 ? [] : known.filter((one) => one.startsWith(part) && one !== part).slice(0, 8);
    chosen = 0;
    offers.hidden = found.length === 0;
    offers.replaceChildren(...found.map((one, i) => h("li", {
      role: "option", "aria-selected": i === 0, onmousedown: (event) => { event.preventDefault(); take(one); },
    }, one)));
  }

  function take(text) {
    insert(text, word().length);
    shut();
  }

  function shut() {
    offers.hidden = true;
  }

  function keyed(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); shut(); asking(); return; }
    if (offers.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      chosen = (chosen + step + offers.children.length) % offers.children.length;
      [...offers.children].forEach((offer, i) => offer.setAttribute("aria-selected", i === chosen));
    } else if (event.key === "Tab") {
      event.preventDefault();
      take(offers.children[chosen].textContent);
    } else if (event.key === "Escape") shut();
  }

  function entry(query) {
    return h("li", {}, h("button", { type: "button", class: "link", title: query.sql, onclick: () => open(query.seq) },
      h("time", {}, worldClock(query.world_ts)), " ", h("span", { class: "who" }, query.by), ` ${query.sql.replaceAll(/\s+/g, " ").slice(0, 90)}`, h("small", {}, ` ${query.n_rows} rows`)));
  }

  const schema = h("div", { class: "schema" }, Object.entries(model.words.tables).map(([name, columns]) => h("details", {},
    h("summary", {}, name),
    h("ul", {}, columns.map(([column, type, about]) => h("li", {},
      h("button", { type: "button", class: "link", title: `${type}: ${about}`, onclick: () => insert(column) }, column), " ", h("small", {}, about)))))));

  function draw() {
    const reason = model.why("ask");
    allow(run, reason ?? (busy ? "one at a time" : null));
    allow(evidence, model.why("report_field") ?? (shown?.what.sql ? null : "run a query first"));
    const more = shown?.what.sql && shown.what.offset + shown.what.rows.length < shown.what.n_rows;
    back.hidden = on.hidden = !(more || shown?.what.offset);
    allow(back, reason ?? (busy || !shown?.what.offset ? "these are the first" : null));
    allow(on, reason ?? (busy || !more ? "these are the last" : null));
    allow(share, model.why("chat") ?? (shown ? null : "run a query first"));
    allow(recommend, model.why("recommend") ?? (busy ? "one at a time" : null));
    times[1].disabled = !model.state.page;
    follow(history, [...model.state.queries].reverse(), (query) => query.seq, entry, () => "");
  }

  model.watch(draw);
  const users = h("form", { class: "row", onsubmit: (event) => {
    event.preventDefault();
    during("asking …", () => model.send("recommend", { user: Number(user.value) }));
  } }, h("label", {}, "What is user ", user, " shown now?"), recommend);
  const element = h("div", { class: "bench" },
    h("div", { class: "ask" }, h("div", { class: "editor" }, editor, offers),
      h("div", { class: "row" }, run, times, evidence, share, back, on, h("label", {}, asChart, " as chart"), told), result),
    h("aside", {}, h("h3", {}, "Asked by the team"), history, users, h("h3", {}, "Tables"), schema));
  return { element, open, sql: () => shown?.what.sql ?? null };
}
