// Pictures of faces side by side, all selected; a click or x takes out the one that does not fit.

import { faceWithTime, h } from "./dom.js";
import { isTextField } from "./keys.js";

/**
 * A tile of one face. `toggle(face, cameFromField)` is called on a click; the caller then calls `markTile`. After a
 * click from within a name field, the letters that follow belong to the name: the caller focuses the field again.
 */
export function faceTile(toggle) {
  const tile = h("button", { type: "button", class: "tile", "data-face": "", "aria-pressed": "true", draggable: "true" });
  let cameFromField = false;
  tile.addEventListener("pointerdown", (event) => { cameFromField = event.pointerType === "mouse" && isTextField(document.activeElement); });
  tile.addEventListener("click", (event) => toggle(tile.dataset.face, event.detail > 0 && cameFromField));
  return tile;
}

/** Show this face in the tile. `label`: the text for screen readers. */
export function fillTile(tile, picture, label, isOut = false) {
  if (tile.dataset.face !== picture.face) {
    tile.dataset.face = picture.face;
    tile.dataset.photo = picture.photo;
    tile.replaceChildren(...faceWithTime(picture));
  }
  tile.setAttribute("aria-label", picture.time ? `${label}, at ${picture.time}` : label);
  markTile(tile, isOut);
}

export function markTile(tile, isOut) {
  tile.setAttribute("aria-pressed", String(!isOut));
  tile.title = isOut ? "taken out; a click takes it back" : "";
}

/** Focus the next tile in a direction, by what is seen: arrows work in rows and columns. Return false at the edge. */
export function moveFocus(tiles, direction) {
  const at = tiles.indexOf(document.activeElement);
  if (at < 0) {
    tiles[0]?.focus();
    return tiles.length > 0;
  }
  if (direction === "ArrowLeft" || direction === "ArrowRight") {
    const next = tiles[at + (direction === "ArrowRight" ? 1 : -1)];
    next?.focus();
    return Boolean(next);
  }
  const here = tiles[at].getBoundingClientRect();
  const isDown = direction === "ArrowDown";
  let best = null, bestCost = Infinity;
  for (const tile of tiles) {
    const box = tile.getBoundingClientRect();
    const dy = isDown ? box.top - here.top : here.top - box.top;
    const cost = dy * 4 + Math.abs(box.left - here.left);
    if (dy > here.height / 2 && cost < bestCost) [best, bestCost] = [tile, cost];
  }
  best?.focus();
  return Boolean(best);
}
