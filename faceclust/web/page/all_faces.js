// All faces of a group in a dialog, to take out those that do not fit.

import { formatCount, h } from "./dom.js";
import { faceTile, fillTile, markTile, moveFocus } from "./face_tiles.js";

const AT_ONCE = 400;

/** Show all faces of a group; what is taken out and seen is noted in the entry. */
export async function showAllFaces(app, entry) {
  const { faces } = await app.api.peek(`api/group/${entry.group}`);
  const before = document.activeElement;
  const toggle = (face) => {
    if (entry.out.has(face)) entry.out.delete(face);
    else entry.out.add(face);
    tiles.forEach((tile) => markTile(tile, entry.out.has(tile.dataset.face)));
    note.textContent = describe();
  };
  const describe = () => `${entry.out.size ? `${formatCount(entry.out.size, "face")} taken out.` : "Take out what does not fit."} A name confirms the others.`;
  const note = h("p", { class: "facts", role: "status" }, describe());
  const tiles = [];
  const list = h("ul", { class: "tiles" });
  const more = h("button", { type: "button", onclick: () => showMore() });
  const showMore = () => {
    for (const picture of faces.slice(tiles.length, tiles.length + AT_ONCE)) {
      const tile = faceTile(toggle);
      fillTile(tile, picture, `Face ${tiles.length + 1} of ${formatCount(faces.length, "face")}${picture.date ? `, ${picture.date.slice(0, 10)}` : ""}`, entry.out.has(picture.face));
      entry.seen.add(picture.face);
      tiles.push(tile);
      list.append(h("li", {}, tile));
    }
    more.hidden = tiles.length >= faces.length;
    more.textContent = `Show more of the ${formatCount(faces.length, "face")}`;
  };
  const dialog = h("dialog", { class: "all-faces", "aria-labelledby": "all-title" }, h("h2", { id: "all-title" }, formatCount(faces.length, "face")),
    note, h("div", { class: "scroll" }, list, more), h("div", { class: "choices" }, h("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Done")));
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.startsWith("Arrow") && moveFocus(tiles, event.key)) event.preventDefault();
    const focused = document.activeElement;
    if (app.settings.letterKeys && event.key === "x" && focused?.matches(".tile")) toggle(focused.dataset.face);
  });
  showMore();
  document.body.append(dialog);
  dialog.showModal();
  tiles[0]?.focus();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  dialog.remove();
  if (before?.isConnected) before.focus({ preventScroll: true });
}
