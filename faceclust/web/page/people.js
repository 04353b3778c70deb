// Everybody who has a name: favourites first, then most faces first.
import { faceImage, formatCount, h, nameText, starOf } from "./dom.js";
import { foldText } from "./name_field.js";
import { asScreen } from "./screen.js";

class People {
  async open(root, params, app) {
    this.app = app;
    this.find = h("input", { type: "search", id: "find-person", autocomplete: "off", spellcheck: "false", oninput: () => this.filter(), onkeydown: (event) => this.#leave(event) });
    this.found = h("output", { for: "find-person" });
    this.list = h("ul", { class: "everyone" });
    this.lead = h("p", { class: "lead" });
    this.others = h("p", { class: "facts", dir: "auto" });
    root.append(
      h("div", { class: "people" },
        h("div", { class: "controls" }, h("div", {}, h("h1", {}, "People"), this.lead),
          this.found, h("label", { class: "find-name" }, "Find by name", this.find)),
        this.list, this.others));
    this.fill(await app.api.get("api/people"));
  }

  fill({ people, other_names: others }) {
    this.lead.textContent = people.length
      ? `${formatCount(people.length, "person has", "people have")} a name. Open one to see all faces.`
      : "Nobody has a name yet. Name a group, and the person is here.";
    this.tiles = people.map((person) => ({ words: foldText([person.name, ...person.aliases, ...person.groups].join(" ")), tile: tileOf(person) }));
    this.list.replaceChildren(...this.tiles.map(({ tile }) => tile));
    this.others.textContent = others.length ? `Without a photo at the moment: ${others.join(", ")}` : "";
    this.filter();
  }

  filter() {
    const words = foldText(this.find.value);
    let found = 0;
    for (const { words: name, tile } of this.tiles) {
      tile.hidden = !name.includes(words);
      found += !tile.hidden;
    }
    this.found.textContent = words ? `${found} of ${this.tiles.length}` : "";
  }

  // From the field into the list: Enter opens the first person, an arrow goes there.
  #leave(event) {
    const [first] = this.links;
    if (event.key === "Enter" && this.find.value.trim() && first) this.app.go(first.getAttribute("href"));
    else if (event.key === "ArrowDown" && first) first.focus();
    else return;
    event.preventDefault();
  }

  get links() {
    return Array.from(this.list.querySelectorAll("li:not([hidden]) > a"));
  }

  /** Move the focus by a number of people; `line`: by lines of the grid. */
  move(step, line = false) {
    const links = this.links, at = links.indexOf(document.activeElement);
    if (!links.length) return;
    const columns = line ? getComputedStyle(this.list).gridTemplateColumns.split(" ").length : 1;
    links[at < 0 ? 0 : Math.max(0, Math.min(links.length - 1, at + step * columns))].focus();
  }

  async changed() {
    const focused = document.activeElement?.closest("[data-person]")?.dataset.person;
    this.fill(await this.app.api.get("api/people"));
    if (focused) this.list.querySelector(`[data-person="${CSS.escape(focused)}"]`)?.focus();
  }

  keys = [
    { key: "ArrowRight j", label: "next person", run: () => this.move(1) },
    { key: "ArrowLeft k", label: "person before", run: () => this.move(-1) },
    { key: "ArrowDown", label: "person below", run: () => this.move(1, true) },
    { key: "ArrowUp", label: "person above", run: () => this.move(-1, true) },
    { key: "/", label: "find a person", run: () => this.find.focus() },
  ];
}

function tileOf(person) {
  return h("li", {},
    h("a", { href: `#/person/${person.person}`, "data-person": person.person },
      h("span", { class: "face" }, faceImage(person.face)),
      h("span", { class: "who" }, nameText(person.name), starOf(person)),
      h("span", { class: "facts" }, h("span", {}, formatCount(person.faces, "face")), person.years ? h("span", {}, person.years) : null)));
}

export default asScreen("People", new People());
