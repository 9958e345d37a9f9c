// Ties the parts together: which start is flown, what is shown, what is said.
import { watchControls } from "./controls.js";
import { fillGallery, watchUploads } from "./gallery.js";
import { connect } from "./link.js";
import { showFrame } from "./view.js";

const find = (id) => document.getElementById(id);
const token = document.body.dataset.token;

function tell(message) {
  find("message").textContent = message;
}

const link = connect(token, {
  frame: async (header, picture) => {
    await showFrame(header, picture);
    controls.show(header);
  },
  error: (message) => {
    tell(message);
    controls.show({ playing: false });
  },
  closed: () => {
    if (!find("message").textContent) tell("The server has stopped. Start it again, and open the address it prints.");
    controls.end();
  },
});

const controls = watchControls(link);

function begin(start, note = "") {
  tell("");
  find("note").textContent = note;
  for (const button of find("gallery").children) button.setAttribute("aria-pressed", button.dataset.start === start);
  link.send("start", { start, seed: 0 });
}

watchUploads(token, begin, tell);
fillGallery(token, begin).then((first) => begin(first));
