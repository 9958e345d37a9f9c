// Flies in a worker, so that the page never waits: onnxruntime-web's WASM, and the renderer in plain JavaScript.
import * as ort from "./ort/ort.wasm.min.mjs";
import { drawStyle, Flight } from "./flight.js";

const AHEAD = 2; // frames sent beyond what the page has drawn
ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency || 1) : 1;

let flight = null;
let begun = { start: "", seed: 0 };
let command = { x: 0, y: 0, speed: 20 };
let overlay = "picture";
let playing = false;
let replay = [];
let jobs = [];
let sent = 0;
let drawn = 0;
let busy = false;
const loaded = load();
loaded.catch(() => {}); // said when a flight begins

async function load() {
  const about = await (await fetch("gallery.json")).json();
  const open = (file) => ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
  const encoder = await open("encoder.onnx");
  const generator = await open("generator.onnx");
  const { width, height } = about;
  const tensor = (values, ...shape) => new ort.Tensor("float32", values, [1, ...shape]);
  return {
    about,
    encode: async (rgbd) => {
      const { mean, log_variance } = await encoder.run({ rgbd: tensor(rgbd, 4, height, width) });
      return [mean.data, log_variance.data];
    },
    refine: async (rendered, mask, style) => {
      const picture = tensor(rendered, 4, height, width);
      const seen = tensor(mask, 1, height, width);
      return (await generator.run({ rendered: picture, mask: seen, style: tensor(style, style.length) })).rgbd.data;
    },
  };
}

async function begin({ start, seed, log }) {
  const networks = await loaded;
  const { about } = networks;
  const picture = about.pictures.find((each) => each.start === start);
  if (!picture) throw new Error(`There is no start picture ${start} here`);
  const answer = await fetch(`start/${start}.bin`);
  if (!answer.ok) throw new Error(`start/${start}.bin is missing`);
  const steps = new DataView(await answer.arrayBuffer());
  const rgbd = Float32Array.from({ length: steps.byteLength / 2 }, (_, k) => steps.getUint16(2 * k, true) / 65535);
  const style = drawStyle(...(await networks.encode(rgbd)), seed);
  flight = new Flight(networks, about, { rgbd, intrinsics: picture.intrinsics }, style);
  begun = { start, seed };
  replay = (log ?? []).flatMap(([count, x, y, speed]) => Array(count).fill({ x, y, speed }));
}

async function step() {
  const repeats = replay.length > 0;
  await flight.step(repeats ? replay.shift() : command);
  if (repeats && !replay.length) playing = false; // the repeated flight ends where it was shared
}

function obey({ type, ...said }) {
  if (type === "ack") drawn = Math.max(drawn, said.frame);
  else if (type === "play" || type === "pause") playing = type === "play";
  else if (type === "steer") [command, replay] = [said, []];
  else if (type === "view") [overlay, jobs] = [said.overlay, [...jobs, () => {}]];
  else if (type === "log") postMessage({ type, ...begun, log: packed(flight?.log ?? []) });
  else {
    playing = false;
    if (type === "start") jobs = [() => begin(said)];
    if (type === "step") jobs.push(() => flight && step());
    if (type === "back" || type === "restart") {
      jobs.push(() => {
        replay = [];
        flight?.[type]();
      });
    }
  }
}

function packed(log) {
  const runs = [];
  for (const { x, y, speed } of log) {
    const last = runs.at(-1);
    if (last && String(last.slice(1)) === String([x, y, speed])) last[0]++;
    else runs.push([1, x, y, speed]);
  }
  return runs;
}

function next() {
  if (sent - drawn >= AHEAD) return null;
  return jobs.shift() ?? (playing && flight ? step : null);
}

async function run() {
  if (busy) return;
  busy = true;
  for (let job = next(); job; job = next()) {
    const before = performance.now();
    try {
      await job();
      if (flight) show(before);
    } catch (error) {
      playing = false;
      postMessage({ type: "error", message: `The flight has stopped: ${error.message}` });
    }
    await new Promise((resume) => setTimeout(resume)); // let commands in
  }
  busy = false;
}

function show(before) {
  const { position, look } = flight.now.course;
  const fly_ms = Math.round(10 * (performance.now() - before)) / 10;
  const { width, height } = flight;
  const header = {
    frame: ++sent, step: flight.log.length, playing, repeating: replay.length, recording: null, film: null,
    flights: [{ model: "model", position, heading: look }], fly_ms, encode_ms: 0,
  };
  const picture = flight.picture(overlay);
  postMessage({ type: "frame", header, picture, width, height }, [picture.buffer]);
}

onmessage = ({ data }) => {
  obey(data);
  run();
};
