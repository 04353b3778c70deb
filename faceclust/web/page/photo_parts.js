// The parts of the photo screen that only show something.
import { formatDay } from "./dates.js";
import { faceImage, h, nameText, photoHash } from "./dom.js";

/** Fill the head of the screen: the way back, the photo, and the photos beside it. Return its heading. `before`: the
 *  screen that one came from, if it is known. */
export function makeHeadline(head, { photo, faces }, of, before) {
  const arrow = (to, text, key, sign) => h(to ? "a" : "span", {
    class: "step", href: to && photoHash(to, of), "aria-label": text, title: `${text} (${key})`, "aria-disabled": to ? null : "true", role: to ? null : "link",
  }, sign);
  const own = faces.find((face) => belongsTo(face, of) && face.name);
  const [kind, id] = of.split("/");
  const back = kind === "person" ? h("a", { href: `#/person/${id}` }, own ? nameText(own.name) : "Back to the person")
    : kind === "group" ? h("a", { href: "#/groups" }, "Groups") : h("a", { href: before?.hash ?? "#/people" }, before?.title ?? "People");
  const heading = h("h1", { tabindex: "-1", dir: "auto", title: photo.path }, photo.path.split("/").at(-1));
  head.replaceChildren(
    h("div", {}, h("p", { class: "way" }, back), heading,
      h("p", { class: "facts" }, [formatDay(photo.taken_at), photo.camera, `${photo.width} × ${photo.height}`].filter(Boolean).join(" · "))),
    h("nav", { class: "steps", "aria-label": "Photos" },
      arrow(photo.previous, "Photo before", "k", "‹"), arrow(photo.next, "Next photo", "j", "›")));
  return heading;
}

/** The buttons that zoom the stage. */
export function makeZoomTools(stage, zoomToFace) {
  const button = (text, label, key, run) => h("button", { type: "button", "aria-label": label, title: `${label} (${key})`, "aria-keyshortcuts": key, onclick: run }, text);
  return h("div", { class: "zoom", role: "group", "aria-label": "Zoom" },
    button("+", "Zoom in", "+", () => stage.zoomTo(stage.zoom * 1.5)),
    button("−", "Zoom out", "-", () => stage.zoomTo(stage.zoom / 1.5)),
    button("◎", "Zoom to the face", "z", zoomToFace));
}

/** The row of a face in the list. `on`: choose(face), light(face|null). */
export function makeRow(face, on) {
  return h("li", {}, h("button", {
    type: "button", class: "entry", "data-face": face.face,
    onclick: () => on.choose(face.face), onfocus: () => on.choose(face.face),
    onpointerenter: () => on.light(face.face), onpointerleave: () => on.light(null),
  }, faceImage(face.face),
  h("span", {}, face.name ? nameText(face.name) : h("span", { class: "nobody" }, face.ignored ? "Ignored" : "Without a name"),
    h("small", {}, stateOf(face)))));
}

/** A button with its key; `main`: the one most likely meant. */
export function makeButton(text, key, run, main = false) {
  return h("button", { type: "button", class: main ? "primary" : null, "aria-keyshortcuts": key || null, onclick: run },
    h("span", {}, text), key ? " " : null, key ? h("kbd", { "aria-hidden": "true" }, key) : null);
}

/** Is this a face of the person or group that one came from? */
export function belongsTo(face, of) {
  const [kind, id] = of.split("/");
  return kind === "person" ? face.person === id : kind === "group" && String(face.group) === id;
}

/** What is known of a face, without its name. */
export function stateOf(face) {
  const state = face.name ? (face.confirmed ? "confirmed" : "suggested") : face.ignored ? "not asked about" : "nobody named it yet";
  return [state, face.age, face.whole ? "no face to be seen" : face.by_hand ? "drawn by hand" : ""].filter(Boolean).join(" · ");
}

/** A face for screen readers. */
export function describe(face) {
  return `${face.name ?? (face.ignored ? "Ignored face" : "Face without a name")}, ${stateOf(face)}`;
}
