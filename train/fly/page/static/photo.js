// A photo as a start, as train/fly/from_photo.py makes one: upright, cropped about its middle to the model's shape.
import { guessDisparity } from "./depth_guess.js";

const MAX_BYTES = 32 * 2 ** 20;
const MAX_PIXELS = 80e6;
const MIN_SIDE = 16;
const WORK_WIDTH = 256; // pixels at which disparity is guessed
const FOCAL = 0.8; // of a 64-degree lens, in widths

// file: a Blob. Returns { rgbd, intrinsics, note }: planes of floats in [0, 1].
export async function readPhoto(file, width, height) {
  if (file.size > MAX_BYTES) throw new Error("The photo is over 32 MiB. Shrink it.");
  let photo;
  try {
    photo = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error("The file is not a picture that this browser can read. Give a JPEG, PNG or WebP.");
  }
  if (photo.width * photo.height > MAX_PIXELS) throw new Error("The photo has over 80 million pixels. Shrink it.");
  if (Math.min(photo.width, photo.height) < MIN_SIDE) throw new Error("The photo has under 16 pixels on a side.");
  const boxWidth = Math.min(photo.width, (photo.height * width) / height);
  const boxHeight = Math.min(photo.height, (photo.width * height) / width);
  const box = [(photo.width - boxWidth) / 2, (photo.height - boxHeight) / 2, boxWidth, boxHeight];
  const workHeight = Math.max(16, Math.round((WORK_WIDTH * height) / width));
  const work = shrink(photo, box, WORK_WIDTH, workHeight);
  const { disparity } = guessDisparity(work, WORK_WIDTH, workHeight);
  const color = shrink(photo, box, width, height);
  const rgbd = new Float32Array(4 * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let k = 0; k < 3; k++) rgbd[k * width * height + pixel] = color[3 * pixel + k] / 255;
  }
  rgbd.set(resample(disparity, WORK_WIDTH, workHeight, width, height), 3 * width * height);
  const focal = FOCAL * (photo.width / boxWidth);
  const cropped = Math.abs(boxWidth / photo.width - 1) + Math.abs(boxHeight / photo.height - 1) > 0.01;
  photo.close();
  return {
    rgbd,
    intrinsics: [focal, (focal * width) / height, 0.5, 0.5],
    note: `${cropped ? "cropped about its middle; " : ""}disparity: rough guess; a 64-degree lens assumed`,
  };
}

// A name that the same picture has again, so that a link knows it.
export function nameOf(rgbd) {
  let hash = 0x811c9dc5; // FNV-1a
  for (const each of rgbd) hash = Math.imul(hash ^ Math.round(255 * each), 0x01000193);
  return `photo-${(hash >>> 0).toString(16).padStart(8, "0")}`;
}

// The box of a picture over white, 3 bytes a pixel; halved step by step, which a single drawing does not antialias.
function shrink(photo, [left, top, boxWidth, boxHeight], width, height) {
  const steps = Math.max(0, Math.floor(Math.log2(Math.min(boxWidth / width, boxHeight / height))));
  let from = photo;
  let box = [left, top, boxWidth, boxHeight];
  for (let step = steps; step >= 0; step--) {
    const canvas = new OffscreenCanvas(width * 2 ** step, height * 2 ** step);
    const pen = canvas.getContext("2d", { willReadFrequently: step === 0 });
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(from, ...box, 0, 0, canvas.width, canvas.height);
    from = canvas;
    box = [0, 0, canvas.width, canvas.height];
  }
  const rgba = from.getContext("2d").getImageData(0, 0, width, height).data;
  return Uint8Array.from({ length: 3 * width * height }, (_, k) => rgba[4 * Math.floor(k / 3) + (k % 3)]);
}

// Each new pixel is the mean of what it covers; where it covers less than a pixel, it is interpolated.
export function resample(values, width, height, newWidth, newHeight) {
  const across = weights(width, newWidth), down = weights(height, newHeight);
  const out = new Float32Array(newWidth * newHeight);
  down.forEach((rows, y) => across.forEach((columns, x) => {
    let total = 0;
    for (const [row, share] of rows) for (const [column, part] of columns) total += share * part * values[row * width + column];
    out[y * newWidth + x] = total;
  }));
  return out;
}

// For each new place, [old place, weight] pairs.
function weights(size, newSize) {
  const scale = size / newSize;
  return Array.from({ length: newSize }, (_, k) => {
    if (scale >= 1) {
      const [begin, end] = [k * scale, Math.min(size, (k + 1) * scale)];
      const covered = (at) => Math.min(at + 1, end) - Math.max(at, begin);
      const places = Array.from({ length: Math.ceil(end) - Math.floor(begin) }, (_, n) => Math.floor(begin) + n);
      return places.map((at) => [at, covered(at) / (end - begin)]);
    }
    const place = Math.min(size - 1, Math.max(0, (k + 0.5) * scale - 0.5));
    const low = Math.floor(place);
    return [[low, 1 - (place - low)], [Math.min(size - 1, low + 1), place - low]];
  });
}
