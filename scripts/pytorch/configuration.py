"""Recipes and configurations as speakerid-dist prints them, so that no script reads YAML or knows a default.

PROGRAM (default .build/release/speakerid-dist) may be set.
"""

import functools
import json
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "scripts/lib"))
import machine  # noqa: E402


def printed(*options):
    """The list that `speakerid-dist recipes --json` prints."""
    command = [machine.program(pathlib.Path(sys.argv[0]).name), "recipes", "--json", *options]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if ran.returncode:
        raise SystemExit(ran.returncode)
    return json.loads(ran.stdout)["recipes"]


@functools.cache
def recipes():
    """Every shipped recipe by name: its `configuration`, its `parameters`, what its report publishes."""
    return {recipe["name"]: recipe for recipe in printed()}


def load(config):
    """The whole configuration of a file, or of a recipe by its name: `model` and `train`, every key."""
    return printed("--config", str(config))[0]["configuration"]
