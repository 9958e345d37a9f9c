// The start picture's sky, turned with the camera, over what the model painted; as train/model/sky.py has it.
const SKY = 0.05; // disparity; farther than this is sky

const skyness = (disparity) => Math.min(1, Math.max(0, (SKY - disparity) / (0.5 * SKY)));

// Changes rgbd, four planes; pose: cam_from_start, 12 numbers, of which only the turn counts.
export function keepSky(rgbd, start, pose, width, height, [fx, fy, cx, cy]) {
  const size = width * height;
  for (let pixel = 0; pixel < size; pixel++) {
    const here = skyness(rgbd[3 * size + pixel]);
    if (!here) continue;
    const ray = [((pixel % width) + 0.5) / width, (Math.floor(pixel / width) + 0.5) / height];
    const [x, y] = [(ray[0] - cx) / fx, (ray[1] - cy) / fy];
    const [a, b, c] = [0, 1, 2].map((k) => pose[k] * x + pose[4 + k] * y + pose[8 + k]);
    const [u, v] = [(a / c) * fx + cx, (b / c) * fy + cy];
    if (c <= 0.05 || u <= 0 || u >= 1 || v <= 0 || v >= 1) continue;
    const then = (plane) => sample(start, plane * size, u * width - 0.5, v * height - 0.5, width, height);
    const weight = here * skyness(then(3));
    if (weight) for (let k = 0; k < 4; k++) rgbd[k * size + pixel] += weight * (then(k) - rgbd[k * size + pixel]);
  }
}

// Bilinear, the border carried on.
function sample(planes, from, x, y, width, height) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const at = (column, row) =>
    planes[from + Math.min(height - 1, Math.max(0, row)) * width + Math.min(width - 1, Math.max(0, column))];
  const mix = (a, b, share) => a + (b - a) * share;
  const upper = mix(at(left, top), at(left + 1, top), x - left);
  return mix(upper, mix(at(left, top + 1), at(left + 1, top + 1), x - left), y - top);
}
