// In place of link.js in a folder that flythrough fly --export-web wrote: no server, a worker flies.

const find = (id) => document.getElementById(id);
const worker = new Worker(new URL(`./web_worker.js${location.search}`, import.meta.url), { type: "module" });
const MB = 2 ** 20;
export const readGallery = async () => (await fetch("gallery.json")).json();
export const still = (start) => `start/${start}.jpg`;
export const film = (name) => name; // an address already

export function addPhoto(file) {
  if (file.size > 32 * MB) return Promise.reject(new Error("The photo is over 32 MiB. Shrink it."));
  return new Promise((resolve, reject) => {
    const hear = ({ data }) => {
      if (data.type !== "photo") return;
      worker.removeEventListener("message", hear);
      if (data.refused) reject(new Error(data.refused));
      else resolve(data);
    };
    worker.addEventListener("message", hear);
    send("photo", { file });
  });
}

function send(type, values = {}) {
  worker.postMessage({ type, ...values });
}

export function connect(_, on) {
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
  changePage();
  return { send };
}

// Words that hold for a server only.
function changePage() {
  const save = document.createElement("button");
  save.id = "save";
  save.textContent = "Save picture";
  save.addEventListener("click", savePicture);
  find("record").before(save);
  find("film").textContent = "Download WebP";
  find("film").download = "flight.webp";
  find("share").dataset.lasts = "Whoever opens it sees this flight; one from a photo asks for the photo.";
  find("stays").textContent = "Or drop or paste one. It does not leave this browser.";
}

function savePicture() {
  const link = document.createElement("a");
  link.download = `flight-${find("view").dataset.step}.png`;
  link.href = find("view").querySelector("canvas").toDataURL();
  link.click();
}
