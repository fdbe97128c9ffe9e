// The stack at a moment that is past: the diagram, the alerts that fired, and what a question was answered.

import { call } from "./api.js";
import { diagram } from "./diagram.js";
import { follow, h, say } from "./dom.js";
import { table } from "./tables.js";
import { worldClock } from "./times.js";

const SETTLED_MS = 400; // whoever steps fast is not kept waiting, and asks for nothing on the way
const PLAYING_MS = 2000; // between two looks while it plays
const KEPT = 100;

/** place: of the replay's calls. Returns the element, with `at(seq, playing)` and `forget()`. */
export function then(place) {
  const picture = diagram();
  const alerts = h("ul", { class: "alerts", "aria-label": "Alerts that fired" });
  const status = h("p", { class: "quiet", role: "status" });
  const answer = h("div", { class: "result" });
  const element = h("details", { class: "then-stack", open: true }, h("summary", {}, "The stack at that moment"), status, alerts, picture.element, answer);
  const known = new Map();
  let wanted = null;
  let shown = null;
  let timer = null;
  let busy = false;

  function at(seq, playing) {
    wanted = seq;
    if (known.has(seq)) return draw(known.get(seq));
    if (playing && timer) return undefined;
    clearTimeout(timer);
    timer = setTimeout(look, playing ? PLAYING_MS : SETTLED_MS);
    return undefined;
  }

  async function look() {
    timer = null;
    if (busy || !element.open || !element.isConnected || wanted === shown) return;
    busy = true;
    const seq = wanted;
    say(status, "looking in its lake …");
    picture.element.classList.add("stale");
    try {
      const found = await call(`${place}/then?seq=${seq}`);
      if (known.size >= KEPT) known.clear();
      known.set(seq, found);
      draw(found);
    } catch (error) {
      say(status, error.message);
    }
    busy = false;
    if (wanted !== seq) at(wanted, false);
  }

  function draw(found) {
    shown = found.seq;
    const there = found.stack && found.stack.nodes.length > 0;
    say(status, !found.stack ? `the diagram of then is not known: ${found.why}`
      : `${there ? "as it was written by" : "nothing was written yet by"} ${worldClock(found.stack.world_ts)}`);
    picture.element.classList.remove("stale");
    picture.element.toggleAttribute("hidden", !there);
    follow(alerts, found.stack?.alerts ?? [], (alert) => alert.rule, (alert) =>
      h("li", {}, h("strong", {}, alert.rule), ` since ${worldClock(alert.since_ts)}: ${alert.summary}`));
    if (found.stack) {
      picture.draw(found.stack, Object.fromEntries(Object.entries(found.stack.signals).map(([name, points]) => [name, points.at(-1)?.[1] ?? null])));
    }
    const { answer: told } = found;
    answer.replaceChildren(...(told ? [
      h("p", { class: "quiet" }, `${told.n_rows} rows${told.truncated ? `, ${told.rows.length} shown` : ""}${told.asked_again ? "; asked again of the lake as it was then" : ""}`),
      h("p", { class: "sql pre" }, told.sql), table(told.columns, told.rows),
    ] : []));
  }

  element.addEventListener("toggle", () => { if (element.open && wanted !== null) at(wanted, false); });
  element.at = at;
  element.forget = () => { known.clear(); shown = null; };
  return element;
}
