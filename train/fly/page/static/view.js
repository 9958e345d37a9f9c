// The picture, and the figures below it.

const find = (id) => document.getElementById(id);
const canvas = find("view");
const times = []; // of the last frames drawn, ms
const SPAN = 20;

export async function showFrame(header, picture) {
  const bitmap = await createImageBitmap(picture);
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.style.aspectRatio = `${bitmap.width} / ${bitmap.height}`;
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  canvas.dataset.step = header.step;
  find("step").textContent = `step ${header.step}`;
  find("parts").textContent = header.step ? `${header.fly_ms} ms a step, ${header.encode_ms} ms to encode` : "";
  if (!header.playing) times.length = 0;
  times.push(performance.now());
  if (times.length > SPAN) times.shift();
  const seconds = (times.at(-1) - times[0]) / 1000;
  find("rate").textContent = times.length > 2 ? `${((times.length - 1) / seconds).toFixed(1)} frames a second` : "";
}
