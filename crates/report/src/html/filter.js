// Narrows the tables to what is typed and ticked. The page is whole without it.
(() => {
  "use strict";
  const form = document.querySelector("[data-filter]");
  const shown = form.querySelector("output");
  const bodies = [...document.querySelectorAll("tbody[data-rows]")].map((body) => ({
    byVerdict: body.hasAttribute("data-verdicts"),
    rows: [...body.rows].filter((row) => !row.classList.contains("nothing")),
  }));
  const texts = new Map();
  const textOf = (row) => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };
  const apply = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const boxes = [...form.querySelectorAll("input[type=checkbox]")];
    const ticked = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let visible = 0;
    let listed = 0;
    for (const { byVerdict, rows } of bodies) {
      for (const row of rows) {
        const fits = words.every((word) => textOf(row).includes(word));
        row.hidden = !(fits && (!byVerdict || ticked.has(row.dataset.verdict)));
        if (byVerdict) {
          listed += 1;
          visible += row.hidden ? 0 : 1;
        }
      }
    }
    const narrowed = words.length > 0 || ticked.size < boxes.length;
    const count = (n) => n.toLocaleString("en-US");
    shown.textContent = narrowed ? `${count(visible)} of ${count(listed)} buckets listed as not sealed` : "";
  };
  let waiting = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 80);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  // On paper everything is open.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
  form.hidden = false;
})();
