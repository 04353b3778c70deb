// One person: the confirmed faces, and below them the suggested ones, least likely first.
import { faceImage, formatCount, formatNumber, h, nameText, starOf } from "./dom.js";
import { FaceGrid } from "./face_grid.js";
import { formatDay } from "./dates.js";
import { asScreen } from "./screen.js";

const MAX_COMPANIONS = 6; // the others unfold
const MAX_FACES = 3000; // in one answer: more would be too long for the server
const WORDS = { confirm: "confirmed", not_a_face: "not a face", ignore: "ignored" };

class PersonScreen {
  before = null; // the person shown before a rename or merge, to come back to after an undo

  async open(root, params, app) {
    const { person, confirmed, suggested } = await app.api.get(`api/person/${encodeURIComponent(params.id)}`);
    Object.assign(this, { app, id: params.id, name: person.name, last: null });
    this.confirmed = this.#grid("Confirmed faces");
    this.suggested = this.#grid("Suggested faces, the least likely first");
    this.header = h("header", { class: "portrait" });
    this.form = h("form", { class: "change card", hidden: true });
    this.news = h("p", { class: "hint", hidden: true });
    this.titles = { confirmed: h("h2", {}), suggested: h("h2", {}) };
    this.none = h("p", { class: "facts" }, "No face is confirmed yet.");
    const lead = h("p", { class: "lead" }, "They came with the groups that have this name. The least likely come first.");
    this.suggestions = h("section", {}, this.titles.suggested, lead, this.suggested.element);
    root.append(h("div", { class: "person" }, this.header, this.form, this.news,
      h("section", {}, this.titles.confirmed, this.none, this.confirmed.element), this.suggestions, this.#bar()));
    this.confirmed.fill(confirmed);
    this.suggested.fill(suggested);
    this.#describe(person, confirmed.length, suggested.length);
    this.#selection();
    this.heading.focus({ preventScroll: true });
  }

  #grid(label) {
    return new FaceGrid(label, {
      describe: ({ date, age, time }) => [this.name, formatDay(date), age, time && `at ${time}`].filter(Boolean).join(", "),
      outLabel: `Not ${this.name} (x)`,
      out: (face) => this.answer("reject", [face]),
      show: (face) => this.photo(face),
      changed: () => this.#selection(),
    });
  }

  #describe(person, confirmed, suggested) {
    this.name = person.name;
    this.heading = h("h1", { tabindex: "-1" }, nameText(person.name), starOf(person));
    const also = person.aliases.length ? `also ${person.aliases.join(", ")}` : "", groups = person.groups.length ? `in ${person.groups.join(", ")}` : "";
    const facts = [person.life, also, groups].filter(Boolean).join(" · ");
    const faces = `${formatCount(person.faces, "face")} on ${formatCount(person.photos, "photo")}`;
    this.header.replaceChildren(
      h("span", { class: "face" }, faceImage(person.face)),
      h("div", {}, this.heading, facts ? h("p", { class: "facts", dir: "auto" }, facts) : null,
        h("p", { class: "facts" }, [faces, person.years].filter(Boolean).join(" · ")),
        h("p", { class: "facts" }, `${formatNumber(confirmed)} confirmed, ${formatNumber(suggested)} suggested`),
        person.note ? h("p", { class: "note", dir: "auto" }, person.note) : null,
        h("p", { class: "buttons" }, this.#button("Rename", "r", () => this.rename()), this.#button("Merge", "m", () => this.merge()))));
    if (person.companions.length) this.header.append(companionsOf(person));
    this.titles.confirmed.replaceChildren("Confirmed ", h("small", {}, formatNumber(confirmed)));
    this.titles.suggested.replaceChildren("Suggested ", h("small", {}, formatNumber(suggested)));
    this.suggestions.hidden = !this.suggested.faces.size;
    this.none.hidden = this.confirmed.faces.size > 0;
  }

  #button(text, key, run) {
    return h("button", { type: "button", onclick: run, "aria-keyshortcuts": key }, h("span", {}, text), " ", h("kbd", { "aria-hidden": "true" }, key));
  }

  #bar() {
    this.chosen = h("span", { class: "chosen", role: "status" });
    this.buttons = [
      this.#button("Confirm", "y", () => this.confirm()),
      this.#button("Not this person", "x", () => this.answer("reject")),
      this.#button("Not a face", "f", () => this.answer("not_a_face")),
      this.#button("Ignore", "i", () => this.answer("ignore")),
      this.#button("Photo", "o", () => this.photo()),
    ];
    this.buttons[0].classList.add("primary");
    return h("div", { class: "answers card", role: "group", "aria-label": "Answers for the selected faces" }, this.chosen, this.buttons);
  }

  get #grids() {
    return [this.suggested, this.confirmed];
  }

  get #selected() {
    return this.#grids.flatMap((grid) => Array.from(grid.selected));
  }

  get #current() {
    return this.#grids.map((grid) => grid.current).find(Boolean) ?? null;
  }

  // Update the bar: its buttons act on the selected faces, or else on the face that had the focus last.
  #selection() {
    if (!this.chosen) return;
    this.last = this.#current ?? this.last;
    const selected = this.#selected.length, open = this.#allOpen().length;
    this.chosen.textContent = selected ? `${formatNumber(selected)} selected` : "None selected";
    this.buttons[0].firstChild.textContent = selected || !open ? "Confirm" : `Confirm all ${formatNumber(open)}`;
    this.buttons[0].disabled = !selected && !open;
    for (const button of this.buttons.slice(1)) button.disabled = !selected && !this.last;
  }

  /** Confirm the selected faces, or else the one that has the focus, or else all suggested ones. */
  confirm() {
    const selected = this.#selected, current = this.#current;
    return this.answer("confirm", selected.length ? selected : current ? [current] : this.#allOpen());
  }

  #allOpen() {
    return this.suggested.open.slice(0, MAX_FACES);
  }

  async answer(kind, faces = this.#targets()) {
    if (!faces.length) return;
    if (faces.length > MAX_FACES) return void this.app.tell(`At most ${formatNumber(MAX_FACES)} faces can be answered at once.`);
    const named = kind === "confirm" || kind === "reject";
    const extra = named ? { name: this.name } : kind === "ignore" ? { groups: [] } : {};
    const grid = this.#grids.find((candidate) => candidate.faces.has(faces.at(-1)));
    this.#mark(faces, "waiting"); // the focus goes on at once, the sign comes when the answer is on disk
    grid?.goOn(faces.at(-1));
    const done = await this.app.api.answer({ kind, faces, ...extra });
    if (done) this.#mark(faces, kind === "confirm" ? "confirmed" : "out", WORDS[kind] ?? `not ${this.name}`);
    else this.#mark(faces, "");
    this.#selection();
  }

  #mark(faces, state, words) {
    for (const face of faces) for (const grid of this.#grids) grid.mark(face, state, words);
  }

  #targets() {
    const selected = this.#selected;
    return selected.length ? selected : this.last ? [this.last] : [];
  }

  photo(face = this.#current ?? this.#targets()[0]) {
    const value = this.#grids.map((grid) => grid.faces.get(face)?.value).find(Boolean);
    if (value) this.app.go(`#/photo/${value.photo}?of=person/${this.id}&face=${face}`);
  }

  move(step, line, extend) {
    const grid = this.#grids.find((candidate) => candidate.current) ?? (this.suggested.tiles.length ? this.suggested : this.confirmed);
    if (grid.move(step, line, extend)) return;
    const [from, end] = step > 0 ? [this.confirmed, 0] : [this.suggested, -1];
    if (grid === from) this.#grids.find((other) => other !== grid).tiles.at(end)?.focus();
  }

  selectAll() {
    const grid = this.#grids.find((candidate) => candidate.current) ?? this.suggested;
    grid.selectAll(grid.selected.size === 0);
  }

  rename() {
    this.#ask("New name", "Rename", this.name, (to) => ({ kind: "rename", name: this.name, to }));
  }

  merge() {
    this.#ask(`${this.name} is the same person as`, "Make them one person", "", (to) => ({ kind: "merge", name: this.name, to }));
  }

  // Show a field for another name; Enter or the button answers, Escape closes it.
  #ask(label, verb, value, answerOf) {
    const close = () => {
      this.form.hidden = true;
      this.heading.focus();
    };
    const choose = async (name) => {
      const answer = answerOf(name);
      if (!(await this.app.api.answer(answer))) return void field.focus();
      close();
      await this.#follow(answer.to);
    };
    const field = this.app.nameField({ label, choose, keys: { Escape: close } });
    field.value = value;
    this.form.replaceChildren(
      h("p", { "aria-hidden": "true" }, label), field,
      h("button", { type: "submit", class: "primary" }, verb),
      h("button", { type: "button", onclick: close }, "Cancel"));
    this.form.onsubmit = (event) => {
      event.preventDefault();
      if (field.value.trim()) choose(field.value.trim());
    };
    this.form.hidden = false;
    field.focus();
    field.select();
  }

  // After a rename or merge: show the person who has the name now.
  async #follow(name) {
    const { people } = await this.app.api.get("api/people");
    const person = people.find((candidate) => candidate.name === name);
    if (person && person.person !== this.id) this.#leaveFor(person.person);
    else await this.changed();
  }

  #leaveFor(id) {
    this.before = this.id;
    this.app.go(`#/person/${id}`);
  }

  // Nobody has the shown name any more: somebody renamed or merged the person, or took that back.
  async #lose() {
    const { people } = await this.app.api.get("api/people");
    if (people.some(({ person }) => person === this.before)) this.#leaveFor(this.before);
    else this.#tell("Nobody has this name any more.", "All people", "#/people");
  }

  /** Bring the screen up to date. Faces keep their places; new ones are shown when the reader asks. */
  async changed() {
    let data;
    try {
      data = await this.app.api.get(`api/person/${encodeURIComponent(this.id)}`);
    } catch (error) {
      if (error.status !== 404) throw error;
      return this.#lose();
    }
    const confirmed = new Set(data.confirmed.map(({ face }) => face)), suggested = new Set(data.suggested.map(({ face }) => face));
    for (const grid of this.#grids) {
      for (const face of grid.faces.keys()) {
        const isOwn = confirmed.has(face) || suggested.has(face), isConfirmed = grid === this.suggested && confirmed.has(face);
        grid.mark(face, isConfirmed ? "confirmed" : isOwn ? "" : "out", isConfirmed ? "confirmed" : isOwn ? "" : `no longer ${this.name}`);
      }
    }
    const added = [...confirmed, ...suggested].filter((face) => this.#grids.every((grid) => !grid.faces.has(face))).length;
    if (added) this.#tell(`${formatCount(added, "more face belongs", "more faces belong")} to this person now.`, "Show", null);
    else this.news.hidden = true;
    const focused = this.header.contains(document.activeElement);
    this.#describe(data.person, confirmed.size, suggested.size);
    if (focused) this.heading.focus();
    this.#selection();
  }

  #tell(text, label, hash) {
    const run = () => (hash ? this.app.go(hash) : dispatchEvent(new HashChangeEvent("hashchange")));
    this.news.replaceChildren(h("span", {}, text), " ", h("button", { type: "button", class: "quiet", onclick: run }, label));
    this.news.hidden = false;
  }

  keys = [
    { key: "ArrowRight j", label: "next face", run: () => this.move(1) },
    { key: "ArrowLeft k", label: "face before", run: () => this.move(-1) },
    { key: "ArrowDown", label: "face below", run: () => this.move(1, true) },
    { key: "ArrowUp", label: "face above", run: () => this.move(-1, true) },
    { key: "Shift+ArrowRight", label: "select up to the next face", run: () => this.move(1, false, true) },
    { key: "Shift+ArrowLeft", label: "select back to the face before", run: () => this.move(-1, false, true) },
    { key: "Shift+ArrowDown", label: "select down to the face below", run: () => this.move(1, true, true) },
    { key: "Shift+ArrowUp", label: "select up to the face above", run: () => this.move(-1, true, true) },
    { key: "a", label: "select all, or none", run: () => this.selectAll() },
    { key: "y", label: "confirm the selected faces, else the one with the focus, else all suggested ones", run: () => this.confirm() },
    { key: "Enter", label: "confirm the selected faces, else the one with the focus", run: () => (this.#selected.length || this.#current ? void this.confirm() : false) },
    { key: "x n", label: "not this person", run: () => this.answer("reject") },
    { key: "f", label: "not a face", run: () => this.answer("not_a_face") },
    { key: "i", label: "ignore", run: () => this.answer("ignore") },
    { key: "m", label: "merge with another person", run: () => this.merge() },
    { key: "r", label: "rename", run: () => this.rename() },
    { key: "o Space", label: "open the photo", run: () => this.photo() },
  ];
}

function companionsOf(person) {
  const chips = person.companions.map(({ person: id, name, photos }) => h("li", {},
    h("a", { class: "chip", href: `#/person/${id}` }, nameText(name), h("b", {}, formatNumber(photos), h("span", { class: "unseen" }, " photos together")))));
  const rest = chips.slice(MAX_COMPANIONS);
  return h("div", { class: "seen-with" }, h("h2", { class: "label" }, "Seen with"), h("ul", { class: "chips" }, chips.slice(0, MAX_COMPANIONS)),
    rest.length ? h("details", {}, h("summary", {}, `${formatNumber(rest.length)} more`), h("ul", { class: "chips" }, rest)) : null);
}

export default asScreen("Person", new PersonScreen());
