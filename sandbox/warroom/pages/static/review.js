// What the debrief tells beside the marks: what was said beside what was, each query with its strength, the best response beside
// what the team did, and what is to be learned. All of it from the document that goes out as a file, once there is a grade.

import { call } from "./api.js";
import { h, say } from "./dom.js";
import { percent } from "./times.js";

const USED = { evidence: "quoted as evidence", ruled_out: "quoted to rule out" };

/** links: as for chat. Returns the element and `show(grade)`, which fetches the document once. */
export function review(model, links) {
  const status = h("p", { class: "quiet", role: "status" });
  const place = h("div", { class: "stack" });
  let shown = false;

  async function show() {
    if (shown) return;
    shown = true;
    say(status, "the debrief is being written …");
    try {
      draw(await call(`${model.base}/debrief?form=json`));
      say(status, "");
    } catch (error) {
      shown = false;
      say(status, `the rest of the debrief can't be had: ${error.message}`);
    }
  }

  function draw(told) {
    place.replaceChildren(
      part("What was said, beside what was", table(["", "was", "said"], told.compared.map((row) => [row.what, row.was, row.said])), true),
      part("What was asked, and how strong it is as evidence", queries(told)),
      part("The best response, beside what was done", best(told)),
      part("What is to be learned", h("div", { class: "stack" },
        h("p", { class: "pre" }, told.explanation), h("p", { class: "pre" }, told.teaches),
        h("p", {}, h("strong", {}, "It happened: "), told.precedent || "no case is known"),
        h("p", {}, h("strong", {}, "It looks like: "), told.look_alikes.join(", ") || "nothing else"))));
  }

  function queries(told) {
    const by = new Map(model.state.queries.map((one) => [one.sql.trim(), one.by]));
    const seq = new Map(model.state.queries.map((one) => [one.sql.trim(), one.seq]));
    const own = told.evidence.map((one) => h("li", {}, h("p", {}, one.claim), h("pre", { class: "sql" }, one.sql.trim())));
    return h("div", { class: "stack" },
      told.queries.length === 0 ? h("p", { class: "quiet" }, "No query was noted.") : h("ol", { class: "board strengths" }, told.queries.map((one) => h("li", {},
        h("p", {}, one.ts ? h("time", {}, one.ts.slice(11)) : null, one.ts ? " " : null, by.has(one.sql.trim()) ? h("strong", {}, `${by.get(one.sql.trim())} `) : null,
          USED[one.used] ?? "not quoted", one.claim ? `: ${one.claim}` : ""),
        h("p", {}, one.value === null ? h("span", { class: "quiet" }, "not asked again on other days: no twin was run, or it is one of many")
          : [h("meter", { min: 0, max: 1, value: one.value, "aria-label": "strength" }), ` strength ${percent(one.value)}${one.why ? `: ${one.why}` : ""}`]),
        seq.has(one.sql.trim()) ? h("button", { type: "button", class: "link sql pre", title: "see what it was answered", onclick: () => links.event(seq.get(one.sql.trim())) }, one.sql.trim()) : h("pre", { class: "sql" }, one.sql.trim())))),
      own.length ? h("details", {}, h("summary", {}, `${own.length} queries that show it`), h("ol", { class: "board" }, own)) : null);
  }

  function best(told) {
    const done = model.state.actions.map((one) => [new Date(one.world_ts * 1000).toISOString().slice(11, 19), one.action, one.by]);
    return h("div", { class: "halves" },
      h("div", { class: "stack" }, h("h3", {}, "Best"), told.best_response.length
        ? [table(["when", "what", "against"], told.best_response.map((row) => [row.ts.slice(11), row.action, row.against])),
          h("p", { class: "quiet" }, "At once when each fault begins: nobody can be faster. It is the curve “with the best response”.")]
        : h("p", {}, "To leave things alone: nothing was wrong."),
      told.accepted.length ? h("p", { class: "quiet" }, `Accepted: ${told.accepted.join(", ")}`) : null),
      h("div", { class: "stack" }, h("h3", {}, "Done"), done.length ? table(["when", "what", "by"], done) : h("p", { class: "quiet" }, "Nothing was done.")));
  }

  return { element: h("section", { class: "stack", "aria-label": "The rest of the debrief" }, status, place), show };
}

const part = (title, body, open = false) => h("details", { class: "card", open }, h("summary", {}, h("strong", {}, title)), body);

const table = (columns, rows) => h("table", {},
  h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))),
  h("tbody", {}, rows.map((row) => h("tr", {}, row.map((value) => h("td", { class: "pre" }, value))))));
