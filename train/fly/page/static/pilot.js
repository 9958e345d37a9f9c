// The autopilot, as flythrough/scene/autopilot.py has it. Poses are cam_from_world, 3 rows of 4; +x right, +y down.
const SMOOTHING = 0.05;
const HORIZON = 0.3; // the share of the picture that should be sky
const NEAR = 0.2; // the share that should be near ground
const DOWN = [0, 1, 0];

export const takeoff = () => ({ position: [0, 0, 0], look: [0, 0, 1], move: [0, 0, 1] });

// The course one step on, given the disparity that is seen on it, and the steering in hundredths.
export function fly(course, disparity, width, intrinsics, { x, y, speed }) {
  const aim = balance(disparity, width, speed < 0);
  const rows = axes(course.look);
  const towards = (direction, px, py) => {
    const [fx, fy, cx, cy] = intrinsics;
    const ray = unit([(px - cx) / fx, (py - cy) / fy, 1]);
    const wanted = [0, 1, 2].map((k) => rows[0][k] * ray[0] + rows[1][k] * ray[1] + rows[2][k] * ray[2]);
    return direction.map((each, k) => (1 - SMOOTHING) * each + SMOOTHING * wanted[k]);
  };
  const look = towards(course.look, aim.x + x / 100, aim.y + y / 100);
  const steep = norm(cross(DOWN, look)) <= 1e-3 * norm(look); // never straight up or down
  const move = towards(course.move, 0.5, aim.height);
  const position = course.position.map((each, k) => each + (move[k] * speed) / 100);
  return { position, look: steep ? course.look : look, move };
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

function axes(look) {
  const z = unit(look);
  const x = unit(cross(DOWN, z));
  return [x, cross(z, x), z];
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const norm = (a) => Math.sqrt(dot(a, a));
const unit = (a) => a.map((each) => each / norm(a));
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
