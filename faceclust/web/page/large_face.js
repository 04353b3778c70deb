// One large face: its thumbnail at once, then the same part of the photo, which has more pixels.

import { faceImage, h, photoHash } from "./dom.js";

const MARGIN = 0.3; // of the longer side of the face, on each side of it: as the thumbnails are cut

/** The square around a face, in pixels of the photo: [x, y, side]. */
export function cropSquare([left, top, right, bottom], width, height) {
  const wanted = Math.max((right - left) * width, (bottom - top) * height) * (1 + 2 * MARGIN);
  const side = Math.min(wanted, width, height);
  const within = (middle, length) => Math.min(Math.max(middle - side / 2, 0), length - side);
  return [within(((left + right) / 2) * width, width), within(((top + bottom) / 2) * height, height), side];
}

/** Show a face in the link `frame`. `peek(path)` reads from the server. */
export async function showLarge(frame, picture, peek) {
  if (frame.dataset.shown === picture.face) return;
  frame.dataset.shown = picture.face;
  frame.href = photoHash(picture.photo);
  frame.setAttribute("aria-label", "Show the photo of this face");
  frame.replaceChildren(faceImage(picture.face, "", { loading: "eager" }));
  let found;
  try {
    const { photo, faces } = await peek(`api/photo/${picture.photo}`);
    const face = faces.find((other) => other.face === picture.face);
    if (face && !face.whole) found = { crop: cropSquare(face.box, photo.width, photo.height), photo };
  } catch {
    return; // the thumbnail stays
  }
  if (!found || frame.dataset.shown !== picture.face) return;
  const [x, y, side] = found.crop;
  const sharp = h("img", { class: "sharp", alt: "", decoding: "async" });
  Object.assign(sharp.style, {
    width: `${(100 * found.photo.width) / side}%`, height: `${(100 * found.photo.height) / side}%`,
    left: `${(-100 * x) / side}%`, top: `${(-100 * y) / side}%`,
  });
  sharp.addEventListener("load", () => sharp.classList.add("ready"));
  sharp.src = `photo/${picture.photo}.jpg`;
  frame.append(sharp);
}
