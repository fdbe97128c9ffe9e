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
