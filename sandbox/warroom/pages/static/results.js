// The instructor's page of a cohort: what they can do, by skill, how sure that is, and how it went over time.

import { call, Problem } from "./api.js";
import { h, s, say } from "./dom.js";

const page = document.getElementById("page");
const BY = ["day", "week", "month"];
const two = (value) => (value === null ? "–" : value.toFixed(2));

const since = h("input", { type: "date", "aria-label": "Since", onchange: look });
const scenario = h("select", { "aria-label": "Scenario", onchange: look }, h("option", { value: "" }, "all scenarios"));
const by = h("select", { "aria-label": "Periods", onchange: look }, BY.map((name) => h("option", { value: name }, `by ${name}`)));
by.value = "week";
const refusal = h("p", { class: "refusal", role: "alert" });
const sheet = h("a", { download: "sessions.csv" }, "CSV of sessions");
const people = h("a", { download: "people.csv" }, "CSV of people");
const raw = h("a", { download: "results.json" }, "JSON");
const told = h("div", { class: "stack" });

/** A mean as a dot on 0 to 1, with its interval. */
function bar(of) {
  if (of.mean === null) return h("span", { class: "quiet" }, "–");
  const x = (value) => 4 + value * 112;
  return h("span", { class: "estimate", title: `n = ${of.n}, mean ${two(of.mean)}, ${two(of.low)} to ${two(of.high)}` },
    s("svg", { viewBox: "0 0 120 14", class: "interval", role: "img", "aria-label": `${two(of.mean)}, ${two(of.low)} to ${two(of.high)}` },
      s("line", { x1: 4, x2: 116, y1: 7, y2: 7, class: "base" }), s("line", { x1: x(of.low), x2: x(of.high), y1: 7, y2: 7, class: "reach" }),
      s("circle", { cx: x(of.mean), cy: 7, r: 4, class: "mean" })),
    h("small", {}, `${two(of.mean)} (${two(of.low)}–${two(of.high)})`));
}

function groups(title, list, name = (text) => text) {
  const skills = Object.keys(list[0]?.skills ?? {});
  return [h("h2", {}, title), h("div", { class: "wide-table" }, h("table", {}, h("thead", {}, h("tr", {}, ["", "n", "score", ...skills].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, list.map((group) => h("tr", {}, h("th", { scope: "row" }, name(group.name)), h("td", { class: "number" }, group.n),
      h("td", {}, bar(group.score)), skills.map((skill) => h("td", {}, bar(group.skills[skill]))))))))];
}

/** By name, what the journals of their rooms say that they did; the score is their teams'. */
function persons(found) {
  if (found.people.length === 0) return [];
  const of = (name) => found.sessions.flatMap((one) => one.persons.filter((person) => person.name === name).map((person) => ({ one, person })));
  const open = (name) => h("details", {}, h("summary", {}, name), h("ul", {}, of(name).map(({ one, person }) => h("li", {}, `${one.name}, ${person.roles.map((role) => role.replaceAll("_", " ")).join(", ") || "no role"}: `,
    person.shares.map((share) => `${share.how} ${share.part.replaceAll("_", " ")} ${two(share.share)}`).join("; ") || "nothing that is theirs by name"))));
  const left = [...new Set(found.sessions.filter((one) => one.persons.length).flatMap((one) => one.unattributed))];
  return [...groups("By person", found.people, open), h("p", { class: "quiet" },
    `Of a person is what the journal names them for: who first asked a query that the report quotes, who alone acted, who wrote that part of the report last, who acknowledged, who answered. Who wrote a part need not have found it out. Names are as people typed them. The team's alone: ${left.map((part) => part.replaceAll("_", " ")).join(", ") || "nothing"}. The score is their teams'.`)];
}

function sessions(list) {
  const skills = Object.keys(list[0]?.skills ?? {});
  return [h("h2", {}, "Sessions"), h("div", { class: "wide-table" }, h("table", {}, h("thead", {}, h("tr", {}, ["began (UTC)", "scenario", "where", "people", "score", ...skills].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, [...list].reverse().map((one) => h("tr", {}, h("td", {}, one.began.slice(0, 16).replace("T", " ")), h("td", {}, one.scenario),
      h("td", {}, h("a", { href: `/instructor/replay#${encodeURIComponent(one.name)}` }, one.kind === "room" ? one.name : "terminal")), h("td", {}, one.people.join(", ")),
      h("td", { class: "number" }, two(one.score)), skills.map((skill) => h("td", { class: "number" }, two(one.skills[skill]))))))))];
}

async function look() {
  const asked = new URLSearchParams();
  if (since.value) asked.set("since", since.value);
  if (scenario.value) asked.set("scenario", scenario.value);
  sheet.href = `/api/v1/instructor/results.csv?${asked}`;
  people.href = `/api/v1/instructor/results.csv?${new URLSearchParams([...asked, ["rows", "people"]])}`;
  asked.set("by", by.value);
  raw.href = `/api/v1/instructor/results?${asked}`;
  try {
    const found = await call(raw.href);
    say(refusal, "");
    const known = new Set([...scenario.options].map((option) => option.value));
    for (const { name } of found.scenarios) if (!known.has(name)) scenario.append(h("option", { value: name }, name));
    told.replaceChildren(...(found.sessions.length
      ? [...groups("Over all", [found.whole]), ...groups("Over time", found.periods), ...groups("By scenario", found.scenarios), ...persons(found), ...sessions(found.sessions)]
      : [h("p", {}, "No session that was graded.")]),
    h("p", { class: "quiet" }, `Mean and ${found.level * 100} % interval: ${found.method}. Left out: ${found.given_up} given up, ${found.ungraded} without a grade that was kept.`));
  } catch (error) {
    if (error instanceof Problem && error.status === 401) location.assign("/instructor");
    say(refusal, error.message);
  }
}

page.replaceChildren(h("div", { class: "stack results" }, h("div", { class: "row" }, h("a", { href: "/instructor" }, "Rooms"), h("a", { href: "/instructor/replay" }, "Recordings"), h("h1", {}, "Results")),
  h("div", { class: "row" }, "since", since, scenario, by, sheet, people, raw), refusal, told));
look();
