// Where flights start: the gallery, and photos by click, drop or paste.
import { readGallery, still, takesPhotos } from "./link.js";

const find = (id) => document.getElementById(id);

export async function fillGallery(token, begin) {
  const about = await readGallery(token);
  for (const { start, name } of about.pictures) {
    const image = new Image();
    image.src = still(start, token);
    image.alt = "";
    add(start, name, image, () => begin(start));
  }
  return about;
}

function add(start, name, image, choose) {
  const button = document.createElement("button");
  const label = document.createElement("span");
  label.textContent = name;
  button.dataset.start = start;
  button.setAttribute("aria-pressed", "false");
  button.append(image, label);
  button.addEventListener("click", choose);
  find("gallery").append(button);
}

export function watchUploads(token, begin, tell) {
  if (!takesPhotos) return;
  async function take(file) {
    if (!file) return;
    tell("");
    find("note").textContent = "Reading the photo ...";
    try {
      const headers = { "x-token": token, "content-type": "application/octet-stream" };
      const answer = await fetch("/upload", { method: "POST", headers, body: file });
      find("note").textContent = "";
      if (!answer.ok) {
        tell(await answer.text());
        return;
      }
      const { start, note } = await answer.json();
      begin(start, `${file.name || "Pasted photo"}: ${note}`);
    } catch {
      find("note").textContent = "";
      tell("The photo could not be sent. It may be too large, or the server has stopped.");
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
}
