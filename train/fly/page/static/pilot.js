// The autopilot, as flythrough/scene/autopilot.py and known_ground.py have it. Poses are cam_from_world, 3 rows of 4; +x right, +y down.
const SMOOTHING = 0.05;
const HORIZON = 0.3; // the share of the picture that should be sky
const NEAR = 0.2; // the share that should be near ground
const LAND = 0.15; // the share of the ground that should be land
const DOWN = [0, 1, 0];
const MESH_ROWS = 64; // of the start picture's surface
const MIN_DISPARITY = 0.02; // what is farther is sky
const ABOVE = 0.2, BESIDE = 0.4, MAX_SLOPE = 1, EARLY = 3; // scene units, slope, steps: see known_ground.py

export const takeoff = () => ({ position: [0, 0, 0], look: [0, 0, 1], move: [0, 0, 1] });

// The course one step on, given the disparity that is seen on it, and the steering in hundredths; ground:
// points that the start picture shows, see knownGround.
export function fly(course, disparity, width, intrinsics, { x, y, speed }, ground) {
  const aim = balance(disparity, width, speed < 0);
  const rows = axes(course.look);
  const towards = (direction, px, py) => {
    const [fx, fy, cx, cy] = intrinsics;
    const ray = unit([(px - cx) / fx, (py - cy) / fy, 1]);
    const wanted = [0, 1, 2].map((k) => rows[0][k] * ray[0] + rows[1][k] * ray[1] + rows[2][k] * ray[2]);
    return direction.map((each, k) => (1 - SMOOTHING) * each + SMOOTHING * wanted[k]);
  };
  const aside = x / 100 || lean(disparity, width); // who steers may leave the land
  const look = towards(course.look, aim.x + aside, aim.y + y / 100);
  const steep = norm(cross(DOWN, look)) <= 1e-3 * norm(look); // never straight up or down
  const move = clear(ground, course.position, towards(course.move, 0.5, aim.height), speed / 100);
  const position = course.position.map((each, k) => each + (move[k] * speed) / 100);
  return { position, look: steep ? course.look : look, move };
}

// The surface that the start picture shows, without sky: x, y, z of each point in turn.
export function knownGround(disparity, width, height, [fx, fy, cx, cy]) {
  const every = Math.ceil(height / MESH_ROWS);
  const points = [];
  for (let row = 0; row < height; row += every) {
    for (let column = 0; column < width; column += every) {
      const seen = disparity[row * width + column];
      if (seen < MIN_DISPARITY) continue;
      points.push(((column + 0.5) / width - cx) / fx / seen, ((row + 0.5) / height - cy) / fy / seen, 1 / seen);
    }
  }
  return points;
}

// The heading, raised as far as needed to pass above the ground ahead.
function clear(ground, position, move, speed) {
  const way = speed < 0 ? -1 : 1;
  const length = Math.hypot(move[0], move[2]);
  if (length < 1e-6) return move;
  const [east, north, slope] = [(way * move[0]) / length, (way * move[2]) / length, (-way * move[1]) / length];
  let missing = 0;
  for (let k = 0; k < ground.length; k += 3) {
    const [x, up, z] = [ground[k] - position[0], position[1] - ground[k + 1], ground[k + 2] - position[2]];
    const ahead = x * east + z * north;
    if (ahead <= 0 || Math.abs(x * north - z * east) >= BESIDE) continue;
    const need = Math.min((up + ABOVE) / Math.max(ahead, 1e-6), MAX_SLOPE) - slope;
    missing = Math.max(missing, need * Math.min(1, (EARLY * Math.abs(speed)) / Math.max(ahead, 1e-6)));
  }
  if (!missing) return move;
  const climbing = [east, -(slope + missing), north];
  const scale = (way * norm(move)) / norm(climbing);
  return climbing.map((each) => each * scale);
}

export function poseOf({ position, look }) {
  return axes(look).map((row) => [...row, -dot(row, position)]);
}

// target_from_source of two poses, 12 numbers.
export function moveBetween(here, there) {
  return there.flatMap((row) => {
    const turn = here.map((other) => dot(row, other)); // row of R_there R_here^T
    return [...turn, row[3] - turn.reduce((total, each, k) => total + each * here[k][3], 0)];
  });
}

function balance(disparity, width, backwards) {
  const middle = Math.floor(width / 2);
  let left = 0, right = 0, ground = 0;
  disparity.forEach((seen, pixel) => {
    const sky = Math.min(1, Math.max(0, 20 * (0.1 - seen)));
    if (pixel % width < middle) left += sky;
    else right += sky;
    ground += Math.min(1, Math.max(0, 10 * (seen - 0.5)));
  });
  const rows = disparity.length / width;
  const sky = (left + right) / disparity.length;
  left /= rows * middle;
  right /= rows * (width - middle);
  const x = (right + 1e-4) / (left + right + 2e-4);
  const height = HORIZON + NEAR - ground / disparity.length;
  return { x: backwards ? 1 - x : x, y: 0.5 + sky - HORIZON, height: backwards ? 1 - height : height };
}

// How far to look towards land, in picture widths.
function lean(disparity, width) {
  const rows = disparity.length / width, middle = Math.floor(width / 2), first = Math.round(HORIZON * rows);
  let left = 0, right = 0;
  for (let row = first; row < rows; row++) {
    const seen = disparity.slice(row * width, (row + 1) * width);
    const water = 1.25 * quantile(seen, 0.1) + 0.01;
    seen.forEach((each, column) => {
      const rises = Math.min(1, Math.max(0, 10 * (each - water)));
      if (column < middle) left += rises;
      else right += rises;
    });
  }
  const share = (left + right) / (width * (rows - first));
  left /= middle * (rows - first);
  right /= (width - middle) * (rows - first);
  return (Math.max(0, 1 - share / LAND) * (right - left)) / (left + right + 0.02);
}

function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1), below = Math.floor(place);
  const above = sorted[Math.min(below + 1, sorted.length - 1)];
  return sorted[below] + (place - below) * (above - sorted[below]);
}

function axes(look) {
  const z = unit(look);
  const x = unit(cross(DOWN, z));
  return [x, cross(z, x), z];
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const norm = (a) => Math.sqrt(dot(a, a));
const unit = (a) => a.map((each) => each / norm(a));
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
