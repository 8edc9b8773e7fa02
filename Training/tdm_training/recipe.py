"""A recipe: the committed TOML file that says all there is to say about how a model is made."""

import tomllib
from pathlib import Path

import numpy as np

from . import procedural
from .pictures import CropSource, CropStyle, hold_out, read_folder


def read(path: str | Path) -> dict:
    with open(path, "rb") as file:
        return tomllib.load(file)


def crop_source(data: dict, folder: str | Path, cache: Path | None = None) -> tuple[CropSource, list[np.ndarray]]:
    """The source of training crops, and the photographs kept aside for choosing.

    Drawing the procedural pictures takes a while; `cache` keeps them for the next start.
    """
    training, held_out = hold_out(read_folder(folder), data["held_out"])
    kept = cache / "procedural.npy" if cache else None
    if kept and kept.exists():
        drawn = list(np.load(kept, mmap_mode="r"))
    else:
        drawn = procedural.pool(data["seed"], data["procedural_count"], data["procedural_side"], training)
        if kept:
            cache.mkdir(parents=True, exist_ok=True)
            np.save(kept, np.stack(drawn))
    style = CropStyle(subsampled_share=data.get("subsampled_share", 0.0))
    return CropSource(training, drawn, data["procedural_share"], style), held_out
