// One recommendation explained; a user and an item with their histories.

import { follow, h, s, say } from "./dom.js";
import { address, hold, pages, panelLink, Reader, sharing, windowOf } from "./panels.js";
import { table } from "./tables.js";
import { figure, percent, span, worldTime } from "./times.js";

const FIRST = 40; // candidates that are shown at once
const UNLIKE = 0.02; // share by which a value that was served may differ from the batch job's before it is marked

/** openTrace: called with a request id. */
export function slates(model, toChat, openTrace) {
  const wanted = { user: "", item: "", in_full: true, minutes: "60", to_ts: "", page: 0 };
  const list = new Reader(model);
  const one = new Reader(model);
  let listed = null;
  let shown = null; // {path, sql, what} of what stands below the list

  const number = (name, hint) => h("input", { type: "number", min: 0, step: 1, placeholder: hint, "aria-label": hint, class: "number" });
  const [user, item] = [number("user", "user"), number("item", "item")];
  const full = h("input", { type: "checkbox" });
  full.checked = true;
  const windows = windowOf(wanted, () => look());
  const form = h("form", { class: "row", onsubmit: (event) => { event.preventDefault(); look(); } },
    h("label", {}, "user ", user), h("label", {}, "item ", item), h("label", {}, full, " explained in full"),
    windows.element, h("button", { type: "submit" }, "Find"),
    h("button", { type: "button", onclick: () => user.value !== "" && open(`users/${Number(user.value)}`) }, "User's page"),
    h("button", { type: "button", onclick: () => item.value !== "" && open(`items/${Number(item.value)}`) }, "Item's page"));
  const turn = pages((page) => look(page));
  const rows = h("tbody", {});
  const found = h("div", { class: "stack" });
  const share = sharing(model, toChat, () => shown && { sql: shown.sql, what: shown.what, link: panelLink(shown.path) });

  async function look(page = 0) {
    Object.assign(wanted, { user: user.value, item: item.value, in_full: full.checked ? "true" : "", page });
    const told = await list.read(address("slates", wanted));
    if (!told) return;
    listed = told;
    turn.draw(page, told.more);
    follow(rows, told.slates, (line) => line.request, (line) => slateRow(line, open));
    if (told.slates.length === 0) say(list.status, "none in this time");
  }

  async function open(path) {
    const told = await one.read(path);
    if (!told) return;
    const [name] = path.split("/");
    const drawn = { slates: explained, users: person, items: thing }[name](told, open, openTrace);
    shown = { path, ...drawn.share };
    found.replaceChildren(...drawn.parts);
    share.draw();
  }

  const go = async (path) => {
    if (path) { await open(path); return; }
    await look();
  };
  return {
    element: h("div", { class: "stack" }, form, h("div", { class: "row" }, turn.element, share.element, list.status, one.status),
      h("div", { class: "list" }, h("table", {}, h("thead", {}, h("tr", {}, ["request", "world time", "user", "region", "ms", "status", "items", "clicks", "model"].map((name) => h("th", { scope: "col" }, name)))), rows)), found),
    shown() { if (!listed) look(); },
    at: (span, here) => hold(wanted, span, windows, listed && here ? look : () => { listed = null; }),
    go: (id, asked) => {
      if ("user" in asked) user.value = asked.user;
      if ("item" in asked) item.value = asked.item;
      return go(id ? `slates/${encodeURIComponent(id)}` : "");
    },
    /** The same for a user's or an item's page. */
    user: { tab: "slates", shown() {}, go: (id) => go(`users/${encodeURIComponent(id)}`) },
    item: { tab: "slates", shown() {}, go: (id) => go(`items/${encodeURIComponent(id)}`) },
  };
}

function slateRow(line, open) {
  return h("tr", {},
    h("td", {}, h("button", { type: "button", class: "link", title: line.in_full ? "each candidate is known" : "what was shown is known", onclick: () => open(`slates/${encodeURIComponent(line.request)}`) }, `${line.request.slice(0, 10)}${line.in_full ? "" : " ·"}`)),
    h("td", {}, worldTime(line.world_ts).slice(11)), h("td", {}, subject("users", line.user, String(line.user), open)), h("td", {}, line.region),
    h("td", { class: "number" }, figure(line.latency_ms)), h("td", { class: line.status === "OK" && line.fallback === "none" ? null : "refusal" }, line.status, line.fallback === "none" ? "" : ` ${line.fallback}`),
    h("td", { class: "number" }, line.n_items), h("td", { class: "number" }, line.clicks || ""), h("td", {}, line.model_version));
}

function subject(kind, id, text, open) {
  return id === null ? text : h("button", { type: "button", class: "link", onclick: () => open(`${kind}/${id}`) }, text);
}

/** A request: from what was found to what was shown, and what was known. */
function explained(told, open, openTrace) {
  const facts = new Map(told.facts.map((fact) => [fact.name, fact.value]));
  const titles = new Map(told.candidates.map((one) => [String(one.item), one.title]));
  return {
    share: { sql: told.sql, what: `what request ${told.request} was shown, and why` },
    parts: [
      h("h3", {}, `Request ${told.request}`),
      h("p", {}, `${worldTime(told.world_ts)}, user `, subject("users", told.user, String(told.user), open), `, ${facts.get("region")}, ${facts.get("segment")}, request ${facts.get("depth")} of the visit, ${figure(facts.get("latency_ms"))} ms, ${facts.get("grpc_status")}${facts.get("fallback") === "none" ? "" : `, fallback: ${facts.get("fallback")}`} `,
        h("button", { type: "button", class: "link", onclick: () => openTrace(told.request) }, "its trace")),
      funnel(told.funnel),
      told.in_full ? null : h("p", { class: "quiet" }, "This request was not sampled: candidates that were not shown are not known."),
      candidates(told.candidates, open),
      features(told.features, titles),
      fold("What the rules did", table(told.decisions.columns, told.decisions.rows), told.decisions.rows.length),
      fold("Reads of features", table(told.reads.columns, told.reads.rows), told.reads.rows.length),
      fold("What the model was given", table(told.inputs.columns, told.inputs.rows), told.inputs.rows.length),
      fold("The whole row of the request", table(["column", "value"], told.facts.map((fact) => [fact.name, fact.value])), told.facts.length),
      h("h3", {}, "The same user earlier"),
      told.earlier.length ? h("table", {}, h("tbody", {}, told.earlier.map((line) => slateRow(line, open)))) : h("p", { class: "quiet" }, "Not in this run."),
    ].filter(Boolean),
  };
}

function funnel(of) {
  const list = (counts) => counts.map((one) => `${one.name} ${one.n}`).join(", ");
  const sum = (counts) => counts.reduce((n, one) => n + one.n, 0);
  const steps = [
    ["found", of.found.length ? sum(of.found) : null, list(of.found)], ["merged", of.merged, ""], ["ranked", of.ranked, ""],
    ["dropped", of.dropped.length ? sum(of.dropped) : null, list(of.dropped)], ["shown", of.shown, ""],
  ];
  const most = Math.max(1, ...steps.map(([, n]) => n ?? 0));
  return h("table", { class: "funnel" }, h("tbody", {}, steps.map(([name, n, more]) => h("tr", {},
    h("th", { scope: "row" }, name), h("td", { class: "number" }, n ?? "–"),
    h("td", {}, s("svg", { viewBox: "0 0 160 10", width: 160, height: 10, "aria-hidden": "true" }, s("rect", { x: 0, y: 0, height: 10, rx: 2, width: ((n ?? 0) / most) * 160, class: name === "dropped" ? "bar bad" : "bar" }))),
    h("td", { class: "quiet" }, more)))));
}

function candidates(all, open) {
  const body = h("tbody", {});
  const more = h("button", { type: "button", onclick: () => { draw(all.length); more.hidden = true; } }, `Show all ${all.length} candidates`);
  function draw(n) {
    body.replaceChildren(...all.slice(0, n).map((one) => h("tr", { class: one.position === null ? "quiet" : null },
      h("td", { class: "number" }, one.position ?? ""), h("td", {}, subject("items", one.item, one.title ?? String(one.item), open)),
      h("td", {}, one.sources), h("td", { class: "number" }, one.rank ?? ""), h("td", { class: "number" }, figure(one.score)),
      h("td", { class: "number" }, one.p_click === null ? "" : percent(one.p_click)),
      h("td", {}, one.dropped_by ?? (one.randomised ? "at random" : "")),
      h("td", {}, one.converted ? "converted" : one.clicked ? "clicked" : ""))));
  }
  draw(FIRST);
  more.hidden = all.length <= FIRST;
  return h("div", { class: "stack" }, h("table", {}, h("thead", {}, h("tr", {}, ["place", "item", "found by", "rank", "score", "p click", "dropped by", ""].map((name) => h("th", { scope: "col" }, name)))), body), more);
}

/** Each view's rows in a line, with their age; their values on demand. */
function features(values, titles) {
  const rows = new Map();
  for (const one of values) {
    const key = `${one.view} ${one.entity_id}`;
    if (!rows.has(key)) rows.set(key, []);
    rows.get(key).push(one);
  }
  if (rows.size === 0) return h("p", { class: "quiet" }, "No feature values were kept of this request.");
  const unlike = (one) => one.batch !== null && one.value !== null && Math.abs(one.value - one.batch) > UNLIKE * Math.max(1e-6, Math.abs(one.batch));
  return fold("Features that were served", h("div", {}, [...rows.values()].map((of) => {
    const [first] = of;
    const differ = of.filter(unlike).length;
    const who = first.entity === "item" ? titles.get(first.entity_id) ?? `item ${first.entity_id}` : `user ${first.entity_id}`;
    return h("details", {}, h("summary", {}, `${first.view}, ${who}: `,
      h("span", { class: first.status === "PRESENT" ? null : "refusal" }, first.status), first.age_s === null ? "" : `, ${span(first.age_s)} old`, differ ? h("span", { class: "refusal" }, `, ${differ} unlike the batch job's`) : ""),
    h("table", {}, h("thead", {}, h("tr", {}, ["feature", "value", "batch job's", "status"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, of.map((one) => h("tr", { class: unlike(one) ? "refusal" : null }, h("td", {}, one.feature), h("td", { class: "number" }, figure(one.value)), h("td", { class: "number" }, one.batch === null ? "" : figure(one.batch)), h("td", {}, one.status))))));
  })), rows.size);
}

function fold(title, element, n) {
  return h("details", { class: "fold" }, h("summary", {}, `${title} (${n})`), element);
}

function part(of, open = false) {
  const element = fold(of.title, table(of.columns, of.rows), `${of.rows.length}${of.more ? "+" : ""}`);
  element.open = open;
  return element;
}

function factsOf(facts) {
  const told = (value) => (typeof value === "number" && !Number.isInteger(value) ? figure(value) : value);
  return h("p", {}, facts.filter((fact) => fact.value !== null).map((fact) => `${fact.name} ${told(fact.value)}`).join(" · "));
}

function slatesOf(lines, open) {
  return h("div", { class: "list" }, h("table", {}, h("tbody", {}, lines.map((line) => slateRow(line, open)))));
}

function person(told, open) {
  return {
    share: { sql: told.outcomes.sql.trim().replaceAll(/\s+/g, " "), what: `what user ${told.user} did` },
    parts: [h("h3", {}, `User ${told.user}`), factsOf(told.facts), h("h3", {}, "What they were shown"), slatesOf(told.slates, open),
      part(told.outcomes, true), part(told.consents), part(told.features)],
  };
}

function thing(told, open) {
  return {
    share: { sql: told.hours.sql.trim().replaceAll(/\s+/g, " "), what: `how item ${told.item} was shown` },
    parts: [h("h3", {}, `Item ${told.item}`), factsOf(told.facts), part(told.hours, true), part(told.found_by), part(told.decisions), part(told.outcomes),
      h("h3", {}, "Requests that it was shown in"), slatesOf(told.slates, open), part(told.features)],
  };
}
