// A room told again: the timeline with play, pause and steps, and the room beside it as it was at that moment.

import { call } from "./api.js";
import { hypotheses, tasks } from "./boards.js";
import { follow, h, say, tabs } from "./dom.js";
import { activityOf, chartsOf, Past } from "./past.js";
import { chat, pager } from "./talk.js";
import { then } from "./then.js";
import { looking } from "./looking.js";
import { truth } from "./truth.js";
import { span, spanOf, worldTime } from "./times.js";

const TICK_MS = 100;
const SPEEDS = [1, 2, 5, 10, 30, 100, 1000];
const KEPT = 200; // moments, which do not change any more

/**
 * place: of the replay's calls. onStep: called with the number of the event that is shown, when it was chosen here.
 * Returns the element, with `load()`, `go(seq)` and `stop()`.
 */
export function player(place, { onStep = () => {} } = {}) {
  const past = new Past(place);
  const known = new Map();
  let told = null;
  let at = 0; // which line
  let world = 0;
  let timer = null;
  let wanted = null;

  const list = h("ol", { class: "activity steps", tabindex: 0, "aria-label": "What happened" });
  const slide = h("input", { type: "range", min: 0, value: 0, "aria-label": "Moment", oninput: () => choose(Number(slide.value)) });
  const button = (text, label, act) => h("button", { type: "button", "aria-label": label, title: label, onclick: act }, text);
  const plays = button("▶ Play", "Play or pause", () => (timer ? stop() : play()));
  const speed = h("select", { "aria-label": "Times as fast as it was" }, SPEEDS.map((times) => h("option", { value: times }, `×${times}`)));
  speed.value = "10";
  const clock = h("time", { class: "world" });
  const where = h("span", { class: "quiet" });
  const now = h("p", { class: "pre now", "aria-live": "polite" });
  const refusal = h("p", { class: "refusal", role: "alert" });
  let charts = h("div", {});
  const stack = then(place);
  const bar = h("div", { class: "row player" }, button("◀", "One step back", () => choose(at - 1)), plays, button("▶|", "One step on", () => choose(at + 1)),
    speed, slide, clock, where);
  const panels = panelsOf(past);
  const links = { event: (seq) => element.go(Number(seq)), time: (span) => { const found = typeof span === "string" ? spanOf(span) : span; if (found) element.goTo(found.to); }, query() {}, trace: (id) => panels.trace(id), panel: (link) => panels.go(link) };
  const element = h("section", { class: "replay stack past", "aria-label": "Replay" }, bar, now, refusal, charts, stack, panels.element, h("div", { class: "moment" }, list, room(past, links)));

  async function load() {
    say(refusal, "");
    try {
      if (!past.words) past.words = await call("/api/v1/words", { cache: "default" });
      told = await call(place);
      const drawn = chartsOf(past, await call(`${place}/signals`), told.began_ts);
      charts.replaceWith(drawn);
      charts = drawn;
    } catch (error) {
      return say(refusal, error.message);
    }
    known.clear();
    stack.forget();
    slide.max = String(Math.max(0, told.lines.length - 1));
    follow(list, told.lines.map((line, i) => ({ line, i })), (one) => one.i, ({ line, i }) => h("li", { class: `k-${line.kind}` },
      h("time", {}, worldTime(line.world_ts).slice(11, 19)), h("button", { type: "button", class: "link", onclick: () => choose(i) }, line.text)), ({ line }) => line.text);
    show(Math.min(at, told.lines.length - 1));
  }

  function choose(line) {
    if (!told?.lines.length) return;
    show(line);
    world = told.lines[at].world_ts;
    onStep(told.lines[at].seq);
  }

  async function show(line) {
    if (!told?.lines.length) return;
    at = Math.max(0, Math.min(told.lines.length - 1, line));
    const chosen = told.lines[at];
    slide.value = String(at);
    say(clock, worldTime(chosen.world_ts));
    say(where, `${span(chosen.world_ts - told.began_ts)} in, ${at + 1} of ${told.lines.length}`);
    say(now, chosen.text);
    now.className = `pre now k-${chosen.kind}`;
    [...list.children].forEach((item, i) => {
      item.classList.toggle("later", i > at);
      item.toggleAttribute("aria-current", i === at);
    });
    if (list.offsetParent) list.children[at].scrollIntoView({ block: "nearest" });
    stack.at(chosen.seq, timer !== null);
    wanted = chosen.seq;
    if (!known.has(chosen.seq)) {
      try {
        const found = await call(`${place}/moment?seq=${chosen.seq}`);
        if (known.size >= KEPT) known.clear();
        known.set(chosen.seq, found);
      } catch (error) {
        stop();
        return say(refusal, error.message);
      }
    }
    if (wanted === chosen.seq) past.is(known.get(chosen.seq), told.lines.slice(0, at + 1), chosen.seq);
  }

  function play() {
    if (!told?.lines.length) return;
    if (at >= told.lines.length - 1) show(0);
    world = told.lines[at].world_ts;
    say(plays, "❚❚ Pause");
    timer = setInterval(() => {
      world += (TICK_MS / 1000) * told.world_rate * Number(speed.value);
      let next = at;
      while (next + 1 < told.lines.length && told.lines[next + 1].world_ts <= world) next += 1;
      if (next !== at) { show(next); onStep(told.lines[at].seq); }
      else say(clock, worldTime(world));
      if (at >= told.lines.length - 1) stop();
    }, TICK_MS);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    say(plays, "▶ Play");
  }

  element.load = load;
  element.stop = stop;
  /** Shows what had happened by that world time. */
  element.goTo = (ts) => {
    if (!told) return;
    stop();
    const found = told.lines.findLastIndex((line) => line.world_ts < ts + 60);
    choose(Math.max(0, found));
  };
  /** Shows what somebody else has chosen. */
  element.go = (seq) => {
    if (!told) return;
    stop();
    const found = told.lines.findLastIndex((line) => line.seq <= seq);
    if (found >= 0) show(found);
  };
  return element;
}

/** Dashboards, traces, logs and slates as they were at that moment. */
function panelsOf(past) {
  let at = "dashboards";
  const looks = looking(past, () => {}, (tab) => { element.open = true; bar.show(tab); }, () => (element.open ? at : ""));
  const bar = tabs("Panels at that moment", looks.tabs, (id) => { at = id; if (element.open) looks.shown(id); }, "then-");
  const element = h("details", { class: "then-panels", ontoggle: () => { if (element.open) bar.show(at); } },
    h("summary", {}, "Panels at that moment"), bar.bar, bar.panels);
  past.every(0, () => { looks.look(null); });
  return { element, go: looks.go, trace: looks.trace };
}

function room(past, links) {
  const people = h("p", {});
  const phase = h("span", { class: "phase" });
  past.watch((state) => {
    phase.className = `phase ${state.room.phase}`;
    say(phase, state.room.phase.replace("_", " "));
    say(people, ` ${state.participants.map((person) => `${person.name} (${person.role.replaceAll("_", " ")})`).join(", ")}`);
  });
  const known = truth(past, (state) => (state.truth.truth ? state.truth : null));
  const element = h("div", { class: "then" },
    h("div", { class: "stack" }, h("div", { class: "row" }, phase, people), pager(past), chat(past, links)),
    h("div", { class: "stack" }, h("h3", {}, "Hypotheses"), hypotheses(past, () => null, links), h("h3", {}, "Tasks"), tasks(past), ...activityOf(past)),
    h("details", { class: "wide" }, h("summary", {}, "What was really wrong, and what of it was done by then"), known));
  for (const form of element.querySelectorAll("form, textarea, .chat .row, .pager button")) form.remove(); // nothing can be done there
  return element;
}
