// What can be done: typed as in the shell, looked at before, carried out by whoever may, and taken back.

import { allow, ask, follow, h, say } from "./dom.js";
import { percent, worldClock } from "./times.js";

export function actions(model) {
  const field = h("input", {
    type: "text", class: "sql whole", maxlength: 400, list: "known-actions", spellcheck: "false", autocomplete: "off",
    "aria-label": "Action", placeholder: "restart service=features", oninput: explain,
    onkeydown: (event) => { if (event.key === "Enter") preview(); },
  });
  const known = h("datalist", { id: "known-actions" }, model.words.actions.map((one) => h("option", { value: one.name })));
  const look = h("button", { type: "button", class: "main", onclick: preview }, "Preview");
  const about = h("p", { class: "quiet pre" });
  const previews = h("ol", { class: "board", "aria-label": "Previews" });
  const done = h("ol", { class: "board", "aria-label": "Changes" });
  const seen = new Map(); // preview -> what it would do, as the stream told it

  model.onEvent.add((event) => { if (event.kind === "previewed") seen.set(event.what.preview, event); });

  function explain() {
    const name = field.value.trim().split(/\s/)[0];
    const one = model.words.actions.find((action) => action.name === name);
    say(about, one ? `${one.about}\n${Object.entries(one.arguments).map(([key, told]) =>
      `${key}=…${one.optional.includes(key) ? " (may be left out)" : ""}: ${told}`).join("\n")}` : "");
  }

  async function preview() {
    const action = field.value.trim();
    if (!action || look.disabled) return;
    look.disabled = true;
    await model.send("preview", { action });
    allow(look, model.why("preview"));
  }

  async function carryOut(number, action) {
    const what = seen.get(number)?.what;
    const detail = what ? `${what.summary}\nTouches ${what.touches.join(", ") || "nothing"}: ${percent(what.users_share)} of requests. ${what.reversible ? "Can be reverted." : "Cannot be reverted."}${what.warning ? `\n${what.warning}` : ""}` : "";
    if (await ask(`Carry out “${action}”?`, { detail, yes: "Carry out" })) model.send("act", { preview: number });
  }

  function card({ preview: number, action }) {
    const what = seen.get(number)?.what;
    const button = h("button", { type: "button", class: "main", onclick: () => carryOut(number, action) }, "Carry out …");
    allow(button, model.why("act"));
    return h("li", {}, h("p", { class: "sql" }, action),
      what ? h("p", {}, what.summary) : null,
      what ? h("p", {}, h("strong", {}, "Blast radius: "), `${what.touches.join(", ") || "nothing"}; ${percent(what.users_share)} of requests; ${what.reversible ? "can" : "cannot"} be reverted`) : null,
      what?.warning ? h("p", { class: "refusal" }, what.warning) : null,
      h("div", { class: "row" }, h("small", {}, seen.has(number) ? `looked at by ${model.names.get(seen.get(number).who) ?? "somebody"}` : ""), button));
  }

  function change(one) {
    const button = h("button", { type: "button", onclick: async () => {
      if (await ask(`Revert change ${one.change}?`, { detail: `${one.target} ${one.key}: ${one.new} → ${one.old}`, yes: "Revert" })) model.send("revert", { change: one.change });
    } }, "Revert …");
    allow(button, model.why("revert"));
    return h("li", {}, h("p", { class: "sql" }, one.action),
      h("p", {}, `${one.target} ${one.key}: ${one.old} → ${one.new}`),
      h("div", { class: "row" }, h("small", {}, `change ${one.change}, ${one.by} at ${worldClock(one.world_ts)}`), button));
  }

  model.watch((state) => {
    allow(look, model.why("preview"));
    const may = model.why("act");
    follow(previews, [...state.previews].reverse().slice(0, 20), (one) => one.preview, card, (one) => `${may} ${seen.has(one.preview)}`);
    const back = model.why("revert");
    follow(done, [...state.actions].reverse(), (one) => one.change, change, () => String(back));
  });
  return h("div", { class: "halves" },
    h("div", { class: "stack" }, h("div", { class: "row" }, field, look), known, about, h("h3", {}, "Previews"), previews),
    h("div", { class: "stack" }, h("h3", {}, "Changes that were made"), done));
}
