"use strict";
// Two flights under one slider: as two videos, which hold every step; where a browser cannot play both, from the sheets.
let flights = []; // of the two methods: { steps, show, video }
let timer = 0;

const playing = () => timer !== 0;
const stepAt = (place) => flights[0]?.steps[Math.min(place, flights[0].steps.length - 1)];

async function chooseStart() {
  stop();
  flights = [];
  if (at("player").hidden) return;
  const start = at("start").value, sheets = [shown.a.sheets[start], shown.b.sheets[start]];
  const films = sheets.every(([, , , , , film]) => film) ? await Promise.all(sheets.map(openFilm)) : [null];
  const found = films.every(Boolean) ? films : await Promise.all(sheets.map(openSheet));
  if (start !== at("start").value || sheets[0] !== shown.a.sheets[start] || sheets[1] !== shown.b.sheets[start]) return;
  flights = found;
  names().forEach((name, side) => {
    at(side ? "name-b" : "name-a").textContent = name;
    for (const [kind, here] of [["film", flights[side].video], ["frame", !flights[side].video]]) at(`${kind}-${side ? "b" : "a"}`).hidden = !here;
  });
  at("step").max = Math.max(...flights.map(({ steps }) => steps.length)) - 1;
  const wanted = Number(wish.step);
  at("step").value = wanted ? Math.max(flights[0].steps.findLastIndex((step) => step <= wanted), 0) : Math.min(at("step").value, at("step").max);
  showStep();
}

function openFilm([, steps, , , , path], side) { // null where the browser cannot play it
  const video = at(side ? "film-b" : "film-a"), count = steps.at(-1);
  return new Promise((resolve) => {
    const show = (place) => { video.currentTime = (place + 0.5) / site.fps; }; // the middle of its time on the screen
    video.onloadeddata = () => resolve({ steps: Array.from({ length: count }, (_, place) => place + 1), show, video });
    video.onerror = () => resolve(null);
    video.src = path;
  });
}

function openSheet([path, steps, across, width, height], side) {
  const canvas = at(side ? "frame-b" : "frame-a"), image = new Image();
  const show = (place) => {
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    if (image.naturalWidth) canvas.getContext("2d").drawImage(image, (place % across) * width, Math.floor(place / across) * height, width, height, 0, 0, width, height);
  };
  return new Promise((resolve) => {
    image.onload = image.onerror = () => resolve({ steps, show });
    image.src = path;
  });
}

function showStep() {
  const place = Number(at("step").value);
  for (const { steps, show } of flights) show(Math.min(place, steps.length - 1));
  sayStep();
}

function sayStep() {
  const place = Number(at("step").value), step = stepAt(place);
  flights.forEach(({ steps, video }, side) => {
    const here = steps[Math.min(place, steps.length - 1)], picture = video ?? at(side ? "frame-b" : "frame-a");
    picture.setAttribute("aria-label", `${names()[side]}, step ${here}`);
    picture.dataset.step = here;
  });
  at("step-text").textContent = step === undefined ? "" : `Step ${step}`;
  at("step").setAttribute("aria-valuetext", `step ${step}`);
  for (const each of at("plots").children) each.point(step);
}

function stop() {
  clearInterval(timer);
  timer = 0;
  for (const { video } of flights) video?.pause();
  at("play").textContent = "Play";
}

async function run(video) {
  try {
    await video.play();
  } catch (error) {
    if (error.name !== "AbortError") throw error; // it was paused before it had begun
  }
}

function play() {
  if (playing()) {
    stop();
    return showStep(); // both at the middle of the same step
  }
  at("play").textContent = "Pause";
  const videos = flights.map(({ video }) => video).filter(Boolean);
  timer = videos.length ? setInterval(follow, 50, ...videos) : setInterval(advance, 1000 / site.fps);
  for (const video of videos) run(video);
}

function follow(one, other) { // the slider goes with the first video, and so does the second
  if (one.ended) {
    for (const video of [one, other]) {
      video.currentTime = 0;
      run(video);
    }
  }
  if (!other.seeking && Math.abs(other.currentTime - one.currentTime) > 0.5 / site.fps) other.currentTime = one.currentTime;
  at("step").value = Math.floor(one.currentTime * site.fps);
  sayStep();
}

function advance() {
  at("step").value = Number(at("step").value) < Number(at("step").max) ? Number(at("step").value) + 1 : 0;
  showStep();
}
