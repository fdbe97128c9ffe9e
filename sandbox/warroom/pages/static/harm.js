// The harm so far, for the instructor: this room's world beside the healthy day.

import { call } from "./api.js";
import { follow, h, s, say } from "./dom.js";
import { figure, worldClock } from "./times.js";

const EVERY_MS = 10000;
const MOST_POINTS = 60;
const [WIDTH, HEIGHT, PAD] = [520, 90, 4];
const DRAWN = ["clicks", "conversions", "satisfied_sessions", "p99_ms"];

/** isShown: whether anybody sees it; only then it is asked for. */
export function harmLive(room, isShown) {
  const why = h("p", { class: "quiet" });
  const rows = h("tbody", {});
  const heads = [h("th", {}, "since the onset"), h("th", {}, "here"), h("th", {}, "healthy day"), h("th", {}, "harm"), h("th", {}, "95 % interval"), h("th", { title: "in the last ten minutes" }, "a minute, lately"), h("th", {}, "")];
  const charts = h("div", { class: "charts" });
  const element = h("div", { class: "stack" }, why, h("table", {}, h("thead", {}, h("tr", {}, heads)), rows), charts);

  async function look() {
    if (!isShown() || document.hidden) return;
    let told;
    try {
      told = await call(`${room.base}/harm`);
    } catch (error) {
      return say(why, error.message);
    }
    const live = told.how === "signals";
    say(heads[0], live ? "golden signal" : told.onset_s === null ? "since the beginning" : `since the onset, ${worldClock(told.began_ts + told.onset_s)}`);
    say(heads[1], live ? "last 5 min" : "here");
    say(heads[2], live ? "quiet part" : "healthy day");
    heads[3].hidden = heads[5].hidden = live;
    say(heads[4], live ? "nine of ten quiet minutes" : "95 % interval");
    heads[4].title = live ? "" : "over the users that there might have been; of this world and seed alone";
    say(why, told.why);
    follow(rows, Object.entries(told.sums), ([name]) => name, ([name, sum]) => h("tr", {}, h("td", {}, name.replaceAll("_", " ")),
      h("td", { class: "number" }, figure(sum.here)), h("td", { class: "number" }, figure(sum.healthy)),
      live ? null : harmCell(sum.harm, sum.low > 0), h("td", { class: "number" }, sum.low === null ? "" : `${figure(sum.low)} to ${figure(sum.high)}`),
      live ? null : harmCell(sum.lately, sum.lately > 0), h("td", {}, h("small", {}, sum.unit))));
    follow(charts, DRAWN.filter((name) => told.minutes[name]?.length > 1), (name) => name, (name) => chart(name, told), (name) => JSON.stringify(told.minutes[name]));
  }

  room.every(EVERY_MS, look);
  return { element, look };
}

/** isClear: whether it is worse for sure. */
function harmCell(value, isClear) {
  return h("td", { class: isClear ? "number refusal" : "number" }, figure(value));
}

/** Means of `size` minutes each: single ones are chance. */
function binned(minutes, size) {
  const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);
  return Array.from({ length: Math.ceil(minutes.length / size) }, (_, n) => [0, 1].map((side) =>
    mean(minutes.slice(n * size, (n + 1) * size).map((pair) => pair[side]).filter((value) => value !== null))));
}

function chart(name, told) {
  const size = Math.max(1, Math.ceil(told.minutes[name].length / MOST_POINTS));
  const points = binned(told.minutes[name], size);
  const most = Math.max(1e-9, ...points.flat().filter((value) => value !== null));
  const x = (n) => PAD + (n / (points.length - 1)) * (WIDTH - 2 * PAD);
  const path = (side) => points.map((pair, n) => [n, pair[side]]).filter(([, value]) => value !== null)
    .map(([n, value], i) => `${i ? "L" : "M"}${x(n).toFixed(1)} ${(HEIGHT - PAD - (value / most) * (HEIGHT - 2 * PAD)).toFixed(1)}`).join("");
  const onset = told.onset_s === null ? -1 : (told.onset_s / 60 - told.since_minute) / size;
  return h("figure", {}, h("figcaption", {}, `${name.replaceAll("_", " ")} a minute; most ${figure(most)}`),
    s("svg", { class: "harm-chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${name} a minute, here and on a healthy day` },
      s("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 }),
      onset >= 0 && onset < points.length ? s("line", { class: "mark page", x1: x(onset), x2: x(onset), y1: 0, y2: HEIGHT }) : null,
      s("path", { class: "healthy", d: path(1) }), s("path", { class: "here", d: path(0) })));
}
