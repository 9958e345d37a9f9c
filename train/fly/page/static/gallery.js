// Where flights start: the gallery, and photos by click, drop or paste.
import { addPhoto, readGallery, still } from "./link.js";

const find = (id) => document.getElementById(id);

export async function fillGallery(token, begin) {
  const about = await readGallery(token);
  for (const { start, name, credit } of about.pictures) {
    const image = new Image();
    image.src = still(start, token);
    image.alt = "";
    add(start, name, credit, image, () => begin(start));
  }
  return about;
}

function add(start, name, credit, image, choose) {
  const button = document.createElement("button");
  const label = document.createElement("span");
  const owner = document.createElement("small");
  label.textContent = name;
  owner.textContent = credit;
  label.append(owner);
  button.dataset.start = start;
  button.setAttribute("aria-pressed", "false");
  button.append(image, label);
  button.addEventListener("click", choose);
  find("gallery").append(button);
}

// Returns again(start): the promise of an upload, sent once more; null for a picture of the gallery.
export function watchUploads(token, begin, tell) {
  const files = new Map(); // the newest upload, by its start
  async function send(file) {
    const { start, note } = await addPhoto(file, token);
    files.clear();
    files.set(start, file);
    return { start, note: `${file.name || "Pasted photo"}: ${note}` };
  }
  async function take(file) {
    if (!file) return;
    tell("");
    find("note").textContent = "Reading the photo ...";
    try {
      const { start, note } = await send(file);
      begin(start, note);
    } catch (error) {
      find("note").textContent = "";
      tell(error.message);
    }
  }

  for (const [button, input] of [["upload", "file"], ["camera", "snapshot"]]) {
    find(button).addEventListener("click", () => find(input).click());
    find(input).addEventListener("change", ({ target }) => {
      take(target.files[0]);
      target.value = ""; // so that the same file can be chosen again
    });
  }
  document.addEventListener("paste", ({ clipboardData }) => {
    take([...clipboardData.files].find((file) => file.type.startsWith("image/")));
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    take(event.dataTransfer.files[0]);
  });
  return { again: (start) => (files.has(start) ? send(files.get(start)) : null) };
}
