// Where to look: arrow keys, the pointer on the view, and a gamepad's stick, added up.

const find = (id) => document.getElementById(id);
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PAD = { 0: "play", 1: "back", 2: "forward", 3: "restart", 4: "slower", 5: "faster" }; // standard layout
const DEAD = 0.15; // of a stick's way: no stick rests at exactly 0

// Calls changed([x, y]), each -1 to 1; presses are actions by key or by the gamepad's name for them.
export function watchSteering({ changed, keys, pad }) {
  const held = new Set();
  const from = { pointer: [0, 0], stick: [0, 0] };
  const tell = () => {
    const all = [...held].map((key) => KEYS[key]).concat([from.pointer, from.stick]);
    const sum = (axis) => Math.max(-1, Math.min(1, all.reduce((total, each) => total + each[axis], 0)));
    changed([sum(0), sum(1)]);
  };
  const set = (source) => (place) => {
    from[source] = place;
    tell();
  };
  watchKeys(held, tell, keys);
  watchPointer(set("pointer"));
  watchGamepad(set("stick"), pad);
}

function watchKeys(held, tell, keys) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.closest("select, input:not([type=checkbox])"); // has keys of its own
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key in KEYS && !field) {
      held.add(key);
      event.preventDefault();
      tell();
    } else if (key === " ") {
      if (event.target.closest("input, select, button, summary, a")) return;
      event.preventDefault();
      if (!event.repeat) keys[" "]();
    } else if (Object.hasOwn(keys, key) && !field && find("shortcuts").checked) {
      keys[key]();
    }
  });
  document.addEventListener("keyup", ({ key }) => {
    if (held.delete(key)) tell();
  });
  addEventListener("blur", () => {
    held.clear();
    tell();
  });
}

function watchPointer(moved) {
  const view = find("view");
  const place = (event) => {
    const box = (event.target.closest("canvas") ?? view).getBoundingClientRect();
    const along = (at, start, size) => Math.max(-1, Math.min(1, (2 * (at - start)) / size - 1));
    moved([along(event.clientX, box.left, box.width), along(event.clientY, box.top, box.height)]);
  };
  let down = null; // the canvas that was pressed
  view.addEventListener("pointerdown", (event) => {
    down = event.target.closest("canvas") ?? view;
    down.setPointerCapture(event.pointerId);
    place(event);
  });
  view.addEventListener("pointermove", (event) => {
    if (down?.hasPointerCapture(event.pointerId)) place(event);
  });
  for (const end of ["lostpointercapture", "pointercancel"]) {
    view.addEventListener(end, () => {
      down = null;
      moved([0, 0]);
    });
  }
}

function watchGamepad(moved, actions) {
  let pressed = new Set();
  let last = "0,0";
  function poll() {
    const pad = [...navigator.getGamepads()].find((each) => each?.connected);
    const stick = (pad?.axes ?? [0, 0]).slice(0, 2).map((way) => (Math.abs(way) < DEAD ? 0 : way));
    if (String(stick) !== last) moved(stick);
    last = String(stick);
    const now = new Set(Object.keys(PAD).filter((button) => pad?.buttons[button]?.pressed));
    for (const button of now) if (!pressed.has(button)) actions[PAD[button]]();
    pressed = now;
    if (pad) requestAnimationFrame(poll);
  }
  addEventListener("gamepadconnected", () => requestAnimationFrame(poll));
}
