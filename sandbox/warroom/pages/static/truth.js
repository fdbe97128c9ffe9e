// What is really wrong, for the instructor.

import { follow, h, say } from "./dom.js";
import { worldClock } from "./times.js";
import { inWords } from "./words.js";

const REFRESH_MS = 5000;

const HAND = { arm: "fault on", disarm: "fault off", revert: "a colleague's revert", note: "red herring in the change log" };

/** What a hand did, in a line. */
function byHandOf(entry) {
  switch (entry.do) {
    case "arm": return `${entry.spec.fault} on ${entry.spec.target} ${JSON.stringify(entry.spec.params)}`;
    case "disarm": return `${entry.of}: ${entry.why}`;
    case "revert": return `${entry.actor}, change ${entry.change}${entry.text ? `: ${entry.text}` : ""}`;
    case "note": return `${entry.actor}: ${entry.target} ${entry.key} ${entry.old} → ${entry.new}`;
    default: return `${entry.sender}: ${entry.text}`;
  }
}

/** A step that the scenario has planned. */
function stepOf({ at_s: _, target, ...rest }) {
  return `${target}: ${inWords(rest)}`;
}

/** of: state -> the truth, null while this page may not know it. */
export function truth(model, of = (state) => state.truth) {
  const text = h("p", { class: "pre" });
  const teaches = h("p", { class: "pre quiet" });
  const causes = h("dl", {});
  const steps = h("ol", { class: "activity" });
  const done = h("ol", { class: "activity" });
  const hand = h("ol", { class: "activity" });
  const byHand = h("div", { class: "stack" }, h("h3", {}, "Done by the instructor's hand"), hand);
  const hints = h("ol", {});
  const whole = h("pre", {});
  const element = h("div", { class: "halves" },
    h("div", { class: "stack" }, h("h3", {}, "What is wrong"), text, teaches, causes, h("h3", {}, "Hints that there are"), hints),
    h("div", { class: "stack" }, byHand, h("h3", {}, "Done so far"), done, h("h3", {}, "What the scenario has planned"), steps,
      h("details", {}, h("summary", {}, "accepted actions, evidence, precedent"), whole)));

  model.watch((state) => {
    const known = of(state);
    element.hidden = !known?.truth;
    if (element.hidden) return;
    say(text, known.explanation);
    say(teaches, known.teaches);
    follow(causes, Object.entries(known.truth), ([name]) => name, ([name, value]) => h("div", {}, h("dt", {}, name.replaceAll("_", " ")), h("dd", { class: "pre" }, inWords(value))));
    follow(steps, known.timeline.map((step, i) => ({ step, i })), (one) => one.i, ({ step }) => h("li", {}, h("time", {}, worldClock(state.room.began_ts + step.at_s)), h("span", { class: "pre" }, stepOf(step))));
    follow(done, known.done, (entry) => JSON.stringify(entry), ({ world_ts, what, ...entry }) => h("li", {}, h("time", {}, worldClock(world_ts)), h("strong", {}, what), h("span", {}, Object.entries(entry).map(([name, value]) => `${name.replaceAll("_", " ")}: ${inWords(value)}`).join("; "))));
    const deeds = [...(known.by_hand ?? []), ...(known.herrings ?? []).map((one) => ({ ...one, do: "red herring" }))].sort((a, b) => a.world_ts - b.world_ts);
    byHand.hidden = deeds.length === 0;
    follow(hand, deeds, (entry) => JSON.stringify(entry), (entry) => h("li", {}, h("time", {}, worldClock(entry.world_ts)), h("strong", {}, HAND[entry.do] ?? entry.do), h("span", {}, byHandOf(entry))));
    follow(hints, known.hints, (hint) => JSON.stringify(hint), (hint) => h("li", {}, typeof hint === "string" ? hint : JSON.stringify(hint)));
    say(whole, JSON.stringify({ accept: known.accept, penalise: known.penalise, evidence: known.evidence, precedent: known.precedent }, null, 1));
  });
  // What the engine has done of its timeline is news of no event: it is asked for, while the instructor looks.
  model.every(REFRESH_MS, () => { if (model.state.truth && element.offsetParent) model.refresh(); });
  return element;
}
