// Logs: searched, and counted by pattern; a click on one shows its lines.

import { follow, h, say } from "./dom.js";
import { address, choice, hold, pages, panelLink, Reader, sharing, windowOf } from "./panels.js";
import { worldClock, worldTime } from "./times.js";

const LEVELS = [["", "any level"], ["error", "error"], ["warn", "warn"], ["info", "info"], ["debug", "debug"]];

/** openTrace: called with a trace id. */
export function logs(model, toChat, openTrace) {
  const wanted = { text: "", service: "", level: "", trace: "", minutes: "60", to_ts: "", msg: "", page: 0 };
  const counts = new Reader(model);
  const lines = new Reader(model);
  let counted = null;
  let listed = null;

  const search = h("input", { type: "text", maxlength: 200, placeholder: "Text", "aria-label": "Text in messages and fields" });
  const service = choice("Service", [["", "any service"]], "", (value) => { wanted.service = value; look(); });
  const level = choice("Level", LEVELS, "", (value) => { wanted.level = value; look(); });
  const windows = windowOf(wanted, () => look());
  const form = h("form", { class: "row", onsubmit: (event) => { event.preventDefault(); wanted.text = search.value.trim(); look(); } },
    search, service, level, windows.element, h("button", { type: "submit" }, "Search"));
  const found = h("tbody", {});
  const rows = h("tbody", {});
  const turn = pages((page) => examples(wanted.msg, page));
  const which = h("h3", {}, "Lines");
  const share = sharing(model, toChat, () => counted && {
    sql: wanted.msg && listed ? listed.sql : counted.sql, what: wanted.msg || wanted.text || "the patterns of the logs", link: panelLink(address("logs", wanted)),
  });

  async function look() {
    wanted.msg = "";
    const { msg: _, page: __, ...asked } = wanted;
    const told = await counts.read(address("logs/patterns", asked));
    if (!told) return;
    counted = told;
    service.replaceChildren(...["", ...new Set([...told.services, ...(wanted.service ? [wanted.service] : [])])].map((name) => h("option", { value: name }, name || "any service")));
    service.value = wanted.service;
    follow(found, told.patterns, (one) => `${one.service} ${one.level} ${one.pattern}`, pattern);
    say(counts.status, told.n === 0 ? "no line in this time" : `${told.n} lines${told.more ? ", the commonest patterns alone" : ""}`);
    await examples("");
  }

  function pattern(one) {
    return h("tr", {},
      h("td", { class: "number" }, one.n), h("td", {}, one.service), h("td", { class: one.level === "error" ? "refusal" : null }, one.level),
      h("td", {}, h("button", { type: "button", class: "link", onclick: () => examples(one.msg, 0, one) }, one.pattern)),
      h("td", {}, `${worldClock(one.first_ts)} – ${worldClock(one.last_ts)}`));
  }

  /** Lines of one message, or of all that were searched for. */
  async function examples(msg, page = 0, of = null) {
    wanted.msg = msg.slice(0, 200);
    wanted.page = page;
    const told = await lines.read(address("logs", of ? { ...wanted, service: of.service, level: of.level } : wanted));
    if (!told) return;
    listed = told;
    turn.draw(page, told.more);
    say(which, msg ? `Lines: ${msg}` : "Lines");
    rows.replaceChildren(...told.lines.map((line) => h("tr", {},
      h("td", {}, h("time", { title: worldTime(line.world_ts) }, worldTime(line.world_ts).slice(11))), h("td", {}, line.instance || line.service),
      h("td", { class: line.level === "error" ? "refusal" : null }, line.level), h("td", {}, line.msg),
      h("td", {}, h("code", {}, line.fields === "{}" ? "" : line.fields)),
      h("td", {}, line.trace ? h("button", { type: "button", class: "link", onclick: () => openTrace(line.trace) }, line.trace.slice(0, 10)) : null))));
    share.draw();
  }

  const head = (names) => h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name))));
  return {
    element: h("div", { class: "stack" }, form, h("div", { class: "row" }, share.element, counts.status),
      h("div", { class: "list" }, h("table", {}, head(["n", "service", "level", "pattern", "from – to"]), found)),
      h("div", { class: "row" }, which, turn.element, lines.status), h("table", {}, head(["world time", "instance", "level", "message", "fields", "trace"]), rows)),
    shown() { if (!counted) look(); },
    at: (span, here) => hold(wanted, span, windows, counted && here ? look : () => { counted = null; }),
    async go(_, asked) {
      Object.assign(wanted, { text: "", service: "", level: "", trace: "", to_ts: "" });
      for (const name of ["text", "service", "level", "trace", "minutes", "to_ts"]) if (name in asked) wanted[name] = asked[name];
      [search.value, level.value] = [wanted.text, wanted.level];
      windows.draw();
      await look();
      if (asked.msg) await examples(asked.msg);
    },
  };
}
