// Help: the keys of all screens, from their own tables, and the settings.

import { h } from "./dom.js";
import { shownKeys } from "./keys.js";

function keyTable(title, entries) {
  return h("section", { class: "card" }, h("h2", {}, title), h("dl", {}, entries.map((entry) => h("div", {},
    h("dt", {}, [shownKeys(entry)].flat().map((key) => h("kbd", {}, key))), h("dd", {}, entry.label)))));
}

export default {
  title: "Help",
  keys: [],
  async open(root, params, app) {
    const screen = app.templates("help");
    root.append(screen);
    const letters = screen.querySelector("#letter-keys");
    letters.checked = app.settings.letterKeys;
    letters.addEventListener("change", () => app.setLetterKeys(letters.checked));
    const loaded = await Promise.allSettled(app.screens.map((name) => app.load(name)));
    const screens = loaded.filter((one) => one.status === "fulfilled" && one.value.keys.length).map((one) => one.value);
    screen.querySelector("#key-tables").append(
      keyTable("Everywhere", app.globalKeys), ...screens.map((other) => keyTable(other.title, other.keys)),
    );
  },
  changed() {},
  close() {},
};
