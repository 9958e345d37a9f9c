"use strict";
const field = (id) => document.getElementById(id);
let rows = []; // [row, name, tier, year] of the tables on the page
const filtered = new WeakSet(), more = new WeakMap(); // rows that a filter hides; each long table's button

function sortBy(table, head) {
  const column = [...head.parentNode.children].indexOf(head), down = head.getAttribute("aria-sort") === "ascending";
  for (const each of table.querySelectorAll("th")) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => {
    const cell = row.children[column], raw = cell?.dataset.value ?? cell?.textContent.trim() ?? "";
    const key = raw === "" || raw === "–" ? null : isNaN(raw) ? raw.toLowerCase() : Number(raw);
    return [row.hasAttribute("data-last") ? 2 : key === null ? 1 : 0, key, row]; // the floor last, before it what has no value
  });
  keyed.sort(([p, a], [q, b]) => p - q || (p ? 0 : (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1)));
  body.append(...keyed.map(([, , row]) => row));
  shorten(table);
}

const MOST = 100; // rows shown of a table until its button is pressed; all are sorted and filtered

function shorten(table) {
  if (!table.closest("section.table")) return;
  const all = [...table.tBodies[0].rows], left = all.filter((row) => !filtered.has(row)), whole = table.hasAttribute("data-whole");
  const most = whole ? left.length : MOST, shown = new Set(left.filter((row, place) => place < most || row.hasAttribute("data-last")));
  for (const row of all) row.hidden = !shown.has(row);
  if (!more.has(table) && left.length > shown.size) {
    const button = document.createElement("button");
    button.className = "more";
    button.addEventListener("click", () => { table.setAttribute("data-whole", ""); shorten(table); });
    table.closest(".scroll").after(button);
    more.set(table, button);
  }
  const button = more.get(table);
  if (button) [button.hidden, button.textContent] = [left.length <= shown.size, `Show all ${left.length} rows`];
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
      if (heads[place].hidden !== hide) for (const row of table.rows) if (row.cells.length === off.length) row.cells[place].hidden = hide;
    });
    shorten(table);
  }
  field("shown").textContent = wanted || tier || year ? `${count} of ${rows.length} rows` : "";
}

function prepare() {
  for (const table of document.querySelectorAll("table.board")) {
    if (!table.dataset.ready) {
      table.dataset.ready = "yes";
      for (const button of table.querySelectorAll("th button")) button.addEventListener("click", () => sortBy(table, button.closest("th")));
    }
  }
  if (!field("tools")) return;
  rows = [...document.querySelectorAll("tr[data-method]")].map((row) => [row, row.dataset.method.toLowerCase(), row.dataset.tier, row.dataset.year]);
  showLinked();
  applyFilter();
}

function showLinked() { // a link to a row far down shows all of its table
  const row = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const table = row && row.closest("section.table table.board");
  if (!table) return;
  table.setAttribute("data-whole", "");
  shorten(table);
}

prepare();
addEventListener("hashchange", showLinked);
if (field("tools")) {
  field("tools").hidden = false;
  for (const [id, event] of [["filter", "input"], ["tier", "change"], ["year", "change"], ["metric", "change"]]) field(id)?.addEventListener(event, applyFilter);
}
