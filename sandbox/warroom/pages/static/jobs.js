// What takes minutes, one at a time: how far it is, a way to stop it, and what came out.

import { call } from "./api.js";
import { days } from "./days.js";
import { h, say, toast } from "./dom.js";
import { proof } from "./proof.js";
import { span } from "./times.js";

const AT = "/api/v1/instructor/jobs";
const EVERY_MS = 1000;

/** onChange: called with whether one is at work. onDone: with a job that is done. */
export function jobs(onChange, onDone = () => {}) {
  const what = h("span", { role: "status" });
  const bar = h("progress", { max: 1, "aria-label": "How far it is" });
  const stop = h("button", { type: "button", onclick: cancel }, "Cancel");
  const at = h("div", { class: "card row job", hidden: true }, what, bar, stop);
  const result = h("div", { class: "stack" });
  const element = h("div", { class: "stack" }, at, result);
  let now = null;
  let timer = null;

  async function start(kind, scenario, quick = false) {
    try {
      result.replaceChildren();
      show(await call(AT, { method: "POST", body: { kind, scenario, quick } }));
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  async function cancel() {
    stop.disabled = true;
    say(what, "it is stopped …");
    try {
      show(await call(`${AT}/${now.job}`, { method: "DELETE" }));
    } catch (error) {
      toast(error.message, "bad");
    }
    stop.disabled = false;
  }

  function show(job) {
    const wasRunning = now?.state === "running" || now === null;
    now = job;
    clearTimeout(timer);
    const running = job.state === "running";
    at.hidden = !running && job.state !== "cancelled";
    stop.hidden = bar.hidden = !running;
    say(what, running ? `${job.kind} of ${job.scenario}: ${job.what}, for ${span(job.took_s)}` : `${job.kind} of ${job.scenario} was cancelled`);
    if (job.share === null) bar.removeAttribute("value");
    else bar.value = job.share;
    onChange(running);
    if (running) timer = setTimeout(look, EVERY_MS);
    else if (wasRunning) told(job);
  }

  function told(job) {
    if (job.state === "failed") {
      const { where, seen, expected, fix, code } = job.problem;
      result.replaceChildren(h("p", { class: "refusal", role: "alert" }, `${job.kind} of ${job.scenario} failed: ${code} ${where ?? ""}: ${seen}${expected ? `, where there should be ${expected}. ${fix}` : ""}`));
    }
    if (job.state !== "done") return;
    result.replaceChildren(h("p", { class: "quiet" }, `${job.kind} of ${job.scenario}, ${span(job.took_s)}`), job.kind === "dry run" ? days(job.answer) : proof(job.answer));
    onDone(job);
  }

  async function look() {
    try {
      show(await call(`${AT}/${now.job}`));
    } catch (error) {
      if (error.status) { now = null; at.hidden = true; onChange(false); toast(error.message, "bad"); } else timer = setTimeout(look, 2 * EVERY_MS);
    }
  }

  /** After a reload: what is at work, or what was last made of this scenario. */
  async function resume(scenario) {
    const all = await call(AT);
    const found = all.find((job) => job.state === "running") ?? all.find((job) => job.scenario === scenario && job.state === "done");
    if (found) show(await call(`${AT}/${found.job}`));
    else { now = null; result.replaceChildren(); at.hidden = true; onChange(false); }
  }

  return { element, start, resume };
}
