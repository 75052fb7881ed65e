"""Reads configs/NAME.yaml, or the part of YAML they use, with nothing but Python.

The scripts here need torch, numpy and safetensors; a YAML library for two dozen flat files is not worth a
fourth package. Understood: block mappings by indentation, flow mappings on one line, comments, numbers,
booleans, strings. Anything else is an error that names the line, never a guess.
"""

import copy
import json
import pathlib

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# The defaults of the Swift program (Sources/SpeakerNet/ModelConfiguration.swift and the training settings).
DEFAULTS = {
    "model": {
        "d_model": 80,
        "encoder": {"kind": "transformer", "layers": 1, "heads": 2, "feedforward": 256, "kernel": 31, "dropout": 0.1},
        "pooling": {"kind": "mean", "attention": 64, "name": "attention_pooling"},
        "head": "mlp_relu",
        "loss": {"kind": "cross_entropy", "scale": 30, "margin": 0.35},
    },
    "train": {
        "batch_size": 32,
        "total_steps": 70000,
        "warmup_steps": 1000,
        "valid_steps": 2000,
        "save_steps": 10000,
        "learning_rate": 0.001,
        "weight_decay": 0.01,
        "segment_length": 128,
        "seed": 87,
        "shards": 8,
    },
}

# Keys that may be there without having a default.
OPTIONAL = {"model.encoder.parameter_limit", "train.reduction"}


def scalar(text):
    """A YAML scalar as Python's number, boolean or string."""
    if text in ("true", "false"):
        return text == "true"
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    return text


def flow_mapping(text, where):
    """`{a: 1, b: {c: 2}}` as a dictionary."""
    result, depth, start, entries = {}, 0, 1, []
    for position, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if (character == "," and depth == 1) or (character == "}" and depth == 0):
            entries.append(text[start:position].strip())
            start = position + 1
    if depth != 0 or start != len(text):
        raise ValueError(f"{where}: a flow mapping must close on its line: {text}")
    for entry in filter(None, entries):
        key, colon, rest = entry.partition(":")
        if not colon:
            raise ValueError(f"{where}: expected `key: value`, found: {entry}")
        rest = rest.strip()
        result[key.strip()] = flow_mapping(rest, where) if rest.startswith("{") else scalar(rest)
    return result


def parse(text, name):
    """The mapping that a file's text holds; `name` is for errors."""
    root = {}
    open_mappings = [(-1, root)]  # (indentation of the key that opened it, mapping)
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{name}:{number}"
        content = (" " + line).split(" #")[0][1:].rstrip()
        if not content:
            continue
        if "\t" in content:
            raise ValueError(f"{where}: indent with spaces, not tabs")
        indentation = len(content) - len(content.lstrip())
        key, colon, rest = content.strip().partition(":")
        if not colon or (rest and not rest.startswith(" ")) or key.startswith("-"):
            raise ValueError(f"{where}: expected `key: value`, found: {content.strip()}")
        while indentation <= open_mappings[-1][0]:
            open_mappings.pop()
        mapping, rest = open_mappings[-1][1], rest.strip()
        if key in mapping:
            raise ValueError(f"{where}: the key {key} is there twice")
        if rest.startswith("{"):
            mapping[key] = flow_mapping(rest, where)
        elif rest:
            mapping[key] = scalar(rest)
        else:
            mapping[key] = {}
            open_mappings.append((indentation, mapping[key]))
    return root


def resolve(given, name, defaults=DEFAULTS, prefix=""):
    """`given` over the defaults; a key that no default knows is an error."""
    result = copy.deepcopy(defaults)
    for key, value in given.items():
        path = prefix + key
        if key not in defaults and path not in OPTIONAL:
            raise ValueError(f"{name}: unknown key {path}")
        nested = isinstance(defaults.get(key), dict)
        if nested != isinstance(value, dict):
            raise ValueError(f"{name}: {path} must be a {'mapping' if nested else 'plain value'}")
        result[key] = resolve(value, name, defaults[key], path + ".") if nested else value
    return result


def load(path):
    """The whole resolved configuration of a file."""
    path = pathlib.Path(path)
    return resolve(parse(path.read_text(), path.name), path.name)


def shipped():
    """The recipes' names and files, in order: `003-sample` and configs/003-sample.yaml."""
    return {path.stem: path for path in sorted((REPOSITORY / "configs").glob("*.yaml"))}


def published():
    """recipes.json by configuration name: what the reports say and the exact parameter counts."""
    path = REPOSITORY / "Tests/SpeakerNetTests/Fixtures/recipes.json"
    return {recipe["name"].replace("_", "-"): recipe for recipe in json.loads(path.read_text())}
