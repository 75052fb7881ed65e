"""torchaudio's Conformer without torchaudio.

torchaudio's compiled library does not load beside every torch, but models/conformer.py needs torch alone. It
is loaded from its file and never copied into this repository: from $TORCHAUDIO_SOURCE (the file, or a folder
that has `models/conformer.py` or `torchaudio/models/conformer.py`), else from a wheel that pip downloads once.
"""

import functools
import importlib.util
import os
import pathlib
import subprocess
import sys
import zipfile

VERSION = "2.11.0"
MEMBER = "torchaudio/models/conformer.py"
CACHE = pathlib.Path(__file__).resolve().parents[2] / ".build/pytorch/torchaudio"


def conformer_file():
    """The path of conformer.py, downloading the wheel if there is no other way."""
    given = os.environ.get("TORCHAUDIO_SOURCE")
    if given:
        root = pathlib.Path(given)
        for candidate in (root, root / "models/conformer.py", root / MEMBER):
            if candidate.is_file():
                return candidate
        raise SystemExit(f"TORCHAUDIO_SOURCE={given}: no models/conformer.py there")
    unpacked = CACHE / MEMBER
    if not unpacked.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*download, "--dest", str(CACHE), f"torchaudio=={VERSION}"], check=True)
        (wheel,) = CACHE.glob(f"torchaudio-{VERSION}*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(MEMBER, CACHE)
        wheel.unlink()
    return unpacked


@functools.cache
def conformer_class():
    """`torchaudio.models.Conformer`."""
    specification = importlib.util.spec_from_file_location("torchaudio_conformer", conformer_file())
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.Conformer
