// What it came to: each item with its why, and what happened when.

import { curves } from "./curves.js";
import { follow, h, say } from "./dom.js";
import { player } from "./replay.js";
import { review } from "./review.js";
import { told } from "./talk.js";
import { figure, worldClock } from "./times.js";
import { truth } from "./truth.js";

/** links: as for chat. tools: an element for each item that the instructor alone has, or null. */
export function debrief(model, links, tools = () => null) {
  const score = h("p", { class: "score" });
  const notices = h("ul", { class: "quiet" });
  const items = h("tbody", {});
  const times = h("ol", { class: "activity" });
  const waiting = h("p", {});
  const harm = curves();
  const more = review(model, links);
  const steps = stepping(model);
  const graded = h("div", { class: "stack" }, h("div", { class: "halves marks" },
    h("div", { class: "stack" }, score,
      h("p", {}, h("a", { href: `${model.base}/debrief`, download: true }, "The debrief as a file"), h("span", { class: "quiet" }, " opens without network; also as "),
        [["md", "Markdown"], ["pdf", "PDF"], ["json", "JSON"]].map(([form, title]) => [h("a", { href: `${model.base}/debrief?form=${form}`, download: true }, title), " "])), h("table", {}, h("thead", {}, h("tr", {}, ["item", "score", "of", "why", ""].map((name) => h("th", { scope: "col" }, name)))), items), notices),
    h("div", { class: "stack" }, h("h3", {}, "What happened"), times)),
    harm.element, more.element, steps,
    h("details", {}, h("summary", {}, "What was really wrong"), truth(model, (state) => state.grade?.truth)));
  const element = h("div", {}, waiting, graded);
  element.step = steps.step;
  model.watch((state) => {
    waiting.hidden = state.grade !== null;
    say(waiting, state.room.phase === "over" ? "The drill is over and is being graded …" : "The debrief comes when the drill is over.");
    graded.hidden = state.grade === null;
    if (!state.grade) return;
    more.show();
    const { document } = state.grade;
    const overrides = state.overrides ?? {};
    harm.draw(document.twin, state.room, model.log.find((event) => event.kind === "page_came")?.world_ts);
    const whole = overrides.score ? ` → ${figure(overrides.score.score)} by the instructor: ${overrides.score.reason}` : "";
    say(score, `${figure(state.grade.score)} of 1${whole}${document.baseline_score ? `; an answer without looking: ${figure(document.baseline_score)}` : ""}`);
    follow(items, document.items ?? [], (item) => item.item, (item) => h("tr", {},
      h("td", {}, item.item.replaceAll("_", " ")), h("td", { class: "number" }, figure(item.score)), h("td", { class: "number" }, figure(item.max)),
      h("td", { class: "pre" }, item.why, overrides[item.item] ? h("p", { class: "refusal" }, `${figure(overrides[item.item].score)} by the instructor: ${overrides[item.item].reason}`) : null), h("td", {}, tools(item))),
    (item) => JSON.stringify([item, overrides[item.item]]));
    follow(notices, document.notices ?? [], (text) => text, (text) => h("li", {}, text));
    follow(times, model.log.filter((event) => KINDS.has(event.kind)), (event) => event.seq, (event) => h("li", { class: event.kind },
      h("time", {}, worldClock(event.world_ts)), h("span", { class: "who" }, model.names.get(event.who) ?? event.who), h("span", {}, told(event, model)[0])), () => "");
  });
  return element;
}

/** The room's life, stepped through: by each alone, or by all together where somebody who may leads. */
function stepping(model) {
  const place = model.base.includes("/instructor/") ? model.base.replace("/instructor/rooms/", "/instructor/replays/") : `${model.base}/replay`;
  const leads = h("input", { type: "checkbox" });
  const follows = h("input", { type: "checkbox" });
  follows.checked = true;
  const since = model.state.seq; // what was led before this page was opened is past
  let sent = 0;
  let shown = null; // made when it is first looked at
  let wanted = null; // a time that was asked for before
  const onStep = (seq) => {
    if (!leads.checked || Date.now() - sent < STEP_MS) return;
    sent = Date.now();
    model.send("step_to", { event: seq });
  };
  const lead = h("label", {}, leads, " all look with me");
  const element = h("details", { class: "card", ontoggle: async () => {
    if (!element.open) return shown?.stop();
    if (!shown) element.append(shown = player(place, { onStep }));
    await shown.load();
    if (wanted) shown.goTo(wanted.to);
    else if (follows.checked && model.state.shown) shown.go(model.state.shown);
    wanted = null;
  } }, h("summary", {}, "Step through it"), h("div", { class: "row" }, h("label", {}, follows, " look with whoever leads"), lead));
  model.watch(() => { lead.hidden = model.why("step_to") !== null; });
  model.onEvent.add((event) => {
    if (event.kind !== "stepped_to" || event.seq <= since || leads.checked || !follows.checked || !element.isConnected) return;
    if (!element.open) element.open = true;
    else shown?.go(event.what.event);
  });
  /** Goes to what had happened by the end of {from, to}. */
  element.step = (span) => {
    element.scrollIntoView({ block: "start" });
    if (element.open && shown) return shown.goTo(span.to);
    wanted = span;
    element.open = true;
  };
  return element;
}

const STEP_MS = 500; // a lead is followed, not flooded
const KINDS = new Set([
  "started", "page_came", "acknowledged", "acted", "hypothesis_added", "hypothesis_weighed", "asked", "hint_taken", "hint_given",
  "fault_armed", "fault_disarmed", "colleague_reverted", "herring_planted", "status_asked", "status_pressed", "status_updated",
  "injected", "timeline_edited", "report_filed", "time_up", "ended", "graded",
]);
