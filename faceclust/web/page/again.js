// Look again: doubtful faces, and groups that may be one person or two, answered with a click or a key.

import { faceImage, formatCount, h, keyHint, nameText, photoHash } from "./dom.js";

let app = null;
let view = null;
let findings = null; // [{finding, key, state, told, event, element}]

const part = (id) => view.querySelector(`#${id}`);
const identify = (finding) => JSON.stringify([finding.kind, finding.face, finding.one?.person, finding.other?.person, finding.person?.person]);

// -- the answers to each kind of finding: {key, label, answer, told} -------------------

const groupsOf = (...whos) => whos.filter((who) => who.group !== null).map((who) => who.group);
const naming = (name, groups, faces, seen = faces) => ({ kind: "name", name, groups, faces, seen, left_out: [] });

function outlierChoices({ face, person, nearest }) {
  const isNot = person.named ? { kind: "reject", faces: [face], name: person.label } : { kind: "split", faces: [face], rest: person.pictures.filter((other) => other !== face) };
  const is = person.named ? { kind: "confirm", faces: [face], name: person.label } : { kind: "link", groups: groupsOf(person), faces: [face] };
  const choices = [
    { keys: ["n", "x"], label: ["Not ", nameText(person.label)], answer: isNot, told: ["not ", nameText(person.label)] },
    { keys: ["y"], label: ["It is ", nameText(person.label)], answer: is, told: ["it is ", nameText(person.label)] },
  ];
  if (nearest?.named) choices.push({ keys: ["1"], label: ["It is ", nameText(nearest.label)], answer: naming(nearest.label, [], [face]), told: ["it is ", nameText(nearest.label)] });
  return { choices, named: (name) => naming(name, [], [face]), title: person.named ? ["Is this ", nameText(person.label), "?"] : ["Does this face belong to ", nameText(person.label), "?"] };
}

function mergeChoices({ one, other }) {
  const [named, unnamed] = one.named ? [one, other] : [other, one];
  let same = { kind: "link", groups: groupsOf(one, other), faces: [] };
  if (one.named && other.named) {
    const [less, more] = one.faces < other.faces ? [one, other] : [other, one];
    same = { kind: "merge", name: less.label, to: more.label };
  } else if (named.named) same = naming(named.label, groupsOf(unnamed), [], unnamed.pictures);
  const choices = [
    { keys: ["y", "m"], label: ["One person"], answer: same, told: ["one person"] },
    { keys: ["n"], label: ["Two people"], answer: { kind: "split", faces: one.pictures, rest: other.pictures }, told: ["two people"] },
  ];
  const isOpen = !one.named && !other.named;
  return { choices, named: isOpen ? (name) => naming(name, groupsOf(one, other), [], [...one.pictures, ...other.pictures]) : null, title: ["One person or two?"] };
}

function splitChoices({ person, parts, rest }) {
  const faces = [...parts[0], ...parts[1]];
  const choices = [
    { keys: ["n"], label: ["Two people"], answer: { kind: "split", faces: rest, rest: parts[0] }, told: ["two people"] },
  ];
  const isOne = person.named ? { kind: "confirm", faces, name: person.label } : { kind: "link", groups: groupsOf(person), faces };
  choices.unshift({ keys: ["y"], label: ["One person"], answer: isOne, told: ["one person"] });
  return { choices, named: (name) => naming(name, [], rest, parts[1]), title: ["Is ", nameText(person.label), " one person or two?"] };
}

const KINDS = { outlier: outlierChoices, merge: mergeChoices, split: splitChoices };

// -- show ------------------------------------------------------------------------------

function describe(who) {
  return [who.person && who.named ? h("a", { href: `#/person/${who.person}` }, nameText(who.label)) : nameText(who.label), " ", h("small", {}, formatCount(who.faces, "face"))];
}

function pictures(faces, caption, label, photo = null) {
  return h("figure", {}, h("div", { class: faces.length > 1 ? "four" : "one" }, faces.slice(0, 4).map((face, i) => {
    const image = faceImage(face, `${label}, ${i + 1}`);
    return photo ? h("a", { href: photoHash(photo) }, image) : image;
  })), h("figcaption", {}, caption));
}

function pairOf(finding) {
  if (finding.kind === "outlier") {
    return [pictures([finding.face], "This face", "The face in doubt", finding.photo), pictures(finding.person.pictures.filter((face) => face !== finding.face), describe(finding.person), finding.person.label),
      finding.nearest ? pictures(finding.nearest.pictures.slice(0, 4), describe(finding.nearest), finding.nearest.label) : null];
  }
  if (finding.kind === "merge") return [finding.one, finding.other].map((who) => pictures(who.pictures, describe(who), who.label));
  return finding.parts.map((faces, i) => pictures(faces, i ? `${formatCount(finding.rest.length, "face")} apart` : describe(finding.person), `${finding.person.label}, part ${i + 1}`));
}

function build(item) {
  const { choices, named, title } = KINDS[item.finding.kind](item.finding);
  item.choices = choices;
  const buttons = choices.map((choice) => h("button", { type: "button", onclick: () => answer(item, choice.answer, choice.told) }, choice.label, keyHint(choice.keys[0])));
  if (named) {
    const field = app.nameField({ label: item.finding.kind === "split" ? "The second is" : "Somebody else", placeholder: item.finding.kind === "split" ? "The second is…" : item.finding.kind === "merge" ? "Both are…" : "Somebody else…",
      choose: (name) => answer(item, named(name), ["it is ", nameText(name)]), keys: { Escape: () => item.element.focus() } });
    buttons.push(field);
    item.field = field;
  }
  const element = item.element ?? h("li", { tabindex: "-1" });
  element.className = "finding card";
  element.style.minHeight = "";
  element.replaceChildren(h("h2", {}, title), h("div", { class: "pair" }, pairOf(item.finding)), h("div", { class: "choices" }, buttons));
  item.element = element;
  item.state = "open";
  return element;
}

function collapse(item) {
  const { element } = item;
  element.style.minHeight = `${element.offsetHeight}px`;
  element.className = `finding card ${item.state}`;
  const undo = item.event ? h("button", { type: "button", onclick: () => app.undo(false, item.event) }, "Undo") : null;
  element.replaceChildren(h("p", {}, item.told), undo ? h("div", {}, undo) : "");
}

function note() {
  const open = findings.filter((item) => item.state === "open").length;
  part("again-note").textContent = findings.length ? `${formatCount(open, "finding")} open, the most doubtful first` : "";
}

// -- answer ------------------------------------------------------------------------------

const itemOf = (element) => findings?.find((item) => item.element && item.element === element?.closest?.(".finding"));
const current = () => itemOf(document.activeElement);

async function answer(item, body, told) {
  if (item.state !== "open") return;
  const hadFocus = item.element.contains(document.activeElement);
  item.state = "waiting";
  item.element.setAttribute("aria-busy", "true");
  const saved = await app.api.answer(body);
  item.element.removeAttribute("aria-busy");
  if (!saved) {
    if (item.state === "waiting") item.state = "open";
    if (view) await catchUp(); // it may be about others than before
    return;
  }
  Object.assign(item, { state: "saved", told, event: saved.event });
  collapse(item);
  if (hadFocus) goOn(item);
  note();
}

function goOn(item) {
  const at = findings.indexOf(item);
  const next = [...findings.slice(at + 1), ...findings.slice(0, at)].find((other) => other.state === "open");
  (next ?? item).element.focus({ preventScroll: true });
  (next ?? item).element.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const at = findings?.length ? findings.indexOf(current()) : -2;
  const next = at === -2 ? null : findings[at < 0 ? 0 : at + by];
  if (!next) return false;
  next.element.focus({ preventScroll: true });
  next.element.scrollIntoView({ block: "nearest" });
  return true;
}

/** Show what changed elsewhere: answered findings collapse, undone ones open, new ones come last. */
async function catchUp() {
  const now = new Map((await app.api.get("api/review")).findings.map((finding) => [identify(finding), finding]));
  if (!view) return;
  for (const item of findings) {
    const finding = now.get(item.key);
    now.delete(item.key);
    if (finding && item.state !== "waiting") {
      const isSame = item.state === "open" && JSON.stringify(finding) === JSON.stringify(item.finding);
      item.finding = finding;
      if (!isSame) rebuild(item);
    } else if (item.state === "open") {
      Object.assign(item, { state: "gone", told: ["settled by another answer"], event: null });
      collapse(item);
    }
  }
  for (const [key, finding] of now) add({ key, finding });
  note();
}

function rebuild(item) {
  const typed = item.field?.value ?? "";
  const hadFocus = item.element.contains(document.activeElement);
  build(item);
  if (item.field) item.field.value = typed;
  if (hadFocus) item.element.focus({ preventScroll: true });
}

function add(item) {
  findings.push(item);
  part("findings").append(build(item));
}

const press = (event) => {
  const item = current();
  const choice = item?.state === "open" && item.choices.find(({ keys: pressed }) => pressed.includes(event.key));
  return choice ? void answer(item, choice.answer, choice.told) : false;
};

const keys = [
  { key: "ArrowDown ArrowRight j", label: "next finding", run: () => step(1) },
  { key: "ArrowUp ArrowLeft k", label: "finding before", run: () => step(-1) },
  { key: "y", label: "it is this person; one person", run: press },
  { key: "n x", label: "not this person; two people", run: press },
  { key: "1", label: "it is the other person shown", run: press },
  { key: "m", label: "one person: merge", run: press },
  { key: "Enter", label: "to the name field; there: answer with the name", run: () => (current()?.field?.isConnected ? current().field.focus() : false) },
  { key: "s", label: "skip to the next open finding", run: () => (current() ? goOn(current()) : false) },
  { key: "f", label: "not a face", run: () => { const item = current(); return item?.finding.face && item.state === "open" ? void answer(item, { kind: "not_a_face", faces: [item.finding.face] }, ["not a face"]) : false; } },
  { key: "o Space", label: "the photo", run: () => { const photo = current()?.finding.photo; return photo ? app.go(photoHash(photo)) : false; } },
];

export default {
  title: "Look again",
  keys,
  async open(root, params, theApp) {
    app = theApp;
    const data = await app.api.get("api/review");
    if (!root.isConnected) return;
    view = app.templates("again");
    root.append(view);
    findings = [];
    for (const finding of data.findings) add({ key: identify(finding), finding });
    if (!findings.length) part("findings").replaceWith(h("p", { class: "message" }, "Nothing is worth a second look at present."));
    note();
    findings[0]?.element.focus({ preventScroll: true });
  },
  changed: async () => { if (view) await catchUp(); },
  close() { view = null; },
};
