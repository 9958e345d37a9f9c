// A rough disparity for a photo, as train/fly/depth_guess.py and flythrough/media/sky.py have it: the sky is far,
// the ground comes nearer towards the lower edge, and depth jumps where colours do.

const SKY = 0.005, SKYLINE = 0.1, NEAR = 0.6; // disparity of the sky, of what stands on the horizon, of the lower edge
const RADIUS = 6, SMOOTHNESS = 2e-3; // of the guided filter
const THRESHOLDS = Array.from({ length: 40 }, (_, k) => 1.5 * (200 / 1.5) ** (k / 39));

// rgb: bytes, 3 a pixel. Returns { disparity, horizon } with the horizon in heights from the top, 0 if there is no sky.
export function guessDisparity(rgb, width, height) {
  const border = skyline(rgb, width, height);
  const horizon = border.some((row) => row > 0) ? percentile(border, 85) : 0;
  const disparity = new Float64Array(width * height);
  const isSky = (pixel) => Math.floor(pixel / width) < border[pixel % width];
  for (let pixel = 0; pixel < disparity.length; pixel++) {
    const below = (Math.floor(pixel / width) + 0.5 - horizon) / Math.max(height - horizon, 1);
    disparity[pixel] = isSky(pixel) ? SKY : Math.max(SKYLINE, clip(below, 0, 1) * NEAR);
  }
  const refined = guidedFilter(lightness(rgb), disparity, width, height);
  return { disparity: refined.map((each, pixel) => (isSky(pixel) ? SKY : clip(each, SKY, 1))), horizon: horizon / height };
}

// First row below the sky, for each column; all 0 if there is no sky.
export function skyline(rgb, width, height) {
  const grey = greyOf(rgb);
  const smooth = gauss(grey, width, height, 2);
  const gradient = slopes(smooth, width, height), texture = grey.map((each, pixel) => Math.abs(each - smooth[pixel]));
  let best = 0, border = new Float64Array(width);
  for (const threshold of THRESHOLDS) {
    const rows = reachedFromTheTop(gradient, threshold, width, height);
    const score = looksLikeSky(rgb, grey, texture, width, height, rows) ? separation(rgb, width, height, rows) : 0;
    if (score > best) [best, border] = [score, rows];
  }
  return border.map((row, x) => { // no narrow spikes downwards
    const around = Array.from({ length: 41 }, (_, k) => border[clip(x + k - 20, 0, width - 1)]).sort((a, b) => a - b);
    return Math.min(row, around[20] + 0.01 * height);
  });
}

// First row below what the top edge reaches without a gradient above the threshold, for each column.
function reachedFromTheTop(gradient, threshold, width, height) {
  const rows = new Float64Array(width), seen = new Uint8Array(gradient.length);
  const open = Array.from({ length: width }, (_, x) => x);
  while (open.length > 0) {
    const pixel = open.pop();
    if (seen[pixel] || gradient[pixel] > threshold) continue;
    seen[pixel] = 1;
    const x = pixel % width, y = Math.floor(pixel / width);
    rows[x] = Math.max(rows[x], y + 1);
    if (x > 0) open.push(pixel - 1);
    if (x < width - 1) open.push(pixel + 1);
    if (y > 0) open.push(pixel - width);
    if (y < height - 1) open.push(pixel + width);
  }
  return rows;
}

// How uniform the colours above and below a border are.
function separation(rgb, width, height, border) {
  const sums = [new Float64Array(10), new Float64Array(10)]; // count, 3 means, 6 products
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const side = sums[y < border[x] ? 0 : 1];
      const r = rgb[at], g = rgb[at + 1], b = rgb[at + 2];
      side[0] += 1, side[1] += r, side[2] += g, side[3] += b;
      side[4] += r * r, side[5] += r * g, side[6] += r * b, side[7] += g * g, side[8] += g * b, side[9] += b * b;
    }
  }
  return 1 / (2 * spread(sums[0]) + spread(sums[1]) + 1e-6);
}

function spread([n, r, g, b, rr, rg, rb, gg, gb, bb]) {
  const of = (product, one, other) => (product - (one * other) / n) / (n - 1);
  const a = of(rr, r, r), d = of(gg, g, g), f = of(bb, b, b), x = of(rg, r, g), y = of(rb, r, b), z = of(gb, g, b);
  const determinant = a * (d * f - z * z) - x * (x * f - z * y) + y * (x * z - d * y);
  return Math.abs(determinant) + largestEigenvalue(a, d, f, x, y, z);
}

// Of the symmetric matrix with diagonal a d f and x y z above it (trigonometric solution, Smith 1961).
function largestEigenvalue(a, d, f, x, y, z) {
  const mean = (a + d + f) / 3;
  const p = Math.sqrt(((a - mean) ** 2 + (d - mean) ** 2 + (f - mean) ** 2 + 2 * (x * x + y * y + z * z)) / 6);
  if (p === 0) return mean;
  const [i, j, k] = [a, d, f].map((each) => (each - mean) / p);
  const [u, v, w] = [x, y, z].map((each) => each / p);
  const half = (i * (j * k - w * w) - u * (u * k - w * v) + v * (u * w - j * v)) / 2;
  return mean + 2 * p * Math.cos(Math.acos(clip(half, -1, 1)) / 3);
}

// Whether it can be a skyline: not jagged, and above it not green, smoother and not much darker than below.
function looksLikeSky(rgb, grey, texture, width, height, border) {
  const share = border.reduce((total, row) => total + row, 0) / (width * height);
  let steps = 0;
  for (let x = 1; x < width; x++) steps += Math.abs(border[x] - border[x - 1]);
  if (!(share > 0.04 && share < 0.75) || steps / (width - 1) > 0.05 * height) return false;
  const rough = [0, 0], light = [0, 0], count = [0, 0], colour = [0, 0, 0];
  for (let pixel = 0; pixel < grey.length; pixel++) {
    const side = Math.floor(pixel / width) < border[pixel % width] ? 0 : 1;
    rough[side] += texture[pixel];
    light[side] += grey[pixel];
    count[side] += 1;
    if (side === 0) for (let k = 0; k < 3; k++) colour[k] += rgb[3 * pixel + k];
  }
  const over = (sums) => sums[0] / count[0] / (sums[1] / count[1]);
  return colour[1] <= Math.max(colour[0], colour[2]) && over(rough) < 0.7 && over(light) > 0.8;
}

function greyOf(rgb) {
  return Float64Array.from({ length: rgb.length / 3 }, (_, k) =>
    Math.round(0.299 * rgb[3 * k] + 0.587 * rgb[3 * k + 1] + 0.114 * rgb[3 * k + 2]));
}

// L of CIE Lab in [0, 1], of sRGB.
function lightness(rgb) {
  const linear = Float64Array.from({ length: 256 }, (_, k) =>
    k / 255 > 0.04045 ? ((k / 255 + 0.055) / 1.055) ** 2.4 : k / 255 / 12.92);
  return Float64Array.from({ length: rgb.length / 3 }, (_, k) => {
    const y = 0.212671 * linear[rgb[3 * k]] + 0.71516 * linear[rgb[3 * k + 1]] + 0.072169 * linear[rgb[3 * k + 2]];
    return (y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y) / 100;
  });
}

// Length of the Sobel gradient.
function slopes(values, width, height) {
  const columns = mirrored(width, 1), rows = mirrored(height, 1).map((row) => row * width);
  return values.map((_, pixel) => {
    const x = pixel % width, y = Math.floor(pixel / width);
    const left = columns[x], middle = columns[x + 1], right = columns[x + 2];
    const top = rows[y], here = rows[y + 1], bottom = rows[y + 2];
    const tl = values[top + left], tr = values[top + right], bl = values[bottom + left], br = values[bottom + right];
    const across = tr + 2 * values[here + right] + br - tl - 2 * values[here + left] - bl;
    const down = bl + 2 * values[bottom + middle] + br - tl - 2 * values[top + middle] - tr;
    return Math.sqrt(across * across + down * down);
  });
}

function gauss(values, width, height, sigma) {
  const radius = 4 * sigma; // as OpenCV takes it for floats
  const weights = Array.from({ length: 2 * radius + 1 }, (_, k) => Math.exp(-((k - radius) ** 2) / (2 * sigma * sigma)));
  const total = weights.reduce((sum, each) => sum + each);
  return bothWays(values, width, height, weights.map((each) => each / total));
}

// Smooth except where the guide has edges (He, Sun and Tang 2010).
export function guidedFilter(guide, values, width, height) {
  const box = Array(2 * RADIUS + 1).fill(1 / (2 * RADIUS + 1));
  const mean = (of) => bothWays(guide.map((_, k) => of(k)), width, height, box);
  const meanGuide = mean((k) => guide[k]), meanValues = mean((k) => values[k]);
  const product = mean((k) => guide[k] * values[k]), square = mean((k) => guide[k] ** 2);
  const slope = guide.map((_, k) =>
    (product[k] - meanGuide[k] * meanValues[k]) / (square[k] - meanGuide[k] ** 2 + SMOOTHNESS));
  const meanSlope = mean((k) => slope[k]), offset = mean((k) => meanValues[k] - slope[k] * meanGuide[k]);
  return guide.map((each, k) => meanSlope[k] * each + offset[k]);
}

function bothWays(values, width, height, weights) {
  const radius = (weights.length - 1) / 2;
  const columns = mirrored(width, radius), rows = mirrored(height, radius).map((row) => row * width);
  const across = new Float64Array(values.length), out = new Float64Array(values.length);
  for (let y = 0, pixel = 0; y < height; y++) {
    for (let x = 0; x < width; x++, pixel++) {
      let total = 0;
      for (let k = 0; k < weights.length; k++) total += weights[k] * values[y * width + columns[x + k]];
      across[pixel] = total;
    }
  }
  for (let y = 0, pixel = 0; y < height; y++) {
    for (let x = 0; x < width; x++, pixel++) {
      let total = 0;
      for (let k = 0; k < weights.length; k++) total += weights[k] * across[rows[y + k] + x];
      out[pixel] = total;
    }
  }
  return out;
}

// Places -radius to size + radius; of one beyond the edge, the one as far inside: -1 is 1.
function mirrored(size, radius) {
  const period = Math.max(1, 2 * (size - 1));
  return Int32Array.from({ length: size + 2 * radius }, (_, k) => {
    const place = (((k - radius) % period) + period) % period;
    return Math.min(place, period - place);
  });
}

function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (share / 100) * (sorted.length - 1);
  const low = Math.floor(place), high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}

const clip = (value, low, high) => Math.min(high, Math.max(low, value));
