// One row of the wall of groups. Rows are used again for other groups while the reader scrolls.

import { faceImage, formatCount, formatNumber, h, keyHint, nameText } from "./dom.js";
import { faceTile, fillTile } from "./face_tiles.js";

const FACES = 8;

export class GroupRow {
  #actions;
  #shown = ""; // the state the row is built for

  constructor(actions) {
    this.#actions = actions;
    this.entry = null;
    this.element = h("li", { class: "row card", tabindex: "-1" });
    this.element.row = this;
    this.pick = h("input", { type: "checkbox", onchange: () => actions.choose(this.entry, this.pick.checked) });
    this.tiles = Array.from({ length: FACES }, () => faceTile((face, cameFromField) => {
      actions.toggle(this.entry, face);
      if (cameFromField) this.input.focus({ preventScroll: true });
    }));
    this.count = h("b");
    this.facts = h("small");
    this.more = h("button", { type: "button", class: "link", onclick: () => actions.all(this.entry) });
    this.input = actions.field({
      label: "Name", placeholder: "Name", candidates: () => (this.entry.likely ? [this.entry.likely] : []),
      choose: (name) => actions.name(this.entry, name),
      keys: {
        Enter: () => actions.step(1), ArrowDown: () => actions.step(1), ArrowUp: () => actions.step(-1), Escape: () => actions.leave(),
        "Shift+ArrowDown": () => actions.extend(1), "Shift+ArrowUp": () => actions.extend(-1),
      },
    });
    this.input.addEventListener("input", () => { this.entry.text = this.input.value; });
    this.likely = h("button", { type: "button", class: "likely", onclick: () => actions.name(this.entry, this.entry.likely.name, "row") });
    this.faces = h("div", { class: "row-faces", draggable: "true" }, this.tiles);
    this.open = [
      h("label", { class: "pick" }, this.pick), this.faces, h("div", { class: "about" }, this.count, this.facts, this.more),
      h("div", { class: "naming" }, this.input, this.likely),
    ];
    this.element.addEventListener("dragstart", (event) => {
      const tile = event.target.closest?.(".tile");
      event.dataTransfer.setData("text/plain", "");
      actions.drag(tile ? { face: tile.dataset.face } : { entry: this.entry });
    });
    this.element.addEventListener("dragend", () => actions.drag(null));
  }

  fill(entry, at, total) {
    const isNew = entry !== this.entry;
    this.entry = entry;
    const { element } = this;
    element.dataset.at = at;
    element.setAttribute("aria-setsize", total);
    element.setAttribute("aria-posinset", at + 1);
    const isAnswered = entry.state === "saved" || entry.state === "gone";
    element.classList.toggle("saved", entry.state === "saved");
    element.classList.toggle("gone", entry.state === "gone");
    element.classList.toggle("waiting", entry.state === "waiting");
    element.classList.toggle("chosen", entry.isChosen);
    if (isAnswered) this.#fillAnswered(entry);
    else this.#fillOpen(entry, isNew);
  }

  #fillOpen(entry, isNew) {
    if (this.#shown !== "open") {
      const hadFocus = this.element.contains(document.activeElement);
      this.element.replaceChildren(...this.open);
      this.#shown = "open";
      if (hadFocus) this.element.focus({ preventScroll: true });
    }
    const label = `Group of ${formatCount(entry.faces, "face")}`;
    this.element.setAttribute("aria-label", entry.state === "waiting" ? `${label}, saving` : label);
    this.pick.checked = entry.isChosen;
    this.pick.setAttribute("aria-label", `Select: ${label}`);
    this.count.textContent = formatCount(entry.faces, "face");
    this.facts.textContent = entry.years;
    this.input.setAttribute("aria-label", `Name of the ${label.toLowerCase()}`);
    this.input.readOnly = entry.state === "waiting";
    if (isNew || this.input.value !== entry.text) this.input.value = entry.state === "waiting" ? entry.name : entry.text;
    const pictures = entry.pictures ?? [];
    const shown = entry.pictures ? pictures.length : Math.min(FACES, entry.faces);
    this.tiles.forEach((tile, i) => {
      tile.hidden = i >= shown;
      if (pictures[i]) fillTile(tile, pictures[i], `Face ${i + 1} of ${label.toLowerCase()}`, entry.out.has(pictures[i].face));
      else if (tile.dataset.face) {
        tile.dataset.face = "";
        tile.replaceChildren();
      }
    });
    const hiddenOut = entry.out.size - pictures.filter((picture) => entry.out.has(picture.face)).length;
    this.more.hidden = entry.faces <= shown;
    this.more.textContent = `show all${hiddenOut ? `, ${formatNumber(hiddenOut)} more out` : ""}`;
    this.likely.hidden = !entry.likely;
    if (entry.likely) this.likely.replaceChildren(keyHint("1"), nameText(entry.likely.name), "?");
  }

  #fillAnswered(entry) {
    const hadFocus = this.element.contains(document.activeElement);
    const picture = entry.pictures?.[0];
    const undo = entry.event ? h("button", { type: "button", class: "quiet", onclick: () => this.#actions.undo(entry) }, "Undo") : h("span");
    const text = entry.name ? [nameText(entry.name), ` · ${entry.told}`] : [`${formatCount(entry.faces, "face")} · ${entry.told}`];
    this.element.replaceChildren(h("span", { class: "tick", "aria-hidden": "true" }, entry.state === "saved" ? "✓" : "–"), picture ? faceImage(picture.face) : h("span"), h("p", {}, text), undo);
    this.element.setAttribute("aria-label", entry.name ? `${entry.name}, ${entry.told}` : entry.told);
    this.#shown = "answered";
    if (hadFocus) this.element.focus({ preventScroll: true });
  }
}
