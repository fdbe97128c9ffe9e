// A layer of the diagram: where failures commonly occur, in any stack. The instructor has it shown, or not.

import { call } from "./api.js";
import { allow, h, s, say } from "./dom.js";

/** Marks on the boxes and edges of a diagram, and in words below it. svg: its boxes are rects that say of what they are. */
export function commonly(model, svg) {
  const list = h("div", { class: "commonly" });
  const element = h("details", { hidden: true }, h("summary", {}, "Where failures commonly occur"), list);
  let known = null;

  async function show(isOn) {
    element.hidden = !isOn;
    svg.querySelectorAll(".common").forEach((mark) => { mark.style.display = isOn ? "" : "none"; });
    if (!isOn || known) return;
    known = "asked";
    try {
      known = (await call(`${model.base}/failures`)).at;
      draw(known);
    } catch {
      known = null; // it was turned off meanwhile
    }
  }

  function draw(at) {
    for (const [place, kinds] of Object.entries(at)) {
      const told = kinds.map((kind) => kind.about).join("\n");
      const [x, y] = placed(place) ?? [];
      if (x !== undefined) svg.append(s("g", { class: "common" }, s("title", {}, `${place}: ${kinds.length} kinds of failure\n${told}`),
        s("circle", { cx: x, cy: y, r: 8 }), s("text", { x, y: y + 4, "text-anchor": "middle" }, kinds.length)));
    }
    list.replaceChildren(...Object.entries(at).map(([place, kinds]) => h("details", {}, h("summary", {}, `${place}: ${kinds.length}`),
      h("ul", {}, kinds.map((kind) => h("li", {}, kind.about, " ", h("small", {}, `What moves: ${kind.moves}`)))))));
  }

  /** The corner of a box; on the line between two, near the one that is called. */
  function placed(place) {
    const [from, to] = place.split("->").map(box);
    if (!from) return null;
    if (!place.includes("->")) return [from.x + from.width, from.y];
    const line = [...svg.querySelectorAll("path.edge")].find((path) => to && touches(from, path.getPointAtLength(0)) && touches(to, path.getPointAtLength(path.getTotalLength())));
    const at = line?.getPointAtLength(line.getTotalLength() * 0.85);
    return at ? [at.x, at.y] : null;
  }

  function box(name) {
    return [...svg.querySelectorAll("rect.node")].find((one) => one.dataset.of === name)?.getBBox();
  }

  model.watch((state) => { show(state.room.failures_shown); });
  return element;
}

function touches(box, point) {
  return point.x >= box.x - 2 && point.x <= box.x + box.width + 2 && point.y >= box.y - 2 && point.y <= box.y + box.height + 2;
}

/** The instructor's switch. */
export function commonlySwitch(model) {
  const button = h("button", { type: "button", onclick: () => model.send("show_failures", { on: !model.state.room.failures_shown }) });
  model.watch((state) => {
    say(button, state.room.failures_shown ? "Hide common failures" : "Show common failures");
    button.setAttribute("aria-pressed", state.room.failures_shown);
    allow(button, model.why("show_failures"));
  });
  return button;
}
