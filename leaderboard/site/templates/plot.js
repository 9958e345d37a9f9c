// Plots of scores over steps: a slider, or the pointer, reads the values of one step; a method's button hides its line.
function readPlots() {
  for (const figure of document.querySelectorAll("figure.plot")) {
    if (figure.querySelector("g[data-line]") && !figure.querySelector("figcaption")) readPlot(figure);
  }
}

function readPlot(figure) {
  const svg = figure.querySelector("svg"), frame = svg.querySelector("path").getBBox();
  const lines = [...svg.querySelectorAll("g[data-line]")].map(lineOf);
  const steps = [...new Set(lines.flatMap(({ values }) => [...values.keys()]))].sort((one, other) => one - other);
  const xOf = (step) => lines[0].origin + lines[0].scale * step;
  const rule = svg.appendChild(document.createElementNS(svg.namespaceURI, "path"));
  rule.setAttribute("stroke", "#555");
  const slider = Object.assign(document.createElement("input"), { type: "range", max: steps.length - 1, value: steps.length - 1 });
  slider.setAttribute("aria-label", "Step");
  const reader = document.createElement("div"), at = document.createElement("output");
  reader.append(at, slider);

  function show() {
    const step = steps[slider.value];
    at.textContent = `Step ${step}`;
    rule.setAttribute("d", `M${xOf(step)} ${frame.y}v${frame.height}`);
    for (const { values, name, button } of lines) {
      button.textContent = `${name} ${values.has(step) ? Number(values.get(step).toPrecision(4)) : "–"}`;
    }
  }
  slider.addEventListener("input", show);
  svg.addEventListener("pointermove", (event) => {
    const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
    const away = steps.map((step) => Math.abs(xOf(step) - x));
    slider.value = away.indexOf(Math.min(...away));
    show();
  });
  const caption = document.createElement("figcaption");
  caption.append(reader, ...lines.map(({ button }) => button));
  figure.append(caption);
  show();
}

function lineOf(group) { // its points are in the path's own units, which its transform maps to the picture's
  const path = group.querySelector("path"), { a: scale, e: origin } = path.transform.baseVal.getItem(0).matrix;
  const values = new Map(path.getAttribute("d").slice(1).split("L").map((pair) => pair.split(" ").map(Number)));
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.style.borderColor = path.getAttribute("stroke");
  button.setAttribute("aria-pressed", "true");
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(!group.toggleAttribute("hidden")));
  });
  return { values, name: group.dataset.line, button, scale, origin };
}

readPlots();
