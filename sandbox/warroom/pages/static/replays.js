// The instructor's page of recordings: rooms and drills of before, and one of them told again.

import { call, Problem } from "./api.js";
import { follow, h, say } from "./dom.js";
import { player } from "./replay.js";
import { figure } from "./times.js";

const page = document.getElementById("page");
const list = h("ul", { class: "rooms", "aria-label": "Recordings" });
const place = h("div", { class: "chosen card" });
const refusal = h("p", { class: "refusal", role: "alert" });
let known = [];
let shown = null;
let name = null;

function draw() {
  follow(list, known, (line) => line.name, (line) => h("li", {}, h("button", {
    type: "button", class: "room-line", "aria-pressed": line.name === name, onclick: () => open(line.name),
  }, h("span", { class: "code" }, line.kind === "room" ? line.name : "drill"), h("span", { class: "phase" }, line.phase.replace("_", " ")), h("span", {}, line.title),
  h("small", {}, `${line.began.slice(0, 16).replace("T", " ")}, ${line.backend}${line.score === null ? "" : `, ${figure(line.score)}`}`))), (line) => JSON.stringify([line, name]));
}

async function open(next) {
  shown?.stop();
  name = next;
  location.hash = encodeURIComponent(next);
  shown = player(`/api/v1/instructor/replays/${encodeURIComponent(next)}`);
  const line = known.find((one) => one.name === next);
  place.replaceChildren(h("h1", {}, line ? `${line.title} · ${line.name}` : next), shown);
  draw();
  await shown.load();
}

async function begin() {
  page.replaceChildren(h("div", { class: "console" }, h("nav", { class: "stack" }, h("a", { href: "/instructor" }, "Rooms"), h("a", { href: "/instructor/results" }, "Results"), h("h1", {}, "Recordings"), refusal, list), place));
  try {
    known = await call("/api/v1/instructor/replays");
  } catch (error) {
    if (error instanceof Problem && error.status === 401) location.assign("/instructor");
    return say(refusal, error.message);
  }
  draw();
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (wanted || known.length) open(wanted || known[0].name);
  else place.replaceChildren(h("p", {}, "There are no recordings yet."));
}

begin();
