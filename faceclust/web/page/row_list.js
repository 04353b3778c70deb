// A list of many rows of one height, of which only those near the viewport exist.

const MARGIN = 6; // rows kept ready above and below the viewport

export class RowList {
  #rows = new Map(); // place in the list → element
  #spare = [];
  #frame = 0;
  #height = 0;

  /** `make()` returns an empty row, `fill(element, at)` shows an entry in it, `settled(from, to)` follows a pause. */
  constructor(list, { make, fill, settled }) {
    Object.assign(this, { list, make, fill, settled, count: 0, timer: 0 });
    this.listener = () => {
      if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#draw());
    };
    addEventListener("scroll", this.listener, { passive: true });
    this.resized = new ResizeObserver(() => this.#measure());
    this.resized.observe(list);
  }

  close() {
    removeEventListener("scroll", this.listener);
    this.resized.disconnect();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.timer);
  }

  /** Show `count` entries from scratch. */
  reset(count) {
    this.count = count;
    for (const element of this.#rows.values()) element.remove();
    this.#rows.clear();
    this.#height = 0;
    this.#measure();
  }

  #measure() {
    const height = parseFloat(getComputedStyle(this.list).getPropertyValue("--row"));
    if (height !== this.#height) {
      this.#height = height;
      this.list.style.height = `${this.count * height}px`;
      for (const [at, element] of this.#rows) this.#place(element, at);
    }
    this.#draw();
  }

  #place(element, at) {
    element.style.transform = `translateY(${at * this.#height}px)`;
  }

  /** The element of an entry, if there is one. */
  element(at) {
    return this.#rows.get(at) ?? null;
  }

  get elements() {
    return this.#rows;
  }

  /** Show what is in sight, and call `settled` after a pause. */
  refresh() {
    this.#draw();
  }

  /** Show an entry again that has changed. */
  update(at) {
    const element = this.#rows.get(at);
    if (element) this.fill(element, at);
  }

  /** Scroll no more than needed to have the entry and the next one in sight, and return its element. */
  reveal(at) {
    const top = this.list.getBoundingClientRect().top + at * this.#height;
    const { scrollPaddingTop, scrollPaddingBottom } = getComputedStyle(document.documentElement);
    const from = parseFloat(scrollPaddingTop) || 0, to = innerHeight - (parseFloat(scrollPaddingBottom) || 0);
    if (top < from) scrollBy({ top: top - from, behavior: "instant" });
    else if (top + this.#height > to) scrollBy({ top: top + this.#height - to, behavior: "instant" });
    this.#draw();
    return this.element(at);
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (!this.#height) return;
    const top = -this.list.getBoundingClientRect().top;
    const from = Math.max(0, Math.floor(top / this.#height) - MARGIN);
    const to = Math.min(this.count, Math.ceil((top + innerHeight) / this.#height) + MARGIN);
    const focused = document.activeElement;
    for (const [at, element] of this.#rows) {
      if ((at >= from && at < to) || element.contains(focused)) continue;
      this.#rows.delete(at);
      this.#spare.push(element);
      element.hidden = true;
    }
    for (let at = from; at < to; at += 1) {
      if (this.#rows.has(at)) continue;
      const element = this.#spare.pop() ?? this.make();
      element.hidden = false;
      this.#place(element, at);
      this.#rows.set(at, element);
      this.fill(element, at);
      if (!element.isConnected) this.list.append(element);
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.settled(from, to), 80);
  }
}
