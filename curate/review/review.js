"use strict";
// One shot at a time. Keys: a accept, 1-9 reject with a reason, r reject with a typed reason, u undo, arrows move.
const $ = (id) => document.getElementById(id);
const token = document.querySelector("meta[name=token]").content;
const EXTRA = ["not aerial", "people or vehicles", "overlay"];
const FRAMES = 12;
let items = [], total = 0, at = 0, done = [], reasons = [], busy = false, tick = 0;

async function call(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "x-token": token, ...(options.headers || {}) } });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

function query(offset) {
  const fields = ["status", "reason", "measure", "low", "high", "order"];
  const pairs = fields.map((f) => [f, $(f).value]).filter(([, value]) => value !== "");
  return "/shots?" + new URLSearchParams([...pairs, ["offset", offset]]);
}

async function load() {
  try {
    const answer = await call(query(0));
    ({ items, total } = answer);
    at = 0;
    summarise(answer.summary);
    show();
  } catch (error) { fail(error, "Not loaded"); }
}

async function more() {  // verdicts leave a filtered list, so count what is still in it
  if (items.length >= total) return;
  const gone = $("status").value === "unreviewed" ? items.filter((item) => item.verdict).length : 0;
  const answer = await call(query(items.length - gone));
  const known = new Set(items.map((item) => item.id));
  items.push(...answer.items.filter((item) => !known.has(item.id)));
}

function summarise(summary) {
  $("fill").style.width = (100 * summary.reviewed) / Math.max(1, summary.shots) + "%";
  $("count").textContent = `${summary.reviewed} of ${summary.shots} reviewed`;
  $("agreement").textContent = summary.reviewed
    ? `rules and reviewer agree on ${summary.agreed} of ${summary.reviewed}` : "";
  options($("reason"), "anything", summary.reasons);
  options($("measure"), "any measure", summary.measures);
  reasons = [...new Set([...EXTRA, ...summary.reasons])].slice(0, 9);
  $("reasons").replaceChildren(...reasons.map((reason, i) =>
    button(`${i + 1}`, reason, () => decide("reject", reason))), button("R", "other ...", typed));
  const rows = summary.agreement.map((row) => line([row.rules, row.accept, row.reject]));
  const table = document.createElement("table");
  table.append(line(["rules say", "accepted", "rejected"], "th"), ...rows);
  $("table").replaceChildren(...(rows.length ? [table] : []));
}

function options(select, any, values) {
  if (select.options.length === values.length + 1) return;
  const chosen = select.value;
  select.replaceChildren(new Option(any, ""), ...values.map((v) => new Option(v, v)));
  select.value = values.includes(chosen) ? chosen : "";
}

function button(key, text, act) {
  const made = document.createElement("button");
  const mark = document.createElement("kbd");
  mark.textContent = key;
  made.className = "reject";
  made.append(mark, " " + text);
  made.onclick = act;
  return made;
}

function line(cells, kind = "td") {
  const row = document.createElement("tr");
  row.append(...cells.map((value) => {
    const cell = document.createElement(kind);
    cell.textContent = typeof value === "number" && !Number.isInteger(value) ? value.toPrecision(4) : value;
    if (typeof value === "number") cell.className = "number";
    return cell;
  }));
  return row;
}

function show() {
  const item = items[at];
  $("shot").hidden = !item;
  $("empty").hidden = Boolean(item);
  $("total").textContent = item ? `${at + 1} of ${total}` : "";
  if (!item) return;
  const picture = (name) => `/picture/${encodeURIComponent(item.id)}/${name}.jpg?token=${token}`;
  $("first").src = picture(0);
  $("middle").src = picture(1);
  $("last").src = picture(2);
  $("preview").style.backgroundImage = `url("${picture("strip")}")`;
  $("shot").dataset.id = item.id;
  $("name").textContent = item.id;
  const rules = item.rule ? `Rules drop it: ${item.rule}` : "Rules keep it";
  const said = item.verdict ? ` · you said ${item.verdict}${item.reason ? ": " + item.reason : ""}` : "";
  $("decision").textContent = `${rules} (margin ${item.margin})${said}`;
  $("decision").className = item.verdict ? (item.verdict === "accept" ? "yes" : "no") : "";
  const numbers = Object.entries(item.measures).filter(([, value]) => typeof value === "number");
  $("measures").replaceChildren(...numbers.map(([name, value]) => line([name, value])));
}

async function decide(verdict, reason = "") {
  const item = items[at];
  if (!item || busy) return;
  busy = true;
  try {
    const answer = await send(item.id, verdict, reason);
    items[at] = answer.item;
    done.push(item.id);
    await step(1);
  } catch (error) { fail(error); } finally { busy = false; }
}

async function send(id, verdict, reason = "") {
  const body = JSON.stringify({ id, verdict, reason });
  const answer = await call("/verdict", { method: "POST", body, headers: { "content-type": "application/json" } });
  $("message").textContent = "";
  summarise(answer.summary);
  return answer;
}

async function undo() {
  if (busy || !done.length) return;
  busy = true;
  try {
    const id = done.at(-1);
    const answer = await send(id, "undo");
    done.pop();
    let place = items.findIndex((item) => item.id === id);
    if (place < 0) { items.unshift(answer.item); place = 0; }
    items[place] = answer.item;
    at = place;
    show();
  } catch (error) { fail(error); } finally { busy = false; }
}

function typed() {
  const reason = window.prompt("Reason to reject");
  if (reason) decide("reject", reason);
}

async function step(by) {
  try {
    if (at + by >= items.length) await more();
    at = Math.max(0, Math.min(items.length, at + by));
    show();
  } catch (error) { fail(error, "Not loaded"); }
}

function fail(error, what = "Not saved") { $("message").textContent = `${what}: ${error.message}`; }

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "a") decide("accept");
  else if (key === "r") typed();
  else if (key === "u") undo();
  else if (key === "arrowright" || key === "j") step(1);
  else if (key === "arrowleft" || key === "k") step(-1);
  else if (/^[1-9]$/.test(key) && reasons[key - 1]) decide("reject", reasons[key - 1]);
  else return;
  event.preventDefault();
});
$("accept").onclick = () => decide("accept");
$("undo").onclick = undo;
$("skip").onclick = () => step(1);
$("back").onclick = () => step(-1);
$("filters").onsubmit = (event) => event.preventDefault();
for (const field of ["status", "reason", "measure", "low", "high", "order"]) $(field).onchange = load;
$("import").onchange = async (event) => {
  try {
    const text = await event.target.files[0].text();
    const answer = await call("/import", { method: "POST", body: text });
    summarise(answer.summary);
    await load();
    $("message").textContent = `${answer.taken} verdicts taken from the file`;
  } catch (error) { fail(error); }
  event.target.value = "";
};
$("first").onload = () => {
  $("preview").style.aspectRatio = `${$("first").naturalWidth} / ${$("first").naturalHeight}`;
};
setInterval(() => {
  tick = (tick + 1) % FRAMES;
  $("preview").style.backgroundPositionX = (100 * tick) / (FRAMES - 1) + "%";
}, 160);
load();
