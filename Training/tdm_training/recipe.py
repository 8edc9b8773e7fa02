"""A recipe: the committed TOML file that says all there is to say about how a model is made."""

import os
import tomllib
from pathlib import Path

import numpy as np

from . import procedural
from .pictures import CropSource, CropStyle, kept_aside, read_folder


def read(path: str | Path) -> dict:
    with open(path, "rb") as file:
        return tomllib.load(file)


def expect_keys(section: str, given, needed: set[str], optional: set[str] = frozenset()) -> None:
    """Refuses what is unknown or missing: a key that is misspelt would be passed over."""
    for name in sorted((given.keys() ^ needed) - optional):
        state = "unknown" if name in given else "missing"
        raise ValueError(f"recipe: [{section}] {name}: {state}; expected {', '.join(sorted(needed | optional))}")


# A recipe's section [data].
DATA_KEYS = {"held_out", "procedural_share", "procedural_count", "procedural_side", "seed"}
STYLE_KEYS = {"toned_share", "subsampled_share"}


def crop_source(data: dict, folder: str | Path, cache: Path | None = None) -> tuple[CropSource, list[np.ndarray]]:
    """The source of training crops, and the photographs kept aside for choosing.

    Drawing the procedural pictures takes a while; the folder `cache` keeps them for the next start.
    """
    expect_keys("data", data, DATA_KEYS, STYLE_KEYS)
    training, held_out = kept_aside(read_folder(folder), data["held_out"])
    kept = cache / "procedural-{seed}-{procedural_count}-{procedural_side}-{held_out}.npy".format(**data) if cache else None
    if kept and kept.exists():
        drawn = list(np.load(kept, mmap_mode="r"))
    else:
        drawn = procedural.pool(data["seed"], data["procedural_count"], data["procedural_side"], training)
        if kept:
            cache.mkdir(parents=True, exist_ok=True)
            part = kept.with_suffix(".part.npy")
            np.save(part, np.stack(drawn))
            os.replace(part, kept)
    style = CropStyle(**{name: data[name] for name in STYLE_KEYS if name in data})
    return CropSource(training, drawn, data["procedural_share"], style), held_out
