"""Collects what FID, KID and FC are made of, where the user has the feature networks' weights."""

from pathlib import Path

import numpy as np
import torch


class Perceptual:
    """Collects features clip by clip, each under a key (an input's name, what was done), and has the figures at the end."""

    def __init__(self, inception_weights: Path | None, clip_folder: Path | None):
        if inception_weights or clip_folder:
            from . import features  # its libraries are an extra: pip install tdm-training[perceptual]

            self.library = features
        self.inception = self.library.InceptionFeatures(inception_weights) if inception_weights else None
        self.clip = self.library.ClipFeatures(clip_folder) if clip_folder else None
        self.features: dict[tuple[str, str], list[torch.Tensor]] = {}
        self.consistencies: dict[tuple[str, str], list[float]] = {}

    @property
    def wanted(self) -> bool:
        return self.inception is not None or self.clip is not None

    def add(self, key: tuple[str, str], frames: np.ndarray) -> None:
        if self.inception:
            self.features.setdefault(key, []).append(self.inception(frames))
        if self.clip:
            self.consistencies.setdefault(key, []).append(self.library.consistency(self.clip(frames)))

    def figures(self, key: tuple[str, str], clean: tuple[str, str]) -> dict[str, float]:
        """{"fid", "kid", "fc"}; not a number where its network was not given."""
        found = {"fid": float("nan"), "kid": float("nan"), "fc": float("nan")}
        if self.inception:
            sets = torch.cat(self.features[key]), torch.cat(self.features[clean])
            found |= {"fid": self.library.fid(*sets), "kid": self.library.kid(*sets)}
        if self.clip:
            found["fc"] = float(np.mean(self.consistencies[key]))
        return found


def add_arguments(p) -> None:
    p.add_argument("--inception", type=Path, metavar="FILE", help="InceptionV3's weights in torch-fidelity's form, for FID and KID x100")
    p.add_argument("--clip", type=Path, metavar="FOLDER", help="a CLIP model in transformers' layout, for FC x10")
