// What people say and what has happened: pager, chat, activity.

import { allow, ask, follow, h, say, stick } from "./dom.js";
import { clocksIn, figure, percent, wallClock, worldClock, worldTime } from "./times.js";

/** The page that woke them, and who has it. */
export function pager(model) {
  const text = h("p", { class: "pre" });
  const by = h("p", { class: "quiet" });
  const button = h("button", { type: "button", class: "main", onclick: () => model.send("acknowledge") }, "Acknowledge");
  const element = h("section", { class: "pager card", "aria-label": "Pager" }, h("h2", {}, "Pager"), text, by, button);
  model.watch((state) => {
    const page = state.page;
    const over = ["over", "debrief"].includes(state.room.phase);
    const rings = Boolean(page && !page.acknowledged_by && !over);
    element.classList.toggle("rings", rings);
    document.title = `${rings ? "PAGE · " : ""}${state.room.title}`;
    say(text, page ? page.text : "No page yet. Look around, divide the work.");
    say(by, page ? `${page.ts.slice(11, 16)}, ${page.acknowledged_by ? `acknowledged by ${page.acknowledged_by}` : over ? "nobody acknowledged it" : "nobody has it yet"}` : "");
    button.hidden = !rings;
    allow(button, model.why("acknowledge"));
  });
  return element;
}

/** links: what to do for each kind of link, by name. */
export function chat(model, links) {
  const list = h("ol", { class: "messages", tabindex: 0, "aria-label": "Messages" });
  const key = `draft:${model.base}`;
  const field = h("textarea", {
    rows: 2, maxlength: 2000, "aria-label": "Message", placeholder: "Message to the room (Enter sends)",
    value: sessionStorage.getItem(key) ?? "",
    oninput: () => sessionStorage.setItem(key, field.value),
    onkeydown: (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); } },
  });
  const button = h("button", { type: "button", onclick: send }, "Send");
  let pending = [];

  async function send() {
    const text = field.value.trim();
    if (!text || button.disabled) return;
    button.disabled = true;
    const seq = await model.send("chat", { text, links: pending });
    button.disabled = model.why("chat") !== null;
    if (seq === null) return;
    pending = [];
    if (field.value.trim() === text) field.value = "";
    sessionStorage.setItem(key, field.value);
    show();
    field.focus();
  }

  const attached = h("p", { class: "quiet" });
  function show() {
    say(attached, pending.length ? `with ${pending.map((link) => `a ${link.kind}`).join(", ")}` : "");
  }

  function line(message) {
    const outside = !["chatted", "status_updated"].includes(message.kind);
    return h("li", { class: outside ? "outside" : "" },
      h("span", { class: "who" }, message.sender, message.kind === "hint_given" ? " (hint)" : message.kind === "status_updated" ? " (status update)" : ""),
      h("time", { title: `${worldTime(message.world_ts)} world time, ${wallClock(message.wall_ts)} here` }, worldClock(message.world_ts)),
      h("p", { class: "pre" }, clocksIn(message.text, message.world_ts).map((part) => (typeof part === "string" ? part
        : h("button", { type: "button", class: "link", title: "look at that time", onclick: () => links.time?.(part) }, part.text)))),
      message.links.map((link) => h("button", { type: "button", class: "link", onclick: () => links[link.kind]?.(link.value) },
        `${link.kind}: ${link.value.slice(0, 60)}`)));
  }

  model.watch((state) => {
    stick(list, () => follow(list, state.messages, (message) => message.seq, line, () => ""));
    field.disabled = model.why("chat") !== null;
    field.title = model.why("chat") ?? "";
    if (!button.matches(":disabled") || field.disabled) allow(button, model.why("chat"));
    else if (field.value.trim() === "") allow(button, null);
  });
  const element = h("section", { class: "chat card", "aria-label": "Chat" }, h("h2", {}, "Chat"), list, attached, h("div", { class: "row" }, field, button));
  element.attach = (link) => { pending = [...pending, link].slice(-10); show(); field.focus(); };
  return element;
}

/** Who is here, as what; roles are handed over from here. */
export function people(model) {
  const list = h("ul", { class: "people", "aria-label": "Who is here" });
  model.watch((state) => {
    const me = state.me;
    follow(list, state.participants, (person) => person.participant, (person) => {
      const mine = person.participant === me?.participant;
      const button = h("button", {
        type: "button", class: mine ? "person me" : "person",
        onclick: async () => {
          if (mine || model.why("hand_over")) return;
          const steps = me && me.role === "deputy" && person.role === "commander";
          if (!await ask(steps ? `Take the commander's role from ${person.name}?` : `Give ${person.name} your role (${me.role})?`,
            { detail: `You take theirs: ${person.role.replaceAll("_", " ")}.`, yes: steps ? "Take it" : "Hand over" })) return;
          model.send("hand_over", steps ? { to: me.participant, of: person.participant } : { to: person.participant });
        },
      }, person.name, h("small", {}, person.role.replaceAll("_", " ")));
      button.title = [mine ? "you" : model.why("hand_over") ?? "hand your role over", person.looks_at ? `looks at ${person.looks_at}` : ""].filter(Boolean).join("; ");
      return h("li", {}, button);
    }, (person) => JSON.stringify([person, me?.role, model.why("hand_over")]));
  });
  return list;
}

/** Everything that happened, as the stream tells it, and the lines that the scribe writes. */
export function activity(model, links) {
  const list = h("ol", { class: "activity", tabindex: 0, "aria-label": "Activity" });
  const lines = h("ol", { class: "activity", "aria-label": "Timeline" });
  const field = h("input", { type: "text", maxlength: 400, placeholder: "A line for the timeline", "aria-label": "A line for the timeline" });
  const button = h("button", { type: "submit" }, "Add");
  const form = h("form", { class: "row", onsubmit: async (event) => {
    event.preventDefault();
    if (field.value.trim() && await model.send("timeline_edit", { text: field.value.trim() }) !== null) field.value = "";
  } }, field, button);

  function line(event) {
    const [text, link] = told(event, model);
    return h("li", { class: event.kind },
      h("time", { title: `${worldTime(event.world_ts)} world time, ${wallClock(event.wall_ts)} here` }, atTime(event.world_ts)),
      h("span", { class: "who" }, model.names.get(event.who) ?? event.who),
      link ? h("button", { type: "button", class: "link", onclick: () => links[link.kind]?.(link.value) }, text) : h("span", {}, text));
  }

  const atTime = (ts) => h("button", { type: "button", class: "link", title: "look at that time", onclick: () => links.time?.({ from: ts, to: ts }) }, worldClock(ts));

  function written(entry) {
    const edit = h("button", { type: "button", class: "link", onclick: async () => {
      const text = await ask("Change this line", { text: entry.text, yes: "Change" });
      if (text) model.send("timeline_edit", { entry: entry.entry, text });
    } }, "edit");
    allow(edit, model.why("timeline_edit"));
    return h("li", {}, h("time", { title: worldTime(entry.at_ts) }, atTime(entry.at_ts)), h("span", {}, entry.text), h("small", {}, entry.by), edit);
  }

  model.watch((state) => {
    const reason = model.why("timeline_edit");
    allow(button, reason);
    field.disabled = reason !== null;
    field.title = reason ?? "";
    follow(lines, state.timeline, (entry) => entry.entry, written, (entry) => JSON.stringify([entry, reason]));
    stick(list, () => follow(list, model.log.filter((event) => event.kind !== "chatted").slice(-400), (event) => event.seq, line, (event) => model.names.get(event.who) ?? ""));
  });
  return h("div", { class: "stack" }, h("h3", {}, "Timeline"), lines, form, h("h3", {}, "Activity"), list);
}

/** [what an event says in a line, what it points at or null]. */
export function told(event, model) {
  const what = event.what;
  const name = (who) => model.names.get(who) ?? who;
  switch (event.kind) {
    case "opened": return [`room opened: ${what.title}`, null];
    case "joined": return [`joined as ${what.role.replaceAll("_", " ")}`, null];
    case "left": return [what.participant === event.who ? "left" : `had ${name(what.participant)} leave`, null];
    case "handed_over": return [`${name(what.giver)} and ${name(what.taker)} changed roles`, null];
    case "started": return ["the world goes on", null];
    case "paused": return ["the world stands still", null];
    case "failures_shown": return [what.on ? "where failures commonly occur is shown" : "where failures commonly occur is shown no more", null];
    case "speed_set": return [`speed ×${what.factor}`, null];
    case "page_came": return [`paged: ${what.text}`, null];
    case "acknowledged": return ["acknowledged the page", null];
    case "task_added": return [`task ${what.task}: ${what.text}`, null];
    case "task_assigned": return [`task ${what.task} is ${name(what.to)}'s`, null];
    case "task_finished": return [`task ${what.task} is done`, null];
    case "hypothesis_added": return [`hypothesis ${what.hypothesis}: ${what.text}`, null];
    case "hypothesis_weighed": return [`hypothesis ${what.hypothesis} ${what.verdict}${what.note ? `: ${what.note}` : ""}`, null];
    case "asked": return [`${what.n_rows} rows: ${what.sql.replaceAll(/\s+/g, " ").slice(0, 120)}`, { kind: "event", value: String(event.seq) }];
    case "previewed": return [`would ${what.action} (${what.touches.join(", ") || "nothing"}, ${percent(what.users_share)} of requests)`, null];
    case "acted": return [`${what.action}: ${what.target} ${what.key} ${what.old} → ${what.new}`, null];
    case "recommended": return [`looked at what user ${what.user} is shown`, { kind: "event", value: String(event.seq) }];
    case "looked": return [`looks at ${what.panel}${what.about ? ` ${what.about}` : ""}`, null];
    case "hint_taken": return [what.text ? `took a hint: ${what.text}` : "took a hint", null];
    case "hint_given": return [`hint: ${what.text}`, null];
    case "injected": return [`${what.sender}: ${what.text}`, null];
    case "field_reported": return [`wrote “${what.field.replaceAll("_", " ")}” in the report`, null];
    case "report_filed": return ["filed the report", null];
    case "timeline_edited": return [`timeline: ${what.text}`, null];
    case "time_up": return ["time is up; a report may still be filed", null];
    case "ended": return [`the drill ended: ${what.why}`, null];
    case "graded": return [`graded: ${figure(what.score)}`, null];
    case "inject_planned": return [`planned an inject: ${what.text || what.does?.do}`, null];
    case "inject_dropped": return ["took a planned inject back", null];
    case "injects_planned": return [`planned the set ${what.set}: ${what.plans.length} injects`, null];
    case "inject_waits": return [`inject ${what.inject} waits: ${what.why}`, null];
    case "fault_armed": return [`by hand: fault ${what.fault} on ${what.target}`, null];
    case "fault_disarmed": return [`by hand: fault ${what.of} off, ${what.why}`, null];
    case "colleague_reverted": return [`had ${what.colleague} take change ${what.change} back`, null];
    case "herring_planted": return [`red herring in the change log, by ${what.colleague}: ${what.says}`, null];
    case "status_asked": return [`${what.sender} asks for a status update: ${what.text}`, null];
    case "status_pressed": return [`${what.sender} asks again: ${what.text}`, null];
    case "status_updated": return [`status update: ${what.text}`, null];
    case "noted": return [`note: ${what.text}`, null];
    case "overridden": return [`${what.item} is ${what.score} now: ${what.reason}`, null];
    default: return [event.kind.replaceAll("_", " "), null];
  }
}
