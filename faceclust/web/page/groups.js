// Groups: a wall of the groups without a name, in an order that stays until the reader asks.

import { formatCount, formatNumber, formatYears, h, photoHash } from "./dom.js";
import { showDropList, startDrag } from "./drop_list.js";
import { moveFocus } from "./face_tiles.js";
import { GroupRow } from "./group_row.js";
import { showAllFaces } from "./all_faces.js";
import { RowList } from "./row_list.js";

const ROWS_AT_ONCE = 100;

// The order, the answers and what was typed stay while other screens are shown.
let entries = null;
let grouping = ""; // what the numbers of the groups belong to
let scrolled = 0;
let app = null;
let view = null;
let rows = null;
let newGroups = 0;

const part = (id) => view.querySelector(`#${id}`);
const isOpen = (entry) => entry.state === "open";
const chosen = () => entries.filter((entry) => entry.isChosen && isOpen(entry));

function makeEntry([group, faces, photos, first, last]) {
  return {
    group, faces, photos, years: formatYears(first, last), state: "open", isChosen: false, out: new Set(), seen: new Set(),
    text: "", pictures: null, likely: null, name: "", told: "", event: null,
  };
}

// -- load ------------------------------------------------------------------------

async function loadOrder() {
  order(await app.api.get("api/groups"));
}

function order(data) {
  const isSame = data.grouping === grouping;
  const known = new Map((isSame && entries ? entries : []).filter(isOpen).map((entry) => [entry.group, entry]));
  entries = data.groups.map((values) => {
    const entry = known.get(values[0]) ?? makeEntry(values);
    [, entry.faces, entry.photos] = values;
    entry.isOld = true;
    return entry;
  });
  grouping = data.grouping;
  newGroups = 0;
}

/** The numbers stand for other groups now: nothing that was typed or taken out belongs to them. */
function startAgain(data) {
  order(data);
  if (view) rows.reset(entries.length);
  note();
  app.tell("The faces were grouped again elsewhere. These are the new groups.");
}

/** Fill the rows near the viewport once scrolling pauses. */
async function loadRows(from, to) {
  const missing = entries.slice(from, to).filter((entry) => (!entry.pictures || entry.isOld) && !entry.isLoading && isOpen(entry)).slice(0, ROWS_AT_ONCE);
  if (!missing.length || !view) return;
  for (const entry of missing) entry.isLoading = true;
  const shown = entries;
  try {
    const found = await app.api.peek(`api/rows?groups=${missing.map((entry) => entry.group).join(",")}`);
    const byGroup = new Map(found.rows.map((row) => [row.group, row]));
    for (const entry of missing) {
      const row = byGroup.get(entry.group);
      entry.isOld = false;
      if (!row) continue;
      const before = new Set(entry.pictures?.map((picture) => picture.face));
      // A number that was free again: what was typed and taken out belongs to another group.
      if (before.size && !row.pictures.some((picture) => before.has(picture.face))) Object.assign(entry, { text: "", out: new Set(), seen: new Set() });
      Object.assign(entry, { pictures: row.pictures, likely: row.likely, faces: row.faces, photos: row.photos, years: row.years ?? entry.years });
    }
  } finally {
    for (const entry of missing) entry.isLoading = false;
  }
  if (shown === entries && view) missing.forEach((entry) => rows.update(entries.indexOf(entry)));
}

/** Compare with the groups there are now: the order stays, answered rows collapse, undone ones open. */
async function catchUp() {
  const data = await app.api.get("api/groups");
  if (data.grouping !== grouping) return void startAgain(data);
  const now = new Map(data.groups.map((values) => [values[0], values]));
  entries.forEach((entry, at) => {
    entry.isOld = true; // it may have as many faces as before, but others
    const values = now.get(entry.group);
    now.delete(entry.group);
    if (values) {
      if (entry.state === "saved" || entry.state === "gone") Object.assign(entry, { state: "open", text: entry.name || entry.text });
      if (entry.faces !== values[1]) Object.assign(entry, { faces: values[1], photos: values[2] });
    } else if (isOpen(entry)) {
      Object.assign(entry, { state: "gone", told: "answered elsewhere", name: "", isChosen: false });
    }
    if (view) rows.update(at);
  });
  newGroups = now.size;
  if (view) rows.refresh();
  note();
  return undefined;
}

function note() {
  if (!view) return;
  const open = entries.filter(isOpen).length, done = entries.length - open;
  part("groups-note").textContent = [`${formatNumber(open)} to name`, done ? `${formatNumber(done)} answered` : "", newGroups ? `${formatNumber(newGroups)} new` : ""].filter(Boolean).join(" · ");
  part("sort").disabled = !(done || newGroups);
  const count = chosen().length;
  part("selected").replaceChildren(...(!count ? ["Click a face that does not fit to take it out."] : [`${formatCount(count, "row")} selected: a name goes to all of them. `, h("button", { type: "button", class: "link", onclick: clearChosen }, "Clear")]));
}

// -- answer ----------------------------------------------------------------------

/** The rows that an answer to this one is about: all selected ones, if it is one of them. */
const concerned = (entry) => (entry.isChosen ? chosen() : [entry]);

/** Record an answer for rows; meanwhile the reader goes on. `told`: the words on an answered row. */
async function record(about, answer, told, name = "") {
  for (const entry of about) Object.assign(entry, { state: "waiting", told: "saving…", name });
  about.forEach(redraw);
  const saved = await app.api.answer(answer);
  for (const entry of about) {
    if (saved) Object.assign(entry, { state: "saved", told, event: saved.event, isChosen: false, text: "", name: saved.accepted.name ?? name });
    else if (entry.state === "waiting") Object.assign(entry, { state: "open", text: name || entry.text, name: "" });
  }
  about.forEach(redraw);
  note();
  return saved;
}

function redraw(entry) {
  if (view) rows.update(entries.indexOf(entry));
}

/** Left out faces leave with those like them; shown ones that stay are confirmed. */
function leaving(about) {
  const leftOut = about.flatMap((entry) => [...entry.out]);
  const seen = about.flatMap((entry) => [...new Set([...(entry.pictures ?? []).map((picture) => picture.face), ...entry.seen])]).filter((face) => !leftOut.includes(face));
  return { seen, left_out: leftOut };
}

function nameRows(entry, name, goesOn = "field") {
  if (!isOpen(entry)) return;
  const about = concerned(entry);
  const count = about.reduce((sum, { faces, out }) => sum + faces - out.size, 0);
  const { seen, left_out } = leaving(about);
  goOn(entry, about, goesOn);
  record(about, { kind: "name", name, groups: about.map(({ group }) => group), faces: [], seen, left_out }, formatCount(count, "face"), name).then((saved) => {
    if (saved === false && view) focusRow(entries.indexOf(entry), goesOn); // to correct the name
  });
}

function nameFaces(faces, name) {
  return app.api.answer({ kind: "name", name, groups: [], faces, seen: faces, left_out: [] }).then((saved) => { if (saved) return catchUp(); return undefined; });
}

function ignoreRows(entry) {
  const about = concerned(entry);
  goOn(entry, about, "row");
  record(about, { kind: "ignore", groups: about.map(({ group }) => group), faces: [] }, "ignored");
}

function linkRows(entry) {
  const about = concerned(entry);
  if (about.length < 2) return void app.tell("Select two or more rows first, with a or Shift and an arrow. m then makes them one person.");
  goOn(entry, about, "row");
  return void record(about, { kind: "link", groups: about.map(({ group }) => group), faces: [] }, "one person, without a name yet").then((saved) => { if (saved) catchUp(); });
}

async function notFaces(entry) {
  const face = focusedFace();
  const faces = face ? [face.dataset.face] : [...entry.out];
  if (!faces.length) return void app.tell("Move to the picture that is not a face first, with → or a click.");
  if (await app.api.answer({ kind: "not_a_face", faces })) {
    for (const one of faces) entry.out.delete(one);
    await catchUp();
    await loadRows(entries.indexOf(entry), entries.indexOf(entry) + 1);
  }
  return undefined;
}

const undoRow = (entry) => app.undo(false, entry.event);

/** A drop on a person does what typing the name does. */
function drop({ entry, face }, name) {
  if (face) nameFaces([face], name);
  else nameRows(entry, name, "row");
}

// -- focus, selection --------------------------------------------------------------

const focusedRow = () => document.activeElement?.closest?.(".row");
const focusedFace = () => document.activeElement?.closest?.(".tile");
const currentAt = () => (focusedRow() ? Number(focusedRow().dataset.at) : -1);

/** Run with the row that has the focus. */
const withRow = (run) => () => {
  const entry = entries?.[currentAt()];
  return entry && isOpen(entry) ? void run(entry) : false;
};

function focusRow(at, target = "row") {
  if (!entries[at]) return false;
  const element = rows.reveal(at);
  const input = target === "field" && isOpen(entries[at]) ? element.querySelector(".naming input") : null;
  (input ?? element).focus({ preventScroll: true });
  return true;
}

/** Focus the next row that is open and not answered right now. */
function goOn(entry, about, target) {
  let at = entries.indexOf(entry) + 1;
  while (at < entries.length && !(isOpen(entries[at]) && !about.includes(entries[at]))) at += 1;
  focusRow(Math.min(at, entries.length - 1), target);
}

function step(by, target = "row") {
  const at = currentAt();
  if (at >= 0) return focusRow(at + by, target);
  const first = [...rows.elements.keys()].sort((a, b) => a - b).find((place) => rows.element(place).getBoundingClientRect().top > 60);
  return first === undefined ? false : focusRow(first, target);
}

function choose(entry, isChosen = !entry.isChosen) {
  entry.isChosen = isChosen;
  redraw(entry);
  note();
}

function extend(by) {
  const entry = entries[currentAt()];
  if (!entry) return false;
  const next = entries[currentAt() + by];
  if (isOpen(entry)) choose(entry, true);
  if (next && isOpen(next)) choose(next, true);
  return next ? step(by) : undefined;
}

function clearChosen() {
  const were = chosen();
  for (const entry of were) entry.isChosen = false;
  were.forEach(redraw);
  note();
}

function toggleFace(entry, face) {
  if (entry.out.has(face)) entry.out.delete(face);
  else entry.out.add(face);
  redraw(entry);
  app.announce(entry.out.has(face) ? "taken out" : "back in");
}

async function openAll(entry) {
  await showAllFaces(app, entry);
  redraw(entry);
}

async function nameOneFace() {
  const face = focusedFace();
  if (!face) return;
  const name = await app.askName("Name this face alone");
  if (name) await nameFaces([face.dataset.face], name);
}

// -- the screen ------------------------------------------------------------------------

const actions = {
  name: nameRows, toggle: toggleFace, choose, undo: undoRow, all: openAll, ignore: ignoreRows,
  field: (options) => app.nameField(options),
  step: (by) => step(by, "field"), leave: () => focusedRow()?.focus({ preventScroll: true }), extend,
  drag: startDrag,
};

const keys = [
  { key: "ArrowDown j", label: "next row", run: () => step(1) },
  { key: "ArrowUp k", label: "row before", run: () => step(-1) },
  { key: "ArrowLeft ArrowRight", label: "from face to face in the row", run: (event) => (focusedRow() ? moveFocus([...focusedRow().querySelectorAll(".tile:not([hidden])")], event.key) : false) },
  { key: "Enter", label: "to the name field; there: answer with the name", run: () => (focusedRow() ? focusRow(currentAt(), "field") : false) },
  { key: "1 y", label: "the likely person", run: withRow((entry) => entry.likely && nameRows(entry, entry.likely.name, "row")) },
  { key: "x", label: "take out the face that has the focus, or take it back", run: () => (focusedFace() ? toggleFace(entries[currentAt()], focusedFace().dataset.face) : false) },
  { key: "a", label: "select the row", run: withRow((entry) => choose(entry)) },
  { key: "Shift+ArrowDown Shift+ArrowUp", label: "select several rows", run: (event) => extend(event.key === "ArrowDown" ? 1 : -1) },
  { key: "m", label: "the selected rows are one person", run: withRow(linkRows) },
  { key: "t", label: "name the face that has the focus alone", run: () => (focusedFace() ? void nameOneFace() : false) },
  { key: "i", label: "ignore: nobody I know", run: withRow(ignoreRows) },
  { key: "f", label: "not a face", run: withRow(notFaces) },
  { key: "s", label: "skip to the next row without an answer", run: () => (focusedRow() ? goOn(entries[currentAt()], [], "row") : false) },
  { key: "+", label: "all faces of the group", run: withRow(openAll) },
  { key: "o Space", label: "the photo", run: withRow((entry) => { const face = focusedFace()?.dataset.photo ?? entry.pictures?.[0]?.photo; if (face) app.go(photoHash(face, `group/${entry.group}`)); }) },
];

export default {
  title: "Groups",
  keys,
  async open(root, params, theApp) {
    app = theApp;
    const isReturn = entries !== null;
    if (isReturn) await catchUp();
    else await loadOrder();
    if (!root.isConnected) return;
    view = app.templates("groups");
    root.append(view);
    rows = new RowList(part("rows"), {
      make: () => new GroupRow(actions).element,
      fill: (element, at) => element.row.fill(entries[at], at, entries.length),
      settled: (from, to) => loadRows(from, to),
    });
    part("sort").addEventListener("click", async () => {
      await loadOrder();
      scrollTo(0, 0);
      rows.reset(entries.length);
      note();
      app.announce("sorted again");
    });
    rows.reset(entries.length);
    note();
    showDropList(part("drop"), app.people, drop);
    if (!entries.length) part("rows").replaceWith(h("p", { class: "message" }, "All groups have a name, or are ignored."));
    if (isReturn) scrollTo(0, scrolled);
    else if (entries.length && !matchMedia("(pointer: coarse)").matches) focusRow(0, "field");
  },
  async changed() {
    if (entries) await catchUp();
  },
  peopleChanged: () => { if (view) showDropList(part("drop"), app.people, drop); },
  close() {
    if (!view) return;
    scrolled = scrollY;
    rows.close();
    view = null;
  },
};
