"""Training examples by number: the n-th depends on the recipe's seed and on n alone, not on the size of the batch, the
number of processes or of workers, or on what came before. That is what makes an interrupted training go on exactly.

Pictures are read when they are wanted, so that a folder may be larger than the memory.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from . import procedural
from .degradations import TASKS, degrade
from .degradations.common import as_bytes
from .degradations.resolution import resized
from .pictures import SUFFIXES, moved, picture_paths, read_picture
from .tasks import EMPTY, PROMPTS

ENCODED_FRAMES = 3  # an encoder needs something that moves before the frame that is taken


@dataclass(frozen=True)
class Item:
    """A picture file; with its degraded counterpart and task where the pair is given."""

    clean: Path
    degraded: Path | None = None
    task: str | None = None


def find_pictures(folder: str | Path) -> list[Item]:
    return [Item(p) for p in picture_paths(folder)]


def find_pairs(folder: str | Path) -> list[Item]:
    """Pairs under FOLDER/TASK/degraded/NAME and FOLDER/TASK/clean/NAME, the same NAME in both."""
    items = []
    for task in PROMPTS:
        root = Path(folder) / task
        for degraded in sorted((root / "degraded").rglob("*")):
            if degraded.suffix.lower() in SUFFIXES:
                clean = root / "clean" / degraded.relative_to(root / "degraded")
                if not clean.exists():
                    raise FileNotFoundError(f"{clean}: missing: expected the clean picture of {degraded}")
                items.append(Item(clean, degraded, task))
    if not items:
        raise FileNotFoundError(f"{folder}: no pairs found; expected {folder}/TASK/degraded/NAME with TASK of {', '.join(PROMPTS)}")
    return items


def with_short_side(picture: np.ndarray, length: int) -> np.ndarray:
    height, width = picture.shape[:2]
    if min(height, width) == length:
        return picture
    scale = length / min(height, width)
    size = (max(length, round(width * scale)), max(length, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def seed_of(*numbers: int) -> int:
    """One 63-bit seed for torch out of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


@lru_cache(2)
def order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, 1, epoch)).permutation(count)


class Crops(Dataset):
    """What the datasets share: which picture the n-th example is of, and its crop. One pass over all items is an epoch,
    each in an order of its own.

    Settings, from a recipe's [data]: `short_side` that pictures are resized to, `side` of the square crop, `seed`,
    `procedural_share` of the examples that are drawn instead of read.
    """

    def __init__(self, items: list[Item], data: dict):
        self.items = items
        self.short_side, self.side, self.seed = data["short_side"], data["side"], data["seed"]
        self.procedural_share = data.get("procedural_share", 0.0)
        if self.short_side < self.side:
            raise ValueError(f"data: short_side {self.short_side} is less than side {self.side}; expected at least as much")

    def __len__(self) -> int:
        """Examples of an epoch."""
        return len(self.items)

    def draw(self, n: int) -> tuple[Item, np.random.Generator]:
        epoch, place = divmod(n, len(self.items))
        return self.items[order(self.seed, epoch, len(self.items))[place]], np.random.default_rng((self.seed, 2, n))

    def crops(self, rng: np.random.Generator, *pictures: np.ndarray) -> list[np.ndarray]:
        """The same crop of pictures of one size, mirrored in half of the draws."""
        pictures = [with_short_side(p, self.short_side) for p in pictures]
        height, width = pictures[0].shape[:2]
        y, x = rng.integers(height - self.side + 1), rng.integers(width - self.side + 1)
        step = -1 if rng.random() < 0.5 else 1
        return [np.ascontiguousarray(p[y : y + self.side, x : x + self.side][:, ::step]) for p in pictures]

    def clean(self, item: Item, rng: np.random.Generator) -> np.ndarray:
        """One clean crop, [side, side, 3] uint8."""
        if rng.random() < self.procedural_share:
            return procedural.make(rng, self.side, [read_picture(item.clean)])  # in the picture's colours
        return self.crops(rng, read_picture(item.clean))[0]


def tensor(picture: np.ndarray) -> torch.Tensor:
    """[H, W, 3] uint8, or float32 in [0, 1], to [3, H, W] float32 in [0, 1]."""
    x = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
    return x.float() / 255 if x.dtype == torch.uint8 else x


class CleanPictures(Crops):
    """{"clean": [3, side, side], "prompt", "seed"}: for the autoencoder and for the base.

    The prompt is the text in NAME.txt beside NAME.jpg; without one, a task's prompt in half of the examples and the empty
    one in the others: with either the base is to know what clean pictures look like.
    """

    def __getitem__(self, n: int) -> dict:
        item, rng = self.draw(n)
        clean = self.clean(item, rng)
        beside = item.clean.with_suffix(".txt")
        if beside.exists():
            prompt = beside.read_text(encoding="utf-8").strip()
        else:
            prompt = list(PROMPTS.values())[rng.integers(len(PROMPTS))] if rng.random() < 0.5 else EMPTY
        return {"clean": tensor(clean), "prompt": prompt, "seed": seed_of(self.seed, 3, n)}


class DegradedPairs(Crops):
    """{"clean", "degraded": [3, side, side], "task", "prompt", "seed"}: for the ControlNet. Pictures that come without a degraded
    counterpart are degraded by the task that is drawn by `task_shares`."""

    def __init__(self, items: list[Item], data: dict, task_shares: dict[str, float]):
        super().__init__(items, data)
        unknown = set(task_shares) - set(TASKS)
        if unknown:
            raise ValueError(f"task_shares: {', '.join(sorted(unknown))}: expected some of {', '.join(TASKS)}")
        self.tasks = list(task_shares)
        self.shares = np.array(list(task_shares.values()), float) / sum(task_shares.values())

    def __getitem__(self, n: int) -> dict:
        item, rng = self.draw(n)
        if item.degraded:
            task = item.task
            clean, degraded = self.crops(rng, *same_size(item))
            clean, degraded = tensor(clean), tensor(degraded)
        else:
            task = self.tasks[rng.choice(len(self.tasks), p=self.shares)]
            clean, degraded = (tensor(p) for p in self.made(task, self.clean(item, rng), rng))
        return {
            "clean": clean, "degraded": degraded, "task": task, "prompt": PROMPTS[task], "seed": seed_of(self.seed, 3, n),
        }

    def made(self, task: str, clean: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(clean, degraded) of a crop, each [side, side, 3] float32."""
        if task != "deartifact":
            clip = clean[None].astype(np.float32) / np.float32(255)
            return clip[0], degrade(task, clip, rng)[0]

        def region(side: int) -> np.ndarray:  # a border, for what a camera that moves sees beyond the crop
            border = (side - len(clean) + 1) // 2
            return cv2.copyMakeBorder(clean, *(border,) * 4, cv2.BORDER_REFLECT)[:side, :side]

        clip = moved(rng, region, self.side, ENCODED_FRAMES).astype(np.float32) / np.float32(255)
        taken = rng.integers(ENCODED_FRAMES)
        return clip[taken], degrade(task, clip, rng)[taken]


def same_size(item: Item) -> tuple[np.ndarray, np.ndarray]:
    clean, degraded = read_picture(item.clean), read_picture(item.degraded)
    if item.task == "superres" and clean.shape != degraded.shape:
        degraded = as_bytes(resized(degraded[None].astype(np.float32) / np.float32(255), *clean.shape[:2]))[0]
    if clean.shape != degraded.shape:
        raise ValueError(f"{item.degraded}: {degraded.shape[1]}x{degraded.shape[0]}; expected the size of {item.clean}, "
                         f"{clean.shape[1]}x{clean.shape[0]}")
    return clean, degraded
