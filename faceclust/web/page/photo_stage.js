// The photo with its boxes: zoom, and the box that is being drawn or moved, the draft.
import { boxBetween, dragCorner, growBox, moveBox, snapBox } from "./boxes.js";
import { h } from "./dom.js";

const MAX_ZOOM = 8;
const STEP = 0.01; // an arrow moves the draft by this fraction of the photo's longer side
const FIRST_SIDE = 0.15; // of a box that keys start
const MAX_WIDE_TAGS = 8; // of more faces, long names are cut
const EDGE = 0.15; // a fraction of the photo
const DRAG_PX = 6; // a shorter drag is a click

export class PhotoStage {
  /** `on`: choose(face), light(face|null), drawn(), keep(), giveUp(), announce(text). */
  constructor(on) {
    this.on = on;
    this.image = h("img", { draggable: "false", decoding: "async", alt: "", onerror: () => this.#unreadable() });
    this.boxes = h("div", { class: "boxes" });
    this.sheet = h("div", { class: "sheet" }, this.image, this.boxes);
    this.element = h("div", { class: "stage", role: "group", "aria-label": "The photo", onwheel: (event) => this.#wheel(event) }, this.sheet);
    this.sheet.addEventListener("pointerdown", (event) => this.#startDrawing(event));
    this.draft = null; // {face, box, element}
    this.zoom = 1;
    this.resized = new ResizeObserver(() => this.#fit());
    this.resized.observe(this.element);
  }

  close() {
    this.resized.disconnect();
  }

  fill(photo, faces, describe) {
    if (this.photo?.photo !== photo.photo) {
      this.image.src = `photo/${photo.photo}.jpg`;
      this.zoom = 1;
    }
    this.photo = photo;
    this.element.parentElement.style.setProperty("--ratio", String(photo.width / photo.height));
    this.boxes.classList.toggle("few", faces.length <= MAX_WIDE_TAGS);
    this.image.alt = `The photo ${photo.path}`;
    // The draft stays where it is: it would lose the focus.
    for (const box of this.boxes.querySelectorAll(".spot")) box.remove();
    this.boxes.prepend(...faces.filter((face) => !face.whole).map((face) => this.#box(face, describe(face))));
    this.boxOf(this.draft?.face)?.classList.add("moving");
    this.#fit();
  }

  #box(face, text) {
    const kind = face.ignored ? "ignored" : face.name ? (face.confirmed ? "confirmed" : "suggested") : "unnamed";
    const box = h("button", {
      type: "button", class: `spot ${kind}`, "data-face": face.face, "aria-label": text,
      onclick: () => this.on.choose(face.face), onfocus: () => this.on.choose(face.face),
      onpointerenter: () => this.on.light(face.face), onpointerleave: () => this.on.light(null),
    }, face.name ? h("span", { class: `tag ${placeOfTag(face.box)}`, dir: "auto" }, face.name) : null);
    lay(box, face.box);
    return box;
  }

  #unreadable() {
    this.image.alt = "The photo cannot be read.";
    this.sheet.classList.add("unreadable");
  }

  boxOf(face) {
    return this.boxes.querySelector(`.spot[data-face="${CSS.escape(face ?? "")}"]`);
  }

  // -- size ---------------------------------------------------------------------

  #fit() {
    if (!this.photo) return;
    const { width, height } = this.photo;
    const scale = Math.min(this.element.offsetWidth / width, this.element.offsetHeight / height) * this.zoom;
    this.sheet.style.width = `${Math.max(1, Math.floor(width * scale))}px`;
    this.sheet.style.height = `${Math.max(1, Math.floor(height * scale))}px`;
  }

  /** Zoom; the point of the photo at `point` (fractions; the middle of what is visible) stays where it is. */
  zoomTo(zoom, point = this.#middle()) {
    const before = this.#onScreen(point);
    this.zoom = Math.max(1, Math.min(MAX_ZOOM, zoom));
    this.#fit();
    const after = this.#onScreen(point);
    this.element.scrollBy({ left: after[0] - before[0], top: after[1] - before[1], behavior: "instant" });
  }

  /** Zoom so far that the face fills a third of the stage, or show the whole photo again. */
  zoomToFace(box) {
    if (this.zoom > 1 || !box) return this.zoomTo(1);
    const { width, height } = this.sheet.getBoundingClientRect(), { clientWidth, clientHeight } = this.element;
    const [left, top, right, bottom] = box;
    this.zoomTo(Math.min(clientWidth / (right - left) / width, clientHeight / (bottom - top) / height) / 3);
    const [x, y] = this.#onScreen([(left + right) / 2, (top + bottom) / 2]), stage = this.element.getBoundingClientRect();
    this.element.scrollBy({ left: x - stage.left - clientWidth / 2, top: y - stage.top - clientHeight / 2, behavior: "instant" });
  }

  #wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.zoomTo(this.zoom * Math.exp(-event.deltaY / 300), this.#pointAt(event));
  }

  #middle() {
    const stage = this.element.getBoundingClientRect();
    return this.#pointAt({ clientX: stage.left + this.element.clientWidth / 2, clientY: stage.top + this.element.clientHeight / 2 });
  }

  #pointAt({ clientX, clientY }) {
    const sheet = this.sheet.getBoundingClientRect();
    return [(clientX - sheet.left) / sheet.width, (clientY - sheet.top) / sheet.height].map((part) => Math.max(0, Math.min(1, part)));
  }

  #onScreen([x, y]) {
    const sheet = this.sheet.getBoundingClientRect();
    return [sheet.left + x * sheet.width, sheet.top + y * sheet.height];
  }

  // -- the draft ----------------------------------------------------------------

  /** Start a box of a new face in the middle of what is visible, or move the box of a face. */
  startDraft(face = null, box = null) {
    const [x, y] = this.#middle(), { width, height } = this.photo;
    const side = (FIRST_SIDE * Math.min(width, height)) / this.zoom;
    const across = side / width / 2, down = (side * 1.25) / height / 2;
    this.#open(face, box ?? moveBox([x - across, y - down, x + across, y + down], 0, 0));
    this.draft.element.focus();
    this.on.drawn();
  }

  endDraft() {
    this.draft?.element.remove();
    this.boxOf(this.draft?.face)?.classList.remove("moving");
    this.draft = null;
  }

  #open(face, box) {
    this.endDraft();
    const element = h("div", {
      class: "draft", tabindex: "0", role: "application", "aria-roledescription": "box",
      "aria-label": "Box of a face. Arrows move it, Shift with an arrow changes its size, Enter keeps it, Escape gives it up.",
      onkeydown: (event) => this.#draftKey(event), onpointerdown: (event) => this.#drag(event),
    }, ["nw", "ne", "sw", "se"].map((corner) => h("span", { class: `handle ${corner}`, "data-corner": corner })));
    this.draft = { face, box, element };
    this.boxOf(face)?.classList.add("moving");
    this.boxes.append(element);
    this.#setDraft(box);
  }

  #setDraft(box) {
    this.draft.box = snapBox(box, this.photo);
    lay(this.draft.element, this.draft.box);
  }

  #draftKey(event) {
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.altKey || event.metaKey) return;
    if (arrow) {
      const { width, height } = this.photo, step = event.ctrlKey ? 1 : Math.max(1, Math.round((STEP * Math.max(width, height)) / this.zoom));
      const by = [(arrow[0] * step) / width, (arrow[1] * step) / height];
      this.#setDraft(event.shiftKey ? growBox(this.draft.box, ...by) : moveBox(this.draft.box, ...by));
      this.draft.element.scrollIntoView({ block: "nearest", inline: "nearest" });
      this.on.announce(describeBox(this.draft.box));
    } else if (event.key === "Enter") this.on.keep();
    else if (event.key === "Escape") this.on.giveUp();
    else if (event.key.length === 1 && !event.ctrlKey && event.key !== " ") return void this.on.type(event);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Drag on the photo: the mouse draws a new box. A finger scrolls; it moves the box that a button has started.
  #startDrawing(event) {
    if (event.button !== 0 || event.pointerType === "touch" || event.target.closest(".spot, .draft")) return;
    event.preventDefault(); // do not select the text around
    const start = this.#pointAt(event), { clientX, clientY } = event;
    let drawing = false;
    this.#follow(event, this.sheet, (moved) => {
      if (!drawing && Math.hypot(moved.clientX - clientX, moved.clientY - clientY) < DRAG_PX) return;
      if (!drawing) this.#open(null, boxBetween(start, this.#pointAt(moved)));
      drawing = true;
      this.#setDraft(boxBetween(start, this.#pointAt(moved)));
    }, () => {
      if (!drawing) return;
      this.draft.element.focus();
      this.on.drawn();
    });
  }

  #drag(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    const { element, box } = this.draft, corner = event.target.dataset.corner, from = this.#pointAt(event);
    element.focus();
    this.#follow(event, element, (moved) => {
      const [x, y] = this.#pointAt(moved);
      this.#setDraft(corner ? dragCorner(box, corner, [x, y]) : moveBox(box, x - from[0], y - from[1]));
    }, () => this.on.announce(describeBox(this.draft.box)));
  }

  #follow(event, element, move, end) {
    const finish = () => {
      for (const [name, listener] of listeners) element.removeEventListener(name, listener);
      end();
    };
    const isOurs = (listener) => (other) => { if (other.pointerId === event.pointerId && this.element.isConnected) listener(other); };
    const listeners = [["pointermove", isOurs(move)], ["pointerup", isOurs(finish)], ["pointercancel", isOurs(finish)]];
    element.setPointerCapture(event.pointerId);
    for (const [name, listener] of listeners) element.addEventListener(name, listener);
  }
}

function lay(element, [left, top, right, bottom]) {
  const parts = { left, top, width: right - left, height: bottom - top };
  for (const [name, part] of Object.entries(parts)) element.style[name] = `${part * 100}%`;
}

// Names stay on the photo: those near an edge start there.
function placeOfTag([left, top, right, bottom]) {
  const middle = (left + right) / 2;
  return [middle < EDGE ? "from-left" : middle > 1 - EDGE ? "to-right" : "", bottom > 1 - EDGE / 2 && top > EDGE / 2 ? "above" : ""].join(" ").trim();
}

function describeBox([left, top, right, bottom]) {
  const [l, t, w, height] = [left, top, right - left, bottom - top].map((part) => Math.round(part * 100));
  return `${l} percent from the left, ${t} from the top, ${w} wide, ${height} high`;
}
