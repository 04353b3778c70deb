// What the page needs of a screen.

/** Wrap an object with `open`, `changed`, `keys` and perhaps `close`. A change that comes while it opens waits. */
export function asScreen(title, screen) {
  let opened = Promise.resolve(false);
  return {
    title,
    keys: screen.keys,
    open(...given) {
      const opening = screen.open(...given);
      opened = opening.then(() => true, () => false);
      return opening;
    },
    async changed(...given) {
      if (await opened) await screen.changed(...given);
    },
    close() {
      opened = Promise.resolve(false);
      screen.close?.();
    },
  };
}
