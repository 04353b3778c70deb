"use strict";
// Draw the map and handle mouse, touch and keys. Points, people and photos are data: they become text
// and pixels here, never markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const plane = [data.x, data.y].map((text) => Float32Array.from(new Uint16Array(bytes(text)), (v) => v / 65535));
  const extent = (values) => (values.length ? [0, 1].map((end) => values.reduce((a, b) => (end ? Math.max(a, b) : Math.min(a, b)))) : [0, 1]);
  const span = (values) => extent(values)[1] - extent(values)[0];
  // Directions mean nothing, so a tall screen gets a wide map turned by 90°.
  const tall = byId("stage").clientHeight > byId("stage").clientWidth;
  if (tall !== span(plane[1]) > span(plane[0])) plane.reverse();
  const [xs, ys] = plane;
  const who = new Int32Array(bytes(data.who)), photo = new Uint32Array(bytes(data.photo));
  const state = new Uint8Array(bytes(data.state)), number = new Uint16Array(bytes(data.number));
  const n = xs.length, people = data.people, NAMED = 0, GROUP = 1;
  const PICTURED = 1, CONFIRMED = 2;
  const COLOURS = 12, MUTED = 5, SHAPES = 4;
  const calm = matchMedia("(prefers-reduced-motion: reduce)"), dark = matchMedia("(prefers-color-scheme: dark)");

  const canvas = byId("map"), stage = byId("stage"), context = canvas.getContext("2d");
  const selection = d3.select(canvas);
  const chosen = new Set();
  let width = 0, height = 0, dpr = 1, side = 1, left = 0, top = 0;
  let view = d3.zoomIdentity, hovered = -1, held = -1, colours = {};

  // ---- Drawing order: grey points first, named people on top.
  const rank = (i) => (who[i] < 0 ? 0 : [3, 1, 0][people[who[i]][1]]);
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => rank(a) - rank(b) || a - b);
  const tree = d3.quadtree().x((i) => xs[i]).y((i) => ys[i]).addAll(Array.from(order));
  const kindOf = (i) => (who[i] < 0 ? -1 : people[who[i]][1]);
  // A point's style: an index into the table of signs.
  const styleOf = Uint8Array.from({ length: n }, (_, i) => {
    const kind = kindOf(i);
    if (kind === NAMED) return people[who[i]][2] * SHAPES + people[who[i]][3];
    return COLOURS * SHAPES + (kind === GROUP ? people[who[i]][2] : MUTED);
  });
  const STYLES = COLOURS * SHAPES + MUTED + 1;

  // ---- Pictures: a sheet is decoded when one of its faces is visible.
  const cell = new Int32Array(n).fill(-1);
  for (let i = 0, next = 0; i < n; i++) if (state[i] & PICTURED) cell[i] = next++;
  const blocks = document.querySelectorAll("script.sheet"), sheets = new Map(), KEPT = 160;
  function sheet(number) {
    let image = sheets.get(number);
    if (!image) {
      image = new Image();
      image.onload = () => { redraw(); if (shown() >= 0) portrait(shown()); };
      image.src = "data:image/jpeg;base64," + blocks[number].textContent;
    }
    sheets.delete(number); // a Map keeps insertion order: the least recently used sheet is evicted
    sheets.set(number, image);
    if (sheets.size > KEPT) sheets.delete(sheets.keys().next().value);
    return image;
  }
  function paint(target, i, x, y, size) {
    const per = data.across * data.across, at = cell[i] % per;
    const image = sheet(Math.floor(cell[i] / per));
    if (!image.complete || !image.naturalWidth) return false;
    const column = at % data.across, line = Math.floor(at / data.across);
    target.drawImage(image, column * data.side, line * data.side, data.side, data.side, x, y, size, size);
    return true;
  }

  // ---- Signs: each colour and shape is drawn once at the current size, and its pixels are copied to
  // the points. That is many times faster than drawing each point on the canvas.
  const plate = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  let signs = null, paper = null;
  function outline(target, shape, x, y, r) {
    target.beginPath();
    if (shape === 1) target.rect(x - r * 0.88, y - r * 0.88, r * 1.76, r * 1.76);
    else if (shape === 2) {
      target.moveTo(x, y - r * 1.15); target.lineTo(x + r * 1.1, y + r * 0.9); target.lineTo(x - r * 1.1, y + r * 0.9);
    } else if (shape === 3) {
      target.moveTo(x, y - r * 1.25); target.lineTo(x + r * 1.25, y); target.lineTo(x, y + r * 1.25); target.lineTo(x - r * 1.25, y);
    } else target.arc(x, y, r, 0, 7);
    target.closePath();
  }
  function colourOf(style) {
    if (style < COLOURS * SHAPES) return colours[`c${Math.floor(style / SHAPES)}`];
    return style < STYLES - 1 ? colours[`m${style - COLOURS * SHAPES}`] : colours.alone;
  }
  // The pixels of the signs, plain ones before faint ones: offsets from the centre, colours in the
  // buffer's byte order, and opacity.
  function makeSigns(radius) {
    const r = Math.max(0.5, Math.round(radius * dpr * 2) / 2), half = Math.ceil(r * 1.3) + 1, box = half * 2;
    const key = `${r} ${canvas.width} ${canvas.height} ${colours.page}`;
    if (signs && signs.key === key) return;
    const across = canvas.width + box * 2, pixels = [];
    plate.canvas.width = plate.canvas.height = box;
    for (let style = 0; style < STYLES * 2; style++) {
      const faint = style >= STYLES, plain = faint ? style - STYLES : style, named = plain < COLOURS * SHAPES;
      const own = r * (named ? 1 : plain < STYLES - 1 ? 0.9 : 0.75) * (faint ? 0.8 : 1);
      plate.clearRect(0, 0, box, box);
      outline(plate, named ? plain % SHAPES : 0, half, half, own);
      plate.globalAlpha = faint ? 0.35 : 1;
      plate.fillStyle = faint ? colours.alone : colourOf(plain);
      plate.fill();
      if (r > 3 && !faint) { plate.lineWidth = 1; plate.strokeStyle = colours.page; plate.stroke(); }
      plate.globalAlpha = 1;
      const drawn = new Uint32Array(plate.getImageData(0, 0, box, box).data.buffer), places = [];
      for (let at = 0; at < drawn.length; at++) if (drawn[at] >>> 24) places.push(at);
      pixels.push({
        steps: Int32Array.from(places, (at) => (Math.floor(at / box) - half) * across + (at % box) - half),
        colours: Uint32Array.from(places, (at) => drawn[at] | 0xff000000),
        opaque: Uint8Array.from(places, (at) => drawn[at] >>> 24),
      });
    }
    plate.fillStyle = colours.page;
    plate.fillRect(0, 0, 1, 1);
    const ground = new Uint32Array(plate.getImageData(0, 0, 1, 1).data.buffer)[0];
    // A margin as wide as a sign: none has to be clipped.
    if (!paper || paper.width !== across || paper.height !== canvas.height + box * 2) paper = new ImageData(across, canvas.height + box * 2);
    signs = { key, box, across, pixels, ground };
  }
  function stamp(visible) {
    const out = new Uint32Array(paper.data.buffer), { box, across, pixels, ground } = signs;
    out.fill(ground);
    for (const i of visible) {
      const x = Math.round(sx(i) * dpr) + box, y = Math.round(sy(i) * dpr) + box;
      if (x < box / 2 || y < box / 2 || x >= across - box / 2 || y >= paper.height - box / 2) continue;
      const sign = pixels[lit(i) ? styleOf[i] : styleOf[i] + STYLES], { steps, opaque } = sign, own = sign.colours, middle = y * across + x;
      for (let at = 0; at < steps.length; at++) {
        const to = middle + steps[at], part = opaque[at], colour = own[at];
        if (part === 255) out[to] = colour;
        else {
          const under = out[to], mixed = (shift) => {
            const below = (under >>> shift) & 255;
            return (below + (((((colour >>> shift) & 255) - below) * part) / 255 | 0)) << shift;
          };
          out[to] = (0xff000000 | mixed(0) | mixed(8) | mixed(16)) >>> 0;
        }
      }
    }
    context.putImageData(paper, -box, -box);
  }

  // ---- Drawing.
  let waiting = 0;
  function redraw() { if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; draw(); }); }
  const sx = (i) => view.x + view.k * (left + xs[i] * side);
  const sy = (i) => view.y + view.k * (top + ys[i] * side);
  const lit = (i) => chosen.size === 0 || chosen.has(who[i]);
  const faintPictures = 0.25;

  function draw() {
    const margin = 60, plain = [], picked = [];
    for (let at = 0; at < n; at++) {
      const i = order[at], x = sx(i), y = sy(i);
      if (x > -margin && x < width + margin && y > -margin && y < height + margin) (chosen.size && lit(i) ? picked : plain).push(i);
    }
    const visible = plain.concat(picked);
    const room = Math.sqrt(((width + 2 * margin) * (height + 2 * margin)) / Math.max(1, visible.length)) * 0.52;
    const size = Math.min(data.side * 0.75, 72, room);
    const scale = Math.min(6, Math.max(1, Math.pow(view.k, 0.35)));
    const radius = Math.min(9, Math.min(5, Math.max(1.5, Math.sqrt((side * side) / Math.max(1, n)) * 0.17)) * scale);
    makeSigns(radius);
    stamp(visible);
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    const pictures = size >= (width < 600 ? 21 : 26) && blocks.length > 0;
    if (pictures) drawPictures(visible, size);
    drawNames(pictures ? size / 2 : radius);
    for (const i of new Set([hovered, held])) if (i >= 0) ring(i, pictures && cell[i] >= 0 ? size : 0, radius);
    canvas.dataset.view = [view.k, view.x, view.y, left, top, side].join(" ");
    canvas.dataset.pictures = pictures;
  }
  function drawPictures(visible, size) {
    for (const i of visible) {
      if (cell[i] < 0) continue;
      const x = sx(i) - size / 2, y = sy(i) - size / 2;
      context.globalAlpha = lit(i) ? 1 : faintPictures;
      if (paint(context, i, x, y, size)) {
        context.lineWidth = kindOf(i) === NAMED ? 2.5 : 1.5;
        context.strokeStyle = colourOf(styleOf[i]);
        context.strokeRect(x, y, size, size);
      }
    }
    context.globalAlpha = 1;
  }
  function ring(i, size, radius) {
    const x = sx(i), y = sy(i);
    if (size) paint(context, i, x - size / 2, y - size / 2, size);
    for (const [colour, line] of [[colours.page, 6], [colours.ink, 2.5]]) {
      context.beginPath();
      if (size) context.rect(x - size / 2 - 1, y - size / 2 - 1, size + 2, size + 2);
      else context.arc(x, y, radius + 4, 0, 7);
      context.lineWidth = line;
      context.strokeStyle = colour;
      context.stroke();
    }
  }

  // ---- Names, above each cluster. If two would overlap, the larger one stays.
  const members = people.map(() => []);
  for (let i = 0; i < n; i++) if (who[i] >= 0) members[who[i]].push(i);
  const quantile = (values, part) => values.sort((a, b) => a - b)[Math.floor(values.length * part)];
  const gap = (i, x, y) => Math.hypot(xs[i] - x, ys[i] - y);
  const centres = members.map((mine) => {
    if (!mine.length) return -1;
    const x = quantile(mine.map((i) => xs[i]), 0.5), y = quantile(mine.map((i) => ys[i]), 0.5);
    return mine.reduce((best, i) => (gap(i, x, y) < gap(best, x, y) ? i : best));
  });
  // Half of a person's faces are within this distance of the central one; the cluster is not much larger.
  const reaches = members.map((mine, p) => Math.min(0.04, 1.5 * quantile(mine.map((i) => gap(i, xs[centres[p]], ys[centres[p]])), 0.5) || 0));
  const short = (text) => (Array.from(text).length > 28 ? Array.from(text).slice(0, 27).join("") + "…" : text);
  function drawNames(above) {
    const tools = stage.querySelector(".tools"), taken = [[tools.offsetLeft - 4, 0, width, tools.offsetTop + tools.offsetHeight + 4]];
    context.font = `600 ${width < 600 ? 12 : 13}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "bottom";
    context.lineJoin = "round";
    for (let p = 0; p < people.length; p++) {
      if (centres[p] < 0 || (chosen.size ? !chosen.has(p) : people[p][1] !== NAMED)) continue;
      const middle = [sx(centres[p]), sy(centres[p])];
      if (middle[0] < 0 || middle[0] > width || middle[1] < 0 || middle[1] > height) continue;
      const text = short(people[p][0]), half = context.measureText(text).width / 2 + 3;
      const x = Math.max(half, Math.min(width - half, middle[0]));
      const y = Math.max(20, middle[1] - reaches[p] * side * view.k - above - 4);
      const box = [x - half, y - 17, x + half, y + 2];
      if (taken.some((o) => o[0] < box[2] && box[0] < o[2] && o[1] < box[3] && box[1] < o[3])) continue;
      taken.push(box);
      context.lineWidth = 4;
      context.strokeStyle = colours.page;
      context.strokeText(text, x, y);
      context.fillStyle = colours.ink;
      context.fillText(text, x, y);
    }
  }

  // ---- The card that shows one face.
  const card = byId("card"), portraitContext = byId("portrait").getContext("2d");
  const shown = () => (held >= 0 ? held : hovered);
  function label(i) {
    if (who[i] < 0) return "in no group";
    return people[who[i]][0];
  }
  function facts(i) {
    const words = [], kind = kindOf(i);
    if (kind === NAMED) words.push(state[i] & CONFIRMED ? "confirmed" : "suggested");
    if (kind > GROUP) words.push("ignored");
    if (data.dates[photo[i]]) words.push(data.dates[photo[i]]);
    return words.join(" · ");
  }
  // What commands call a face: its photo, and its number on it from the left.
  const address = (i) => `${data.photos[photo[i]]}#${number[i]}`;
  function link(number) {
    if (data.links) return data.links[number];
    try {
      const path = data.photos[number], isAbsolute = /^([a-z]:)?\//i.test(path); // on another disk
      const base = !isAbsolute ? data.base : path.startsWith("/") ? "file://" : "file:///";
      return base + path.split("/").map(encodeURIComponent).join("/");
    } catch {
      return ""; // the name is not valid Unicode
    }
  }
  // The name is a link if the page for naming people serves the map.
  const screen = (p) => (data.screens && p >= 0 ? data.screens[p] : "");
  function showName(i) {
    const href = held >= 0 ? screen(who[i]) : "", place = byId("who");
    if (!href) { place.textContent = label(i); return; }
    const anchor = document.createElement("a");
    anchor.href = href;
    anchor.textContent = label(i);
    place.replaceChildren(anchor);
  }
  function portrait(i) {
    portraitContext.clearRect(0, 0, 224, 224);
    byId("portrait").hidden = cell[i] < 0;
    if (cell[i] >= 0) paint(portraitContext, i, 0, 0, 224);
  }
  function show() {
    const i = shown();
    card.hidden = i < 0;
    card.classList.toggle("held", held >= 0);
    canvas.classList.toggle("over", hovered >= 0);
    redraw();
    if (i < 0) return;
    showName(i);
    byId("what").textContent = facts(i);
    const anchor = byId("photo"), href = link(photo[i]);
    anchor.textContent = address(i);
    if (held >= 0 && href) anchor.href = href; else anchor.removeAttribute("href");
    portrait(i);
    place(i);
  }
  function place(i) {
    const x = sx(i), y = sy(i), w = card.offsetWidth, h = card.offsetHeight, gap = 18;
    const right = x + gap + w < width - 4 || x < width / 2;
    const across = Math.max(4, Math.min(width - w - 4, right ? x + gap : x - gap - w));
    const down = Math.max(4, Math.min(height - h - 4, y - h / 2));
    card.style.transform = `translate(${across}px, ${down}px)`;
  }
  function hold(i, spoken) {
    held = i;
    show();
    if (spoken) byId("spoken").textContent = i < 0 ? "" : [label(i), facts(i), address(i)].filter(Boolean).join(", ");
  }

  // ---- Find the face at a position on the screen.
  function nearest(x, y, reach) {
    const inverse = (v, move, start) => ((v - move) / view.k - start) / side;
    const found = tree.find(inverse(x, view.x, left), inverse(y, view.y, top), reach / (view.k * side));
    if (found === undefined || lit(found)) return found === undefined ? -1 : found;
    let best = -1, least = reach;
    for (const p of chosen) for (const i of members[p]) {
      const away = Math.hypot(sx(i) - x, sy(i) - y);
      if (away < least) [best, least] = [i, away];
    }
    return best < 0 ? found : best;
  }
  const reach = (touch) => (touch ? 26 : canvas.dataset.pictures === "true" ? 24 : 12);
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" || event.buttons) return;
    const found = nearest(event.offsetX, event.offsetY, reach(false));
    if (found !== hovered) { hovered = found; show(); }
  });
  canvas.addEventListener("pointerleave", () => { hovered = -1; show(); });
  let touched = false;
  canvas.addEventListener("pointerdown", (event) => { touched = event.pointerType === "touch"; });
  canvas.addEventListener("click", (event) => {
    const found = nearest(event.offsetX, event.offsetY, reach(touched));
    hold(found === held ? -1 : found, true);
  });
  byId("close").addEventListener("click", () => { hold(-1); canvas.focus(); });

  // ---- Zooming.
  const zoom = d3.zoom().touchable(true).scaleExtent([0.6, 400]).clickDistance(5).on("zoom", (event) => {
    view = event.transform;
    redraw();
    if (shown() >= 0) place(shown());
  });
  selection.call(zoom).on("dblclick.zoom", null);
  // The end of the current transition: the next key continues from there.
  let goal = null;
  function glide(transform) {
    goal = zoom.constrain()(transform, zoom.extent()(), zoom.translateExtent());
    if (calm.matches) selection.call(zoom.transform, goal), (goal = null);
    else selection.transition().duration(220).ease(d3.easeCubicOut).call(zoom.transform, goal).on("end interrupt cancel", () => { goal = null; });
  }
  function scale(factor, [x, y] = [width / 2, height / 2]) {
    const from = goal || view, [low, high] = zoom.scaleExtent();
    const k = Math.max(low, Math.min(high, from.k * factor)), [px, py] = from.invert([x, y]);
    glide(d3.zoomIdentity.translate(x - px * k, y - py * k).scale(k));
  }
  const pan = (dx, dy) => { const from = goal || view; glide(d3.zoomIdentity.translate(from.x + dx, from.y + dy).scale(from.k)); };
  const all = () => glide(d3.zoomIdentity);
  function fit(faces) {
    const x = extent(faces.map((i) => left + xs[i] * side)), y = extent(faces.map((i) => top + ys[i] * side)), space = 90;
    const k = Math.max(1, Math.min(40, (width - space * 2) / Math.max(x[1] - x[0], 1), (height - space * 2) / Math.max(y[1] - y[0], 1)));
    glide(d3.zoomIdentity.translate(width / 2 - (k * (x[0] + x[1])) / 2, height / 2 - (k * (y[0] + y[1])) / 2).scale(k));
  }
  canvas.addEventListener("dblclick", (event) => scale(2, [event.offsetX, event.offsetY]));
  byId("in").addEventListener("click", () => scale(1.6));
  byId("out").addEventListener("click", () => scale(1 / 1.6));
  byId("all").addEventListener("click", all);

  // ---- Keys.
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  function step([dx, dy]) {
    const from = held >= 0 ? [sx(held), sy(held)] : [width / 2, height / 2];
    let best = -1, least = Infinity;
    for (let i = 0; i < n; i++) {
      const x = sx(i) - from[0], y = sy(i) - from[1], along = x * dx + y * dy, off = Math.abs(x * dy) + Math.abs(y * dx);
      if (i === held || !lit(i) || along <= 0.01 || off > along) continue;
      if (along + off * 2 < least) [best, least] = [i, along + off * 2];
    }
    if (best >= 0) pick(best);
  }
  function pick(i) {
    hold(i, true);
    const x = sx(i), y = sy(i), edge = 60;
    if (x < edge || y < edge || x > width - edge || y > height - edge)
      zoom.translateTo(selection, (x - view.x) / view.k, (y - view.y) / view.k);
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow && event.shiftKey) step(arrow);
    else if (arrow) pan(-arrow[0] * 80, -arrow[1] * 80);
    else if (event.key === "+" || event.key === "=") scale(1.4);
    else if (event.key === "-" || event.key === "_") scale(1 / 1.4);
    else if (event.key === "0" || event.key === "Home") all();
    else if (event.key === "Enter") { const i = nearest(width / 2, height / 2, Infinity); if (i >= 0) pick(i); }
    else if (event.key === "Escape") { if (held >= 0) hold(-1, true); else choose(); }
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const help = document.querySelector("header details");
    if (event.key === "Escape" && help.open) { help.open = false; help.firstElementChild.focus(); }
  });

  // ---- The list: search names, select people.
  const rows = Array.from(document.querySelectorAll("#list li button"));
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const names = rows.map((row) => plain(people[row.dataset.who][0]));
  function choose(number) {
    if (number === undefined) chosen.clear();
    else if (!chosen.delete(number)) chosen.add(number);
    for (const row of rows) row.setAttribute("aria-pressed", chosen.has(Number(row.dataset.who)));
    byId("chosen").hidden = chosen.size === 0;
    byId("chosen-count").textContent = `${chosen.size} selected`;
    const open = byId("open"), href = chosen.size === 1 ? screen(chosen.values().next().value) : "";
    if (open) { open.hidden = !href; open.href = href; }
    redraw();
  }
  byId("list").addEventListener("click", (event) => {
    const row = event.target.closest("button");
    if (row) choose(Number(row.dataset.who));
  });
  byId("clear").addEventListener("click", () => { choose(); byId("search").focus(); });
  byId("zoom-to").addEventListener("click", () => fit([...chosen].flatMap((p) => members[p])));
  const search = byId("search");
  function filter() {
    const words = plain(search.value.trim());
    let found = 0;
    rows.forEach((row, at) => {
      const hit = names[at].includes(words);
      row.parentElement.hidden = !hit;
      found += hit;
    });
    byId("found").textContent = words ? `${found} of ${rows.length}` : "";
    for (const heading of document.querySelectorAll("#list h2"))
      heading.hidden = !heading.nextElementSibling.querySelector("li:not([hidden])");
  }
  search.addEventListener("input", filter);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && search.value) { search.value = ""; filter(); event.preventDefault(); }
    const first = rows.find((row) => !row.parentElement.hidden);
    if (event.key === "Enter" && search.value.trim() && first) choose(Number(first.dataset.who));
  });

  // ---- Sizes and colours.
  function resized() {
    width = stage.clientWidth;
    height = stage.clientHeight;
    dpr = Math.min(2, window.devicePixelRatio || 1);
    canvas.width = Math.round(width * dpr);
    canvas.height = Math.round(height * dpr);
    const space = Math.min(40, width * 0.06);
    const [x0, x1] = extent(xs), [y0, y1] = extent(ys);
    side = Math.max(1, Math.min((width - 2 * space) / Math.max(x1 - x0, 0.1), (height - 2 * space) / Math.max(y1 - y0, 0.1)));
    left = width / 2 - ((x0 + x1) / 2) * side;
    top = height / 2 - ((y0 + y1) / 2) * side;
    zoom.extent([[0, 0], [width, height]]).translateExtent([[-width * 0.4, -height * 0.4], [width * 1.4, height * 1.4]]);
    draw();
    if (shown() >= 0) place(shown());
  }
  function coloured() {
    const style = getComputedStyle(document.documentElement), read = (name) => style.getPropertyValue(`--${name}`).trim();
    const wanted = ["page", "ink", "alone"];
    for (let i = 0; i < COLOURS; i++) wanted.push(`c${i}`);
    for (let i = 0; i < MUTED; i++) wanted.push(`m${i}`);
    colours = Object.fromEntries(wanted.map((name) => [name, read(name)]));
    redraw();
  }
  dark.addEventListener("change", coloured);
  coloured();
  new ResizeObserver(resized).observe(stage);
  resized();
})();
