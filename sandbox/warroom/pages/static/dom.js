// Elements from text. Nothing here, or anywhere in these pages, turns a text into markup: users' words become text nodes.

/** h("p", {class: "x", onclick: f}, "text", child): attributes by name, `on…` as listeners, false and null left out. */
export function h(tag, attrs = {}, ...kids) {
  return filled(document.createElement(tag), attrs, kids);
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for a drawing. */
export function s(tag, attrs = {}, ...kids) {
  return filled(document.createElementNS(SVG, tag), attrs, kids);
}

function filled(element, attrs, kids) {
  for (const [name, value] of Object.entries(attrs)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...kids.flat(2).filter((kid) => kid !== null && kid !== undefined && kid !== false));
  return element;
}

/** Sets text only where it differs, so that a reader's selection stays. */
export function say(element, text) {
  const told = text === null || text === undefined ? "" : String(text);
  if (element.textContent !== told) element.textContent = told;
}

/**
 * Has the children of a list follow `items`, in order. key: of an item. make: its element. sign: what it is drawn from;
 * where that is as before, the element stays, and with it focus and selection.
 */
export function follow(parent, items, key, make, sign = JSON.stringify) {
  const old = parent.followed ?? new Map();
  const now = new Map();
  let place = parent.firstChild;
  for (const item of items) {
    const id = key(item);
    const signed = sign(item);
    let kept = old.get(id);
    if (!kept || kept.signed !== signed) {
      const element = make(item);
      if (kept) {
        if (place === kept.element) place = element;
        kept.element.replaceWith(element);
      }
      kept = { element, signed };
    }
    if (kept.element === place) place = place.nextSibling;
    else parent.insertBefore(kept.element, place);
    now.set(id, kept);
  }
  for (const [id, { element }] of old) if (now.get(id)?.element !== element) element.remove();
  parent.followed = now;
}

const NEAR_PX = 40;

/** Has a scrolled element show its end, whatever comes and however its room changes, until somebody scrolls away from it. */
export function stick(element, change) {
  if (element.sticks === undefined) {
    const toEnd = () => { if (element.sticks) element.scrollTop = element.scrollHeight; };
    element.sticks = true;
    // Who scrolls is the reader: a change of its room alone moves nothing by itself.
    element.addEventListener("scroll", () => { element.sticks = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX; });
    new ResizeObserver(toEnd).observe(element);
  }
  change();
  if (element.sticks) element.scrollTop = element.scrollHeight;
}

/** Asks before something is done. Resolves to whether it may be, or to the text where one is asked for. */
export function ask(question, { detail = "", yes = "Yes", text = null } = {}) {
  return new Promise((resolve) => {
    const field = text === null ? null : h("input", { type: "text", value: text, maxlength: 400, "aria-label": question });
    const done = (answer) => () => {
      dialog.close();
      dialog.remove();
      resolve(answer && field ? field.value.trim() || null : answer);
    };
    const form = h("form", { onsubmit: (event) => (event.preventDefault(), done(true)()) },
      h("h2", {}, question), detail ? h("p", { class: "pre" }, detail) : null, field,
      h("div", { class: "row end" },
        h("button", { type: "button", onclick: done(false) }, "Cancel"),
        h("button", { type: "submit", class: "main" }, yes)));
    const dialog = h("dialog", { oncancel: done(false) }, form);
    document.body.append(dialog);
    dialog.showModal();
    (field ?? form.querySelector("button.main")).focus();
  });
}

/** A line at the foot of the page that goes by itself; errors stay until they are clicked away. */
export function toast(text, kind = "info") {
  const place = document.getElementById("toasts");
  const line = h("button", { type: "button", class: `toast ${kind}`, onclick: () => line.remove() }, text);
  place.append(line);
  while (place.children.length > 4) place.firstChild.remove();
  if (kind !== "bad") setTimeout(() => line.remove(), 5000);
}

/** Tabs by the pattern of ARIA: arrows move between them. tabs: [{id, title, panel}]. prefix: of ids, where a page has others. */
export function tabs(label, list, onShow = () => {}, prefix = "") {
  const buttons = list.map((tab) => h("button", {
    type: "button", role: "tab", id: `${prefix}tab-${tab.id}`, "aria-controls": `${prefix}panel-${tab.id}`,
    onclick: () => show(tab.id),
  }, tab.title));
  const bar = h("div", { role: "tablist", "aria-label": label, class: "tabs", onkeydown: move }, buttons);
  const panels = list.map((tab) => h("section", {
    role: "tabpanel", id: `${prefix}panel-${tab.id}`, "aria-labelledby": `${prefix}tab-${tab.id}`, class: "panel", hidden: true,
  }, tab.panel));
  function move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const here = buttons.filter((button) => !button.hidden);
    const next = here[(here.indexOf(document.activeElement) + step + here.length) % here.length];
    next.focus();
    next.click();
  }
  function show(id) {
    list.forEach((tab, i) => {
      const on = tab.id === id;
      buttons[i].setAttribute("aria-selected", on);
      buttons[i].tabIndex = on ? 0 : -1;
      panels[i].hidden = !on;
    });
    onShow(id);
  }
  const hide = (id, hidden) => { buttons[list.findIndex((tab) => tab.id === id)].hidden = hidden; };
  const mark = (id, text) => { buttons[list.findIndex((tab) => tab.id === id)].dataset.mark = text; };
  return { bar, panels, show, hide, mark };
}

/** A button that is off while somebody may not, and says why. */
export function allow(button, reason) {
  button.disabled = reason !== null;
  if (reason === null) button.removeAttribute("title");
  else button.title = reason;
}
