// Ties the parts together: which start is flown, what is shown, what is said.
import { watchControls } from "./controls.js";
import { fillGallery, watchUploads } from "./gallery.js";
import { connect, readGallery } from "./link.js";
import { forget, place, track } from "./map.js";
import { Memory } from "./memory.js";
import { readLink, shareLink } from "./share.js";
import { showFrame } from "./view.js";

const find = (id) => document.getElementById(id);
const token = document.body.dataset.token;
const memory = new Memory();
let flown = { start: "", note: "" };
let models = ""; // fingerprint of those that fly
let resume = null; // once the flight is repeated after the server's return: whether to play on

function tell(message) {
  find("message").textContent = message;
}

const link = connect(token, {
  frame: async (header, pictures) => {
    await showFrame(header, pictures);
    track(header);
    const where = place(header.flights[0].position);
    find("place").textContent = header.step ? where : "";
    if (!header.playing) find("map").setAttribute("aria-label", `Map of the flown path: ${where} of the start`);
    controls.show(header, token);
    memory.note(header);
    if (resume && !header.repeating) {
      controls.repeatSettings();
      if (resume.playing) link.send("play");
      resume = null;
    }
  },
  log: (said) => shareLink(said, models, (message) => (find("note").textContent = message)),
  error: ({ message }) => {
    tell(message);
    controls.stopped();
  },
  closed: (comesBack) => {
    if (comesBack) tell("The server has stopped. This page continues when it is back.");
    controls.enable(false);
    controls.stopped();
  },
  refused: () => tell("The server is back with another token. Open the address that it prints."),
  reopened: goOn,
});

const controls = watchControls(link, {
  restyle: (seed) => begin(flown.start, flown.note, seed),
  share: () => link.send("log"),
});

function begin(start, note = "", seed = Number(find("seed").value), log = []) {
  flown = { start, note, seed };
  tell("");
  forget();
  find("note").textContent = note;
  find("seed").value = seed;
  for (const button of find("gallery").children) button.setAttribute("aria-pressed", button.dataset.start === start);
  resume = null;
  memory.begin(log);
  delete find("view").dataset.step; // until the start is shown
  link.send("start", { start, seed, log });
}

// A photo that the opened link takes off from repeats the link's flight.
function beginPhoto(start, note) {
  const shared = readLink(location.hash);
  if (shared?.start === start) begin(start, `${note}. Press Play to repeat the flight.`, shared.seed, shared.log);
  else begin(start, note);
}

// The server knows nothing of this flight any more: it flies what was flown before.
async function goOn() {
  const { steps, playing: played, log } = memory.flight();
  const playing = resume?.playing ?? played;
  try {
    const about = await readGallery(token);
    const again = photos.again(flown.start);
    const start = again ? (await again).start : flown.start;
    const same = about.fingerprint === models ? "" : " Its models are others: the flight will differ.";
    models = about.fingerprint;
    controls.enable(true);
    begin(start, steps ? `The server is back; repeating ${steps} steps.${same}` : `The server is back.${same}`, flown.seed, log);
    resume = { playing };
    if (log.length) link.send("play");
  } catch (error) {
    tell(error.message);
  }
}

function open(first) {
  const shared = readLink(location.hash);
  if (!shared) {
    begin(first);
    return;
  }
  const other = shared.models && shared.models !== models;
  const note = other ? "This link was made with another model: the flight will differ." : "Press Play to repeat the flight.";
  begin(shared.start, note, shared.seed, shared.log);
}

const photos = watchUploads(token, beginPhoto, tell);
const about = await fillGallery(token, begin);
models = about.fingerprint;
open(about.pictures[0].start);
addEventListener("hashchange", () => open(about.pictures[0].start));
