// Flies in a worker, so that the page never waits: the networks in onnxruntime-web, the renderer in plain JavaScript.
import { Film, MAX_FRAMES } from "./film.js";
import { drawStyle, Flight } from "./flight.js";
import { pack } from "./memory.js";
import { openNetworks } from "./networks.js";
import { nameOf, readPhoto } from "./photo.js";

const AHEAD = 2; // frames sent beyond what the page has drawn

let flight = null;
let photo = null; // the newest upload: its name, rgbd and intrinsics
let film = null; // under way
let finished = null; // address of the recording that the next frame announces
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
  return { about, ...(await openNetworks(about)) };
}

async function begin({ start, seed, log }) {
  const networks = await loaded;
  const { about } = networks;
  const first = start === photo?.start ? photo : await readStart(start, about);
  const style = drawStyle(...(await networks.encode(first.rgbd)), seed);
  flight = new Flight(networks, about, first, style);
  begun = { start, seed };
  replay = (log ?? []).flatMap(([count, x, y, speed]) => Array(count).fill({ x, y, speed }));
}

async function readStart(start, about) {
  const picture = about.pictures.find((each) => each.start === start);
  if (!picture && start.startsWith("photo-")) throw new Error("it takes off from a photo. Upload the same one to repeat it");
  if (!picture) throw new Error(`there is no start picture ${start} here`);
  const answer = await fetch(`start/${start}.bin`);
  if (!answer.ok) throw new Error(`start/${start}.bin is missing`);
  const steps = new DataView(await answer.arrayBuffer());
  const rgbd = Float32Array.from({ length: steps.byteLength / 2 }, (_, k) => steps.getUint16(2 * k, true) / 65535);
  return { rgbd, intrinsics: picture.intrinsics };
}

async function addPhoto(file) {
  try {
    const { width, height } = (await loaded).about;
    const read = await readPhoto(file, width, height);
    photo = { ...read, start: nameOf(read.rgbd) };
    postMessage({ type: "photo", start: photo.start, note: read.note });
  } catch (error) {
    postMessage({ type: "photo", refused: error.message });
  }
}

async function step() {
  const repeats = replay.length > 0;
  await flight.step(repeats ? replay.shift() : command);
  if (repeats && !replay.length) playing = false; // the repeated flight ends where it was shared
  if (!film) return;
  await film.add(flight.picture(overlay), flight.width, flight.height);
  if (film.frames >= MAX_FRAMES) record(false);
}

function record(on) {
  if (on) film ??= new Film();
  else if (film) {
    finished = film.frames ? URL.createObjectURL(film.finish()) : "";
    film = null;
  }
}

function obey({ type, ...said }) {
  if (type === "ack") drawn = Math.max(drawn, said.frame);
  else if (type === "play") playing = true;
  else if (type === "pause") [playing, jobs] = [false, [...jobs, () => {}]]; // frames under way still say that it plays
  else if (type === "steer") [command, replay] = [said, []];
  else if (type === "view") [overlay, jobs] = [said.overlay, [...jobs, () => {}]];
  else if (type === "log") postMessage({ type, ...begun, log: pack((flight?.log ?? []).map(plain)) });
  else if (type === "photo") addPhoto(said.file);
  else if (type === "record") jobs.push(() => record(said.on));
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

const plain = ({ x, y, speed }) => [x, y, speed];

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
      if (flight) await show(before);
    } catch (error) {
      playing = false;
      film = null;
      postMessage({ type: "error", message: `The flight has stopped: ${error.message}` });
    }
    await new Promise((resume) => setTimeout(resume)); // let commands in
  }
  busy = false;
}

async function show(before) {
  const { position, look } = flight.now.course;
  const { width, height, times } = flight;
  const { on } = await loaded;
  const said = (ms) => `${ms.toFixed(1)} ms`;
  const parts = times && `${said(times.render)} to render, ${said(times.network)} for the network (${on})`;
  const header = {
    frame: ++sent, step: flight.log.length, command: flight.log.length ? plain(flight.log.at(-1)) : null, playing,
    repeating: replay.length, recording: film && film.frames, film: finished,
    flights: [{ model: "model", position, heading: look }], fly_ms: performance.now() - before, parts,
  };
  finished = null;
  const picture = flight.picture(overlay);
  postMessage({ type: "frame", header, picture, width, height }, [picture.buffer]);
}

onmessage = ({ data }) => {
  obey(data);
  run();
};
