// The pictures, and the figures below them.

const find = (id) => document.getElementById(id);
const view = find("view");
const times = []; // of the last frames drawn, ms
const SPAN = 20;

export async function showFrame(header, pictures) {
  const bitmaps = await Promise.all(pictures.map((picture) => createImageBitmap(picture)));
  if (view.children.length !== bitmaps.length) view.replaceChildren(...header.flights.map(addCanvas));
  bitmaps.forEach((bitmap, model) => draw(view.children[model].querySelector("canvas"), bitmap));
  view.dataset.step = header.step;
  find("step").textContent = `step ${header.step}` + (header.repeating ? `, ${header.repeating} more to repeat` : "");
  find("parts").textContent = header.step ? (header.parts ?? `${header.fly_ms} ms to fly, ${header.encode_ms} ms to encode`) : "";
  if (!header.playing) times.length = 0;
  times.push(performance.now());
  if (times.length > SPAN) times.shift();
  const seconds = (times.at(-1) - times[0]) / 1000;
  find("rate").textContent = times.length > 2 ? `${((times.length - 1) / seconds).toFixed(1)} frames a second` : "";
}

function addCanvas({ model }, _, all) {
  const figure = document.createElement("figure");
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `What the camera sees, flown by ${model}`);
  figure.append(canvas);
  if (all.length > 1) {
    const caption = document.createElement("figcaption");
    caption.textContent = model;
    figure.append(caption);
  }
  return figure;
}

function draw(canvas, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.style.aspectRatio = `${bitmap.width} / ${bitmap.height}`;
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
}
