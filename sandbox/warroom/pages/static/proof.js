// A proof as it was found: whether the scenario is true, solvable and fair.

import { h } from "./dom.js";
import { table } from "./tables.js";
import { figure, percent } from "./times.js";

/** proof: the document of `sandbox scenario prove --json`. */
export function proof(found) {
  const signal = found.first_signal;
  return h("section", { class: "stack", "aria-label": "Proof" },
    h("h3", {}, found.quick ? "Quick proof" : "Proof"),
    h("p", {}, h("strong", { class: found.ok ? "good" : "refusal" }, found.ok ? "● ok: " : "○ not ok: "), found.why),
    h("p", {}, `Harm of ${figure(found.harm_z)} standard deviations of a healthy day, in ${found.harm_metric.replaceAll("_", " ")}. First signal: ${signal.name ? `${signal.name}, ${Math.round(signal.after_s / 60)} world minutes after the onset` : "none"}.`),
    h("div", { class: "halves" },
      part("Evidence", table(["query", "holds", "strength"], found.evidence.map((row) => [row.query, row.holds ? "yes" : "no", Number(row.strength.toFixed(2))]))),
      part("Averted by an action at onset", table(["action", "of the harm"], Object.entries(found.averted).map(([text, share]) => [text, percent(share)])))),
    found.claims.length ? h("details", { open: found.claims.some((claim) => !claim.holds) }, h("summary", {}, `sentences: ${found.claims.filter((claim) => claim.holds).length} of ${found.claims.length} are true`),
      h("ul", { class: "checks" }, found.claims.map((claim) => h("li", { class: claim.holds ? "ok" : null }, `“${claim.says}” `, h("small", {}, claim.seen))))) : null,
    Object.keys(found.not_run).length ? h("ul", { class: "quiet" }, Object.entries(found.not_run).map(([name, why]) => h("li", {}, `not run under ${name}: ${why}`))) : null,
    found.quick ? null : part("Responders", table(["who", "score"], [...Object.entries(found.responders), ["gold, without the fault", found.no_fault]])));
}

const part = (title, element) => h("div", { class: "stack" }, h("h3", {}, title), h("div", { class: "wide" }, element));
