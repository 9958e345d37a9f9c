for (const table of document.querySelectorAll("table.board")) {
  table.querySelectorAll("th button").forEach(button => button.addEventListener("click", () => {
    const head = button.closest("th"), column = [...head.parentNode.children].indexOf(head);
    const down = head.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th").forEach(th => th.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = row => { const cell = row.children[column]; const raw = cell?.dataset.value ?? cell?.textContent.trim() ?? "";
      return raw === "" || raw === "–" ? null : isNaN(raw) ? raw.toLowerCase() : Number(raw); };
    const body = table.tBodies[0], rows = [...body.rows];
    rows.sort((a, b) => {
      if (a.hasAttribute("data-last") !== b.hasAttribute("data-last")) return a.hasAttribute("data-last") ? 1 : -1;
      const p = key(a), q = key(b);
      if (p === null || q === null) return (p === null) - (q === null);
      return (p < q ? -1 : p > q ? 1 : 0) * (down ? -1 : 1);
    });
    body.append(...rows);
  }));
}
const filter = document.getElementById("filter");
if (filter) {
  const tier = document.getElementById("tier"), shown = document.getElementById("shown");
  const rows = [...document.querySelectorAll("tr[data-method]")].map((row) => [row, row.dataset.method.toLowerCase(), row.dataset.tier]);
  const apply = () => {
    const wanted = filter.value.trim().toLowerCase(), among = tier?.value ?? "";
    let count = 0;
    for (const [row, name, its] of rows) {
      row.hidden = !name.includes(wanted) || (among !== "" && among !== its);
      count += !row.hidden;
    }
    shown.textContent = wanted || among ? `${count} of ${rows.length} rows` : "";
  };
  filter.addEventListener("input", apply);
  tier?.addEventListener("change", apply);
  filter.closest(".tools").hidden = false;
}
