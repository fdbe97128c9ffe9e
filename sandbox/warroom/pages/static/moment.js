// A time that is past, which a page looks at: chosen in a chart or by a link, shown above the panels until one goes back to now.

import { allow, h, say } from "./dom.js";
import { spanLink, spanOf } from "./times.js";

const AROUND_S = 900; // world seconds on either side of one moment
const MOST_MINUTES = 1440;
const TABS = ["overview", "dashboards", "traces", "logs", "slates"]; // which show another time

/**
 * toChat: called with a link. looked: called with {from, to, minutes, to_ts} of a span, null for now. show, at: of the page's
 * tabs. past: called with a span in the debrief, of which the room itself can be shown.
 * Returns the bar, `go(span)`, of a link's text or {from, to}, which tells whether that is a time, and `back()`.
 */
export function moment(model, toChat, { looked, show, at, past }) {
  const text = h("strong", {});
  const live = h("button", { type: "button", onclick: back }, "Back to now");
  const share = h("button", { type: "button", onclick: () => toChat({ kind: "time", value: spanLink(span) }) }, "Show in chat");
  const element = h("div", { class: "row moment-bar", role: "status", hidden: true }, text, live, share);
  let span = null;

  function go(wanted) {
    const found = typeof wanted === "string" ? spanOf(wanted) : wanted;
    const { began_ts, phase } = model.state.room;
    const now = Math.max(model.clock.now(), model.state.room.world_ts);
    if (!found || found.to < began_ts - AROUND_S || found.from > now) return false;
    span = found;
    const around = span.to - span.from < 60 ? AROUND_S : 0;
    const to_ts = Math.max(began_ts + 60, Math.min(span.to + around, now));
    const minutes = Math.max(1, Math.min(MOST_MINUTES, Math.ceil((to_ts - Math.max(began_ts, span.from - around)) / 60)));
    say(text, `Looking at ${spanLink(span)}`);
    element.hidden = false;
    looked({ ...span, minutes, to_ts });
    if (phase === "debrief" && at() === "debrief") past(span);
    else if (!TABS.includes(at())) show("dashboards");
    return true;
  }

  function back() {
    span = null;
    element.hidden = true;
    looked(null);
  }

  model.watch(() => allow(share, model.why("chat")));
  return { element, go, back };
}
