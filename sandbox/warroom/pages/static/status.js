// Who waits for a status update, and the form in which whoever may gives one.

import { allow, follow, h } from "./dom.js";
import { span } from "./times.js";

export function status(model) {
  const list = h("ul", { class: "waiting", "aria-label": "Who waits for a status update" });
  const text = h("textarea", { rows: 2, maxlength: 2000, "aria-label": "Status update", placeholder: "What is broken, for whom, what you do, when you tell more" });
  const button = h("button", { type: "submit" }, "Send the update");
  const form = h("form", { class: "stack", onsubmit: async (event) => {
    event.preventDefault();
    if (text.value.trim() && await model.send("status_update", { text: text.value.trim() }) !== null) text.value = "";
  } }, text, h("div", { class: "row end" }, button));

  const element = h("details", { class: "status card", "aria-label": "Status updates" }, h("summary", {}, h("h2", {}, "Status update")), list, form);
  let asked = 0;

  function draw(state) {
    const requests = state.requests ?? [];
    const now = model.clock.now();
    const reason = model.why("status_update");
    element.hidden = !requests.length && reason !== null;
    element.classList.toggle("rings", requests.some((one) => one.due_ts <= now || one.pressed > 0));
    if (requests.length > asked) element.open = true;
    asked = requests.length;
    form.hidden = state.me === undefined;
    allow(button, reason);
    follow(list, requests.map((one) => ({ ...one, left: Math.round((one.due_ts - now) / 60) })), (one) => one.ask, (one) => h("li", {},
      h("strong", {}, one.sender), h("p", { class: "pre" }, one.text),
      h("small", { class: one.left < 0 ? "refusal" : "" }, one.left < 0 ? `${span(-one.left * 60)} overdue` : `within ${span(one.left * 60)} of the world`, one.pressed ? `, asked again ${one.pressed} time${one.pressed > 1 ? "s" : ""}` : "")));
  }

  model.watch(draw);
  model.every(2000, () => { if (model.state?.requests?.length) draw(model.state); });
  return element;
}
