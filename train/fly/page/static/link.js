// The WebSocket: commands out as JSON; frames in as a header and a JPEG per model, acknowledged once drawn.

const RETRY = 1000; // ms between tries to reach a server that has stopped
const ENDED = [4000, 4001]; // idle, full: the server has said so
export const still = (start, token) => `/gallery/${start}.jpg?token=${encodeURIComponent(token)}`;
export const readGallery = async (token) => (await fetch("/gallery", { headers: { "x-token": token } })).json();
export const film = (name, token) => `/film/${name}.mp4?token=${encodeURIComponent(token)}`;

export async function addPhoto(file, token) {
  const headers = { "x-token": token, "content-type": "application/octet-stream" };
  let answer;
  try {
    answer = await fetch("/upload", { method: "POST", headers, body: file });
  } catch {
    throw new Error("The photo could not be sent. It may be too large, or the server has stopped.");
  }
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

// on: frame, log and error as the server says them; closed(comesBack); reopened, when the server is back; refused, when
// it is back and does not know the page.
export function connect(token, on) {
  let socket;
  let waiting = [];
  let drawing = Promise.resolve();

  function open() {
    socket = new WebSocket(`ws://${location.host}/fly?token=${encodeURIComponent(token)}`);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => waiting.splice(0).forEach((text) => socket.send(text)));
    socket.addEventListener("message", hear);
    socket.addEventListener("close", ({ code }) => {
      const comesBack = !ENDED.includes(code);
      on.closed(comesBack);
      waiting = [];
      if (comesBack) setTimeout(retry, RETRY);
    });
  }

  async function retry() {
    let answer;
    try {
      answer = await fetch("/gallery", { headers: { "x-token": token } });
    } catch {
      setTimeout(retry, RETRY);
      return;
    }
    if (!answer.ok) {
      on.refused();
      return;
    }
    open();
    on.reopened();
  }

  function send(type, values = {}) {
    const text = JSON.stringify({ type, ...values });
    if (socket.readyState === WebSocket.CONNECTING) waiting.push(text);
    else if (socket.readyState === WebSocket.OPEN) socket.send(text);
  }

  function hear({ data, target }) {
    if (typeof data === "string") {
      const said = JSON.parse(data);
      on[said.type]?.(said);
      return;
    }
    const length = new DataView(data).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    let offset = 4 + length;
    const pictures = header.flights.map(({ bytes }) => {
      const picture = new Blob([new Uint8Array(data, offset, bytes)], { type: "image/jpeg" });
      offset += bytes;
      return picture;
    });
    const draw = () => (target === socket ? on.frame(header, pictures) : null); // not what an earlier server sent
    drawing = drawing.then(draw).then(() => target === socket && send("ack", { frame: header.frame }));
  }

  open();
  return { send };
}
