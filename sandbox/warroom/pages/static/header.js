// The line above everything: which room, where it stands, what time it is.

import { h, say } from "./dom.js";
import { span, wallClock, worldTime } from "./times.js";

export function header(model, code, tools) {
  const title = h("h1", {});
  const briefing = h("p", { class: "pre" });
  const phase = h("span", { class: "phase" });
  const world = h("time", { class: "world", title: "world time" });
  const wall = h("time", { class: "quiet", title: "this machine's time" });
  const left = h("span", { class: "quiet" });
  const me = h("span", { class: "me" });
  const link = h("span", { class: "link-state", role: "status" });
  const element = h("header", { class: "top" },
    h("span", { class: "code", title: "code of the room" }, code),
    h("details", { class: "briefing" }, h("summary", {}, title), briefing),
    phase, world, wall, left, link, h("span", { class: "gap" }), me, tools);

  function tick() {
    if (!model.state) return;
    const now = model.clock.now();
    const { room } = model.state;
    say(world, worldTime(now));
    say(wall, wallClock(Date.now() / 1000));
    const over = ["over", "debrief"].includes(room.phase);
    say(left, over ? "" : `${span(room.left_s - (now - room.world_ts))} left`);
  }

  model.watch((state) => {
    say(title, state.room.title);
    say(briefing, state.room.briefing);
    say(phase, state.room.phase.replace("_", " "));
    phase.className = `phase ${state.room.phase}`;
    phase.title = state.room.ended;
    say(me, state.me ? `${state.me.name}, ${state.me.role.replaceAll("_", " ")}` : "instructor");
    me.title = me.textContent;
    say(link, model.isUp ? "" : "connecting …");
    tick();
  });
  model.every(500, tick);
  return element;
}
