// All rooms of the server at once: where each stands, and who in it may need help.

import { call } from "./api.js";
import { follow, h } from "./dom.js";
import { figure, span, worldClock } from "./times.js";

const EVERY_MS = 3000;
const HEADS = ["Room", "Phase", "World", "Page", "Last activity", "Quiet for 5 min", "Looks elsewhere", "Asked for", "By hand", "Score"];

/** onOpen: called with a room's code. */
export function roomsView(onOpen) {
  const rows = h("tbody", {});
  const none = h("p", { class: "quiet", hidden: true }, "This server has no rooms: sandbox room start SCENARIO");
  const element = h("section", { class: "card stack rooms-view", "aria-label": "All rooms" }, h("h2", {}, "All rooms"), none,
    h("div", { class: "wide" }, h("table", {}, h("thead", {}, h("tr", {}, HEADS.map((head) => h("th", { scope: "col" }, head)))), rows)));
  let timer = null;

  async function look() {
    if (document.hidden) return;
    try {
      const rooms = await call("/api/v1/instructor/view");
      none.hidden = rooms.length > 0;
      follow(rows, rooms, (room) => room.code, (room) => line(room, onOpen));
    } catch { /* the next look tells; who may no longer look is told by the list */ }
  }

  return {
    element,
    show() { clearInterval(timer); timer = setInterval(look, EVERY_MS); look(); },
    hide() { clearInterval(timer); },
  };
}

function line(room, onOpen) {
  const people = (list, more) => h("td", { class: list.length ? "refusal" : "quiet" }, list.length ? list.map((one) => h("div", {}, `${one.name}${more(one)}`)) : "–");
  return h("tr", {},
    h("td", {}, h("button", { type: "button", class: "link code", onclick: () => onOpen(room.code) }, room.code), h("div", {}, h("small", {}, `${room.title}, ${room.backend}, ${room.participants} here`))),
    h("td", {}, h("span", { class: `phase ${room.phase}` }, room.phase.replace("_", " "))),
    h("td", {}, worldClock(room.world_ts), h("div", {}, h("small", {}, room.left_s ? `${span(room.left_s)} left` : ""))),
    page(room),
    h("td", {}, room.last_s === null ? "–" : `${span(room.last_s)} ago`, h("div", {}, h("small", {}, room.last_by ? `${room.last_by}: ${room.last_did.replaceAll("_", " ")}` : ""))),
    people(room.quiet, (one) => `, ${span(one.since_s)}`),
    people(room.astray, (one) => `: ${one.at.slice(0, 3).join(", ")}`),
    h("td", { class: room.overdue ? "refusal" : "" }, room.requests ? `${room.requests} status update${room.requests > 1 ? "s" : ""}${room.overdue ? `, ${room.overdue} overdue` : ""}` : "–"),
    h("td", { class: room.waits ? "refusal" : "" }, [room.armed ? `${room.armed} on` : null, room.waits ? `${room.waits} inject waits` : null, room.touched && !room.armed ? "touched" : null].filter(Boolean).join(", ") || "–"),
    h("td", { class: "number" }, room.score === null ? "–" : figure(room.score)));
}

function page(room) {
  if (room.page_ts === null) return h("td", { class: "quiet" }, "not yet");
  if (room.acknowledged_by === null) return h("td", { class: "refusal" }, `${worldClock(room.page_ts)}, nobody has it`);
  return h("td", {}, `${worldClock(room.page_ts)}`, h("div", {}, h("small", {}, `${room.acknowledged_by}${room.acknowledged_s === null ? "" : ` after ${span(room.acknowledged_s)}`}`)));
}
