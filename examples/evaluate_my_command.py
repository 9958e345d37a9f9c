"""Score a method of your own that is a command: python examples/evaluate_my_command.py WORKSPACE

It gets a folder with request.json and the start pictures, and writes PNG frames (docs/evaluate.md).
"""

import sys
from pathlib import Path

import flythrough as ft

METHOD = """
import json, sys
from pathlib import Path
import numpy as np
from PIL import Image
request, frames = map(Path, sys.argv[1:])
for flight in json.loads((request / "request.json").read_text())["flights"]:
    rgbd = np.load(request / flight["start"])["rgbd"]
    picture = Image.fromarray((255 * rgbd[:3]).round().astype("uint8").transpose(1, 2, 0))
    folder = frames / flight["id"]
    folder.mkdir(parents=True)
    for step in range(1, flight["steps"] + 1):
        picture.save(folder / f"{step:06d}.png")
"""
SPEC = 'name = "hover"\ncommand = ["{python}", "{script}", "{{request}}", "{{frames}}"]\n'


def main(workspace: str) -> None:
    folder = Path(workspace) / "methods"
    folder.mkdir(exist_ok=True)
    script, spec = folder / "hover.py", folder / "hover.toml"
    script.write_text(METHOD)
    spec.write_text(SPEC.format(python=sys.executable, script=script.absolute()))
    results = ft.evaluate([spec, "zoom"], workspace=workspace, steps=4, sfm_flights=0).table
    print(results[results.metric == "fd_lite0"][["method", "value", "n"]].to_string(index=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
