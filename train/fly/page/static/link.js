// The WebSocket: commands out as JSON; frames in as a header and a JPEG per model, acknowledged once drawn.

export const takesPhotos = true;
export const still = (start, token) => `/gallery/${start}.jpg?token=${encodeURIComponent(token)}`;
export const readGallery = async (token) => (await fetch("/gallery", { headers: { "x-token": token } })).json();

export function connect(token, on) {
  const socket = new WebSocket(`ws://${location.host}/fly?token=${encodeURIComponent(token)}`);
  socket.binaryType = "arraybuffer";
  const waiting = [];
  let drawing = Promise.resolve();

  function send(type, values = {}) {
    const text = JSON.stringify({ type, ...values });
    if (socket.readyState === WebSocket.CONNECTING) waiting.push(text);
    else if (socket.readyState === WebSocket.OPEN) socket.send(text);
  }

  socket.addEventListener("open", () => waiting.splice(0).forEach((text) => socket.send(text)));
  socket.addEventListener("close", () => on.closed());
  socket.addEventListener("message", ({ data }) => {
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
    drawing = drawing.then(() => on.frame(header, pictures)).then(() => send("ack", { frame: header.frame }));
  });
  return { send };
}
