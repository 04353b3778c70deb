// Faces side by side, to be selected with the mouse or keys. An answered face stays at its place.
import { faceImage, formatNumber, h } from "./dom.js";

const MAX_SHOWN = 300; // the others follow when the reader asks

const idOf = (element) => element.closest?.("[data-face]")?.dataset.face ?? null;

export class FaceGrid {
  /** `describe(face)`: its text for screen readers. `out(id)`, `show(id)`: the cross and a double click.
   *  `changed()`: another face has the focus or is selected. */
  constructor(label, { describe, out, show, changed, outLabel }) {
    Object.assign(this, { describe, out, show, changed, outLabel });
    this.faces = new Map(); // face id → {value, tile}
    this.selected = new Set();
    this.list = h("ul", {
      class: "faces", role: "listbox", "aria-multiselectable": "true", "aria-label": label,
      onclick: (event) => this.#clicked(event),
      ondblclick: (event) => { if (idOf(event.target)) this.show(idOf(event.target)); },
      onfocusin: (event) => this.#focused(idOf(event.target)),
    });
    this.more = h("button", { type: "button", onclick: () => this.#fillUpTo(Infinity) });
    this.element = h("div", {}, this.list, this.more);
  }

  fill(values) {
    this.faces.clear();
    this.selected.clear();
    for (const value of values) this.faces.set(value.face, { value, tile: null });
    this.list.replaceChildren();
    this.list.hidden = !values.length; // a list box must have options
    this.#fillUpTo(MAX_SHOWN);
  }

  #fillUpTo(most) {
    const entries = Array.from(this.faces.values());
    for (const entry of entries.slice(0, most)) if (!entry.tile) this.list.append((entry.tile = this.#tile(entry.value)));
    this.more.hidden = entries.length <= most;
    this.more.textContent = `Show all ${formatNumber(entries.length)}`;
    if (!this.list.querySelector('[tabindex="0"]')) this.#rove(this.tiles[0]);
  }

  #tile(value) {
    const text = this.describe(value);
    return h("li", { role: "option", tabindex: "-1", "aria-selected": "false", "aria-label": text, title: text, "data-face": value.face },
      h("span", { class: "face" }, faceImage(value.face)),
      h("span", { class: "out", "aria-hidden": "true", title: this.outLabel }, "×"),
      h("span", { class: "sign", "aria-hidden": "true" }));
  }

  get tiles() {
    return Array.from(this.list.children);
  }

  /** The id of the face that has the focus, or null. */
  get current() {
    return this.list.contains(document.activeElement) ? idOf(document.activeElement) : null;
  }

  #focused(id) {
    if (!id) return;
    this.#rove(this.faces.get(id).tile);
    this.changed();
  }

  // One face is in the order of the Tab key; the arrows go on from there.
  #rove(tile) {
    for (const other of this.list.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    if (tile) tile.tabIndex = 0;
  }

  #clicked(event) {
    const id = idOf(event.target), from = this.anchor;
    if (!id) return;
    this.faces.get(id).tile.focus();
    if (event.target.closest(".out")) return void this.out(id);
    if (event.shiftKey && from) return void this.#range(from, id);
    this.anchor = id;
    this.select(id, !this.selected.has(id));
  }

  #range(from, to) {
    const ids = this.tiles.map(idOf), [low, high] = [ids.indexOf(from), ids.indexOf(to)].sort((a, b) => a - b);
    for (const id of ids.slice(Math.max(0, low), high + 1)) this.select(id, true);
  }

  select(id, on) {
    const tile = this.faces.get(id)?.tile;
    if (!tile) return;
    if (on) this.selected.add(id);
    else this.selected.delete(id);
    tile.setAttribute("aria-selected", String(on));
    this.changed();
  }

  selectAll(on) {
    for (const tile of this.tiles) if (!on || !tile.dataset.state) this.select(idOf(tile), on);
  }

  /** Move the focus by faces, or by `line`s of the grid. `extend`: select the faces on the way. Return false if
   *  there is no face in that direction. */
  move(step, line = false, extend = false) {
    const tiles = this.tiles, at = tiles.indexOf(document.activeElement);
    const columns = line ? getComputedStyle(this.list).gridTemplateColumns.split(" ").length : 1;
    const next = tiles[at < 0 ? 0 : at + step * columns];
    if (!next) return false;
    if (extend && at >= 0) this.#range(idOf(tiles[at]), idOf(next));
    this.anchor = idOf(next);
    next.focus();
    return true;
  }

  /** Focus the next face after `id` without an answer, else the one before it. */
  goOn(id) {
    const tiles = this.tiles, at = tiles.findIndex((tile) => idOf(tile) === id), isOpen = (tile) => !tile.dataset.state;
    (tiles.slice(at + 1).find(isOpen) ?? tiles.slice(0, Math.max(0, at)).reverse().find(isOpen) ?? tiles[at])?.focus();
  }

  /** Show the answer: `state` is "waiting", "confirmed", "out" or "" for none; `words` tell it. */
  mark(id, state, words = "") {
    const entry = this.faces.get(id);
    if (!entry) return;
    entry.state = state;
    if (!entry.tile) return;
    if (state) entry.tile.dataset.state = state;
    else delete entry.tile.dataset.state;
    const text = [words, this.describe(entry.value)].filter(Boolean).join(": ");
    entry.tile.setAttribute("aria-label", text);
    entry.tile.title = text;
    this.select(id, false);
  }

  /** The ids of the faces without an answer. */
  get open() {
    return Array.from(this.faces.values()).filter(({ state }) => !state).map(({ value }) => value.face);
  }
}
