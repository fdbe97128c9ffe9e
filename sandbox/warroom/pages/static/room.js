// The page of a room for those in it.

import { actions } from "./actions.js";
import { Problem } from "./api.js";
import { hypotheses, tasks } from "./boards.js";
import { debrief } from "./debrief.js";
import { allow, ask, follow, h, tabs, toast } from "./dom.js";
import { header } from "./header.js";
import { joining } from "./join.js";
import { looking } from "./looking.js";
import { Model } from "./model.js";
import { moment } from "./moment.js";
import { overview } from "./overview.js";
import { report } from "./report.js";
import { activity, chat, pager, people } from "./talk.js";
import { status } from "./status.js";
import { workbench } from "./workbench.js";

const page = document.getElementById("page");
let model = null;

async function enter(code, why = "") {
  model?.close();
  model = null;
  if (!code) return joining(page, "", why, moved);
  const opened = new Model(`/api/v1/rooms/${encodeURIComponent(code)}`, (problem) => {
    if (model === opened) enter(code, problem.message);
  });
  try {
    await opened.open();
  } catch (error) {
    if (!(error instanceof Problem)) return retry(code);
    return joining(page, code, error.code === "ROOM-004" ? why : error.message, moved);
  }
  model = opened;
  draw(opened, code);
}

function retry(code) {
  page.replaceChildren(h("p", { class: "card" }, "The server can't be reached; trying again …"));
  setTimeout(() => enter(code), 1500);
}

function moved(code) {
  history.replaceState(null, "", `/r/${encodeURIComponent(code)}`);
  enter(code);
}

function draw(room, code) {
  const links = {
    query: (sql) => { center.show("sql"); bench.element.querySelector("textarea").value = sql; },
    event: (seq) => { center.show("sql"); bench.open(Number(seq)); },
    time: (span) => { if (!when.go(span)) toast("a link to no time of this drill", "warn"); },
    trace: (id) => looks.trace(id),
    panel: (link) => looks.go(link),
  };
  let at = "overview";
  const talk = chat(room, links);
  const bench = workbench(room, (link) => talk.attach(link));
  const when = moment(room, (link) => talk.attach(link), {
    looked: (span) => { seen.at(span); looks.look(span); },
    show: (tab) => center.show(tab), at: () => at, past: (span) => back.step(span),
  });
  const seen = overview(room, () => at === "overview", (link) => looks.go(link), when.go);
  const looks = looking(room, (link) => talk.attach(link), (tab) => center.show(tab), () => at, when.go);
  const back = debrief(room, links);
  const center = tabs("Work", [
    { id: "overview", title: "Overview", panel: seen.element },
    ...looks.tabs,
    { id: "sql", title: "SQL", panel: bench.element },
    { id: "actions", title: "Actions", panel: actions(room) },
    { id: "report", title: "Report", panel: report(room) },
    { id: "debrief", title: "Debrief", panel: back },
  ], (id) => { at = id; if (id === "overview") seen.look(); looks.shown(id); });
  const side = tabs("Board", [
    { id: "hypotheses", title: "Hypotheses", panel: hypotheses(room, bench.sql, links) },
    { id: "tasks", title: "Tasks", panel: tasks(room) },
    { id: "activity", title: "Timeline", panel: activity(room, links) },
  ]);
  center.show("overview");
  side.show("hypotheses");
  page.replaceChildren(h("div", { class: "room" },
    header(room, code, [hints(room), leaving(room, code)]),
    h("div", { class: "left" }, pager(room), status(room), talk),
    h("div", { class: "center" }, center.bar, when.element, center.panels),
    h("div", { class: "right" }, people(room), side.bar, side.panels)));
  let phase = "";
  room.watch((state) => {
    const over = ["over", "debrief"].includes(state.room.phase);
    center.hide("debrief", !over);
    center.hide("report", !state.report);
    if (over && phase !== state.room.phase) center.show("debrief");
    phase = state.room.phase;
  });
  room.draw();
  setTimeout(seen.look, 100);
}

function hints(room) {
  const list = h("ol", {});
  const take = h("button", { type: "button", onclick: async () => {
    const price = Math.round((room.state.hint_price ?? 0) * 100);
    if (await ask("Take the next hint?", { detail: `It costs ${price} % of the whole score.`, yes: "Take it" })) room.send("hint");
  } }, "Hint …");
  const element = h("span", { class: "hints" }, take, h("details", {}, h("summary", {}, "hints"), list));
  room.watch((state) => {
    allow(take, room.why("hint"));
    element.hidden = !state.hints;
    element.querySelector("details").hidden = !state.hints?.length;
    follow(list, (state.hints ?? []).map((text, i) => ({ text, i })), (one) => one.i, (one) => h("li", {}, one.text));
  });
  return element;
}

function leaving(room, code) {
  return h("button", { type: "button", onclick: async () => {
    if (!await ask("Leave the room?", { detail: "Your role is free then. You can join again.", yes: "Leave" })) return;
    if (await room.send("leave") !== null) enter(code, "You have left.");
  } }, "Leave …");
}

const found = /^\/r\/([^/]+)\/?$/.exec(location.pathname);
enter(found ? decodeURIComponent(found[1]).toUpperCase() : "");
