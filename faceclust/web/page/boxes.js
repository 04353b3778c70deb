// Boxes in fractions of a photo: [left, top, right, bottom]. They lie on whole pixels, so that the mouse and keys can
// give the same box.

const MIN_SIDE = 8; // pixels of the photo

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** The box on whole pixels of a photo of `width` × `height`, inside it, and not too small. */
export function snapBox([left, top, right, bottom], { width, height }) {
  const fit = (from, to, size) => {
    const side = clamp(Math.round(to * size) - Math.round(from * size), Math.min(MIN_SIDE, size), size);
    const start = clamp(Math.round(from * size), 0, size - side);
    return [start / size, (start + side) / size];
  };
  const [l, r] = fit(left, right, width), [t, b] = fit(top, bottom, height);
  return [l, t, r, b];
}

/** Move a box by fractions of the photo; it stays inside. */
export function moveBox([left, top, right, bottom], across, down) {
  const x = clamp(across, -left, 1 - right), y = clamp(down, -top, 1 - bottom);
  return [left + x, top + y, right + x, bottom + y];
}

/** The box between two points, in any order. */
export function boxBetween([ax, ay], [bx, by]) {
  return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)].map((value) => clamp(value, 0, 1));
}

/** Move one corner ("nw", "ne", "sw", "se") of a box to a point; the opposite corner stays. */
export function dragCorner([left, top, right, bottom], corner, point) {
  const opposite = [corner.endsWith("w") ? right : left, corner.startsWith("n") ? bottom : top];
  return boxBetween(opposite, point);
}

/** Make a box larger or smaller by fractions; its left and top stay, unless the photo ends. */
export function growBox([left, top, right, bottom], wider, taller) {
  return moveBox([left, top, Math.max(left, Math.min(left + 1, right + wider)), Math.max(top, Math.min(top + 1, bottom + taller))], 0, 0);
}

/** Intersection over union of two boxes. */
export function overlap(a, b) {
  const area = ([left, top, right, bottom]) => Math.max(0, right - left) * Math.max(0, bottom - top);
  const shared = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);
  return shared / Math.max(area(a) + area(b) - shared, Number.EPSILON);
}
