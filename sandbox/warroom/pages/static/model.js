// One room as this page knows it: its state, the events that it saw, and who is told when they change.

import { call, command, eventAt, Problem, stream } from "./api.js";
import { fold } from "./fold.js";
import { toast } from "./dom.js";
import { seen } from "./sight.js";
import { WorldClock } from "./times.js";

const BEFORE = 300; // events from before the page was opened that the activity shows
const KEPT_LOG = 1000;
const KEPT_ANSWERS = 40;

export class Model {
  /** base: of its calls. out: called with a problem once this browser may not look any more. */
  constructor(base, out) {
    this.base = base;
    this.out = out;
    this.state = null;
    this.words = null;
    this.names = new Map([["instructor", "instructor"], ["room", "room"]]);
    this.roles = new Map();
    this.log = []; // events, oldest first
    this.clock = new WorldClock();
    this.isUp = false;
    this.watchers = new Set();
    this.onEvent = new Set();
    this.onSight = new Set();
    this.sight = null; // the overview as far as it was told
    this.answers = new Map();
    this.drawing = null;
    this.fetching = null;
    this.timers = [];
    this.isClosed = false;
  }

  async open() {
    [this.state, this.words] = await Promise.all([call(`${this.base}/state`), call("/api/v1/words", { cache: "default" })]);
    this.learn();
    this.stream = stream(this.base, Math.max(0, this.state.seq - BEFORE), {
      event: (event) => this.heard(event),
      clock: (clock) => this.ticked(clock),
      overview: (told) => this.sees(told),
      up: () => this.turned(true),
      down: () => this.turned(false),
      refused: (document) => this.out(new Problem(document)),
    });
    this.draw();
  }

  close() {
    this.stream?.close();
    this.isClosed = true;
    for (const timer of this.timers) clearInterval(timer);
  }

  /** The address of a panel's document. */
  place(path) {
    return `${this.base}/${path}`;
  }

  /** Has something done again and again while the room is shown. */
  every(ms, work) {
    this.timers.push(setInterval(work, ms));
  }

  /** watcher: called, not too often, after something has changed. */
  watch(watcher) {
    this.watchers.add(watcher);
  }

  /** null where this participant may give that command now, else why they may not. */
  why(kind) {
    const mine = this.state.me?.rights ?? this.state.rights ?? [];
    if (mine.includes(kind)) return null;
    const rule = this.words.rights[kind];
    const role = this.state.me?.role ?? "instructor";
    if (!rule.roles.includes(role)) return `for ${rule.roles.join(", ").replaceAll("_", " ")}`;
    return `while the room is ${rule.phases.join(", ").replaceAll("_", " ")}; it is ${this.state.room.phase.replaceAll("_", " ")}`;
  }

  /** Gives a command; what is refused is told at the foot of the page. Resolves to its seq, null where it was refused. */
  async send(kind, fields = {}) {
    try {
      const { seq } = await command(this.base, kind, fields, (n) => {
        if (n === 0) toast("no connection: it is sent again until it arrives", "warn");
      });
      return seq;
    } catch (error) {
      this.tell(error);
      return null;
    }
  }

  /**
   * Puts one more entry into a list of the report. Who wrote that field in the same moment is not written over: what came
   * in between goes back in, with this entry behind it.
   */
  async append(field, entry) {
    let { value: list = [], seq: base = 0 } = this.state.report?.[field] ?? {};
    for (;;) {
      const seq = await this.send("report_field", { field, value: [...list, entry] });
      if (seq === null) return;
      await this.until(seq);
      const other = this.log.findLast((event) =>
        event.kind === "field_reported" && event.what.field === field && event.seq > base && event.seq < seq);
      if (!other) return;
      [list, base] = [other.what.value ?? [], seq];
    }
  }

  /** Resolves once that event was seen, or after a while in which it was not. */
  until(seq) {
    return new Promise((resolve) => {
      const look = () => {
        if ((this.log.at(-1)?.seq ?? 0) < seq) return;
        this.onEvent.delete(look);
        resolve();
      };
      this.onEvent.add(look);
      setTimeout(() => { this.onEvent.delete(look); resolve(); }, 5000);
      look();
    });
  }

  tell(error) {
    if (error instanceof Problem && error.code === "ROOM-004") this.out(error);
    else toast(error instanceof Problem ? `${error.code ?? ""} ${error.message}` : "the server can't be reached", "bad");
  }

  /** The event `asked` of that number, from what was seen or from the server. */
  async answer(seq) {
    const event = this.answers.get(seq) ?? this.log.find((one) => one.seq === seq) ?? await eventAt(this.base, seq);
    this.answers.set(seq, event);
    if (this.answers.size > KEPT_ANSWERS) this.answers.delete(this.answers.keys().next().value);
    return event;
  }

  heard(event) {
    if (event.kind === "joined") this.names.set(event.what.participant, event.what.name);
    if (event.who && event.role) this.roles.set(event.who, event.role);
    this.log.push(event);
    if (this.log.length > KEPT_LOG) this.log.splice(0, this.log.length - KEPT_LOG);
    if (event.seq > this.state.seq && fold(this.state, event, this.names)) this.refresh();
    if (this.state.last_seq_by && event.who in this.state.last_seq_by) {
      this.state.last_seq_by[event.who] = Math.max(this.state.last_seq_by[event.who], event.seq);
    }
    for (const listener of this.onEvent) listener(event);
    this.draw();
  }

  /** on: whether the overview comes with the stream; `onSight` is called with each that came. */
  watches(on) {
    this.stream?.watch(on);
  }

  sees(told) {
    this.sight = seen(this.sight, told);
    for (const look of this.onSight) look(this.sight);
  }

  ticked(clock) {
    this.clock.tell(clock);
    if (clock.phase !== this.state.room.phase) this.refresh();
  }

  turned(isUp) {
    const again = isUp && this.wasUp;
    this.isUp = isUp;
    this.wasUp = true;
    if (again) this.refresh();
    this.draw();
  }

  /** The state anew: of events that came meanwhile, those that it has not are folded in again. */
  refresh() {
    this.fetching ??= setTimeout(async () => {
      this.fetching = null;
      if (this.isClosed) return;
      try {
        const state = await call(`${this.base}/state`);
        for (const event of this.log) if (event.seq > state.seq && fold(state, event, this.names)) this.refresh();
        this.state = state;
        this.learn();
        this.draw();
      } catch (error) {
        if (error instanceof Problem && error.status === 401) this.out(error);
        else setTimeout(() => this.refresh(), 1000);
      }
    }, 50 + Math.random() * 150);
  }

  learn() {
    for (const person of this.state.participants) this.names.set(person.participant, person.name);
    this.clock.tell(this.state.room);
  }

  draw() {
    this.drawing ??= setTimeout(() => {
      this.drawing = null;
      for (const watcher of this.watchers) watcher(this.state);
    }, 30);
  }
}
