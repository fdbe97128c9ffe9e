// The library: what there is to play, each with its truth, its timeline, its proof; and a room of it, opened from here.

import { call } from "./api.js";
import { refused, keepDraft } from "./author.js";
import { allow, follow, h, say, toast } from "./dom.js";
import { jobs } from "./jobs.js";
import { timeline } from "./picture.js";
import { proof } from "./proof.js";

const AT = "/api/v1/instructor";
const page = document.getElementById("page");
const SLUG = "[a-z0-9]+(-[a-z0-9]+)*";

async function begin() {
  page.replaceChildren(h("p", { class: "card", role: "status" }, "Scenarios are read, which takes some seconds the first time …"));
  try {
    draw(await call(`${AT}/library`));
  } catch (error) {
    refused(page, error, begin);
  }
}

function draw({ scenarios, refused: broken }) {
  const list = h("ul", { class: "rooms", "aria-label": "Scenarios" });
  const place = h("div", { class: "chosen scroll" });
  const search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search scenarios, faults, lessons", oninput: show });
  const stars = h("select", { "aria-label": "Difficulty", onchange: show }, h("option", { value: "" }, "any difficulty"), [1, 2, 3, 4, 5].map((n) => h("option", { value: n }, "★".repeat(n))));
  const fault = h("select", { "aria-label": "Fault of the new one" }, [...new Set(scenarios.flatMap((card) => card.faults))].sort().map((name) => h("option", { value: name }, name)));
  let chosen = null;

  function show() {
    const wanted = search.value.trim().toLowerCase();
    const fits = (card) => (!stars.value || card.stars === Number(stars.value))
      && [card.id, card.title, card.briefing, card.teaches, ...card.faults].join(" ").toLowerCase().includes(wanted);
    follow(list, scenarios.filter(fits), (card) => card.id, line, (card) => JSON.stringify([card, card.id === chosen]));
  }

  function line(card) {
    const proved = card.proof ? (card.proof.ok ? (card.proof.quick ? "proved quickly" : "proved") : "not ok") : "no proof";
    return h("li", {}, h("button", { type: "button", class: "room-line", "aria-pressed": card.id === chosen, onclick: () => choose(card.id) },
      h("span", {}, h("strong", {}, card.title)),
      h("small", {}, `${"★".repeat(card.stars)} ${card.minutes} min, ${card.pack === "core" ? "" : `${card.pack}, `}${proved}`)));
  }

  async function choose(id) {
    chosen = id;
    location.hash = id;
    show();
    try {
      const whole = await call(`${AT}/library/${encodeURIComponent(id)}`);
      if (chosen === id) place.replaceChildren(...scenario(whole));
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  page.replaceChildren(h("div", { class: "console library" },
    h("nav", { class: "stack" }, h("p", {}, h("a", { href: "/instructor" }, "← Rooms")), h("h1", {}, "Scenarios"), search, stars, list,
      h("details", {}, h("summary", {}, "A new one, by its fault"), h("div", { class: "stack" }, fault, drafting("Name of the new one", "Begin", () => ({ fault: fault.value })))),
      broken.length ? h("details", { open: true }, h("summary", { class: "refusal" }, `${broken.length} files can't be played`), h("ul", { class: "board" }, broken.map(mend))) : null),
    place));
  show();
  window.onhashchange = () => {
    const id = location.hash.slice(1);
    if (id !== chosen && scenarios.some((card) => card.id === id)) choose(id);
  };
  const wanted = location.hash.slice(1);
  const first = scenarios.find((card) => card.id === wanted) ?? scenarios[0];
  if (first) choose(first.id);
}

function mend(file) {
  return h("li", {}, h("strong", {}, file.id), h("small", {}, `${file.where}: ${file.seen}, where there should be ${file.expected}. ${file.fix}`),
    file.pack === "own" ? h("a", { href: `/instructor/editor#${file.id}` }, "mend it") : null);
}

function scenario({ card, precedent, picture, proof: kept }) {
  const buttons = [
    h("button", { type: "button", onclick: () => work.start("dry_run", card.id) }, "Dry run"),
    h("button", { type: "button", onclick: () => work.start("prove", card.id, true) }, "Prove quickly"),
    h("button", { type: "button", onclick: () => work.start("prove", card.id) }, "Prove"),
  ];
  const work = jobs((busy) => buttons.forEach((button) => allow(button, busy ? "one at a time" : null)));
  work.resume(card.id).catch(() => {});
  return [
    h("header", { class: "stack" },
      h("h1", {}, card.title),
      h("p", { class: "quiet" }, `${card.id}, ${"★".repeat(card.stars)} of ★★★★★, ${card.minutes} minutes, world ${card.world}, ${card.pack === "core" ? "core pack" : `pack ${card.pack}`}`)),
    h("div", { class: "halves" },
      h("section", { class: "card stack" }, h("h3", {}, "Briefing"), h("p", { class: "pre" }, card.briefing)),
      h("section", { class: "card stack" }, h("h3", {}, "Teaches"), h("p", { class: "pre" }, card.teaches),
        h("p", { class: "quiet" }, card.faults.length ? `faults: ${card.faults.join(", ")}` : "no fault"), h("p", { class: "quiet pre" }, precedent))),
    opening(card),
    h("section", { class: "card stack" }, h("h3", {}, "What happens, and the truth: for you alone"), timeline(picture)),
    h("div", { class: "row" }, buttons, h("span", { class: "gap" }), h("a", { href: `/instructor/editor#${card.id}` }, card.pack === "own" ? "Edit" : "Read its file"), drafting("Name of the copy", "New one from it", () => ({ source: card.id }))),
    work.element,
    kept ? h("div", { class: "card" }, proof(kept)) : h("p", { class: "quiet" }, "No proof of it is kept, as it and the code are now."),
  ];
}

/** A room of it. */
function opening(card) {
  const backend = h("select", { "aria-label": "Backend" }, h("option", { value: "virtual" }, "virtual"), h("option", { value: "live" }, "live"));
  const held = h("input", { type: "checkbox", checked: true });
  const training = h("input", { type: "checkbox" });
  const seed = h("input", { type: "number", min: 0, step: 1, placeholder: "its own", "aria-label": "Seed" });
  const world = h("input", { type: "text", maxlength: 60, placeholder: card.world, "aria-label": "World" });
  const button = h("button", { type: "submit", class: "main" }, "Open a room");
  const told = h("span", { role: "status" });
  return h("form", { class: "card row opening", onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    told.className = "";
    say(told, backend.value === "live" ? "a stack is started …" : "it is opened …");
    try {
      const room = await call(`${AT}/rooms`, { method: "POST", body: {
        scenario: card.id, backend: backend.value, held: held.checked, failures: training.checked,
        ...(seed.value === "" ? {} : { seed: Number(seed.value) }), ...(world.value.trim() ? { world: world.value.trim() } : {}),
      } });
      told.replaceChildren("Room ", h("a", { href: `/instructor#${room.code}`, class: "code" }, room.code), " is open.");
    } catch (error) {
      told.className = "refusal";
      say(told, error.message);
    }
    button.disabled = false;
  } }, button, backend, h("label", { class: "row" }, held, "waits for my start"), h("label", { class: "row", title: "the diagram shows where failures commonly occur: not for exams" }, training, "training"), h("label", { class: "row" }, "seed", seed), h("label", { class: "row" }, "world", world), told);
}

/** A new one, under a name of its own. origin: -> what it starts from. */
function drafting(label, title, origin) {
  const name = h("input", { type: "text", maxlength: 60, pattern: SLUG, required: true, placeholder: "its-name", "aria-label": label, title: "small letters and digits, joined by hyphens" });
  return h("form", { class: "row", onsubmit: async (event) => {
    event.preventDefault();
    try {
      const draft = await call(`${AT}/draft`, { method: "POST", body: { name: name.value.trim(), ...origin() } });
      keepDraft(draft.name, { text: draft.text, base: null });
      location.href = `/instructor/editor#${draft.name}`;
    } catch (error) {
      toast(error.message, "bad");
    }
  } }, name, h("button", { type: "submit" }, title));
}

begin();
