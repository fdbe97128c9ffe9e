// Times for people: the world's, as tables have it, and the wall's beside.

const two = (n) => String(n).padStart(2, "0");

/** 2026-03-02 08:03:00, from world seconds since the epoch. */
export function worldTime(ts) {
  return new Date(ts * 1000).toISOString().slice(0, 19).replace("T", " ");
}

/** 08:03, of the world. */
export function worldClock(ts) {
  return worldTime(ts).slice(11, 16);
}

/** 14:03:05 on this machine. */
export function wallClock(ts) {
  const at = new Date(ts * 1000);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

const SPAN = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(?::\d\d)?(?:\s*(?:–|-|to|\.\.|\/)\s*(\d\d:\d\d))?$/;

/** "2026-03-02 08:10 – 08:30", or one time where both are the same: the value of a link. from, to: world seconds. */
export function spanLink({ from, to }) {
  return worldTime(from).slice(0, 16) + (to - from < 60 ? "" : ` – ${worldClock(to)}`);
}

/** {from, to} of such a text, null where it is none. */
export function spanOf(text) {
  const found = SPAN.exec(String(text).trim());
  if (!found) return null;
  const at = (clock) => Date.parse(`${found[1]}T${clock}:00Z`) / 1000;
  const from = at(found[2]);
  const to = found[3] ? at(found[3]) : from;
  return Number.isFinite(from) && Number.isFinite(to) ? { from, to: to < from ? to + 86400 : to } : null;
}

const CLOCKS = /\b([01]\d|2[0-3]):([0-5]\d)(?:\s*(?:–|-|to|\.\.)\s*([01]\d|2[0-3]):([0-5]\d))?\b(?!:)/g;

/** A text in parts, in which times of day are spans: those nearest before `ts`, the world's time when it was written. */
export function clocksIn(text, ts) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(CLOCKS)) {
    if (/[\d:]/.test(text[found.index - 1] ?? "")) continue; // the end of something longer
    const day = Math.floor(ts / 86400) * 86400;
    const of = (hour, minute) => day + Number(hour) * 3600 + Number(minute) * 60;
    let from = of(found[1], found[2]);
    if (from > ts + 3600) from -= 86400;
    let to = found[3] ? of(found[3], found[4]) : from;
    while (to < from) to += 86400;
    parts.push(text.slice(at, found.index), { from, to, text: found[0] });
    at = found.index + found[0].length;
  }
  return [...parts, text.slice(at)].filter((part) => part !== "");
}

/** 1 h 20 min, 40 min, 20 s. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** 12, 3.4, 0.052, 1,200: as many figures as tell something. */
export function figure(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size >= 100) return value.toFixed(0);
  if (size >= 1) return value.toFixed(1);
  return value === 0 ? "0" : value.toPrecision(2);
}

export const percent = (value) => (value === null || value === undefined ? "–" : `${figure(value * 100)} %`);

/** The world's time by the clock of this machine, between two times that the server told. */
export class WorldClock {
  constructor() {
    this.told = null;
  }

  tell({ world_ts, world_rate, phase }) {
    this.told = { world_ts, rate: phase === "running" ? world_rate : 0, at: performance.now() };
  }

  now() {
    if (!this.told) return 0;
    const since = Math.min(1.5, (performance.now() - this.told.at) / 1000); // no more than the server will tell soon
    return this.told.world_ts + since * this.told.rate;
  }
}
