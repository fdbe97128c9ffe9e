// A text area with line numbers, marks at lines, and words that are offered where one types. For plain text of some hundred lines.

import { h, say } from "./dom.js";

const LINE = 18; // pixels, as in library.css
const PAD = 6;

/** offers: (text, offset) -> {part, list: [{word, insert, about}]}. onInput: after each change. onKey: event -> whether it is dealt with. */
export function gutter(label, { offers, onInput, onKey }) {
  const numbers = h("pre", { class: "numbers", "aria-hidden": "true" });
  const marks = h("div", { class: "marks-layer", "aria-hidden": "true" });
  const about = h("p", { class: "about quiet", id: "offer-about" });
  const list = h("ul", { role: "listbox", id: "offers", "aria-label": "Completions" });
  const popup = h("div", { class: "offers pad-offers", hidden: true }, list, about);
  const ruler = h("span", { class: "ruler sql", "aria-hidden": "true" }, "0000000000");
  const area = h("textarea", {
    class: "sql pad-area", wrap: "off", spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-label": label,
    "aria-controls": "offers", "aria-describedby": "offer-about", maxlength: 100000,
    oninput: () => { changed(); complete(false); }, onscroll: follow, onkeydown: keyed, onclick: shut, onblur: () => setTimeout(shut, 150),
  });
  const element = h("div", { class: "pad-text" }, numbers, h("div", { class: "pad-body" }, marks, area, popup, ruler));
  let found = { part: "", list: [] };
  let chosen = 0;
  let count = 0;

  function changed() {
    number();
    onInput(area.value);
  }

  function number() {
    const n = area.value.split("\n").length;
    if (n !== count) say(numbers, Array.from({ length: n }, (_, i) => i + 1).join("\n"));
    count = n;
    follow();
  }

  function follow() {
    numbers.scrollTop = area.scrollTop;
    marks.style.transform = `translateY(${-area.scrollTop}px)`;
    if (!popup.hidden) place(); // what is typed at the edge scrolls the text
  }

  /** at: [{line, severity, text}]. */
  function mark(at) {
    marks.replaceChildren(...at.map(({ line, severity, text }) => {
      const bar = h("div", { class: `line-mark ${severity}`, title: text });
      bar.style.top = `${PAD + (line - 1) * LINE}px`;
      return bar;
    }));
  }

  function goTo(line) {
    const before = area.value.split("\n").slice(0, line - 1).join("\n");
    const at = before.length + (line > 1 ? 1 : 0);
    const indent = /^[ \t-]*/.exec(area.value.slice(at))[0].replace(/\n.*/s, "").length;
    area.focus();
    area.setSelectionRange(at + indent, at + indent);
    area.scrollTop = Math.max(0, (line - 1) * LINE - area.clientHeight / 3);
    follow();
  }

  /** Writes over the selection, so that it can be undone. */
  function type(text, back = 0) {
    area.focus();
    if (back) area.setSelectionRange(area.selectionStart - back, area.selectionEnd);
    if (!document.execCommand("insertText", false, text)) {
      area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
      changed();
    }
  }

  function complete(asked) {
    found = area.selectionStart === area.selectionEnd ? offers(area.value, area.selectionStart) : { part: "", list: [] };
    chosen = 0;
    popup.hidden = found.list.length === 0 || (!asked && found.part.trim().length < 1);
    if (popup.hidden) return;
    list.replaceChildren(...found.list.map((one, i) => h("li", {
      role: "option", id: `offer-${i}`, "aria-selected": i === 0, onmousedown: (event) => { event.preventDefault(); chosen = i; take(); },
    }, one.word)));
    place();
    choose(0);
  }

  function place() {
    const before = area.value.slice(0, area.selectionStart).split("\n");
    const x = 8 + before.at(-1).length * (ruler.getBoundingClientRect().width / 10) - area.scrollLeft;
    const y = PAD + before.length * LINE - area.scrollTop;
    const below = y + 190 < area.clientHeight || y < 200;
    popup.style.left = `${Math.max(0, Math.min(x, area.clientWidth - 330))}px`;
    popup.style.top = below ? `${y}px` : "auto";
    popup.style.bottom = below ? "auto" : `${area.clientHeight - y + LINE}px`;
  }

  function choose(step) {
    chosen = (chosen + step + found.list.length) % found.list.length;
    [...list.children].forEach((offer, i) => offer.setAttribute("aria-selected", i === chosen));
    list.children[chosen].scrollIntoView({ block: "nearest" });
    area.setAttribute("aria-activedescendant", `offer-${chosen}`);
    say(about, found.list[chosen].about);
  }

  function take() {
    const { insert } = found.list[chosen];
    const back = found.part.length;
    shut();
    type(insert, back);
    shut();
  }

  function shut() {
    popup.hidden = true;
    area.removeAttribute("aria-activedescendant");
  }

  function keyed(event) {
    if (event.isComposing || onKey(event)) return;
    const control = event.ctrlKey || event.metaKey;
    if (!popup.hidden) {
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
      if (step) { event.preventDefault(); return choose(step); }
      if (event.key === "Tab" || (event.key === "Enter" && !control)) { event.preventDefault(); return take(); }
      if (event.key === "Escape") { event.preventDefault(); return shut(); }
    }
    if (control && event.key === " ") { event.preventDefault(); return complete(true); }
    if (control && (event.key === "]" || event.key === "[")) { event.preventDefault(); return indent(event.key === "]"); }
    if (event.key === "Enter" && !control && !event.shiftKey) { event.preventDefault(); newLine(); }
  }

  /** A new line begins where the one before does, further in after a key that opens something. */
  function newLine() {
    const line = area.value.slice(0, area.selectionStart).split("\n").at(-1);
    const [spaces, dashes] = /^(\s*)((?:- +)*)/.exec(line).slice(1);
    const inner = `${spaces}${" ".repeat(dashes.length)}`;
    type(`\n${inner}${/:\s*([|>][+-]?)?$/.test(line) ? "  " : ""}`);
    area.scrollTop = Math.max(area.scrollTop, area.value.slice(0, area.selectionStart).split("\n").length * LINE + 2 * PAD - area.clientHeight);
  }

  /** All lines of the selection, two columns further in or out. */
  function indent(isIn) {
    const { value } = area;
    const from = value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const end = value.indexOf("\n", Math.max(from, area.selectionEnd - (area.selectionEnd > area.selectionStart ? 1 : 0)));
    const to = end < 0 ? value.length : end;
    const moved = value.slice(from, to).split("\n").map((line) => (isIn ? `  ${line}` : line.replace(/^ {1,2}/, ""))).join("\n");
    area.setSelectionRange(from, to);
    type(moved);
    area.setSelectionRange(from, from + moved.length);
  }

  function set(text) {
    area.value = text;
    area.setSelectionRange(0, 0);
    area.scrollTop = 0;
    number();
  }

  function lock(isLocked) {
    area.readOnly = isLocked;
  }

  return { element, area, set, lock, mark, goTo, type, complete };
}
