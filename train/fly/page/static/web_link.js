// In place of link.js in a folder that flythrough fly --export-web wrote: no server, a worker flies.

const find = (id) => document.getElementById(id);
export const takesPhotos = false;
export const readGallery = async () => (await fetch("gallery.json")).json();
export const still = (start) => `start/${start}.jpg`;

export function connect(_, on) {
  const worker = new Worker(new URL("./web_worker.js", import.meta.url), { type: "module" });
  let drawing = Promise.resolve();
  worker.addEventListener("message", ({ data }) => {
    if (data.type !== "frame") {
      on[data.type]?.(data);
      return;
    }
    const picture = new ImageData(data.picture, data.width, data.height);
    drawing = drawing.then(() => on.frame(data.header, [picture])).then(() => send("ack", { frame: data.header.frame }));
  });
  worker.addEventListener("error", ({ message }) => {
    on.error({ message: `The flight cannot begin: ${message || "a module worker did not load"}. Try a newer browser.` });
  });
  function send(type, values = {}) {
    if (type === "record") savePicture();
    else worker.postMessage({ type, ...values });
  }
  changePage();
  return { send };
}

// What only a server does is not offered; a picture can be saved.
function changePage() {
  for (const each of [find("record"), find("camera"), ...document.querySelectorAll(".uploads, .uploads ~ .note:not(#note)")]) {
    each.hidden = true;
  }
  const save = document.createElement("button");
  save.id = "save";
  save.textContent = "Save picture";
  save.addEventListener("click", savePicture);
  save.setAttribute("aria-keyshortcuts", "F");
  find("record").before(save);
  find("film-key").textContent = "save the picture";
  find("share").dataset.lasts = "Whoever opens it sees this flight.";
}

function savePicture() {
  const link = document.createElement("a");
  link.download = `flight-${find("view").dataset.step}.png`;
  link.href = find("view").querySelector("canvas").toDataURL();
  link.click();
}
