// What the team thinks and who does what.

import { allow, ask, follow, h } from "./dom.js";

/** asked: () -> the query that is open in the workbench, null where none is. links: as for chat. */
export function hypotheses(model, asked, links) {
  const list = h("ol", { class: "board", "aria-label": "Hypotheses" });
  const field = h("input", { type: "text", maxlength: 400, placeholder: "What could it be?", "aria-label": "New hypothesis" });
  const button = h("button", { type: "submit" }, "Add");
  const form = h("form", { class: "row", onsubmit: async (event) => {
    event.preventDefault();
    if (field.value.trim() && await model.send("hypothesis_add", { text: field.value.trim() }) !== null) field.value = "";
  } }, field, button);

  async function weigh(of, kind) {
    const sql = asked();
    const note = await ask(`${kind === "hypothesis_support" ? "What speaks for" : "What speaks against"} “${of.text}”?`, {
      text: "", yes: "Note it", detail: sql ? `The query in the workbench goes with it:\n${sql.slice(0, 300)}` : "",
    });
    if (note) model.send(kind, { hypothesis: of.hypothesis, note, evidence: sql && sql.length <= 400 ? [{ kind: "query", value: sql }] : [] });
  }

  function card(of) {
    const supports = h("button", { type: "button", onclick: () => weigh(of, "hypothesis_support") }, "for");
    const refutes = h("button", { type: "button", onclick: () => weigh(of, "hypothesis_refute") }, "against");
    allow(supports, model.why("hypothesis_support"));
    allow(refutes, model.why("hypothesis_refute"));
    return h("li", { class: of.verdict },
      h("p", {}, h("span", { class: "verdict" }, of.verdict), " ", of.text),
      h("div", { class: "row" }, h("small", {}, of.by), supports, refutes),
      of.weighed.length ? h("ul", {}, of.weighed.map((one) => h("li", {}, `${one.verdict === "supported" ? "for" : "against"}, ${one.by}: ${one.note}`,
        one.evidence.map((link) => h("button", { type: "button", class: "link", onclick: () => links[link.kind]?.(link.value) }, ` (${link.kind})`))))) : null);
  }

  model.watch((state) => {
    const reason = model.why("hypothesis_add");
    allow(button, reason);
    field.disabled = reason !== null;
    field.title = reason ?? "";
    follow(list, state.hypotheses, (of) => of.hypothesis, card, (of) => JSON.stringify([of, reason]));
  });
  return h("div", { class: "stack" }, form, list);
}

export function tasks(model) {
  const list = h("ol", { class: "board", "aria-label": "Tasks" });
  const field = h("input", { type: "text", maxlength: 400, placeholder: "What has to be done?", "aria-label": "New task" });
  const button = h("button", { type: "submit" }, "Add");
  const form = h("form", { class: "row", onsubmit: async (event) => {
    event.preventDefault();
    if (field.value.trim() && await model.send("task_add", { text: field.value.trim() }) !== null) field.value = "";
  } }, field, button);

  function card(task) {
    const done = h("input", { type: "checkbox", "aria-label": `done: ${task.text}`, onchange: async () => {
      done.disabled = true;
      if (await model.send("task_done", { task: task.task }) === null) { done.checked = false; done.disabled = false; }
    } });
    done.checked = task.done;
    const to = h("select", { "aria-label": `who does: ${task.text}`, onchange: () => model.send("task_assign", { task: task.task, to: to.value }) },
      h("option", { value: "", disabled: true }, "nobody yet"),
      model.state.participants.map((person) => h("option", { value: person.participant }, person.name)));
    to.value = model.state.participants.find((person) => person.name === task.to)?.participant ?? "";
    allow(done, task.done ? "done" : model.why("task_done"));
    allow(to, task.done ? "done" : model.why("task_assign"));
    return h("li", { class: task.done ? "done" : "" }, h("label", {}, done, " ", task.text), to);
  }

  model.watch((state) => {
    const reason = model.why("task_add");
    allow(button, reason);
    field.disabled = reason !== null;
    field.title = reason ?? "";
    const here = JSON.stringify(state.participants.map((person) => [person.participant, person.name]));
    follow(list, state.tasks, (task) => task.task, card, (task) => JSON.stringify([task, here, reason]));
  });
  return h("div", { class: "stack" }, form, list);
}
