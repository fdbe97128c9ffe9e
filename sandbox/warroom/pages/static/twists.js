// What the instructor does to the world of a room: faults by hand, colleagues, stakeholders, red herrings; now or planned.

import { call } from "./api.js";
import { allow, follow, h, say, toast } from "./dom.js";
import { span, worldClock } from "./times.js";

const KINDS = ["started", "page_came", "acknowledged", "acted", "asked", "previewed", "hypothesis_added", "hypothesis_weighed",
  "status_asked", "status_updated", "chatted", "field_reported", "hint_taken"];
const LIKE = new Set(["acted", "asked", "previewed", "hypothesis_added", "chatted", "field_reported", "status_updated"]);
const words = (kind) => kind.replaceAll("_", " ");

/** The tab: what is on by hand, a form for each deed, what is planned. look: called when it is shown. */
export function twists(room) {
  const [form, sets] = [deeds(room), readyMade(room)];
  const element = h("div", { class: "halves" },
    h("div", { class: "stack" }, h("h3", {}, "On by hand"), armed(room), h("h3", {}, "A deed"), form.element),
    h("div", { class: "stack" }, h("h3", {}, "Planned"), plans(room), h("h3", {}, "Ready-made sets"), sets.element));
  let isRead = false;
  return {
    element,
    look() {
      if (isRead) return; // the catalogue is read from the whole library: not before somebody wants it
      isRead = true;
      form.read();
      sets.read();
    },
  };
}

function armed(room) {
  const list = h("ul", { class: "board", "aria-label": "Faults that are on by hand" });
  const none = h("p", { class: "quiet" }, "Nothing.");
  room.watch((state) => {
    none.hidden = (state.armed ?? []).length > 0;
    follow(list, state.armed ?? [], (one) => one.name, (one) => {
      const off = h("button", { type: "button", onclick: () => room.send("twist", { does: { do: "disarm", of: one.name } }) }, "Take off");
      allow(off, room.why("twist"));
      return h("li", {}, h("div", { class: "row" }, h("strong", {}, one.fault), h("span", {}, `on ${one.target}`), h("span", { class: "gap" }), off),
        h("small", {}, `since ${worldClock(one.began_ts)}${one.ends_ts ? `, to ${worldClock(one.ends_ts)}` : ""}${one.ends_on.length ? `; ended by ${one.ends_on.join("; ")}` : ""}`),
        h("details", {}, h("summary", {}, "how"), h("pre", {}, JSON.stringify(one.spec, null, 1))));
    }, (one) => JSON.stringify([one, room.why("twist")]));
  });
  return h("div", {}, none, list);
}

/** One form whose fields follow the deed that is chosen. Each part tells its deed, or throws what is wrong. */
function deeds(room) {
  const faults = fault();
  const parts = { arm: faults, revert: colleague(room), ask_status: stakeholder(), herring: herring(), say: message() };
  const titles = { arm: "A fault", revert: "A colleague reverts a change", ask_status: "A stakeholder asks for a status update", herring: "A red herring", say: "A message" };
  const pick = h("select", { "aria-label": "Deed", onchange: show }, Object.entries(titles).map(([id, title]) => h("option", { value: id }, title)));
  const refusal = h("p", { class: "refusal", role: "alert" });
  const when = timing();
  const now = h("button", { type: "submit", class: "main" }, "Do it now");
  const plan = h("button", { type: "button", onclick: () => give("inject_plan", (does) => ({ does, ...when.read() })) }, "Plan it");
  room.watch(() => { allow(now, room.why("twist")); allow(plan, room.why("inject_plan")); });

  async function give(kind, fields) {
    say(refusal, "");
    try {
      if (await room.send(kind, fields(parts[pick.value].read())) !== null) toast(kind === "twist" ? "done" : "planned");
    } catch (error) {
      say(refusal, error.message);
    }
  }

  function show() {
    for (const [id, part] of Object.entries(parts)) part.element.hidden = id !== pick.value;
  }

  show();
  const element = h("form", { class: "stack", onsubmit: (event) => (event.preventDefault(), give("twist", (does) => ({ does }))) },
    pick, Object.values(parts).map((part) => part.element), refusal, h("div", { class: "row" }, now),
    h("fieldset", { class: "field stack" }, h("legend", {}, "Or later"), when.element, h("div", { class: "row" }, plan)));
  return { element, read: faults.fetch };
}

function fault() {
  const pick = h("select", { "aria-label": "Fault", onchange: choose });
  const target = h("select", { "aria-label": "Where", onchange: move });
  const about = h("p", { class: "quiet" }, "reading the catalogue …");
  const knobs = h("div", { class: "stack" });
  const more = h("textarea", { class: "sql", rows: 4, spellcheck: "false", "aria-label": "Scope, onset and release, as JSON" });
  const minutes = h("input", { type: "number", min: 0, step: "any", placeholder: "until taken off", "aria-label": "World minutes" });
  const share = h("input", { type: "number", min: 0, max: 1, step: "any", value: "1", "aria-label": "Share of calls" });
  const ends = h("input", { type: "text", maxlength: 1200, placeholder: "actions that end it, separated by ;", "aria-label": "Actions that end it" });
  let known = new Map();
  let fields = new Map();
  let written = "";

  async function fetch() {
    try {
      const list = await call("/api/v1/instructor/faults");
      known = new Map(list.map((one) => [one.name, one]));
      pick.replaceChildren(...list.map((one) => h("option", { value: one.name, disabled: one.why_not !== "" }, `${one.name}${one.control ? " (harmless)" : ""}`)));
      choose();
    } catch (error) {
      say(about, `the catalogue of faults can't be had: ${error.message}`);
    }
  }

  function choose() {
    const one = known.get(pick.value);
    if (!one) return;
    const example = one.example ?? {};
    say(about, `${one.summary} Moves: ${one.moves}. Put right by: ${one.repairs}.${one.release ? ` It spoils a release${one.needs.length ? ` of ${one.needs.join(", ")}` : ""}.` : ""}`);
    const places = [...new Set([...(example.target ? [example.target] : []), ...one.targets])];
    target.replaceChildren(...places.map((place) => h("option", { value: place }, place)));
    fields = new Map(Object.entries(one.knobs).map(([name, knob]) => [name, field(name, knob, example.params?.[name] ?? knob.default)]));
    knobs.replaceChildren(...[...fields.values()].map((knob) => knob.element));
    share.disabled = !one.share;
    share.value = String(example.share ?? 1);
    minutes.disabled = !one.ends;
    ends.value = (example.ends_on ?? []).join("; ");
    more.value = written = rest(example);
  }

  /** What the form begins with besides: whom an example means is of its own place, and elsewhere means nobody. */
  function rest({ target: place, scope, onset, release }) {
    return JSON.stringify({ ...(scope && target.value === place && { scope }), ...(onset && { onset }), ...(release && { release }) }, null, 1);
  }

  function move() {
    if (more.value === written) more.value = written = rest(known.get(pick.value)?.example ?? {});
  }

  return {
    fetch,
    element: h("div", { class: "stack" }, pick, about, h("label", { class: "row" }, "where", target), knobs,
      h("div", { class: "row" }, "share", share, "for", minutes, "world min"), ends,
      h("details", {}, h("summary", {}, "scope, onset, release"), more)),
    read() {
      let rest;
      try { rest = JSON.parse(more.value || "{}"); } catch (error) { throw new Error(`scope, onset, release: ${error.message}`); }
      const params = Object.fromEntries([...fields].map(([name, knob]) => [name, knob.read()]).filter(([, value]) => value !== undefined));
      const on = ends.value.split(";").map((text) => text.trim()).filter(Boolean);
      return { do: "arm", fault: pick.value, target: target.value, params, share: share.disabled ? 1 : Number(share.value),
        ...(minutes.value && !minutes.disabled ? { for_s: Number(minutes.value) * 60 } : {}), ends_on: on, ...rest };
    },
  };
}

/** A knob by its JSON schema: a number, a choice, a tick, else JSON. */
function field(name, knob, value) {
  const bounds = [knob.minimum ?? knob.exclusiveMinimum, knob.maximum ?? knob.exclusiveMaximum];
  const about = h("small", {}, [knob.description, bounds.some((b) => b !== undefined) ? `${bounds[0] ?? ""} to ${bounds[1] ?? ""}` : null].filter(Boolean).join("; "));
  const isNumber = knob.type === "number" || knob.type === "integer";
  let input;
  if (knob.enum) input = h("select", {}, knob.enum.map((one) => h("option", { value: one }, one)));
  else if (knob.type === "boolean") input = h("input", { type: "checkbox" });
  else input = h("input", { type: isNumber ? "number" : "text", step: "any", maxlength: 2000 });
  if (knob.type === "boolean") input.checked = Boolean(value);
  else if (value !== undefined) input.value = isNumber || knob.enum ? String(value) : JSON.stringify(value);
  return {
    element: h("label", { class: "row" }, name, input, about),
    read() {
      if (knob.type === "boolean") return input.checked;
      if (input.value === "") return undefined;
      if (isNumber) return Number(input.value);
      if (knob.enum) return input.value;
      try { return JSON.parse(input.value); } catch { return input.value; }
    },
  };
}

const line = (label, value, most = 40) => h("input", { type: "text", maxlength: most, value, "aria-label": label, placeholder: label });
const area = (label, value = "") => h("textarea", { rows: 2, maxlength: 2000, "aria-label": label, placeholder: label, value });

function filled(input, what) {
  const text = input.value.trim();
  if (!text) throw new Error(`${what} is empty`);
  return text;
}

function colleague(room) {
  const name = line("Colleague", "robin");
  const change = h("select", { "aria-label": "Change" });
  const text = area("What they say of it in the room; empty for nothing");
  room.watch((state) => {
    const made = [{ value: "", text: "the team's last change" }, ...state.actions.map((action) => ({ value: String(action.change), text: `${action.change}: ${action.action}` }))];
    follow(change, made, (one) => one.value, (one) => h("option", { value: one.value }, one.text));
  });
  return {
    element: h("div", { class: "stack" }, h("div", { class: "row" }, name, "takes back", change), text),
    read: () => ({ do: "revert", colleague: filled(name, "the colleague"), text: text.value.trim(), ...(change.value ? { change: Number(change.value) } : {}) }),
  };
}

function stakeholder() {
  const sender = line("Stakeholder", "Head of product");
  const text = area("What they ask", "What is broken, for whom, and what do you do about it?");
  const press = area("What they write when no update came", "You have not answered. Where do we stand?");
  const minutes = h("input", { type: "number", min: 1, max: 10000, step: "any", value: "10", "aria-label": "World minutes until they press" });
  const times = h("input", { type: "number", min: 0, max: 10, value: "2", "aria-label": "How often they press" });
  return {
    element: h("div", { class: "stack" }, sender, text, h("div", { class: "row" }, "presses after", minutes, "world min, up to", times, "times"), press),
    read: () => ({ do: "ask_status", sender: filled(sender, "the stakeholder"), text: filled(text, "the question"), within_s: Number(minutes.value) * 60, presses: Number(times.value), press: filled(press, "what they write then") }),
  };
}

function herring() {
  const sender = line("Sender", "dana");
  const text = area("What they write; empty for an entry of the change log alone");
  const [target, key, old, fresh] = [line("service", "", 100), line("key", "", 100), line("old", "", 100), line("new", "", 100)];
  return {
    element: h("div", { class: "stack" }, sender, text, h("details", {}, h("summary", {}, "an entry of the change log with it"), h("div", { class: "row" }, target, key, old, fresh))),
    read() {
      const change = target.value.trim() ? { change: { target: target.value.trim(), key: filled(key, "key"), old: old.value.trim() || "-", new: filled(fresh, "new") } } : {};
      return { do: "herring", sender: filled(sender, "the sender"), ...(text.value.trim() ? { text: text.value.trim() } : {}), ...change };
    },
  };
}

function message() {
  const [sender, text] = [line("Sender", "Head of product"), area("What they write")];
  return { element: h("div", { class: "stack" }, sender, text), read: () => ({ do: "say", sender: filled(sender, "the sender"), text: filled(text, "the message") }) };
}

function timing() {
  const minutes = h("input", { type: "number", min: 0, max: 10000, step: "any", value: "10", "aria-label": "World minutes after" });
  const pick = (label, first) => h("select", { "aria-label": label }, h("option", { value: "" }, first), KINDS.map((kind) => h("option", { value: kind }, words(kind))));
  const after = pick("After what happens", "never by itself: by hand");
  const unless = pick("Unless what happens", "whatever happens");
  const like = line("like, such as restart*", "", 200);
  const unlessLike = line("like", "", 200);
  const follows = () => { like.disabled = !LIKE.has(after.value); unlessLike.disabled = !LIKE.has(unless.value); };
  after.value = "page_came";
  after.addEventListener("change", follows);
  unless.addEventListener("change", follows);
  follows();
  return {
    element: h("div", { class: "stack" }, h("div", { class: "row" }, minutes, "world min after", after, like), h("div", { class: "row" }, "unless", unless, unlessLike)),
    read: () => after.value === "" ? { after: null } : {
      after: after.value, wait_s: Number(minutes.value) * 60,
      ...(!like.disabled && like.value.trim() ? { after_like: like.value.trim() } : {}),
      ...(unless.value ? { unless: unless.value } : {}),
      ...(unless.value && !unlessLike.disabled && unlessLike.value.trim() ? { unless_like: unlessLike.value.trim() } : {}),
    },
  };
}

/** What an inject does, in a line. */
function does(plan) {
  const deed = plan.does ?? { do: "say", sender: plan.sender, text: plan.text };
  switch (deed.do) {
    case "arm": return `fault ${deed.fault} on ${deed.target}`;
    case "disarm": return `takes ${deed.of} off`;
    case "revert": return `${deed.colleague} takes back ${deed.change ? `change ${deed.change}` : "the team's last change"}${deed.text ? `: ${deed.text}` : ""}`;
    case "ask_status": return `${deed.sender} asks for a status update: ${deed.text}`;
    case "herring": return `red herring, ${deed.sender}: ${deed.text ?? ""}${deed.change ? ` [${deed.change.target} ${deed.change.key}]` : ""}`;
    default: return `${deed.sender}: ${deed.text}`;
  }
}

/** When it does so. */
function due(plan) {
  if (plan.after === null) return "by hand";
  const of = (kind, like) => `${words(kind)}${like ? ` like “${like}”` : ""}`;
  const at = plan.due_ts ? `: ${worldClock(plan.due_ts)}` : "";
  return `${span(plan.wait_s)} after ${of(plan.after, plan.after_like)}${plan.unless ? `, unless ${of(plan.unless, plan.unless_like)}` : ""}${at}`;
}

/** Injects that are planned, those that wait for a hand first. */
function plans(room) {
  const list = h("ol", { class: "board", "aria-label": "Planned injects" });
  room.watch((state) => {
    const sorted = [...(state.plans ?? [])].sort((a, b) => Number(b.waits !== "") - Number(a.waits !== "") || (a.due_ts ?? Infinity) - (b.due_ts ?? Infinity) || a.inject - b.inject);
    follow(list, sorted, (plan) => plan.inject, (plan) => {
      const fire = h("button", { type: "button", onclick: () => room.send("inject_fire", { inject: plan.inject }) }, "Fire now");
      allow(fire, room.why("inject_fire"));
      return h("li", {}, h("p", {}, does(plan)), plan.waits ? h("p", { class: "refusal" }, `waits for you: ${plan.waits}`) : null,
        h("div", { class: "row" }, h("small", {}, due(plan)), h("span", { class: "gap" }), fire,
          h("button", { type: "button", onclick: () => room.send("inject_drop", { inject: plan.inject }) }, "Drop")));
    }, (plan) => JSON.stringify([plan, room.why("inject_fire")]));
  });
  return list;
}

function readyMade(room) {
  const list = h("ul", { class: "board", "aria-label": "Sets of injects" });
  const refused = h("ul", { class: "refusal" });

  function line(set) {
    const use = h("button", { type: "button", onclick: async () => {
      if (await room.send("inject_set", { set: set.id }) !== null) toast(`${set.injects.length} injects are planned`);
    } }, "Plan all");
    room.watch(() => allow(use, room.why("inject_set")));
    return h("li", {}, h("div", { class: "row" }, h("strong", {}, set.title), h("span", { class: "gap" }), use), h("p", { class: "quiet" }, set.about),
      h("details", {}, h("summary", {}, `${set.injects.length} injects`), h("ol", { class: "activity" }, set.injects.map((plan) => h("li", {}, h("small", {}, due(plan)), h("span", {}, does(plan)))))));
  }

  async function read() {
    try {
      const { sets, refused: why } = await call("/api/v1/instructor/inject-sets");
      list.replaceChildren(...sets.map(line));
      refused.replaceChildren(...Object.entries(why).map(([name, text]) => h("li", {}, `${name}: ${text}`)));
      room.draw();
    } catch (error) {
      list.replaceChildren(h("li", {}, `the sets can't be had: ${error.message}`));
    }
  }

  return { element: h("div", {}, list, refused), read };
}
