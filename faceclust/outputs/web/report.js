"use strict";
// A jump lands at a guessed position while sections above the target have no layout yet. Correct it
// once they have one.
(() => {
  const settle = () => {
    let turns = 0;
    const step = () => {
      const mark = decodeURIComponent(location.hash.slice(1));
      const target = mark && document.getElementById(mark);
      if (!target || turns > 3) return;
      turns += 1;
      target.scrollIntoView();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  };
  addEventListener("hashchange", settle);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link && link.hash && link.hash === location.hash && link.pathname === location.pathname) settle();
  });
  if (location.hash) settle();
})();
// Filter and sort the overview. Without scripts the page is complete, and the controls stay hidden.
(() => {
  const list = document.getElementById("everyone-list");
  const form = document.getElementById("controls");
  if (!list || !form) return;
  const [find, show, sort] = ["find", "show", "sort"].map((name) => form.elements.namedItem(name));
  const status = document.getElementById("found");
  const cards = [...list.children];
  const compare = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const names = new Map(cards.map((card) => [card, plain(`${card.dataset.name} ${card.dataset.also}`)]));
  const number = (card, key, none) => (card.dataset[key] === "" ? none : Number(card.dataset[key]));
  const orders = {
    faces: (a, b) => b.dataset.favourite - a.dataset.favourite || number(b, "faces", 0) - number(a, "faces", 0),
    name: (a, b) => b.dataset.named - a.dataset.named || compare(a.dataset.name, b.dataset.name),
    first: (a, b) => number(a, "first", Infinity) - number(b, "first", Infinity) || 0,
    last: (a, b) => number(b, "last", -Infinity) - number(a, "last", -Infinity) || 0,
  };
  const filter = () => {
    const words = plain(find.value).split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const card of cards) {
      const kind = show.value === "all" || (show.value === "named") === (card.dataset.named === "1");
      card.hidden = !(kind && words.every((word) => names.get(card).includes(word)));
      shown += !card.hidden;
    }
    status.value = shown === cards.length ? `${cards.length} shown` : `${shown} of ${cards.length} shown`;
  };
  const order = () => {
    const by = orders[sort.value];
    // Infinity - Infinity is NaN if neither has a year: the next order decides.
    cards.sort((a, b) => by(a, b) || orders.faces(a, b) || a.dataset.at - b.dataset.at);
    list.append(...cards);
  };
  cards.forEach((card, at) => { card.dataset.at = at; });
  find.addEventListener("input", filter);
  find.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && find.value) { find.value = ""; filter(); event.preventDefault(); }
  });
  show.addEventListener("change", filter);
  sort.addEventListener("change", order);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = cards.find((card) => !card.hidden);
    if (first) first.querySelector("a").focus();
  });
  form.hidden = false;
  // A browser may restore what was typed before a reload.
  if (sort.value !== "faces") order();
  filter();
})();
