// Buttons, switches and steering: all become commands.
import { film } from "./link.js";
import { watchSteering } from "./steering.js";

const find = (id) => document.getElementById(id);
const REACH = 120; // hundredths of a picture that a held key, or the view's edge, steers by

export function watchControls(link, { restyle, share }) {
  let look = [0, 0];
  let playing = false;
  let recording = false;
  const FRESH = JSON.stringify({ x: 0, y: 0, speed: 20 }); // what a new session flies by
  let sent = FRESH;

  function steer() {
    const speed = Number(find("speed").value) * (find("reverse").checked ? -1 : 1);
    const command = { x: Math.round(REACH * look[0]), y: Math.round(REACH * look[1]), speed };
    if (JSON.stringify(command) === sent) return;
    sent = JSON.stringify(command);
    link.send("steer", command);
  }

  const actions = {
    play: () => {
      showPlaying(!playing);
      link.send(playing ? "play" : "pause");
    },
    back: () => link.send("back"),
    forward: () => link.send("step"),
    restart: () => link.send("restart"),
    record: () => link.send("record", { on: !recording }),
    share,
    full: () => (document.fullscreenElement ? document.exitFullscreen() : find("screen").requestFullscreen()),
  };
  for (const [id, action] of Object.entries(actions)) find(id).addEventListener("click", action);

  const change = (id, set) => {
    set(find(id));
    find(id).dispatchEvent(new Event(id === "speed" ? "input" : "change"));
  };
  const faster = (by) => () => change("speed", (slider) => (slider.value = Number(slider.value) + by));
  const flip = (id) => () => change(id, (box) => (box.checked = !box.checked));

  find("speed").addEventListener("input", () => {
    find("speed-shown").value = (Number(find("speed").value) / 100).toFixed(2);
    steer();
  });
  find("reverse").addEventListener("change", steer);
  find("overlay").addEventListener("change", ({ target }) => link.send("view", { overlay: target.value }));
  find("seed").addEventListener("change", ({ target }) => {
    target.value = Math.max(0, Math.min(9999, Math.round(Number(target.value)) || 0));
    restyle(Number(target.value));
  });
  find("map-shown").addEventListener("change", ({ target }) => (find("map").hidden = !target.checked));

  watchSteering({
    changed: (place) => {
      look = place;
      steer();
    },
    keys: {
      " ": actions.play,
      ".": actions.forward,
      ",": actions.back,
      r: actions.restart,
      f: actions.record,
      l: actions.share,
      e: actions.full,
      v: flip("reverse"),
      m: flip("map-shown"),
      o: () => change("overlay", (list) => (list.selectedIndex = (list.selectedIndex + 1) % list.length)),
      "+": faster(4),
      "=": faster(4),
      "-": faster(-4),
    },
    pad: { ...actions, faster: faster(4), slower: faster(-4) },
  });

  function showPlaying(now) {
    if (now !== playing) find("said").textContent = now ? "Playing" : `Paused. ${find("step").textContent}`;
    playing = now;
    find("play").textContent = playing ? "Pause" : "Play";
  }

  function show(header, token) {
    showPlaying(header.playing);
    recording = header.recording !== null;
    find("record").setAttribute("aria-pressed", recording);
    find("record").textContent = recording ? `Stop recording (${header.recording})` : "Record";
    if (header.film) {
      find("film").href = film(header.film, token);
      find("said").textContent = "The recording is ready to download";
    }
    if (header.film !== null) find("film").hidden = !header.film;
  }

  return {
    show,
    stopped: () => showPlaying(false),
    enable: (on) => {
      for (const each of document.querySelectorAll(".controls button, #gallery button, .uploads button")) each.disabled = !on;
      if (!on) find("film").hidden = true; // it was on the server
    },
    repeatSettings: () => {
      sent = FRESH;
      steer();
      link.send("view", { overlay: find("overlay").value });
    },
  };
}
