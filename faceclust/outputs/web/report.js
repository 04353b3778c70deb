"use strict";
// A jump lands by guess where parts on the way have not been laid out: once they are, it is put right.
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
// Filters and sorts the overview. The page is whole without it: the controls are shown by it.
(() => {
  const list = document.getElementById("everyone-list");
  const form = document.getElementById("controls");
  if (!list || !form) return;
  const [find, show, sort] = ["find", "show", "sort"].map((name) => form.elements.namedItem(name));
  const said = document.getElementById("found");
  const cards = [...list.children];
  const compare = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const names = new Map(cards.map((card) => [card, plain(card.dataset.name)]));
  const number = (card, key, none) => (card.dataset[key] === "" ? none : Number(card.dataset[key]));
  const orders = {
    faces: (a, b) => number(b, "faces", 0) - number(a, "faces", 0),
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
    said.value = shown === cards.length ? `${cards.length} shown` : `${shown} of ${cards.length} shown`;
  };
  const order = () => {
    const by = orders[sort.value];
    // A difference of two infinities is no number: both have no year.
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
  // A browser may have kept what was typed before the page was loaded anew.
  if (sort.value !== "faces") order();
  filter();
})();
