// Buttons, keys and the pointer: all become commands.

const find = (id) => document.getElementById(id);
const REACH = 120; // hundredths of a picture that a held key, or the view's edge, steers by
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function watchControls(link) {
  const held = new Set();
  let pointer = null; // [x, y] from the view's middle, -1 to 1, while it is down
  let playing = false;
  let sent = "";

  function steer() {
    let [x, y] = pointer ?? [0, 0];
    for (const key of held) {
      x += KEYS[key][0];
      y += KEYS[key][1];
    }
    const clip = (value) => Math.round(REACH * Math.max(-1, Math.min(1, value)));
    const speed = Number(find("speed").value) * (find("reverse").checked ? -1 : 1);
    const command = { x: clip(x), y: clip(y), speed };
    if (JSON.stringify(command) === sent) return;
    sent = JSON.stringify(command);
    link.send("steer", command);
  }

  function show(header) {
    playing = header.playing;
    find("play").textContent = playing ? "Pause" : "Play";
  }

  const actions = {
    play: () => {
      show({ playing: !playing });
      link.send(playing ? "play" : "pause");
    },
    back: () => link.send("back"),
    forward: () => link.send("step"),
    restart: () => link.send("restart"),
  };
  for (const [id, action] of Object.entries(actions)) find(id).addEventListener("click", action);

  find("speed").addEventListener("input", () => {
    find("speed-shown").value = (Number(find("speed").value) / 100).toFixed(2);
    steer();
  });
  find("reverse").addEventListener("change", steer);
  find("overlay").addEventListener("change", ({ target }) => link.send("view", { overlay: target.value }));

  watchKeys({ actions, held, steer });
  watchPointer((place) => {
    pointer = place;
    steer();
  });
  return {
    show,
    end: () => {
      for (const each of document.querySelectorAll("#controls button, #gallery button, #upload")) each.disabled = true;
    },
  };
}

function watchKeys({ actions, held, steer }) {
  const change = (id, set) => {
    set(find(id));
    find(id).dispatchEvent(new Event(id === "speed" ? "input" : "change"));
  };
  const faster = (by) => () => change("speed", (slider) => (slider.value = Number(slider.value) + by));
  const presses = {
    ".": actions.forward,
    ",": actions.back,
    r: actions.restart,
    v: () => change("reverse", (box) => (box.checked = !box.checked)),
    o: () => change("overlay", (list) => (list.selectedIndex = (list.selectedIndex + 1) % list.length)),
    "+": faster(4),
    "=": faster(4),
    "-": faster(-4),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const own = event.target.closest("input, select, button, summary, a"); // has keys of its own
    if (event.key in KEYS && !event.target.closest("input, select")) {
      held.add(event.key);
      event.preventDefault();
      steer();
    } else if (event.key === " " && !own) {
      event.preventDefault();
      if (!event.repeat) actions.play();
    } else if (event.key.toLowerCase() in presses && !event.target.closest("select")) {
      presses[event.key.toLowerCase()]();
    }
  });
  document.addEventListener("keyup", ({ key }) => {
    if (held.delete(key)) steer();
  });
  addEventListener("blur", () => {
    held.clear();
    steer();
  });
}

function watchPointer(moved) {
  const view = find("view");
  const place = (event) => {
    const box = view.getBoundingClientRect();
    moved([(2 * (event.clientX - box.left)) / box.width - 1, (2 * (event.clientY - box.top)) / box.height - 1]);
  };
  view.addEventListener("pointerdown", (event) => {
    view.setPointerCapture(event.pointerId);
    place(event);
  });
  view.addEventListener("pointermove", (event) => {
    if (view.hasPointerCapture(event.pointerId)) place(event);
  });
  for (const end of ["lostpointercapture", "pointercancel"]) view.addEventListener(end, () => moved(null));
}
