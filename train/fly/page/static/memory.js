// What the page remembers of its flight, so that it can go on with a server that was started again.

export class Memory {
  #flown = []; // [x, y, speed] of each step
  #planned = []; // steps of the link that is repeated
  #repeating = 0;
  #playing = false;

  begin(log) {
    this.#flown = [];
    this.#planned = log.flatMap(([count, ...command]) => Array(count).fill(command));
    this.#repeating = this.#planned.length;
    this.#playing = false;
  }

  note({ step, command, repeating, playing }) {
    this.#flown.length = Math.min(this.#flown.length, step);
    if (command) this.#flown[step - 1] = command;
    this.#repeating = repeating;
    this.#playing = playing;
  }

  // steps: how many were flown; playing: whether it was; log: these, and those yet to be repeated, counted.
  flight() {
    const rest = this.#repeating ? this.#planned.slice(-this.#repeating) : [];
    return { steps: this.#flown.length, playing: this.#playing, log: pack([...this.#flown, ...rest]) };
  }
}

// [[count, x, y, speed], ...]: equal commands in a row are counted.
export function pack(commands) {
  const runs = [];
  for (const command of commands) {
    const last = runs.at(-1);
    if (last && String(last.slice(1)) === String(command)) last[0]++;
    else runs.push([1, ...command]);
  }
  return runs;
}
