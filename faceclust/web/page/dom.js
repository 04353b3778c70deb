// Build elements. Texts become text nodes, never markup.

/** Create an element. `on…` properties are listeners, `class`, `aria-…`, `data-…` and the like attributes. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The picture of a face, and its time if it is from a video. */
export function faceWithTime(picture) {
  return [faceImage(picture.face), ...(picture.time ? [h("span", { class: "time", "aria-hidden": "true" }, picture.time)] : [])];
}

/** A name of a person: the direction of its letters does not change the text around it. */
export function nameText(name, properties = {}) {
  return h("bdi", { dir: "auto", ...properties }, name);
}

/** The star of a favourite; nothing for others. */
export function starOf(person) {
  return person.favourite ? [h("span", { class: "star", "aria-hidden": "true" }, " ★"), h("span", { class: "unseen" }, " (favourite)")] : null;
}

/** The picture of a face, 160 px wide. */
export function faceImage(face, alt = "", properties = {}) {
  return h("img", {
    src: `face/${face}.jpg`, alt, width: 160, height: 160, loading: "lazy", decoding: "async", draggable: "false", ...properties,
  });
}

/** A link to a photo, within the photos of a person or group if `of` is given ("person/ID" or "group/N"). */
export function photoHash(photo, of = "") {
  return `#/photo/${photo}${of ? `?of=${of}` : ""}`;
}

const numbers = new Intl.NumberFormat("en");

export function formatNumber(number) {
  return numbers.format(number);
}

export function formatCount(number, one, many = `${one}s`) {
  return `${numbers.format(number)} ${number === 1 ? one : many}`;
}

export function formatYears(first, last) {
  if (!first) return "";
  return first === last ? String(first) : `${first}–${last}`;
}

/** A key with its label, as buttons and the help show it. */
export function keyHint(key) {
  return h("kbd", { "aria-hidden": "true" }, key);
}
