// The people beside the groups, onto whom rows and faces are dragged.

import { faceImage, formatNumber, h, nameText } from "./dom.js";

const MAX_SHOWN = 200;

let dragged = null;

/** Note what is dragged, {entry} or {face}; null at the end. */
export function startDrag(what) {
  dragged = what;
}

/** List the people; `drop(dragged, name)` is called with what is dropped on one. */
export function showDropList(list, people, drop) {
  list.replaceChildren(...people.filter((person) => person.person).slice(0, MAX_SHOWN).map((person) => {
    const item = h("li", {}, person.face ? faceImage(person.face) : h("span"), nameText(person.name), h("small", {}, formatNumber(person.faces)));
    const mark = (isOver) => item.classList.toggle("over", isOver);
    item.addEventListener("dragover", (event) => {
      if (!dragged) return;
      event.preventDefault();
      mark(true);
    });
    item.addEventListener("dragleave", () => mark(false));
    item.addEventListener("drop", (event) => {
      event.preventDefault();
      mark(false);
      if (dragged) drop(dragged, person.name);
      dragged = null;
    });
    return item;
  }));
}
