// A link that repeats a flight: start, style, steering log and the models' fingerprint, behind the #.

const find = (id) => document.getElementById(id);

export function readLink(hash) {
  const values = new URLSearchParams(hash.replace(/^#/, ""));
  if (!values.has("start")) return null;
  const log = (values.get("log") ?? "").split("_").filter(Boolean);
  return {
    start: values.get("start"),
    seed: Number(values.get("seed") ?? 0),
    log: log.map((run) => run.split(".").map(Number)), // count.x.y.speed
    models: values.get("models"),
  };
}

export function writeLink({ start, seed, log }, models) {
  const runs = log.map((run) => run.join(".")).join("_");
  return `#${new URLSearchParams({ start, seed, log: runs, models })}`;
}

export async function shareLink(said, models, tell) {
  history.replaceState(null, "", writeLink(said, models));
  try {
    await navigator.clipboard.writeText(location.href);
    tell(`Link copied. ${find("share").dataset.lasts ?? "It repeats this flight on this machine while the server runs."}`);
  } catch {
    tell("The address bar now has the link; copy it from there.");
  }
  find("share").dataset.link = location.href;
}
