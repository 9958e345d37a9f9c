const site = JSON.parse(document.getElementById("site").textContent);
const at = (id) => document.getElementById(id);
const loaded = new Map(); // by name: a promise of what data/NAME.js says
const told = new Map();
globalThis.flythroughMethod = (name, rows) => {
  for (const row of Object.values(rows)) {
    row.boards.forEach((board, place) => { board.draws = row.draws[place]; });
    const [metrics, starts] = row.starts; // names, then each start's values in their order
    const named = (values) => Object.fromEntries(metrics.map((metric, place) => [metric, values[place]]).filter(([, value]) => value !== null));
    row.starts = Object.fromEntries(Object.entries(starts).map(([start, values]) => [start, named(values)]));
  }
  told.get(name)?.(rows);
};
const figures = (value, digits = 4) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(digits))));
const signed = (value, digits = 4) => (value > 0 ? "+" : "") + figures(value, digits);

function load(place) {
  const [name, file] = site.methods[place];
  if (!loaded.has(name)) {
    loaded.set(name, new Promise((resolve, reject) => {
      told.set(name, resolve);
      const script = document.createElement("script");
      script.src = file;
      script.onerror = () => { loaded.delete(name); reject(new Error(`${file} is not beside this page`)); };
      document.head.append(script);
    }));
  }
  return loaded.get(name);
}

function element(kind, text = "", known = {}) {
  const made = Object.assign(document.createElement(kind), known);
  made.textContent = text;
  return made;
}

function table(label, head, rows) {
  const box = element("div", "", { className: "scroll", tabIndex: 0 }), made = element("table", "", { className: "board" });
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", label);
  const line = made.createTHead().insertRow();
  head.forEach((text, place) => line.append(element("th", text, { scope: "col", className: place && place < 4 ? "metric" : "" })));
  const body = made.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    cells.forEach((text, place) => row.append(element("td", text, { className: place && place < 4 ? "number" : "" })));
  }
  box.append(made);
  return box;
}

function fill(select, pairs, wanted) {
  select.replaceChildren(...pairs.map(([value, text]) => element("option", text, { value })));
  if (pairs.some(([value]) => String(value) === String(wanted))) select.value = wanted;
}

const names = () => [site.methods[at("a").value][0], site.methods[at("b").value][0]];
let shown = null; // { a, b } on the chosen protocol
let wish = {}; // what the address or the last choice asks for

function chooseProtocol() {
  const protocol = site.protocols.find((each) => each.key === at("protocol").value);
  const pairs = protocol.methods.map((place) => [place, site.methods[place][0]]);
  const find = (name) => protocol.methods.find((place) => site.methods[place][0] === name);
  const a = find(wish.a) ?? protocol.methods[0];
  fill(at("a"), pairs, a);
  fill(at("b"), pairs, find(wish.b) ?? protocol.methods.find((place) => place !== a) ?? a);
  return chooseMethods();
}

async function chooseMethods() {
  stop();
  const key = at("protocol").value, places = [at("a").value, at("b").value];
  at("message").textContent = "";
  try {
    const [a, b] = await Promise.all(places.map(load));
    if (places[0] !== at("a").value || places[1] !== at("b").value || key !== at("protocol").value) return;
    shown = { a: a[key], b: b[key] };
  } catch (error) {
    at("message").textContent = error.message;
    return;
  }
  showBoards();
  showCurves();
  const metrics = common(Object.values(shown.a.starts), Object.values(shown.b.starts));
  at("starts").hidden = !metrics.length;
  fill(at("metric"), metrics.map((name) => [name, name]), wish.metric);
  showStarts();
  const starts = Object.keys(shown.a.sheets).filter((start) => start in shown.b.sheets);
  at("player").hidden = !starts.length;
  fill(at("start"), starts.map((start) => [start, start]), wish.start);
  await chooseStart();
  remember();
}

const keys = (rows) => [...new Set(rows.flatMap((row) => Object.keys(row)))];
const order = Object.keys(site.metrics).reverse(); // view synthesis, which has a value a start, first
const rank = (name) => order.indexOf(name.split("@")[0]);
const common = (a, b) => { const there = new Set(keys(b)); return keys(a).filter((name) => there.has(name)).sort((p, q) => (p.startsWith("psnr@") ? -1 : rank(p)) - (q.startsWith("psnr@") ? -1 : rank(q))); };

function showBoards() {
  const [nameA, nameB] = names(), parts = [];
  for (const board of shown.a.boards) {
    const other = shown.b.boards.find((each) => each.title === board.title);
    if (!other) continue;
    parts.push(element("h3", board.title));
    parts.push(element("p", verdict(board, other, nameA, nameB)));
    const rows = Object.keys(board.values).filter((metric) => metric in other.values).map((metric) => {
      const [a, b] = [board.values[metric], other.values[metric]];
      return [metric, spread(a), spread(b), signed(a[0] - b[0]), site.metrics[metric]?.[1] ?? ""];
    });
    parts.push(table(board.title, ["Metric", nameA, nameB, "Difference", "Better"], rows));
  }
  if (!parts.length) parts.push(element("p", "No table has both."));
  at("boards").replaceChildren(...parts);
}

const spread = ([value, low, high]) => figures(value) + (low === null || high === null ? "" : ` [${figures(low, 3)}, ${figures(high, 3)}]`);

function halfOf(a, b) { // half the 95 % interval of the paired difference: both drew the same starts, replicate by replicate
  if (!a || !b || a.drawn !== b.drawn || a.values.length !== b.values.length) return undefined;
  const apart = a.values.map((value, place) => value - b.values[place]), mean = apart.reduce((p, q) => p + q, 0) / apart.length;
  return a.factor * Math.sqrt(apart.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (apart.length - 1));
}

function verdict(board, other, nameA, nameB) {
  const unranked = [[nameA, board], [nameB, other]].filter(([, each]) => !each.rank);
  if (unranked.length) return unranked.map(([name, each]) => `${name} is not ranked: ${each.reason || "it is the floor"}.`).join(" ");
  const half = halfOf(board.draws, other.draws), difference = board.values[board.primary][0] - other.values[board.primary][0];
  if (nameA === nameB) return "Both are the same method.";
  if (half === undefined) return `Ranks ${board.rank} and ${other.rank} by ${board.primary}; the two share no draws, so there is no paired difference.`;
  const range = `${signed(difference)}, 95 % interval ${signed(difference - half, 3)} to ${signed(difference + half, 3)}`;
  const better = (difference > 0) === board.higher ? nameA : nameB;
  return `By ${board.primary}: ${Math.abs(difference) > half ? `${better} is better` : "not distinguishable"}. Paired difference ${range}.`;
}

function showStarts() {
  const metric = at("metric").value, [nameA, nameB] = names();
  const rows = Object.keys(shown.a.starts).filter((start) => start in shown.b.starts)
    .map((start) => [start, shown.a.starts[start][metric], shown.b.starts[start][metric]])
    .filter(([, a, b]) => typeof a === "number" && typeof b === "number");
  const higher = rows.filter(([, a, b]) => a > b).length, arrow = site.metrics[metric?.split("@")[0]]?.[1];
  at("count").textContent = metric ? `${nameA} is higher on ${higher} of ${rows.length} starts${arrow ? `; ${arrow}` : ""}.` : "";
  rows.sort((p, q) => p[1] - p[2] - (q[1] - q[2]));
  const lines = rows.map(([start, a, b]) => [start, figures(a), figures(b), signed(a - b)]);
  at("values").replaceChildren(table(`${metric} of each start`, ["Start", nameA, nameB, "Difference"], lines));
}

function showCurves() {
  const metrics = common([shown.a.curves], [shown.b.curves]);
  at("curves").hidden = !metrics.length;
  at("plots").replaceChildren(...metrics.map(plot));
}

function plot(metric) {
  const [nameA, nameB] = names(), lines = [shown.a.curves[metric], shown.b.curves[metric]], all = lines.flat();
  const steps = all.map((point) => point[0]), most = Math.max(...all.map((point) => point[1])) * 1.05 || 1;
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  const x = (step) => 70 + ((step - first) / (last - first || 1)) * 700, y = (value) => 250 - (value / most) * 230;
  const draw = (kind, known, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
    Object.entries(known).forEach(([name, value]) => made.setAttribute(name, value));
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const svg = draw("svg", { viewBox: "0 0 800 310", width: 800, "font-family": "sans-serif", "font-size": 12, fill: "#1c2733", role: "img", "aria-label": `${metric} over steps` });
  svg.append(draw("path", { d: "M70 20V250H770", fill: "none", stroke: "#555" }));
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(draw("text", { x: 62, y: y(most * part) + 4, "text-anchor": "end" }, figures(most * part, 3)));
    const step = Math.round(first + part * (last - first));
    svg.append(draw("text", { x: x(step), y: 268, "text-anchor": "middle" }, step));
  }
  lines.forEach((points, place) => {
    const color = ["#1f77b4", "#b3470c"][place], path = points.map(([step, value]) => `${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
    svg.append(draw("path", { d: `M${path}`, fill: "none", stroke: color, "stroke-width": 2 }));
    svg.append(draw("text", { x: 80 + 350 * place, y: 298, fill: color }, [nameA, nameB][place]));
  });
  const mark = draw("path", { d: "", stroke: "#555", "stroke-dasharray": "3 3", class: "mark" }), said = element("figcaption", metric);
  const point = (step) => {
    const near = lines.map((points) => points.reduce((p, q) => (Math.abs(q[0] - step) < Math.abs(p[0] - step) ? q : p)));
    mark.setAttribute("d", `M${x(near[0][0])} 20V250`);
    said.textContent = `${metric} up to step ${near[0][0]}: ${nameA} ${figures(near[0][1])}, ${nameB} ${figures(near[1][1])}`;
  };
  svg.append(mark);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    point(first + (((event.clientX - box.left) / box.width) * 800 - 70) / 700 * (last - first));
  });
  const figure = element("figure", "", { className: "plot" });
  figure.append(svg);
  const whole = element("div");
  whole.append(figure, said);
  whole.point = point;
  return whole;
}

function remember() {
  const [a, b] = names(), known = { protocol: at("protocol").value, a, b };
  if (!at("player").hidden) Object.assign(known, { start: at("start").value, step: stepAt(Number(at("step").value)) ?? "" });
  if (!at("starts").hidden) known.metric = at("metric").value;
  wish = known;
  const hash = `#${new URLSearchParams(known)}`;
  at("permanent").href = hash;
  history.replaceState(null, "", hash);
}

function open() {
  wish = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  fill(at("protocol"), site.protocols.map((each) => [each.key, each.name]), wish.protocol);
  return chooseProtocol();
}

at("protocol").addEventListener("change", chooseProtocol);
for (const side of ["a", "b"]) at(side).addEventListener("change", chooseMethods);
at("swap").addEventListener("click", () => {
  [at("a").value, at("b").value] = [at("b").value, at("a").value];
  chooseMethods();
});
at("start").addEventListener("change", () => chooseStart().then(remember));
at("metric").addEventListener("change", () => { showStarts(); remember(); });
at("step").addEventListener("input", () => { stop(); showStep(); });
at("step").addEventListener("change", remember);
at("play").addEventListener("click", () => { play(); if (!playing()) remember(); });
addEventListener("hashchange", open);
if (site.protocols.some((each) => each.methods.length)) open();
else at("message").textContent = "There is nothing to compare yet.";
