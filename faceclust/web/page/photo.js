// One photo: boxes on it, who is who beside it, and faces drawn by hand.
import { overlap } from "./boxes.js";
import { formatCount, h, nameText, photoHash } from "./dom.js";
import { belongsTo, describe, makeButton, makeHeadline, makeRow, makeZoomTools, stateOf } from "./photo_parts.js";
import { PhotoStage } from "./photo_stage.js";
import { asScreen } from "./screen.js";

const SMALLEST_FACE = 20; // pixels, for a harder look

class PhotoScreen {
  async open(root, params, app) {
    Object.assign(this, { app, id: params.id, of: params.of ?? "", chosen: params.face ?? null, mode: "face", busy: false, field: null, waiting: new Set() });
    const data = await this.#read();
    this.stage = new PhotoStage({
      choose: (face) => this.choose(face),
      light: (face) => this.#light(face),
      drawn: () => this.#drawn(),
      keep: () => this.keep(),
      giveUp: () => this.giveUp(),
      type: () => this.field?.focus(),
      announce: (text) => app.announce(text),
    });
    this.head = h("header", { class: "photo-head" });
    this.panel = h("section", { class: "panel card", "aria-label": "The chosen face" });
    this.list = h("ol", { class: "who-is-who", "aria-label": "Faces on this photo, from the left" });
    this.photoTools = this.#tools();
    root.append(h("div", { class: "photo" }, this.head,
      h("div", { class: "beside" },
        h("div", { class: "stage-frame" }, this.stage.element, makeZoomTools(this.stage, () => this.zoomToFace())),
        h("div", { class: "about" }, this.panel, this.list, this.photoTools))));
    this.#fill(data);
    this.heading = makeHeadline(this.head, data, this.of, app.before);
    (this.stage.boxOf(this.chosen) ?? this.heading).focus({ preventScroll: true });
    const { photo, faces } = data;
    app.announce(`${photo.path}, ${formatCount(faces.length, "face")}`);
  }

  #read() {
    return this.app.api.get(`api/photo/${encodeURIComponent(this.id)}${this.of ? `?of=${this.of}` : ""}`);
  }

  close() {
    this.stage?.close();
    this.stage = null;
  }

  #fill({ photo, faces }) {
    Object.assign(this, { photo, faces });
    const isHere = faces.some((face) => face.face === this.chosen);
    if (!isHere) this.chosen = (faces.find((face) => belongsTo(face, this.of)) ?? faces.find((face) => !face.name && !face.ignored) ?? faces[0])?.face ?? null;
    const focused = document.activeElement?.closest(".photo [data-face]"), inList = focused && this.list.contains(focused);
    this.stage.fill(photo, faces, describe);
    this.list.replaceChildren(...faces.map((face) => makeRow(face, { choose: (id) => this.choose(id), light: (id) => this.#light(id) })));
    this.ignoreRest.disabled = !this.#rest().length;
    this.#showChosen();
    if (this.mode === "face") this.#facePanel(!isHere); // a name typed for a face that is gone is for no other
    if (focused) (inList ? this.#rowOf(this.chosen) : this.stage.boxOf(this.chosen))?.focus({ preventScroll: true });
  }

  #tools() {
    this.ignoreRest = makeButton("Ignore everybody else here", "I", () => this.ignoreOthers());
    this.lookButton = makeButton("Look again, harder", "l", () => this.look());
    this.progress = h("p", { class: "looking", hidden: true });
    return h("section", { class: "photo-tools", "aria-label": "This photo" },
      makeButton("Draw a face", "d", () => this.stage.startDraft()),
      makeButton("Somebody without a face to be seen", "w", () => this.addSomebody()),
      this.lookButton, this.progress, this.ignoreRest);
  }

  // -- the list and the chosen face ------------------------------------------------

  #rowOf(face) {
    return this.list.querySelector(`[data-face="${CSS.escape(face ?? "")}"]`);
  }

  get face() {
    return this.faces.find((face) => face.face === this.chosen) ?? null;
  }

  choose(face) {
    if (this.stage.draft || (face === this.chosen && this.mode === "face")) return;
    this.chosen = face;
    this.mode = "face";
    this.#showChosen();
    this.#facePanel(true);
  }

  #showChosen() {
    for (const element of [...this.stage.boxes.querySelectorAll(".spot"), ...this.list.querySelectorAll(".entry")]) {
      if (element.dataset.face === this.chosen) element.setAttribute("aria-current", "true");
      else element.removeAttribute("aria-current");
    }
  }

  #light(face) {
    for (const element of [...this.stage.boxes.querySelectorAll(".spot"), ...this.list.querySelectorAll(".entry")])
      element.classList.toggle("lit", element.dataset.face === face);
  }

  /** Move the focus to another face. */
  step(by) {
    const at = this.faces.findIndex((face) => face.face === this.chosen);
    const next = this.faces[Math.max(0, Math.min(this.faces.length - 1, at + by))];
    (this.stage.boxOf(next?.face) ?? this.#rowOf(next?.face))?.focus();
  }

  // Show a field for a name, with what was typed before if `fresh` is false.
  #nameField(label, fresh, choose, keys) {
    const typed = fresh ? "" : this.field?.value ?? "", hadFocus = !fresh && document.activeElement === this.field;
    this.field = this.app.nameField({ label, placeholder: label, choose, keys });
    this.field.value = typed;
    return { field: this.field, restore: () => { if (hadFocus) this.field.focus(); } };
  }

  #facePanel(fresh = false) {
    const { face } = this;
    if (!face) {
      this.field = null;
      this.panel.replaceChildren(h("p", { class: "facts" }, "No face was found on this photo. Draw one, or look again."));
      return;
    }
    const toBox = () => (this.stage.boxOf(face.face) ?? this.#rowOf(face.face))?.focus();
    const { field, restore } = this.#nameField(face.name ? "Another name" : "Name", fresh, (name) => this.nameFace(name), { Escape: toBox });
    const isSuggested = face.name && !face.confirmed;
    this.panel.replaceChildren(
      h("h2", {}, face.name ? nameText(face.name) : face.ignored ? "Ignored" : "Who is this?"),
      h("p", { class: "facts" }, stateOf(face)),
      field,
      h("div", { class: "buttons" },
        isSuggested ? makeButton("Confirm", "y", () => this.confirm(), true) : null,
        face.name ? makeButton("Not this person", "x", () => this.reject()) : null,
        face.ignored ? makeButton("No longer ignore", "i", () => this.ignore()) : face.name ? null : makeButton("Ignore", "i", () => this.ignore()),
        makeButton(face.whole ? "Not on this photo" : "Not a face", "f", () => this.remove()),
        face.whole ? null : makeButton("Move the box", "b", () => this.moveBox())),
      ...(face.person && face.name ? [h("p", { class: "facts" }, h("a", { href: `#/person/${face.person}` }, "All faces of this person"))] : []));
    restore();
  }

  #type() {
    this.field?.focus();
    return this.field !== null;
  }

  // -- answers ---------------------------------------------------------------------

  /** Record an answer and show the photo as it is then. Return the answer of the server, or null. */
  async #answer(answer) {
    const faces = answer.faces ?? [answer.kind];
    if (faces.some((face) => this.waiting.has(face))) return null; // a second press of the key is not a second answer
    for (const face of faces) this.waiting.add(face);
    try {
      const done = await this.app.api.answer(answer);
      if (done && this.stage) await this.changed();
      return done;
    } finally {
      for (const face of faces) this.waiting.delete(face);
    }
  }

  async nameFace(name) {
    const face = this.chosen;
    if (!(await this.#answer({ kind: "name", name, groups: [], faces: [face], seen: [face], left_out: [] }))) return;
    this.field.value = "";
    const next = this.faces.find((other) => !other.name && !other.ignored);
    (this.stage.boxOf(next?.face ?? face) ?? this.#rowOf(face))?.focus();
  }

  confirm() {
    const { face } = this;
    if (!face?.name || face.confirmed) return false;
    this.#answer({ kind: "confirm", faces: [face.face], name: face.name });
    return true;
  }

  reject() {
    const { face } = this;
    if (!face?.name) return false;
    this.#answer({ kind: "reject", faces: [face.face], name: face.name });
    return true;
  }

  ignore() {
    const { face } = this;
    if (!face || face.name) return false;
    this.#answer({ kind: face.ignored ? "unignore" : "ignore", groups: [], faces: [face.face] });
    return true;
  }

  async remove() {
    const { face } = this;
    if (!face) return;
    const at = this.faces.indexOf(face), wasFocused = document.activeElement;
    if (!(await this.#answer({ kind: "not_a_face", faces: [face.face] })) || !this.stage) return;
    const next = this.faces[Math.min(at, this.faces.length - 1)];
    if (!wasFocused?.isConnected) (this.stage.boxOf(next?.face) ?? this.#rowOf(next?.face) ?? this.heading).focus();
  }

  #rest() {
    return this.faces.filter((face) => !face.name && !face.ignored && !face.whole).map((face) => face.face);
  }

  ignoreOthers() {
    const faces = this.#rest();
    if (faces.length) this.#answer({ kind: "ignore", groups: [], faces });
  }

  async look() {
    if (this.busy) return;
    this.busy = true;
    this.app.tell("");
    this.lookButton.disabled = true;
    this.progress.replaceChildren(h("progress", { "aria-label": "Looking for faces" }), " Looking for more faces …");
    this.progress.hidden = false;
    this.app.announce("Looking again");
    try {
      const { added } = await this.app.api.peek("api/look", { photo: this.id, min_face: SMALLEST_FACE });
      if (!this.stage) return;
      await this.changed();
      const text = added ? `${formatCount(added, "more face")} found` : "No further face was found.";
      this.app.announce(text);
      this.progress.replaceChildren(text);
    } catch (error) {
      this.app.tell([error.message, error.hint].filter(Boolean).join(". "));
      this.progress.hidden = true;
    } finally {
      this.busy = false;
      this.lookButton.disabled = false;
    }
  }

  // -- boxes -----------------------------------------------------------------------

  moveBox() {
    const { face } = this;
    if (!face || face.whole) return false;
    this.stage.startDraft(face.face, face.box);
    return true;
  }

  // A draft was started, with the mouse or a key.
  #drawn() {
    const isNew = this.stage.draft.face === null;
    this.mode = "draft";
    const { field } = isNew ? this.#nameField("Name, if you know it", true, () => this.keep(), { Enter: () => this.keep(), Escape: () => this.giveUp() }) : { field: null };
    if (!isNew) this.field = null;
    this.panel.replaceChildren(
      h("h2", {}, isNew ? "A new face" : "Move the box"),
      h("p", { class: "facts" }, "Drag it or its corners. Arrows move it, Shift with an arrow changes its size."),
      ...(field ? [field] : []),
      h("div", { class: "buttons" },
        makeButton("Keep", "Enter", () => this.keep(), true), makeButton("Give up", "Esc", () => this.giveUp())));
    this.app.announce(isNew ? "A new box. Arrows move it, Shift with an arrow changes its size. Enter keeps it, Escape gives it up." : "Move the box with the arrows. Enter keeps it, Escape gives it up.");
  }

  async keep() {
    if (!this.stage.draft || this.busy) return;
    const { face, box } = this.stage.draft, name = this.field?.value.trim() || null;
    const answer = face ? { kind: "move_face", face, box } : { kind: "add_face", photo: this.id, box, name };
    this.#wait(true); // the face is embedded before it is saved
    const done = await this.app.api.answer(answer);
    this.#wait(false);
    if (!this.stage) return;
    if (!done) return void this.stage.draft?.element.focus();
    this.#endDraft();
    await this.changed();
    const best = this.faces.filter((other) => !other.whole).sort((a, b) => overlap(b.box, box) - overlap(a.box, box))[0];
    this.stage?.boxOf(best?.face)?.focus();
  }

  #wait(isBusy) {
    this.busy = isBusy;
    this.stage?.draft?.element.classList.toggle("saving", isBusy);
    for (const button of this.panel.querySelectorAll("button")) button.disabled = isBusy;
    if (isBusy) this.app.announce("Saving");
  }

  #endDraft() {
    this.stage.endDraft();
    this.mode = "face";
    this.#facePanel(true);
  }

  giveUp() {
    if (this.busy) return;
    this.#endDraft();
    this.app.announce("Given up");
    (this.stage.boxOf(this.chosen) ?? this.heading).focus();
  }

  /** Ask for the name of somebody who is on the photo without a face to be seen. */
  addSomebody() {
    this.stage.endDraft();
    this.mode = "whole";
    const leave = () => {
      this.mode = "face";
      this.#facePanel(true);
      (this.stage.boxOf(this.chosen) ?? this.heading).focus();
    };
    const add = async (name) => {
      const before = new Set(this.faces.map((face) => face.face));
      this.mode = "face";
      if (!(await this.#answer({ kind: "add_whole", photo: this.id, name }))) return void (this.mode = "whole");
      const added = this.faces.find((face) => !before.has(face.face));
      this.#rowOf(added?.face)?.focus();
    };
    const { field } = this.#nameField("Name", true, add, { Escape: leave });
    this.panel.replaceChildren(
      h("h2", {}, "Somebody without a face to be seen"),
      h("p", { class: "facts" }, "For example from behind, or too far away. The name belongs to the whole photo."),
      field,
      h("div", { class: "buttons" },
        makeButton("Add", "", () => { if (field.value.trim()) add(field.value.trim()); }, true), makeButton("Give up", "Esc", leave)));
    field.focus();
  }

  // -- the way --------------------------------------------------------------------

  zoomToFace() {
    this.stage.zoomToFace(this.face?.whole ? null : this.face?.box);
  }

  #go(photo) {
    if (!photo) return void this.app.announce("No more photos");
    this.app.go(photoHash(photo, this.of));
  }

  async changed() {
    const { id } = this, turn = ++this.turn;
    const data = await this.#read();
    if (this.stage && id === this.id && turn === this.turn) this.#fill(data); // only the newest state
  }

  turn = 0;

  keys = [
    { key: "ArrowRight j", label: "next photo", run: () => this.#go(this.photo.next) },
    { key: "ArrowLeft k", label: "photo before", run: () => this.#go(this.photo.previous) },
    { key: "ArrowDown", label: "next face", run: () => this.step(1) },
    { key: "ArrowUp", label: "face before", run: () => this.step(-1) },
    { key: "Enter", label: "type a name for the face", run: () => this.#type() },
    { key: "y", label: "confirm the name", run: () => this.confirm() },
    { key: "x n", label: "not this person", run: () => this.reject() },
    { key: "i", label: "ignore the face, or no longer", run: () => this.ignore() },
    { key: "I", label: "ignore everybody else here", run: () => this.ignoreOthers() },
    { key: "f", label: "not a face: remove the box", run: () => this.remove() },
    { key: "d", label: "draw a box in the middle; then arrows move it, Shift+arrows change its size, Enter keeps it, Esc gives it up", run: () => this.stage.startDraft() },
    { key: "b", label: "move the box of the face", run: () => this.moveBox() },
    { key: "w", label: "add somebody without a face to be seen", run: () => this.addSomebody() },
    { key: "l", label: "look again, harder", run: () => this.look() },
    { key: "+", label: "zoom in", run: () => this.stage.zoomTo(this.stage.zoom * 1.5) },
    { key: "-", label: "zoom out", run: () => this.stage.zoomTo(this.stage.zoom / 1.5) },
    { key: "z 0", label: "zoom to the face, and back", run: () => this.zoomToFace() },
  ];
}

export default asScreen("Photo", new PhotoScreen());
