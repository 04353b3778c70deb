// Ask: the next question of the interview.

import { faceImage, faceWithTime, formatCount, formatNumber, h, keyHint, nameText, photoHash } from "./dom.js";
import { faceTile, fillTile, markTile, moveFocus } from "./face_tiles.js";
import { showLarge } from "./large_face.js";

const ARROWS = { j: "ArrowRight", k: "ArrowLeft" };

let app = null;
let view = null; // the elements of the screen
let question = null;
let out = new Set(); // the faces taken out
let typed = ""; // in the name field
let goesOnByKeys = false; // the reader left the name field and pressed a key that leads to another question
let field = null;
let isBusy = false;

const isTouch = () => matchMedia("(pointer: coarse)").matches;
const part = (id) => view.querySelector(`#${id}`);
const tiles = () => [...view.querySelectorAll(".tile")];
/** Whole groups are named, or asked about as a person; otherwise each picture is answered for itself. */
const isAboutOne = () => question.kind === "who" || question.accepts_name;

// -- show ------------------------------------------------------------------------

/** Is this the question that is shown, perhaps with other pictures? Group numbers may stand for others after a while. */
function isShown(other) {
  const faces = new Set(other?.pictures.map((picture) => picture.face));
  return Boolean(question && other) && question.kind === other.kind && question.text === other.text
    && question.pictures.some((picture) => picture.number !== null && faces.has(picture.face));
}

function show(data) {
  const isSame = isShown(data.question);
  if (isSame) {
    const faces = new Set(data.question.pictures.map((picture) => picture.face));
    out = new Set([...out].filter((face) => faces.has(face)));
  } else {
    out = new Set();
    typed = "";
  }
  const focused = focusedFace()?.dataset.face, isOutside = isSame && view.hasChildNodes() && document.activeElement !== field;
  question = data.question;
  view.replaceChildren();
  if (!question) return showEnd(data);
  view.append(...app.templates("ask").children);
  part("question").textContent = question.text;
  part("summary").textContent = `${question.summary} · ${formatCount(question.remaining, "question")} left`;
  if (data.offer) {
    part("summary").append(" · ", h("button", { type: "button", class: "link", onclick: showSuggested }, data.offer));
  }
  const numbered = question.pictures.filter((picture) => picture.number !== null);
  if (question.kind === "same") showSides(numbered);
  else showTiles(numbered);
  const known = question.pictures.find((picture) => picture.number === null);
  const first = (question.kind === "outlier" || !isAboutOne()) && known ? known : numbered[0];
  showLargeFace(first ?? numbered[0]);
  if (known && first !== known) showKnown(known);
  showReply();
  if (field) field.value = typed;
  // The same question, perhaps with more pictures: the focus stays where it is.
  if (isOutside) (tiles().find((tile) => tile.dataset.face === focused) ?? view.closest("main")).focus({ preventScroll: true });
  else focusQuestion();
  return undefined;
}

function describe(picture, at) {
  const caption = picture.caption.replace(/^\d+ ?/, "");
  return `Face ${at + 1}${caption ? `, ${caption}` : ""}`;
}

function makeTile(picture, at) {
  const tile = faceTile(toggle);
  fillTile(tile, picture, describe(picture, at), out.has(picture.face));
  tile.addEventListener("focus", () => showLargeFace(picture));
  return tile;
}

function showTiles(pictures) {
  part("tiles").replaceChildren(...pictures.map((picture, at) => h("li", {}, makeTile(picture, at))));
  noteTiles();
}

function noteTiles() {
  if (question.kind === "same") return;
  const shown = tiles().length, hidden = question.total - shown;
  const note = part("tiles-note");
  if (!out.size) note.replaceChildren("Click a face that does not fit. ");
  else if (question.kind === "who") note.replaceChildren(`${formatNumber(out.size)} taken out. `, h("button", { type: "button", class: "link", onclick: takeOut }, "Only take out, without a name"), " ");
  else note.replaceChildren(`${formatNumber(out.size)} taken out: yes is about the others. `);
  if (isAboutOne() && hidden > 0) {
    note.append(h("button", { type: "button", class: "link", onclick: showMore }, `Show more of the ${formatNumber(question.total)} faces`), keyHint("+"));
  }
}

/** Two persons beside each other. */
function showSides(pictures) {
  const captions = [...new Set(pictures.map((picture) => picture.caption.replace(/^\d+ /, "")))];
  const sides = captions.map((caption) => h("section", { class: "side" }, h("h2", { dir: "auto" }, caption), h("ul", { class: "tiles" },
    pictures.filter((picture) => picture.caption.replace(/^\d+ /, "") === caption).map((picture, at) => h("li", {}, photoTile(picture, describe(picture, at)))))));
  part("tiles").replaceWith(h("div", { class: "sides", id: "tiles" }, sides));
  part("tiles-note").append(h("button", { type: "button", class: "link", onclick: showMore }, "Show more faces"), keyHint("+"));
}

// A face that cannot be taken out: it opens its photo.
function photoTile(picture, label) {
  const link = h("a", { class: "tile", href: photoHash(picture.photo), "data-face": picture.face, "data-photo": picture.photo, "aria-label": picture.time ? `${label}, at ${picture.time}` : label }, faceWithTime(picture));
  link.addEventListener("focus", () => showLargeFace(picture));
  return link;
}

function showKnown(picture) {
  part("tiles").before(h("p", { class: "known" }, h("a", { class: "dot", href: photoHash(picture.photo), "aria-label": `Photo of ${picture.caption}` }, faceImage(picture.face)),
    h("span", {}, "For comparison: ", nameText(picture.caption))));
}

function showLargeFace(picture) {
  if (!picture) return;
  showLarge(part("large"), picture, (path) => app.api.peek(path));
  part("large").dataset.face = picture.face;
  part("large").dataset.photo = picture.photo;
  const caption = picture.number === null ? picture.caption : picture.caption.replace(/^\d+ ?/, "");
  part("large-caption").textContent = [caption, picture.time && `at ${picture.time}`].filter(Boolean).join(" ");
}

function showReply() {
  field = null;
  const candidates = question.accepts_name ? question.candidates : [];
  if (question.accepts_name) {
    field = app.nameField({
      label: question.kind === "who" ? "Name" : "Or somebody else: name",
      placeholder: question.kind === "who" ? "Type a name" : "Somebody else? Type a name",
      candidates: () => question.candidates,
      choose: (name) => reply({ name }),
      keys: { Enter: takeOut, ArrowDown: () => (field.value ? false : moveFocus(tiles(), "ArrowDown")), Escape: () => leaveField() },
    });
    field.addEventListener("input", () => { typed = field.value; });
    part("name").append(field);
  }
  part("candidates").replaceChildren(...candidates.map((candidate, at) => h("li", {}, h("button", { type: "button", onclick: () => reply({ name: candidate.name }) },
    keyHint(String(at + 1)), candidate.face ? faceImage(candidate.face) : h("span"), nameText(candidate.name), h("small", {}, formatCount(candidate.faces, "face"))))));
  const button = (label, key, run, name = "") => h("button", { type: "button", class: name, onclick: run }, label, keyHint(key));
  const buttons = question.kind === "who"
    ? [button("Nobody I know", "i", () => reply({ verdict: "no" }))]
    : [button(question.kind === "same" ? "Yes, one person" : "Yes", "y", sayYes, "primary"),
      button(question.kind === "same" ? "No, two people" : "No", "n", () => reply({ verdict: "no" }))];
  buttons.push(button("Skip", "s", skip));
  part("choices").replaceChildren(...buttons);
  part("under").append(button("Not a face", "f", notAFace, "quiet"));
}

function showEnd(data) {
  view.append(h("section", { class: "end card" }, h("h1", {}, "No more questions"),
    h("p", {}, data.skipped ? `${formatCount(data.skipped, "question was", "questions were")} skipped. They come back the next time.` : "Everything that was worth asking is answered."),
    h("p", { class: "choices" }, h("a", { href: "#/groups" }, "Small groups without a name"), h("a", { href: "#/again" }, "Faces worth a second look"), h("a", { href: "#/people" }, "People"))));
}

function focusQuestion() {
  if (field && question.kind === "who" && !isTouch() && !goesOnByKeys) field.focus({ preventScroll: true });
  else part("question").closest("main").focus({ preventScroll: true });
  app.announce(`${question.text} ${question.summary}`);
}

function leaveField() {
  field.blur();
  view.closest("main").focus({ preventScroll: true });
}

// -- answer ----------------------------------------------------------------------

async function load(path = "api/question", body = undefined) {
  const before = question;
  setBusy(true);
  try {
    const data = body ? await app.api.post(path, body) : await app.api.get(path);
    if (!view?.isConnected) return;
    if (!view.hasChildNodes() || !question || JSON.stringify(before) !== JSON.stringify(data.question)) show(data);
  } catch (error) {
    app.tell(error.message);
  } finally {
    setBusy(false);
  }
}

function setBusy(value) {
  isBusy = value;
  if (!view) return;
  view.setAttribute("aria-busy", String(value));
  if (field) field.readOnly = value;
}

/** Answer. No name and no verdict: the faces taken out are not like the others, which are this person if one is asked. */
async function reply({ name = null, verdict = null }) {
  if (isBusy || !question) return;
  setBusy(true);
  const answer = { kind: "question", question: question.id, left_out: verdict ? [] : [...out], name, verdict };
  const saved = await app.api.answer(answer);
  setBusy(false);
  if (saved) await goOn();
  else if (view) await load(); // the question may have been answered elsewhere
}

const sayYes = () => (out.size ? reply({}) : reply({ verdict: "yes" }));

function takeOut() {
  return out.size ? void reply({}) : false;
}

async function goOn() {
  question = null; // the next one may have the same words
  await load();
}

async function skip() {
  if (!isBusy && question) await goOnFrom(() => load("api/skip", { question: question.id }));
}

/** Go to another question. Outside the name field, the next press of the key must not be typed into it. */
async function goOnFrom(go) {
  goesOnByKeys = document.activeElement === view?.closest("main");
  try {
    await go();
  } finally {
    goesOnByKeys = false;
  }
}

async function showSuggested() {
  if (!isBusy) await load("api/suggested", {});
}

async function showMore() {
  if (!isBusy && question) await load("api/question/more");
}

async function notAFace() {
  if (isBusy || !question) return;
  const focused = document.activeElement?.closest?.("[data-face]") ?? part("large");
  setBusy(true);
  const saved = await app.api.answer({ kind: "not_a_face", faces: [focused.dataset.face] });
  setBusy(false);
  if (saved) await load();
}

function toggle(face, cameFromField = false) {
  if (isBusy) return;
  if (cameFromField) field?.focus({ preventScroll: true });
  if (out.has(face)) out.delete(face);
  else out.add(face);
  for (const tile of tiles()) markTile(tile, out.has(tile.dataset.face));
  noteTiles();
  app.announce(out.has(face) ? "taken out" : "back in");
}

// -- keys ------------------------------------------------------------------------

const focusedFace = () => document.activeElement?.closest?.("[data-face]");
const isYesNo = () => question && question.kind !== "who";

const keys = [
  { key: "1 2 3 4 5 6 7 8 9", show: ["1–9"], label: "this candidate", run: (event) => (question?.accepts_name && question.candidates[event.key - 1] ? void reply({ name: question.candidates[event.key - 1].name }) : false) },
  { key: "y", label: "yes", run: () => (isYesNo() ? void sayYes() : false) },
  { key: "Enter", label: "confirm; if the question is who: to the name field, where Enter without a name only takes out faces", run: () => (isYesNo() ? void sayYes() : field ? field.focus() : false) },
  { key: "n", label: "no, or nobody I know", run: () => (question ? void reply({ verdict: "no" }) : false) },
  { key: "i", label: "nobody I know: ignore", run: () => (question?.kind === "who" ? void reply({ verdict: "no" }) : false) },
  { key: "s", label: "skip", run: () => void skip() },
  { key: "x", label: "take out the face that has the focus, or take it back", run: () => (focusedFace()?.matches("button.tile") ? toggle(focusedFace().dataset.face) : false) },
  { key: "f", label: "not a face", run: () => void notAFace() },
  { key: "+", label: "more faces", run: () => void showMore() },
  { key: "ArrowLeft ArrowRight ArrowUp ArrowDown j k", label: "from face to face", run: (event) => (view && question ? void moveFocus(tiles(), ARROWS[event.key] ?? event.key) : false) },
  { key: "o Space", label: "the photo", run: () => (question ? app.go(photoHash((focusedFace() ?? part("large")).dataset.photo)) : false) },
];

export default {
  title: "Ask",
  keys,
  async open(root, params, theApp) {
    app = theApp;
    view = h("div", { class: "ask" });
    root.append(view);
    await load();
  },
  async changed(position, isOwn = false) {
    if (isBusy) return;
    if ((typed || out.size) && !isOwn) {
      // Keys that are meant for this question must not answer the next one: its answer will be refused.
      const { question: next } = await app.api.peek("api/question");
      if (!isShown(next)) return void app.tell("This question was settled elsewhere. Your answer will not be recorded; the next question follows.");
    }
    if (isOwn) await goOnFrom(load);
    else await load();
  },
  close() {
    view = null;
    field = null;
  },
};
