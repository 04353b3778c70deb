// Keys: a table of each screen and one of the page, both also the text of the help.

const TEXT_FIELDS = "input:not([type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable]";
const REPEATED = /Arrow|^[jk+-]$/;
const NAMES = { " ": "Space", ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc" };

export function isTextField(element) {
  return element instanceof Element && element.matches(TEXT_FIELDS);
}

/** The name of a pressed key as in the tables: "x", "U", "Enter", "Shift+ArrowDown". */
export function pressedKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return "";
  return event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
}

/** The keys of an entry, as the help shows them. */
export function shownKeys(entry) {
  return entry.show ?? keysOf(entry).map((key) => key.replace(/[^+]+$/, (last) => NAMES[last] ?? last));
}

// "ArrowDown j" are two keys for one thing; " " alone is the space bar.
function keysOf(entry) {
  return entry.key.split(" ").map((key) => (key === "Space" ? " " : key));
}

/**
 * Run the entries of `tables()` when their keys are pressed. Keys of one character work outside text fields only, and
 * not while `isEnabled()` is false. An entry whose `run` returns false leaves the key to others.
 */
export function listenToKeys(tables, isEnabled) {
  document.addEventListener("keydown", (event) => {
    const key = pressedKey(event);
    if (!key || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const isSingle = key.length === 1;
    if (isTextField(event.target) && (isSingle || key !== "Escape")) return;
    if (isSingle && !isEnabled()) return;
    // A key that is held down moves on; it does not answer one question after the other.
    if (event.repeat && !REPEATED.test(key)) return;
    // Buttons and links keep their own keys, except the pictures of faces.
    const isControl = event.target instanceof Element && event.target.closest("button, a[href], summary, [type=checkbox]");
    if (isControl && (key === "Enter" || key === " ") && !isControl.hasAttribute("data-face")) return;
    for (const entry of tables()) {
      if (!keysOf(entry).includes(key)) continue;
      if (entry.run(event) === false) continue;
      event.preventDefault();
      return;
    }
  });
  // Firefox clicks a button when the space bar goes up.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && isEnabled() && event.target instanceof Element && event.target.closest("[data-face]")) event.preventDefault();
  });
}
