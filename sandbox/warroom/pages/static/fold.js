// What an event makes of the state, as sandbox/room/state.py has it. Where it would need to know more, the state is asked for.

const KEPT = 500;

/** Changes `state`; names: participant -> name, all that ever were. Returns whether the state has to be fetched anew. */
export function fold(state, event, names) {
  state.seq = event.seq;
  const fold = FOLDS[event.kind];
  return fold ? fold(state, event, event.what, (who) => names.get(who) ?? who) === true : false;
}

function kept(list) {
  if (list.length > KEPT) list.splice(0, list.length - KEPT);
}

function message(state, event, what, name) {
  state.messages.push({
    seq: event.seq, kind: event.kind, sender: what.sender ?? name(event.who), world_ts: event.world_ts,
    wall_ts: event.wall_ts, text: what.text, links: what.links ?? [],
  });
  kept(state.messages);
}

const anew = () => true;

const FOLDS = {
  opened: anew, started: anew, paused: anew, speed_set: anew, page_came: anew, time_up: anew, ended: anew,
  report_filed: anew, graded: anew, noted: anew, overridden: anew, hint_taken: anew,
  inject_planned: anew, inject_dropped: anew,
  injects_planned: anew, inject_waits: anew, fault_armed: anew, fault_disarmed: anew, colleague_reverted: anew, herring_planted: anew,
  status_asked(state, event, what, name) {
    message(state, event, what, name);
    state.requests.push({ ask: what.ask, sender: what.sender, text: what.text, due_ts: what.due_ts, pressed: 0 });
    return Boolean(state.plans);
  },
  status_pressed(state, event, what, name) {
    message(state, event, what, name);
    for (const one of state.requests) if (one.ask === what.ask) Object.assign(one, { text: what.text, due_ts: what.due_ts, pressed: one.pressed + 1 });
  },
  status_updated(state, event, what, name) {
    message(state, event, what, name);
    state.requests = state.requests.filter((one) => !what.asks.includes(one.ask));
  },
  stepped_to(state, event, what) { state.shown = what.event; },
  failures_shown: anew,
  acknowledged(state, event, what, name) {
    if (!state.page) return true;
    state.page.acknowledged_by = name(event.who);
    return false;
  },
  joined(state, event, what) {
    state.participants.push({ participant: what.participant, name: what.name, role: what.role });
    if (state.last_seq_by) state.last_seq_by[what.participant] = event.seq;
    return state.room.phase === "waiting";
  },
  left(state, event, what) {
    state.participants = state.participants.filter((person) => person.participant !== what.participant);
    return what.participant === state.me?.participant;
  },
  handed_over(state, event, what) {
    const of = (id) => state.participants.find((person) => person.participant === id);
    const [giver, taker] = [of(what.giver), of(what.taker)];
    if (giver && taker) [giver.role, taker.role] = [taker.role, giver.role];
    return [what.giver, what.taker].includes(state.me?.participant);
  },
  chatted: message, hint_given: message,
  injected(state, event, what, name) {
    message(state, event, what, name);
    return Boolean(state.plans);
  },
  task_added(state, event, what, name) {
    state.tasks.push({ task: what.task, text: what.text, to: what.to === null ? null : name(what.to), by: name(event.who), done: false });
  },
  task_assigned(state, event, what, name) {
    for (const task of state.tasks) if (task.task === what.task) task.to = name(what.to);
  },
  task_finished(state, event, what) {
    for (const task of state.tasks) if (task.task === what.task) task.done = true;
  },
  hypothesis_added(state, event, what, name) {
    state.hypotheses.push({ hypothesis: what.hypothesis, text: what.text, by: name(event.who), verdict: "open", weighed: [] });
  },
  hypothesis_weighed(state, event, what, name) {
    for (const of of state.hypotheses) {
      if (of.hypothesis !== what.hypothesis) continue;
      of.verdict = what.verdict;
      of.weighed.push({ seq: event.seq, by: name(event.who), verdict: what.verdict, note: what.note, evidence: what.evidence });
    }
  },
  asked(state, event, what, name) {
    state.queries.push({ seq: event.seq, by: name(event.who), world_ts: event.world_ts, sql: what.sql, n_rows: what.n_rows });
    kept(state.queries);
  },
  previewed(state, event, what) {
    state.previews.push({ preview: what.preview, action: what.action });
  },
  looked(state, event, what) {
    const person = state.participants.find((one) => one.participant === event.who);
    if (person) person.looks_at = [what.panel, what.about].filter(Boolean).join(" ");
  },
  acted(state, event, what, name) {
    const { kind: _, ...action } = what;
    state.actions.push({ seq: event.seq, by: name(event.who), world_ts: event.world_ts, ...action });
  },
  field_reported(state, event, what, name) {
    if (state.report) state.report[what.field] = { value: what.value, by: name(event.who), seq: event.seq };
  },
  timeline_edited(state, event, what, name) {
    const line = { entry: what.entry, at_ts: what.at_ts, text: what.text, by: name(event.who) };
    state.timeline = [...state.timeline.filter((other) => other.entry !== what.entry), line].sort((a, b) => a.at_ts - b.at_ts);
  },
};
