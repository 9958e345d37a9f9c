// The flown path from above: x to the right, z up; the whole path always fits.

const canvas = document.getElementById("map");
const COLORS = ["#6fd3ff", "#ffb45c", "#9df07f", "#ff8fc7"];
const EDGE = 34; // pixels kept free
let paths = []; // per model: [x, y, z] by step

export function track(header) {
  const { step, flights } = header;
  if (paths.length !== flights.length) paths = flights.map(() => []);
  flights.forEach(({ position }, model) => {
    paths[model].length = Math.min(paths[model].length, step);
    paths[model][step] = position;
  });
  draw(flights);
}

export function forget() {
  paths = [];
}

export function place([x, y, z]) {
  const say = (value, more, less) => `${Math.abs(value).toFixed(1)} ${value < 0 ? less : more}`;
  return `${say(z, "ahead", "behind")}, ${say(x, "right", "left")}, ${say(-y, "up", "down")}`;
}

function draw(flights) {
  const { width, height } = canvas;
  const pen = canvas.getContext("2d");
  const points = paths.flat().filter(Boolean);
  const [left, right] = bounds(points.map((p) => p[0]));
  const [near, far] = bounds(points.map((p) => p[2]));
  const scale = Math.min((width - 2 * EDGE) / (right - left), (height - 2 * EDGE) / (far - near));
  const x = (p) => width / 2 + (p[0] - (left + right) / 2) * scale;
  const y = (p) => height / 2 - (p[2] - (near + far) / 2) * scale;
  pen.clearRect(0, 0, width, height);
  drawScale(pen, scale);
  pen.lineWidth = 4;
  pen.lineJoin = pen.lineCap = "round";
  flights.forEach(({ position, heading }, model) => {
    pen.strokeStyle = pen.fillStyle = COLORS[model % COLORS.length];
    pen.beginPath();
    paths[model].forEach((p) => pen.lineTo(x(p), y(p)));
    pen.stroke();
    arrow(pen, x(position), y(position), Math.atan2(heading[0], heading[2]));
  });
  pen.fillStyle = "#fff";
  pen.beginPath();
  pen.arc(x([0, 0, 0]), y([0, 0, 0]), 5, 0, 7);
  pen.fill();
}

function bounds(values) {
  // Not Math.min(0, ...values): a call takes fewer arguments than a long flight has places.
  const low = values.reduce((least, value) => Math.min(least, value), 0);
  const high = values.reduce((most, value) => Math.max(most, value), 0);
  const slack = Math.max(0, 2 - (high - low)) / 2; // a short path is not enlarged
  return [low - slack, high + slack];
}

function arrow(pen, x, y, angle) {
  pen.save();
  pen.translate(x, y);
  pen.rotate(angle);
  pen.beginPath();
  pen.moveTo(0, -16);
  pen.lineTo(10, 11);
  pen.lineTo(0, 5);
  pen.lineTo(-10, 11);
  pen.fill();
  pen.restore();
}

function drawScale(pen, scale) {
  const unit = 10 ** Math.floor(Math.log10(90 / scale));
  const length = [5, 2, 1].map((n) => n * unit).find((n) => n * scale <= 90);
  pen.fillStyle = "#ffffffcc";
  pen.fillRect(12, canvas.height - 14, length * scale, 3);
  pen.font = "20px system-ui, sans-serif";
  pen.fillText(String(Number(length.toPrecision(1))), 12, canvas.height - 22);
}
