// Points and camera path of one clip, to turn with the mouse. The axes are right, down, ahead of a level observer.
const scene = JSON.parse(document.getElementById("scene-data").textContent);
const canvas = document.getElementById("scene");
const start = { yaw: -0.6, pitch: 0.5, distance: 2.2 * scene.radius };
let view = { ...start };

function project([x, y, z]) {
  const [u, v, w] = [x - scene.middle[0], y - scene.middle[1], z - scene.middle[2]];
  const [cy, sy, cp, sp] = [Math.cos(view.yaw), Math.sin(view.yaw), Math.cos(view.pitch), Math.sin(view.pitch)];
  const [right, ahead] = [cy * u + sy * w, cy * w - sy * u];
  const depth = cp * ahead + sp * v + view.distance;
  const scale = (0.9 * canvas.height) / depth;
  return [canvas.width / 2 + scale * right, canvas.height / 2 + scale * (cp * v - sp * ahead), depth];
}

function line(pen, points, color, dash = []) {
  pen.strokeStyle = color;
  pen.setLineDash(dash);
  pen.beginPath();
  points.map(project).forEach(([x, y, depth], i) => depth > 0 && (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.stroke();
}

function draw() {
  const dots = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * dots;
  canvas.height = canvas.clientHeight * dots;
  const pen = canvas.getContext("2d");
  pen.lineWidth = 1.5 * dots;
  pen.font = `${12 * dots}px sans-serif`;
  const seen = scene.points.map((p, i) => [...project(p), scene.colors[i]]).filter((p) => p[2] > 0);
  for (const [x, y, depth, color] of seen.sort((a, b) => b[2] - a[2])) {
    const size = Math.max(1.5, (5 * scene.radius) / depth) * dots;
    pen.fillStyle = `rgb(${color})`;
    pen.fillRect(x - size / 2, y - size / 2, size, size);
  }
  line(pen, scene.raw, "#e0342b");
  line(pen, scene.smoothed, "#2b7de0", [6 * dots, 4 * dots]);
  pen.fillStyle = "#e0342b";
  for (const place of scene.subsampled.map(project)) {
    pen.beginPath();
    pen.arc(place[0], place[1], 3 * dots, 0, 7);
    if (place[2] > 0) pen.fill();
  }
  for (const { frame, eye, corners } of scene.cameras) {
    for (const corner of corners) line(pen, [eye, corner], "#f2a900");
    line(pen, [...corners, corners[0]], "#f2a900");
    const [x, y] = project(corners[0]);
    pen.fillStyle = "#f2a900";
    pen.fillText(frame, x, y - 4 * dots);
  }
}

canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
canvas.addEventListener("pointermove", (event) => {
  if (!event.buttons) return;
  view.yaw -= event.movementX * 0.006;
  view.pitch = Math.min(1.57, Math.max(-0.3, view.pitch + event.movementY * 0.006));
  draw();
});
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  view.distance *= Math.exp(event.deltaY * 0.001);
  draw();
});
canvas.addEventListener("dblclick", () => { view = { ...start }; draw(); });
window.addEventListener("resize", draw);
draw();
