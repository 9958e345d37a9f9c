// The start picture's sky, turned with the camera, over what the model painted; as train/model/sky.py has it.
const SKY = 0.05; // disparity; farther than this is sky
const ALIKE = 0.06, UNLIKE = 0.14; // mean differences in RGB: certainly the sky's colour, and from where not

const within = (value) => Math.min(1, Math.max(0, value));
const skyness = (disparity) => within((SKY - disparity) / (0.5 * SKY));

// Changes rgbd, four planes; pose: cam_from_start, 12 numbers, of which only the turn counts.
export function keepSky(rgbd, start, pose, width, height, [fx, fy, cx, cy]) {
  const size = width * height;
  const unfold = unfolder(fx, fy, cx, cy);
  const column = new Float32Array(width); // each column's most certain sky so far: all above sky is sky
  for (let pixel = size - 1; pixel >= 0; pixel--) { // from the lowest row up
    const [across, down] = [pixel % width, Math.floor(pixel / width)];
    column[across] = Math.max(column[across], skyness(rgbd[3 * size + pixel]));
    const [x, y] = [((across + 0.5) / width - cx) / fx, ((down + 0.5) / height - cy) / fy];
    const [a, b, c] = [0, 1, 2].map((k) => pose[k] * x + pose[4 + k] * y + pose[8 + k]);
    const [u, v] = unfold(a, b, c);
    if (v >= 1) continue;
    const plane = (k) => sample(start, k * size, u * width - 0.5, v * height - 0.5, width, height);
    const was = skyness(plane(3));
    if (!was) continue;
    const then = [0, 1, 2, 3].map(plane);
    const off = [0, 1, 2].reduce((sum, k) => sum + Math.abs(rgbd[k * size + pixel] - then[k]) / 3, 0);
    column[across] = Math.max(column[across], was * within((UNLIKE - off) / (UNLIKE - ALIKE)));
    const weight = was * column[across];
    for (let k = 0; k < 4; k++) rgbd[k * size + pixel] += weight * (then[k] - rgbd[k * size + pixel]);
  }
}

// Where in the start picture a ray looks: mirrored at its left and right edges all round the horizon, and at its top.
function unfolder(fx, fy, cx, cy) {
  const [left, right] = [Math.atan(-cx / fx), Math.atan((1 - cx) / fx)];
  const span = right - left;
  return (x, y, z) => {
    const turn = (Math.atan2(x, z) - left) % (2 * span);
    const across = Math.tan(right - Math.abs(span - (turn < 0 ? turn + 2 * span : turn)));
    const down = (y / Math.max(Math.hypot(x, z), 1e-6)) * Math.hypot(1, across);
    return [across * fx + cx, Math.abs(down * fy + cy)];
  };
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
