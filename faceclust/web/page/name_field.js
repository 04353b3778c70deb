// A field for a name: completion among the people there are (an ARIA combobox with a list).

import { faceImage, formatCount, h, nameText } from "./dom.js";

const MAX_SHOWN = 8;

/** A text without accents and case, for comparison. */
export function foldText(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();
}

/** The people whose names or aliases have words that begin with all the words of `text`; whole beginnings come first. */
export function findPeople(people, text, limit = MAX_SHOWN) {
  const folded = foldText(text);
  if (!folded) return [];
  const words = folded.split(/\s+/);
  const first = [], others = [];
  for (const person of people) {
    person.folded ??= foldText([person.name, ...(person.aliases ?? [])].join(" "));
    if (person.folded.startsWith(folded)) first.push(person);
    else if (words.every((word) => ` ${person.folded}`.includes(` ${word}`) || (word.length > 2 && person.folded.includes(word)))) others.push(person);
    if (first.length >= limit) break;
  }
  return [...first, ...others].slice(0, limit);
}

// One list for all fields: only one is open at a time.
const list = h("ul", { id: "completions", role: "listbox", "aria-label": "People", popover: "manual" });
let owner = null;
let active = -1;
let shown = [];

function close() {
  if (!owner) return;
  owner.setAttribute("aria-expanded", "false");
  owner.removeAttribute("aria-activedescendant");
  owner = null;
  active = -1;
  shown = [];
  if (list.matches(":popover-open")) list.hidePopover();
  list.replaceChildren();
}

function place() {
  if (!owner) return;
  const box = owner.getBoundingClientRect();
  const height = list.offsetHeight;
  const isAbove = box.bottom + height + 6 > innerHeight && box.top > height;
  list.style.left = `${Math.max(8, Math.min(box.left, innerWidth - list.offsetWidth - 8))}px`;
  list.style.top = `${isAbove ? box.top - height - 6 : box.bottom + 6}px`;
  list.style.minWidth = `${box.width}px`;
}
addEventListener("scroll", place, { capture: true, passive: true });
addEventListener("resize", place);

function activate(at) {
  active = at;
  [...list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === at)));
  if (at < 0) owner.removeAttribute("aria-activedescendant");
  else {
    owner.setAttribute("aria-activedescendant", list.children[at].id);
    list.children[at].scrollIntoView({ block: "nearest" });
  }
}

/**
 * Make a field. `people()` returns those to complete among, most faces first; `candidates()` those that the digits 1
 * to 9 stand for while the field is empty. `choose(name, person)` is called with the name on Enter or a click. `keys`
 * (key → function) run first while the list is closed.
 */
export function nameField({ label, people, candidates = () => [], choose, placeholder = "", keys = {}, announce = () => {} }) {
  const input = h("input", {
    type: "text", role: "combobox", "aria-label": label, "aria-autocomplete": "list", "aria-expanded": "false",
    "aria-controls": "completions", autocomplete: "off", autocapitalize: "words", spellcheck: "false", dir: "auto",
    maxlength: 200, placeholder, enterkeyhint: "done",
  });

  const open = (found) => {
    if (!found.length) return close();
    if (owner !== input) close();
    owner = input;
    shown = found;
    list.replaceChildren(...found.map((person, i) => h("li", {
      id: `completion-${i}`, role: "option", "aria-selected": "false",
      onpointerdown: (event) => event.preventDefault(), onclick: () => pick(person),
    }, person.face ? faceImage(person.face) : h("span", { class: "blank" }), nameText(person.name),
    h("small", {}, person.faces ? formatCount(person.faces, "face") : person.isNew ? "just named" : "no photos now"))));
    // Within the landmark of the field; a modal dialog makes all else inert.
    const home = input.closest("dialog, main, header") ?? document.body;
    if (list.parentNode !== home) home.append(list);
    if (!list.matches(":popover-open")) list.showPopover();
    input.setAttribute("aria-expanded", "true");
    active = -1;
    input.removeAttribute("aria-activedescendant");
    place();
    return undefined;
  };
  const pick = (person) => {
    input.value = person.name;
    close();
    choose(person.name, person);
  };

  input.addEventListener("input", () => {
    open(findPeople(people(), input.value));
    if (owner === input) announce(`${formatCount(shown.length, "person", "people")} to choose from`);
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const isOpen = owner === input;
    const use = () => event.preventDefault();
    if (isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp") && !event.shiftKey) {
      use();
      const step = event.key === "ArrowDown" ? 1 : -1;
      activate(active + step >= shown.length ? -1 : active + step < -1 ? shown.length - 1 : active + step);
    } else if (isOpen && event.key === "Escape") {
      use();
      close();
    } else if (event.key === "Enter") {
      use();
      if (isOpen && active >= 0) pick(shown[active]);
      else if (input.value.trim()) {
        const name = input.value.trim();
        close();
        choose(name, null);
      } else keys.Enter?.(event);
    } else if (!input.value && /^[1-9]$/.test(event.key) && candidates()[event.key - 1]) {
      use();
      pick(candidates()[event.key - 1]);
    } else if (!isOpen && event.key === "ArrowDown" && input.value && !keys.ArrowDown) {
      use();
      open(findPeople(people(), input.value));
    } else {
      const key = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
      if (keys[key] && keys[key](event) !== false) use();
    }
  });
  return input;
}
