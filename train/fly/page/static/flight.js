// A flight that is steered, as train/fly/page/flight.py has it: step, back, restart, overlays, the log that repeats it.
import { clipMatrix, render } from "./mesh.js";
import { fly, knownGround, moveBetween, poseOf, takeoff } from "./pilot.js";
import { keepSky } from "./sky.js";

const BACK = 120; // steps that can be taken back
const TINT = [255, 60, 200]; // of what was out of view before
const RAMP = [[40, 30, 120], [40, 130, 230], [60, 210, 150], [240, 220, 70], [220, 40, 30]]; // far to near

export class Flight {
  // networks: encode and refine; start: rgbd and intrinsics; seed 0 is the start's mean style
  constructor(networks, { width, height, maxSobel, sky, keyframeEvery, mirror }, start, style) {
    Object.assign(this, { networks, width, height, maxSobel, sky, keyframeEvery, mirror, style });
    this.intrinsics = start.intrinsics;
    this.ground = knownGround(start.rgbd.subarray(3 * width * height), width, height, start.intrinsics);
    const seen = new Float32Array(width * height).fill(1);
    const keyframe = { rgbd: start.rgbd, course: takeoff() }; // what the next picture is rendered from
    this.first = this.now = { ...keyframe, rendered: start.rgbd, mask: seen, keyframe };
    this.past = [];
    this.log = [];
  }

  async step(command) {
    const { rgbd, course, keyframe } = this.now;
    const { width, height, intrinsics, keyframeEvery } = this;
    const next = fly(course, rgbd.subarray(3 * width * height), width, intrinsics, command, this.ground);
    const matrix = clipMatrix(moveBetween(poseOf(keyframe.course), poseOf(next)), intrinsics);
    const began = performance.now();
    const { rendered, mask } = render(keyframe.rgbd, width, height, intrinsics, matrix, this.maxSobel);
    const shown = performance.now();
    const turn = this.mirror && Math.floor(this.log.length / keyframeEvery) % 2 ? mirrored : (planes) => planes;
    const painted = await this.networks.refine(turn(rendered, width), turn(mask, width), this.style);
    const refined = turn(Float32Array.from(painted), width);
    this.times = { render: shown - began, network: performance.now() - shown }; // ms
    if (this.sky) keepSky(refined, this.first.rgbd, moveBetween(poseOf(takeoff()), poseOf(next)), width, height, intrinsics);
    this.past.push(this.now);
    if (this.past.length > BACK) this.past.shift();
    this.log.push(command);
    const flown = { rgbd: refined.map((each) => Math.min(1, Math.max(0, each))), course: next };
    this.now = { ...flown, rendered, mask, keyframe: this.log.length % keyframeEvery ? keyframe : flown };
  }

  back() {
    if (!this.past.length) return;
    this.now = this.past.pop();
    this.log.pop();
  }

  restart() {
    this.now = this.first;
    this.past = [];
    this.log = [];
  }

  // RGBA bytes
  picture(overlay) {
    const { rgbd, rendered, mask } = this.now;
    const size = this.width * this.height;
    const image = new Uint8ClampedArray(4 * size).fill(255);
    const from = overlay === "holes" ? rendered : rgbd;
    const share = { holes: 1, painted: 0.6 }[overlay] ?? 0;
    for (let pixel = 0; pixel < size; pixel++) {
      const hole = share * (1 - mask[pixel]);
      const color = overlay === "disparity" ? ramp(rgbd[3 * size + pixel]) : null;
      for (let k = 0; k < 3; k++) {
        image[4 * pixel + k] = color ? color[k] : (1 - hole) * 255 * from[k * size + pixel] + hole * TINT[k];
      }
    }
    return image;
  }
}

// Planes of a picture with left and right exchanged.
function mirrored(planes, width) {
  const turned = Float32Array.from(planes);
  for (let row = 0; row < planes.length; row += width) turned.subarray(row, row + width).reverse();
  return turned;
}

// Style from the encoder's figures; above 0, a seed draws about the mean.
export function drawStyle(mean, logVariance, seed) {
  if (!seed) return mean;
  const random = numbers(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return mean.map((each, k) => each + Math.exp(0.5 * logVariance[k]) * normal());
}

// Mulberry32: [0, 1), the same on every machine.
function numbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function ramp(disparity) {
  const place = Math.min(0.9999, Math.sqrt(disparity)) * (RAMP.length - 1);
  const first = Math.floor(place);
  return RAMP[first].map((each, k) => each + (place - first) * (RAMP[first + 1][k] - each));
}
