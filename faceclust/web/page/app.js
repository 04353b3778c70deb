// The page: its screens, what it tells the user, and the undo bar.

import { Api } from "./api.js";
import { formatNumber, h } from "./dom.js";
import { listenToKeys } from "./keys.js";
import { findPeople, nameField } from "./name_field.js";

const SCREENS = ["ask", "groups", "people", "person", "photo", "again", "help"];
const DOUBT_DELAY_MS = 350;
const SLOW_MS = 400; // a screen that takes longer to open says so
const REFRESH_MS = 700; // after the last answer
const byId = (id) => document.getElementById(id);

const app = {
  api: null,
  /** The answer of api/state. */
  state: null,
  /** The named people, most faces first, as api/people lists them; then names without photos. */
  people: [],
  /** The screen before this one, {hash, title}. */
  before: null,
  settings: { letterKeys: readSetting("letterKeys") !== "off" },
  /** Clone the first element of a <template>. */
  templates: (id) => byId(id).content.firstElementChild.cloneNode(true),
  announce,
  ask,
  go: (hash) => { location.hash = hash; },
  /** Show a message until the next one; it is read out at once. */
  tell(text) {
    byId("problem").hidden = !text;
    byId("problem").firstElementChild.textContent = text;
  },
  /** Make a name field that completes among the people of the library. */
  nameField: (options) => nameField({ people: () => app.people, announce, ...options }),
  askName,
  undo,
  refresh,
  /** Load a screen's module, for its table of keys. */
  load: async (name) => (await import(`./${name}.js`)).default,
  screens: SCREENS,
  globalKeys: [],
};

function readSetting(name) {
  try { return localStorage.getItem(name); } catch { return null; }
}

// The screen of this tab: the way back from the map leads to it.
function keepScreen(hash) {
  try { sessionStorage.setItem("screen", hash); } catch { /* the way back leads to the first screen */ }
}

function comeBack() {
  try { if (!location.hash) history.replaceState(null, "", sessionStorage.getItem("screen") || location.href); } catch { /* as above */ }
}

/** Switch single-letter keys on or off. */
app.setLetterKeys = (isOn) => {
  app.settings.letterKeys = isOn;
  document.body.classList.toggle("no-letters", !isOn);
  try { localStorage.setItem("letterKeys", isOn ? "on" : "off"); } catch { /* for this visit only */ }
};

// -- telling the user ----------------------------------------------------------

let spoken = 0;
function announce(text) {
  clearTimeout(spoken);
  byId("spoken").textContent = "";
  // A text that is set again in the same task is not read again.
  spoken = setTimeout(() => { byId("spoken").textContent = text; }, 50);
}

/**
 * Ask in a dialog. `choices`: [{label, value, primary}]; `field(finish)` makes an input. Return the value of the choice
 * or the one that `finish` was called with, or null.
 */
function ask({ title, text = "", choices, field = null }) {
  const dialog = byId("doubt");
  const before = document.activeElement;
  byId("doubt-title").textContent = title;
  byId("doubt-text").textContent = text;
  return new Promise((resolve) => {
    const finish = (value) => {
      dialog.onclose = null;
      dialog.close();
      if (before?.isConnected) before.focus({ preventScroll: true });
      resolve(value);
    };
    const buttons = choices.map(({ label, value, primary }) =>
      h("button", { type: "button", class: primary ? "primary" : "", onclick: () => finish(value) }, label));
    buttons.push(h("button", { type: "button", class: "quiet", onclick: () => finish(null) }, "Cancel"));
    const input = field?.(finish);
    dialog.querySelector(".choices").replaceChildren(...(input ? [input] : []), ...buttons);
    dialog.onclose = () => finish(null);
    dialog.onkeydown = (event) => { if (event.repeat && event.key === "Enter") event.preventDefault(); };
    dialog.showModal();
    if (input) return input.focus();
    // Keys that were meant for the field behind must not answer the doubt.
    byId("doubt-title").focus();
    setTimeout(() => {
      if (dialog.open) (buttons.find((button) => button.classList.contains("primary")) ?? buttons[0]).focus();
    }, DOUBT_DELAY_MS);
    return undefined;
  });
}

/** Ask for a name in a dialog; return it, or null. */
function askName(title) {
  return ask({
    title, choices: [],
    field: (finish) => app.nameField({ label: "Name", placeholder: "Name", choose: finish, keys: { Escape: () => finish(null) } }),
  });
}

async function askDoubt(doubt) {
  if (doubt.kind === "near_name") {
    const known = h("bdi", { dir: "auto" }, doubt.near), typed = h("bdi", { dir: "auto" }, doubt.name);
    const name = await ask({
      title: "Which name is right?", text: doubt.message,
      choices: [{ label: known, value: doubt.near, primary: true }, { label: h("span", {}, typed, ", a new name"), value: doubt.name }],
    });
    return name === null ? null : { name };
  }
  const isSure = await ask({
    title: "Two people on one photo", text: doubt.message, choices: [{ label: "They are one person", value: true }],
  });
  return isSure ? { same_photo: true } : null;
}

function tellError(error) {
  app.tell([error.message, error.hint].filter(Boolean).join(". "));
}

// -- answers, undo -------------------------------------------------------------

const api = new Api({
  doubt: askDoubt,
  refused: tellError,
  async conflict({ isRepeated }) {
    app.tell(isRepeated
      ? "The connection broke off while this answer was sent, so it may be recorded. The page now shows the newest state: please look before you answer again."
      : "Something was answered elsewhere in the meantime, so this answer was not recorded. The page now shows the newest state: please answer again.");
    await refresh();
  },
  saved(result, answer) {
    app.tell("");
    byId("last").textContent = result.text;
    announce(result.text);
    noteName(result.accepted?.name ?? answer?.name);
    refreshSoon();
  },
  changed: () => refresh(),
  connection(isLost) {
    document.body.classList.toggle("lost", isLost);
    if (isLost) app.tell("No connection to faceclust. Trying again; what you typed stays here.");
    else if (byId("problem").textContent.startsWith("No connection")) app.tell("");
  },
  bye() {
    document.body.classList.add("lost");
    app.tell("faceclust has ended. All confirmed answers are saved. You can close this page.");
  },
});
app.api = api;

async function undo(redo = false, event = null) {
  const result = await api.undo({ redo, event });
  if (result) await current?.changed?.(result.position, true);
  return result;
}

/** Complete a new name from now on; the counts follow once the reader pauses. */
function noteName(name) {
  if (!name || app.people.some((person) => person.name === name || person.aliases?.includes(name))) return;
  app.people = [...app.people, { name, faces: 0, face: null, person: null, isNew: true }];
}

// In a large library the counts take as long as an answer: the next answer goes first.
let refreshTimer = 0;
function refreshSoon() {
  clearTimeout(refreshTimer);
  byId("undo").disabled = false;
  refreshTimer = setTimeout(() => refreshFrame().catch(tellError), REFRESH_MS);
}

/** Read the counts, the last answer and the people again. */
async function refreshFrame() {
  clearTimeout(refreshTimer);
  const [state, people] = await Promise.all([api.peek("api/state"), api.peek("api/people")]);
  app.state = state;
  app.people = [...people.people, ...people.other_names.map((name) => ({ name, faces: 0, face: null, person: null }))];
  byId("group-count").textContent = formatNumber(state.counts.groups);
  byId("people-count").textContent = formatNumber(state.counts.people);
  byId("undo").disabled = !state.undo;
  byId("redo").disabled = !state.redo;
  byId("undo").title = state.undo ? `Undo: ${state.undo.text}` : "";
  byId("redo").title = state.redo ? `Redo: ${state.redo.text}` : "";
  document.title = `${current?.title ?? "Name people"} · ${state.name}`;
  current?.peopleChanged?.();
}

/** Show what has changed elsewhere: the last answer is not this page's any more. */
async function refresh() {
  try {
    await refreshFrame();
    byId("last").textContent = app.state.undo?.text ?? "";
    await current?.changed?.(app.state.position);
  } catch (error) {
    tellError(error);
  }
}

// -- screens -------------------------------------------------------------------

let current = null;
let opening = 0;

/** Split "#/photo/HASH?of=group/3" into the screen's name and its parameters {id, of}. */
function parseHash(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  return { name: SCREENS.includes(name) ? name : "ask", params: { id: rest.join("/"), ...Object.fromEntries(new URLSearchParams(query)) } };
}

let opened = "";

async function openScreen() {
  const turn = ++opening;
  if (current && location.hash === opened) return; // there and back before the other screen was loaded
  const { name, params } = parseHash(location.hash);
  let screen;
  try {
    screen = await app.load(name);
  } catch {
    app.tell("This part of the page could not be loaded. Reload the page.");
    return;
  }
  if (turn !== opening) return;
  if (current && current !== screen) app.before = { hash: opened || "#/ask", title: current.title };
  current?.close?.();
  current = null;
  opened = location.hash;
  keepScreen(opened);
  if (!document.body.classList.contains("lost")) app.tell(""); // it was about the screen before
  const main = byId("screen");
  // A screen that is still opening when the reader leaves goes on in its own element, out of sight.
  const root = h("div"), wait = h("p", { class: "wait", role: "status" });
  main.replaceChildren(wait, root);
  const slow = setTimeout(() => { wait.textContent = "One moment, the faces are being compared…"; }, SLOW_MS);
  main.dataset.screen = name;
  for (const link of document.querySelectorAll("[data-screen]:not(main)")) {
    if (link.dataset.screen.split(" ").includes(name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  current = screen;
  document.title = `${screen.title} · ${app.state?.name ?? ""}`;
  scrollTo(0, 0);
  try {
    await screen.open(root, params, app);
  } catch (error) {
    app.tell(error.message);
  }
  clearTimeout(slow);
  wait.remove();
  if (turn === opening && (document.activeElement === document.body || !document.activeElement)) main.focus({ preventScroll: true });
}

// -- the page itself -----------------------------------------------------------

const find = app.nameField({
  label: "Find a person", placeholder: "Find a person",
  choose(name, person) {
    const found = person ?? findPeople(app.people, name, 1)[0];
    find.value = "";
    if (found?.person) app.go(`#/person/${found.person}`);
    else app.tell(`Nobody here is called ${name}.`);
  },
  keys: { Escape: () => find.blur() },
});
find.type = "search";
byId("find").append(find, h("kbd", { "aria-hidden": "true" }, "/"));

app.globalKeys = [
  { key: "u", label: "undo the last answer", run: () => void undo() },
  { key: "U", label: "redo it", run: () => void undo(true) },
  { key: "/", label: "find a person", run: () => find.focus() },
  { key: "?", label: "this help", run: () => app.go("#/help") },
  { key: "Escape", label: "leave a text field", run: (event) => (event.target.blur && event.target !== document.body ? event.target.blur() : false) },
];

async function start() {
  comeBack();
  app.setLetterKeys(app.settings.letterKeys);
  byId("undo").addEventListener("click", () => undo());
  byId("redo").addEventListener("click", () => undo(true));
  byId("problem").lastElementChild.addEventListener("click", () => app.tell(""));
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("screen").focus();
  });
  byId("done").addEventListener("click", async () => {
    await api.done();
  });
  addEventListener("beforeunload", (event) => {
    if (api.waiting && !api.ended) event.preventDefault();
  });
  history.scrollRestoration = "manual"; // screens go back to their place themselves
  addEventListener("hashchange", openScreen);
  listenToKeys(() => [...(current?.keys ?? []), ...app.globalKeys], () => app.settings.letterKeys);
  byId("screen").replaceChildren();
  api.listen();
  // The counts come first: in a large library, the first question takes seconds.
  await Promise.all([refreshFrame().then(() => { byId("last").textContent ||= app.state.undo?.text ?? ""; }, tellError), openScreen()]);
}

start();
