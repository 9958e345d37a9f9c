// Ties the parts together: which start is flown, what is shown, what is said.
import { watchControls } from "./controls.js";
import { fillGallery, watchUploads } from "./gallery.js";
import { connect } from "./link.js";
import { forget, place, track } from "./map.js";
import { readLink, shareLink } from "./share.js";
import { showFrame } from "./view.js";

const find = (id) => document.getElementById(id);
const token = document.body.dataset.token;
let flown = { start: "", note: "" };
let models = ""; // fingerprint of those that fly

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
  },
  log: (said) => shareLink(said, models, (message) => (find("note").textContent = message)),
  error: ({ message }) => {
    tell(message);
    controls.stopped();
  },
  closed: () => {
    if (!find("message").textContent) tell("The server has stopped. Start it again, and open the address it prints.");
    controls.end();
  },
});

const controls = watchControls(link, {
  restyle: (seed) => begin(flown.start, flown.note, seed),
  share: () => link.send("log"),
});

function begin(start, note = "", seed = Number(find("seed").value), log = []) {
  flown = { start, note };
  tell("");
  forget();
  find("note").textContent = note;
  find("seed").value = seed;
  for (const button of find("gallery").children) button.setAttribute("aria-pressed", button.dataset.start === start);
  link.send("start", { start, seed, log });
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

watchUploads(token, begin, tell);
const about = await fillGallery(token, begin);
models = about.fingerprint;
open(about.pictures[0].start);
addEventListener("hashchange", () => open(about.pictures[0].start));
