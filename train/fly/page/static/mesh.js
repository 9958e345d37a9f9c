// The renderer, as flythrough/rendering/kernels.py has it: same order and rounding of operations (Math.fround), because
// the depth buffer resolves so little that rounding decides which of two surfaces is seen. Pictures are planar.
const f = Math.fround;
const NEAR = 1e-5;
const FAR = 1e4;
const EPSILON = 2 ** -23; // of float32
const low = f(0.01);

// move: target_from_source, 12 numbers row by row. Returns 4 x 4: from source-camera points to the target's clip space.
export function clipMatrix(move, [fx, fy, cx, cy]) {
  const pose = Float32Array.from([...move, 0, 0, 0, 1]);
  const projection = Float32Array.from([
    2 * f(fx), 0, f(f(2 * f(cx)) - 1), 0,
    0, 2 * f(fy), f(f(2 * f(cy)) - 1), 0,
    0, 0, (FAR + NEAR) / (FAR - NEAR), (-2 * FAR * NEAR) / (FAR - NEAR),
    0, 0, 1, 0,
  ]);
  const product = new Float32Array(16);
  for (let row = 0; row < 4; row++) {
    for (let column = 0; column < 4; column++) {
      let total = f(projection[4 * row] * pose[column]);
      for (let k = 1; k < 4; k++) total = f(projection[4 * row + k] * pose[4 * k + column] + total);
      product[4 * row + column] = total;
    }
  }
  return product;
}

// rgbd: Float32Array, 4 planes in [0, 1]. Returns what is seen of it, times the coverage, and the squared coverage.
export function render(rgbd, width, height, intrinsics, matrix, maxSobel) {
  const disparity = rgbd.subarray(3 * width * height);
  const { clip, reliable } = project(disparity, width, height, intrinsics.map(f), matrix, f(maxSobel));
  const centers = (size) => Float32Array.from({ length: size }, (_, k) => (k + 0.5) / (0.5 * size) - 1);
  const columns = centers(width);
  const rows = centers(height);
  const winner = rasterise(clip, columns, rows);
  return shade(rgbd, clip, reliable, columns, rows, winner);
}

function project(disparity, width, height, [fx, fy, cx, cy], matrix, flat) {
  const clip = new Float32Array(4 * width * height);
  const reliable = new Float32Array(width * height);
  for (let row = 0, vertex = 0; row < height; row++) {
    const y = f(f((row + 0.5) / height) - cy);
    for (let column = 0; column < width; column++, vertex++) {
      const x = f(f((column + 0.5) / width) - cx);
      const depth = f(1 / Math.min(Math.max(disparity[vertex], low), 1));
      const px = f(x * f(depth / fx));
      const py = f(y * f(depth / fy));
      for (let k = 0; k < 4; k++) {
        let total = f(matrix[4 * k] * px);
        total = f(matrix[4 * k + 1] * py + total);
        total = f(matrix[4 * k + 2] * depth + total);
        clip[4 * vertex + k] = total + matrix[4 * k + 3];
      }
      reliable[vertex] = sobel(disparity, row, column, width, height) < flat ? 1 : 0;
    }
  }
  return { clip, reliable };
}

function sobel(disparity, row, column, width, height) {
  const above = Math.abs(row - 1) * width;
  const below = (height - 1 - Math.abs(height - 2 - row)) * width;
  const left = Math.abs(column - 1);
  const right = width - 1 - Math.abs(width - 2 - column);
  const at = (start, x) => Math.min(Math.max(disparity[start + x], f(1e-6)), 1e5);
  const tl = at(above, left), tc = at(above, column), tr = at(above, right);
  const cl = at(row * width, left), cr = at(row * width, right);
  const bl = at(below, left), bc = at(below, column), br = at(below, right);
  const gx = f(f(f(tr - tl) + f(2 * f(cr - cl))) + f(br - bl));
  const gy = f(f(f(bl - tl) + f(2 * f(bc - tc))) + f(br - tr));
  return f(Math.sqrt(f(f(f(gx * gx) + f(gy * gy)) + f(1e-6))));
}

// Triangle numbers by pixel, -1 where there is none. Two triangles a quad of pixels; of equal depths the later wins.
function rasterise(clip, columns, rows) {
  const width = columns.length, height = rows.length;
  const nearest = new Float32Array(width * height).fill(1);
  const winner = new Int32Array(width * height).fill(-1);
  const count = 2 * (width - 1) * (height - 1);
  for (let triangle = 0; triangle < count; triangle++) {
    const v0 = 4 * corner(triangle, 0, width), v1 = 4 * corner(triangle, 1, width), v2 = 4 * corner(triangle, 2, width);
    const x0 = clip[v0], y0 = clip[v0 + 1], z0 = clip[v0 + 2], w0 = clip[v0 + 3];
    const x1 = clip[v1], y1 = clip[v1 + 1], z1 = clip[v1 + 2], w1 = clip[v1 + 3];
    const x2 = clip[v2], y2 = clip[v2 + 1], z2 = clip[v2 + 2], w2 = clip[v2 + 3];
    if (w0 <= 0 && w1 <= 0 && w2 <= 0) continue;
    if (beyond(x0, x1, x2, w0, w1, w2) || beyond(y0, y1, y2, w0, w1, w2)) continue;
    let left = 0, right = width, top = 0, bottom = height;
    if (w0 > 0 && w1 > 0 && w2 > 0) {
      const halfX = 0.5 * width, halfY = 0.5 * height;
      const p0 = f(f(f(x0 / w0) + 1) * halfX), p1 = f(f(f(x1 / w1) + 1) * halfX), p2 = f(f(f(x2 / w2) + 1) * halfX);
      const q0 = f(f(f(y0 / w0) + 1) * halfY), q1 = f(f(f(y1 / w1) + 1) * halfY), q2 = f(f(f(y2 / w2) + 1) * halfY);
      left = Math.max(0, Math.floor(Math.min(p0, p1, p2)));
      right = Math.min(width, Math.ceil(Math.max(p0, p1, p2)));
      top = Math.max(0, Math.floor(Math.min(q0, q1, q2)));
      bottom = Math.min(height, Math.ceil(Math.max(q0, q1, q2)));
      if (!(left < right && top < bottom)) continue;
    }
    let a0 = f(f(y1 * w2) - f(w1 * y2)), b0 = f(f(x2 * w1) - f(w2 * x1)), c0 = f(f(x1 * y2) - f(y1 * x2));
    let a1 = f(f(y2 * w0) - f(w2 * y0)), b1 = f(f(x0 * w2) - f(w0 * x2)), c1 = f(f(x2 * y0) - f(y2 * x0));
    let a2 = f(f(y0 * w1) - f(w0 * y1)), b2 = f(f(x1 * w0) - f(w1 * x0)), c2 = f(f(x0 * y1) - f(y0 * x1));
    if (f(f(f(x0 * a0) + f(x1 * a1)) + f(x2 * a2)) < 0) {
      a0 = -a0, b0 = -b0, c0 = -c0, a1 = -a1, b1 = -b1, c1 = -c1, a2 = -a2, b2 = -b2, c2 = -c2;
    }
    for (let row = top; row < bottom; row++) {
      const py = rows[row];
      for (let column = left; column < right; column++) {
        const px = columns[column];
        const u0 = f(f(f(a0 * px) + f(b0 * py)) + c0);
        const u1 = f(f(f(a1 * px) + f(b1 * py)) + c1);
        const u2 = f(f(f(a2 * px) + f(b2 * py)) + c2);
        if (!(u0 >= 0 && u1 >= 0 && u2 >= 0 && (u0 > 0 || u1 > 0 || u2 > 0))) continue;
        const total = f(f(u0 + u1) + u2);
        const t0 = f(u0 / total), t1 = f(u1 / total), t2 = f(u2 / total);
        const above = f(f(f(t0 * z0) + f(t1 * z1)) + f(t2 * z2));
        const depth = f(above / f(f(f(t0 * w0) + f(t1 * w1)) + f(t2 * w2)));
        const pixel = row * width + column;
        if (!(depth >= -1 && depth <= nearest[pixel])) continue;
        if (depth === nearest[pixel] && hidden(clip, triangle, winner[pixel], px, py, width)) continue;
        nearest[pixel] = depth;
        winner[pixel] = triangle;
      }
    }
  }
  return winner;
}

function corner(triangle, k, width) {
  const quad = triangle >> 1;
  const first = Math.floor(quad / (width - 1)) * width + (quad % (width - 1));
  if (triangle & 1) return k === 0 ? first + width + 1 : k === 1 ? first + 1 : first + width;
  return k === 0 ? first : k === 1 ? first + width : first + 1;
}

function beyond(a0, a1, a2, w0, w1, w2) {
  return (a0 > w0 && a1 > w1 && a2 > w2) || (a0 < -w0 && a1 < -w1 && a2 < -w2);
}

// Whether the later of two triangles of equal rounded depth is really the farther one: in double precision.
function hidden(clip, later, earlier, px, py, width) {
  return earlier >= 0 && depthOf(clip, later, px, py, width) - depthOf(clip, earlier, px, py, width) > EPSILON;
}

function depthOf(clip, triangle, px, py, width) {
  const v = [0, 1, 2].map((k) => 4 * corner(triangle, k, width));
  const [[x0, y0, z0, w0], [x1, y1, z1, w1], [x2, y2, z2, w2]] = v.map((each) => clip.subarray(each, each + 4));
  const u0 = (y1 * w2 - w1 * y2) * px + (x2 * w1 - w2 * x1) * py + (x1 * y2 - y1 * x2);
  const u1 = (y2 * w0 - w2 * y0) * px + (x0 * w2 - w0 * x2) * py + (x2 * y0 - y2 * x0);
  const u2 = (y0 * w1 - w0 * y1) * px + (x1 * w0 - w1 * x0) * py + (x0 * y1 - y0 * x1);
  return (u0 * z0 + u1 * z1 + u2 * z2) / (u0 * w0 + u1 * w1 + u2 * w2);
}

function shade(rgbd, clip, reliable, columns, rows, winner) {
  const width = columns.length, size = width * rows.length;
  const rendered = new Float32Array(4 * size);
  const mask = new Float32Array(size);
  for (let pixel = 0; pixel < size; pixel++) {
    if (winner[pixel] < 0) continue;
    const px = columns[pixel % width], py = rows[Math.floor(pixel / width)];
    const i0 = corner(winner[pixel], 0, width), i1 = corner(winner[pixel], 1, width), i2 = corner(winner[pixel], 2, width);
    const x0 = clip[4 * i0], y0 = clip[4 * i0 + 1], w0 = clip[4 * i0 + 3];
    const x1 = clip[4 * i1], y1 = clip[4 * i1 + 1], w1 = clip[4 * i1 + 3];
    const x2 = clip[4 * i2], y2 = clip[4 * i2 + 1], w2 = clip[4 * i2 + 3];
    const u0 = f(f(f(f(f(y1 * w2) - f(w1 * y2)) * px) + f(f(f(x2 * w1) - f(w2 * x1)) * py)) + f(f(x1 * y2) - f(y1 * x2)));
    const u1 = f(f(f(f(f(y2 * w0) - f(w2 * y0)) * px) + f(f(f(x0 * w2) - f(w0 * x2)) * py)) + f(f(x2 * y0) - f(y2 * x0)));
    const u2 = f(f(f(f(f(y0 * w1) - f(w0 * y1)) * px) + f(f(f(x1 * w0) - f(w1 * x0)) * py)) + f(f(x0 * y1) - f(y0 * x1)));
    const total = f(f(u0 + u1) + u2);
    const t0 = f(u0 / total), t1 = f(u1 / total), t2 = f(u2 / total);
    const mix = (a, b, c) => f(f(f(a * t0) + f(b * t1)) + f(c * t2));
    const coverage = mix(reliable[i0], reliable[i1], reliable[i2]);
    for (let k = 0; k < 3 * size; k += size) rendered[k + pixel] = mix(rgbd[k + i0], rgbd[k + i1], rgbd[k + i2]) * coverage;
    const depth = mix(w0, w1, w2);
    rendered[3 * size + pixel] = f(1 / Math.min(Math.max(depth, low), 100)) * coverage;
    mask[pixel] = coverage * coverage;
  }
  return { rendered, mask };
}
