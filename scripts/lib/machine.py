"""What the scripts that measure have in common: where the program is, and the environment it is started in."""

import os
import pathlib
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def program(script):
    """The path of the program: PROGRAM, or what the release build has made. `script` is who asks."""
    path = pathlib.Path(os.environ.get("PROGRAM", REPOSITORY / ".build/release/speakerid-dist"))
    if not os.access(path, os.X_OK):
        raise SystemExit(f"{script}: no {path}: build it first (swift build -c release), or set PROGRAM")
    return path


def environment():
    """What cluster/env.sh sets, without what slows OpenBLAS down."""
    script = f". '{REPOSITORY}/cluster/env.sh' && env -0"
    text = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout
    variables = dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        variables.pop(name, None)
    return variables
