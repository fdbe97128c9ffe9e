// What is really wrong, for the instructor.

import { follow, h, say } from "./dom.js";
import { worldClock } from "./times.js";

export function truth(model) {
  const text = h("p", { class: "pre" });
  const causes = h("dl", {});
  const steps = h("ol", { class: "activity" });
  const done = h("ol", { class: "activity" });
  const hints = h("ol", {});
  const whole = h("pre", {});
  let drawn = 0;

  model.watch((state) => {
    const of = state.truth;
    if (!of) return;
    say(text, of.explanation);
    follow(causes, Object.entries(of.truth), ([name]) => name, ([name, value]) => h("div", {}, h("dt", {}, name.replaceAll("_", " ")), h("dd", { class: "pre" }, typeof value === "string" ? value : JSON.stringify(value, null, 1))));
    follow(steps, of.timeline.map((step, i) => ({ step, i })), (one) => one.i, ({ step }) => h("li", {}, h("time", {}, worldClock(state.room.began_ts + step.at_s)), h("span", { class: "pre" }, JSON.stringify(step))));
    follow(done, of.done, (entry) => JSON.stringify(entry), ({ world_ts, ...entry }) => h("li", {}, h("time", {}, worldClock(world_ts)), h("span", {}, Object.entries(entry).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join("; "))));
    follow(hints, of.hints, (hint) => JSON.stringify(hint), (hint) => h("li", {}, typeof hint === "string" ? hint : JSON.stringify(hint)));
    say(whole, JSON.stringify({ accept: of.accept, penalise: of.penalise, evidence: of.evidence, precedent: of.precedent, teaches: of.teaches }, null, 1));
  });
  // What the engine has done of its timeline is news of no event: it is asked for, while somebody looks.
  model.every(5000, () => { if (steps.offsetParent && drawn !== model.state.seq + Math.floor(model.clock.now() / 60)) { drawn = model.state.seq + Math.floor(model.clock.now() / 60); model.refresh(); } });
  return h("div", { class: "halves" },
    h("div", { class: "stack" }, h("h3", {}, "What is wrong"), text, causes, h("h3", {}, "Hints that there are"), hints),
    h("div", { class: "stack" }, h("h3", {}, "Done so far"), done, h("h3", {}, "What the scenario has planned"), steps, h("details", {}, h("summary", {}, "accepted actions, evidence, precedent"), whole)));
}
