"""Rebuild a dataset from published camera files: fetch the videos, and use the poses as given.

    python examples/rebuild_from_camera_files.py CAMERA_FILES WORKSPACE [SECTION.KEY=VALUE ...]

CAMERA_FILES is a folder of RealEstate10K or ACID text files; the first line of each is its video's address.
"""

import subprocess
import sys

import flythrough as ft


def main(camera_files: str, workspace: str, *settings: str) -> None:
    common = ["--workspace", workspace, *(word for setting in settings for word in ("--set", setting))]
    flythrough = [sys.executable, "-m", "flythrough"]
    # 1 means that some videos could not be fetched; the tables say why.
    fetched = subprocess.run([*flythrough, "acquire", *common, "--new", "--camera-files", camera_files])
    if fetched.returncode not in (0, 1):
        sys.exit(fetched.returncode)
    for stage in ("curate", "sfm"):
        subprocess.run([*flythrough, stage, *common], check=True)
    dataset = ft.open(workspace)
    print(f"{len(dataset.clips)} clips of {len(dataset.videos)} videos")
    for kind, table in (("dropped", dataset.drops), ("in error", dataset.errors)):
        print(f"{len(table)} {kind}")
        print(table[["stage", "id"]].to_string(index=False, header=False) if len(table) else "")


if __name__ == "__main__":
    main(*sys.argv[1:])
