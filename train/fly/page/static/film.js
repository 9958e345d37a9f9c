// A recording as an animated WebP, which browsers play; its pictures are the browser's own WebP, put one behind another.

const FRAME_MS = 50; // 20 frames a second
export const MAX_FRAMES = 6000;

export class Film {
  #pictures = []; // bytes of the picture's chunks
  #size = null;

  get frames() {
    return this.#pictures.length;
  }

  // rgba: bytes
  async add(rgba, width, height) {
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
    const blob = await canvas.convertToBlob({ type: "image/webp", quality: 0.9 });
    if (blob.type !== "image/webp") throw new Error("This browser writes no WebP. Save single pictures instead");
    this.#pictures.push(pictureChunks(new Uint8Array(await blob.arrayBuffer())));
    this.#size = [width, height];
  }

  finish() {
    const [width, height] = this.#size;
    const about = [0x02, 0, 0, 0, ...bytes(width - 1, 3), ...bytes(height - 1, 3)]; // animated
    const place = [...bytes(0, 6), ...bytes(width - 1, 3), ...bytes(height - 1, 3), ...bytes(FRAME_MS, 3), 0x02];
    const chunks = [chunk("VP8X", about), chunk("ANIM", bytes(0, 6))]; // loops forever
    for (const picture of this.#pictures) chunks.push(chunk("ANMF", place, picture));
    const length = chunks.flat().reduce((total, part) => total + part.length, 0);
    return new Blob([text("RIFF"), Uint8Array.from(bytes(length + 4, 4)), text("WEBP"), ...chunks.flat()], { type: "image/webp" });
  }
}

// Of a still WebP, the chunks of its picture and transparency; what else there is does not belong into an animation.
export function pictureChunks(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const parts = [];
  for (let at = 12; at + 8 <= file.length; ) {
    const kind = String.fromCharCode(...file.subarray(at, at + 4));
    const end = at + 8 + view.getUint32(at + 4, true);
    const padded = end + (end & 1);
    if (["VP8 ", "VP8L", "ALPH"].includes(kind)) parts.push(file.subarray(at, padded));
    at = padded;
  }
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let filled = 0;
  for (const part of parts) {
    all.set(part, filled);
    filled += part.length;
  }
  return all;
}

function chunk(kind, head, body = new Uint8Array(0)) {
  const length = head.length + body.length;
  return [text(kind), Uint8Array.from(bytes(length, 4)), Uint8Array.from(head), body, new Uint8Array(length & 1)];
}

const text = (word) => Uint8Array.from(word, (letter) => letter.charCodeAt(0));
const bytes = (value, count) => Array.from({ length: count }, (_, k) => Math.floor(value / 256 ** k) % 256);
