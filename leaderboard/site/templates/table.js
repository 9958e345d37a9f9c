"use strict";
const field = (id) => document.getElementById(id);
const MOST = 50; // rows of a table in the document until its button is pressed; all are sorted and filtered
const tables = new Map(); // each table on the page: all its rows in order, its columns' keys, its button
const filtered = new WeakSet(); // rows that a filter leaves out
let rows = []; // [row, name, tier, year] of the tables on the page

function keyOf(row, column) { // the floor last, before it what has no value
  const cell = row.children[column], raw = cell?.dataset.value ?? cell?.textContent.trim() ?? "";
  const key = raw === "" || raw === "–" ? null : isNaN(raw) ? raw.toLowerCase() : Number(raw);
  return [row.hasAttribute("data-last") ? 2 : key === null ? 1 : 0, key];
}

function sortBy(table, head) {
  const column = [...head.parentNode.children].indexOf(head), down = head.getAttribute("aria-sort") === "ascending";
  for (const each of table.querySelectorAll("th")) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const { all, keys } = tables.get(table);
  keys[column] ??= new Map(all.map((row) => [row, keyOf(row, column)]));
  const key = (row) => keys[column].get(row);
  const compare = ([p, a], [q, b]) => p - q || (p ? 0 : (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1));
  all.sort((one, other) => compare(key(one), key(other)));
  shorten(table);
}

function shorten(table) { // only the rows that are shown are in the document: it is laid out in a fraction of the time
  const known = tables.get(table), left = known.all.filter((row) => !filtered.has(row));
  const whole = table.hasAttribute("data-whole") || !table.closest("section.table");
  const shown = whole ? left : left.filter((row, place) => place < MOST || row.hasAttribute("data-last"));
  const body = table.tBodies[0], kept = new Set(shown);
  for (const row of [...body.rows]) if (!kept.has(row)) row.remove();
  let next = body.firstElementChild;
  for (const row of shown) {
    if (row === next) next = next.nextElementSibling;
    else body.insertBefore(row, next);
  }
  if (!known.button && left.length > shown.length) {
    known.button = Object.assign(document.createElement("button"), { className: "more" });
    known.button.addEventListener("click", () => { table.setAttribute("data-whole", ""); shorten(table); });
    table.closest(".scroll").after(known.button);
  }
  if (known.button) [known.button.hidden, known.button.textContent] = [left.length <= shown.length, `Show all ${left.length} rows`];
}

function applyFilter() {
  const [wanted, tier, year, metric] = ["filter", "tier", "year", "metric"].map((id) => field(id)?.value.trim() ?? "");
  let count = 0;
  for (const [row, name, its, from] of rows) {
    const off = !name.includes(wanted.toLowerCase()) || (tier !== "" && tier !== its) || (year !== "" && year !== from);
    if (off) filtered.add(row);
    else filtered.delete(row);
    count += !off;
  }
  for (const table of document.querySelectorAll("section.table table.board")) {
    const heads = [...table.tHead.rows[0].cells], section = table.closest("section.table");
    const off = heads.map((head) => metric !== "" && head.dataset.metric !== undefined && head.dataset.metric !== metric);
    const none = metric !== "" && !heads.some((head) => head.dataset.metric === metric);
    if (section.hidden !== none) section.hidden = none;
    off.forEach((hide, place) => {
      if (heads[place].hidden === hide) return;
      for (const row of [table.tHead.rows[0], ...tables.get(table).all]) if (row.cells.length === off.length) row.cells[place].hidden = hide;
    });
    shorten(table);
  }
  field("shown").textContent = wanted || tier || year ? `${count} of ${rows.length} rows` : "";
}

function prepare() {
  for (const table of document.querySelectorAll("table.board")) {
    if (tables.has(table)) continue;
    tables.set(table, { all: [...table.tBodies[0].rows], keys: [], button: null });
    for (const button of table.querySelectorAll("th button")) button.addEventListener("click", () => sortBy(table, button.closest("th")));
  }
  if (!field("tools")) return;
  const here = [...tables].filter(([table]) => table.isConnected).flatMap(([, { all }]) => all);
  rows = here.filter((row) => row.dataset.method).map((row) => [row, row.dataset.method.toLowerCase(), row.dataset.tier, row.dataset.year]);
  showLinked();
  applyFilter();
}

function showLinked() { // a link to a row far down shows all of its table
  const id = decodeURIComponent(location.hash.slice(1));
  for (const [table, { all }] of tables) {
    if (!id || !table.closest("section.table") || !table.isConnected || !all.some((row) => row.id === id)) continue;
    table.setAttribute("data-whole", "");
    shorten(table);
  }
}

prepare();
addEventListener("hashchange", showLinked);
if (field("tools")) {
  field("tools").hidden = false;
  for (const [id, event] of [["filter", "input"], ["tier", "change"], ["year", "change"], ["metric", "change"]]) field(id)?.addEventListener(event, applyFilter);
}
