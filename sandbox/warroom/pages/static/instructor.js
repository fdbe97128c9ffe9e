// The instructor's page: all rooms, and one of them with its truth.

import { call, Problem } from "./api.js";
import { commonlySwitch } from "./commonly.js";
import { debrief } from "./debrief.js";
import { allow, ask, follow, h, say, tabs } from "./dom.js";
import { harmLive } from "./harm.js";
import { header } from "./header.js";
import { looking } from "./looking.js";
import { Model } from "./model.js";
import { moment } from "./moment.js";
import { overview } from "./overview.js";
import { roomsView } from "./rooms_view.js";
import { activity, chat, pager, told } from "./talk.js";
import { truth } from "./truth.js";
import { twists } from "./twists.js";
import { figure, span, wallClock, worldClock } from "./times.js";
import { inWords } from "./words.js";
import { workbench } from "./workbench.js";

const page = document.getElementById("page");
const ROOMS_MS = 3000;
let model = null;
let listing = null;

async function begin() {
  clearInterval(listing);
  try {
    draw(await call("/api/v1/instructor/rooms"));
  } catch (error) {
    if (!(error instanceof Problem)) return setTimeout(begin, 1500);
    signIn(location.hash === "#refused" ? "That is not the secret of this server." : error.code === "ROOM-004" ? "" : error.message);
  }
}

function signIn(why) {
  model?.close();
  const secret = h("input", { type: "password", maxlength: 400, required: true, autocomplete: "current-password" });
  const refusal = h("p", { class: "refusal", role: "alert" }, why);
  page.replaceChildren(h("form", { class: "join card", onsubmit: async (event) => {
    event.preventDefault();
    try {
      await call("/instructor", { method: "POST", body: { secret: secret.value } });
      history.replaceState(null, "", "/instructor");
      begin();
    } catch (error) {
      say(refusal, error.message);
    }
  } }, h("h1", {}, "Instructor"), h("label", {}, "The secret that was printed when the server started", secret), refusal,
  h("button", { type: "submit", class: "main" }, "Sign in")));
  secret.focus();
}

function draw(rooms) {
  const list = h("ul", { class: "rooms", "aria-label": "Rooms" });
  const place = h("div", { class: "chosen" });
  let code = null;
  let known = rooms;

  function show(lines) {
    known = lines;
    follow(list, lines, (room) => room.code, (room) => h("li", {}, h("button", {
      type: "button", class: "room-line", "aria-pressed": room.code === code, onclick: () => choose(room.code),
    }, h("span", { class: "code" }, room.code), h("span", { class: `phase ${room.phase}` }, room.phase.replace("_", " ")), h("span", {}, room.title),
    h("small", {}, `${room.backend}, ${room.participants} here, ${worldClock(room.world_ts)}`))), (room) => JSON.stringify([room, code]));
  }

  const all = roomsView((next) => choose(next));
  const whole = h("button", { type: "button", class: "room-line", onclick: () => survey() }, "All rooms");

  function survey() {
    code = null;
    model?.close();
    model = null;
    location.hash = "all";
    whole.setAttribute("aria-pressed", "true");
    show(known);
    place.replaceChildren(all.element);
    all.show();
  }

  async function choose(next) {
    code = next;
    model?.close();
    all.hide();
    whole.setAttribute("aria-pressed", "false");
    location.hash = next;
    show(known);
    const opened = new Model(`/api/v1/instructor/rooms/${encodeURIComponent(next)}`, () => signIn("Sign in again."));
    model = opened;
    try {
      await opened.open();
    } catch (error) {
      return opened.tell(error);
    }
    if (model !== opened) return opened.close();
    place.replaceChildren(...roomOf(opened, next));
    opened.draw();
  }

  const other = [["library", "Scenarios: open another"], ["replay", "Recordings"], ["results", "Results"]]
    .map(([path, says]) => h("a", { href: `/instructor/${path}` }, says));
  page.replaceChildren(h("div", { class: "console" }, h("nav", { class: "stack" }, h("h1", {}, "Rooms"), whole, list, ...other), place));
  show(rooms);
  const wanted = location.hash.slice(1);
  if (rooms.some((room) => room.code === wanted)) choose(wanted);
  else if (rooms.length > 1 || (rooms.length && wanted === "all")) survey();
  else if (rooms.length) choose(rooms[0].code);
  else place.replaceChildren(h("p", { class: "card" }, "This server has no rooms: sandbox room start SCENARIO"));
  listing = setInterval(async () => {
    if (document.hidden) return;
    try { show(await call("/api/v1/instructor/rooms")); } catch { /* said by the room's stream */ }
  }, ROOMS_MS);
}

function roomOf(room, code) {
  let at = "team";
  const links = { event: (seq) => { center.show("sql"); bench.open(Number(seq)); }, query: () => center.show("sql"), time: (span) => when.go(span), trace: (id) => looks.trace(id), panel: (link) => looks.go(link) };
  const talk = chat(room, links);
  const bench = workbench(room, (link) => talk.attach(link));
  const when = moment(room, (link) => talk.attach(link), {
    looked: (span) => { seen.at(span); looks.look(span); },
    show: (tab) => center.show(tab), at: () => at, past: (span) => back.step(span),
  });
  const seen = overview(room, () => at === "overview", (link) => looks.go(link), when.go);
  const looks = looking(room, (link) => talk.attach(link), (tab) => center.show(tab), () => at, when.go);
  const back = debrief(room, links, (item) => override(room, item));
  const hand = twists(room);
  const harm = harmLive(room, () => at === "harm");
  const center = tabs("Console", [
    { id: "team", title: "Team", panel: team(room, links) },
    { id: "truth", title: "Truth", panel: truth(room) },
    { id: "twists", title: "Twists", panel: hand.element },
    { id: "harm", title: "Harm", panel: harm.element },
    { id: "overview", title: "Overview", panel: seen.element },
    ...looks.tabs,
    { id: "sql", title: "SQL", panel: bench.element },
    { id: "debrief", title: "Debrief", panel: back },
  ], (id) => { at = id; if (id === "overview") seen.look(); if (id === "harm") harm.look(); if (id === "twists") hand.look(); looks.shown(id); });
  const side = tabs("Say", [
    { id: "say", title: "Say", panel: saying(room) },
    { id: "activity", title: "Timeline", panel: activity(room, links) },
  ]);
  center.show("team");
  side.show("say");
  room.watch((state) => center.mark("twists", (state.plans ?? []).some((plan) => plan.waits) ? "!" : ""));
  return [header(room, code, [controls(room)]), h("div", { class: "room inner" },
    h("div", { class: "left" }, pager(room), talk),
    h("div", { class: "center" }, center.bar, when.element, center.panels),
    h("div", { class: "right" }, side.bar, side.panels))];
}

function controls(room) {
  const button = (kind, text, act = () => room.send(kind)) => {
    const element = h("button", { type: "button", onclick: act }, text);
    room.watch(() => allow(element, room.why(kind)));
    return element;
  };
  const speed = h("select", { "aria-label": "Speed", onchange: () => room.send("speed", { factor: Number(speed.value) }) },
    [0.25, 0.5, 1, 2, 4, 10].map((factor) => h("option", { value: factor }, `×${factor}`)));
  speed.value = "1";
  room.onEvent.add((event) => { if (event.kind === "speed_set") speed.value = String(event.what.factor); });
  room.watch((state) => allow(speed, state.room.backend === "live" ? "a live room has one speed" : room.why("speed")));
  const pause = button("pause", "Pause");
  room.watch((state) => { if (state.room.backend === "live") allow(pause, "real processes and users have no pause"); });
  return h("span", { class: "row" }, button("start", "Start"), pause, speed, commonlySwitch(room),
    button("end", "End …", async () => { if (await ask("End the drill without a report?", { yes: "End it" })) room.send("end"); }));
}

/** Who is here, since when they have done nothing, and what each of them did. */
function team(room, links) {
  const list = h("ol", { class: "board team", "aria-label": "Participants" });
  const events = (who) => room.log.filter((event) => event.who === who);
  const open = new Set();

  function card(person) {
    const mine = events(person.participant);
    const last = mine.at(-1);
    const name = person.participant;
    const details = h("details", { ontoggle: () => (details.open ? open.add(name) : open.delete(name)) },
      h("summary", {}, `what ${person.name} did: ${mine.length}`), h("ol", { class: "activity" }, mine.slice(-60).reverse().map((event) => {
        const [text, link] = told(event, room);
        return h("li", {}, h("time", {}, worldClock(event.world_ts)), link ? h("button", { type: "button", class: "link", onclick: () => links[link.kind](link.value) }, text) : h("span", {}, text));
      })));
    details.open = open.has(name);
    const quiet = last ? Date.now() / 1000 - last.wall_ts : 0;
    return h("li", {},
      h("div", { class: "row" }, h("strong", {}, person.name), h("span", {}, person.role.replaceAll("_", " ")),
        h("small", { class: quiet > 300 ? "refusal" : "quiet", title: last ? wallClock(last.wall_ts) : "" }, last ? `quiet for ${span(quiet)}` : ""),
        h("span", { class: "gap" }),
        h("button", { type: "button", onclick: async () => {
          const to = await ask(`Give ${person.name}'s role to whom?`, { text: "", yes: "Hand over", detail: `Here: ${room.state.participants.map((one) => one.name).join(", ")}` });
          if (to) room.send("hand_over", { to, of: person.participant });
        } }, "Hand over …"),
        h("button", { type: "button", onclick: async () => { if (await ask(`Have ${person.name} leave?`, { yes: "Dismiss" })) room.send("dismiss", { participant: person.participant }); } }, "Dismiss …")),
      details);
  }

  room.watch((state) => follow(list, state.participants, (person) => person.participant, card,
    (person) => JSON.stringify([person, events(person.participant).length, Math.floor(Date.now() / 15000)])));
  room.every(15000, () => room.draw());
  return h("div", { class: "stack" }, list, progress(room));
}

/** The report as it is so far, to read. */
function progress(room) {
  const list = h("ul", { class: "board", "aria-label": "The report so far" });
  room.watch((state) => follow(list, Object.entries(state.report ?? {}), ([name]) => name, ([name, field]) =>
    h("li", {}, h("strong", {}, name.replaceAll("_", " ")), ` (${field.by}) `, h("span", { class: "pre" }, inWords(field.value)))));
  return h("div", {}, h("h3", {}, "The report so far"), list);
}

function saying(room) {
  const form = (kind, title, fields, make) => {
    const button = h("button", { type: "submit" }, title);
    room.watch(() => allow(button, room.why(kind)));
    return h("form", { class: "stack", onsubmit: async (event) => {
      event.preventDefault();
      const last = fields.at(-1);
      if (last.value.trim() && await room.send(kind, make(...fields.map((field) => field.value.trim()))) !== null) last.value = "";
    } }, fields, button);
  };
  const area = (label) => h("textarea", { rows: 3, maxlength: 2000, placeholder: label, "aria-label": label });
  const sender = h("input", { type: "text", maxlength: 40, value: "Head of product", "aria-label": "Sender", required: true });
  const notes = h("ol", { class: "activity" });
  room.watch((state) => follow(notes, state.notes ?? [], (note) => note.seq, (note) => h("li", {}, h("time", {}, worldClock(note.world_ts)), h("span", {}, note.text)), () => ""));
  return h("div", { class: "stack" },
    h("h3", {}, "A message from outside"), form("inject", "Send it", [sender, area("What they write")], (from, text) => ({ sender: from, text })),
    h("h3", {}, "A hint that costs nothing"), form("give_hint", "Give it", [area("Hint to the room")], (text) => ({ text })),
    h("h3", {}, "Notes, for you alone"), form("note", "Note it", [area("Note")], (text) => ({ text })), notes);
}

function override(room, item) {
  const button = h("button", { type: "button", class: "link", onclick: async () => {
    const score = await ask(`Another score for “${item.item}”, 0 to 1`, { text: String(figure(item.score)), yes: "Go on" });
    if (!score) return;
    const reason = await ask("Why?", { text: "", yes: "Override" });
    if (reason) room.send("override", { item: item.item, score: Number(score), reason });
  } }, "override");
  allow(button, room.why("override"));
  return button;
}

begin();
