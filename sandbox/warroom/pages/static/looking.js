// The panels in which a stack is looked at: the same for a team and for its instructor, while the drill runs and after it.

import { dashboards } from "./dashboards.js";
import { toast } from "./dom.js";
import { logs } from "./logs.js";
import { parted } from "./panels.js";
import { slates } from "./slates.js";
import { traces } from "./traces.js";

const TABS = ["dashboards", "traces", "logs", "slates"];

/**
 * toChat: called with a link. show: brings a tab to the front. at: () -> the tab that is there. toTime: called with {from, to}
 * of what is chosen in a chart. Returns the tabs, `shown(tab)`, `go(link)` and `trace(id)` for links, and `look(span)` for
 * {minutes, to_ts} of a time that is past, null for now.
 */
export function looking(model, toChat, show, at, toTime = null) {
  const why = slates(model, toChat, (id) => trace(id));
  const looks = {
    dashboards: dashboards(model, toChat, () => at() === "dashboards", toTime),
    traces: traces(model, toChat, (id) => go(`slates/${encodeURIComponent(id)}`)),
    logs: logs(model, toChat, (id) => trace(id)),
    slates: why, users: why.user, items: why.item,
  };

  function go(link) {
    const found = parted(link, Object.keys(looks));
    if (!found) return toast("a link to nothing that is here", "warn");
    show(looks[found.name].tab ?? found.name);
    return looks[found.name].go(found.id, found.wanted);
  }

  function trace(id) {
    show("traces");
    looks.traces.open(id);
  }

  return {
    tabs: [["dashboards", "Dashboards"], ["traces", "Traces"], ["logs", "Logs"], ["slates", "Slates"]]
      .map(([id, title]) => ({ id, title, panel: looks[id].element })),
    shown: (id) => looks[id]?.shown(),
    go, trace,
    look(span) { for (const id of TABS) looks[id].at(span, at() === id); },
  };
}
