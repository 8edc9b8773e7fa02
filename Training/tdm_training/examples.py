"""What training sees: clean and degraded clips with their tasks, as a function of seed, process and step alone."""

import numpy as np
import torch

from .degradations import UNTOUCHED_SHARES, degrade
from .degradations.common import blur, log_uniform, quantize
from .degradations.recorded import recorded
from .degradations.resolution import resized
from .fusion import fused, rank_fused, reach
from .pictures import CropSource

# What an encoder loses, of noise, too, grows from one key frame to the next: how many frames are made where fewer are wanted.
CONTEXT_FRAMES = {"denoise": 13, "deartifact": 13, "superres": 5}

# Of hazy clips, the share whose scenes may be pale without the haze. A pale scene and a hazy one look alike, and which of the two is believed follows
# from how often each is seen: clean ones may all be pale.
PALE_SHARE = 0.25

# What the program fuses along the motion before its networks see it, and how.
FUSED = {"denoise": {"history": True}}

# What it fuses beside the frame that is restored: by rank, and along the motion as above.
RANKED_BESIDE = {"derain"}
AVERAGED_BESIDE = {"superres": {"least_noise": 20}, "deartifact": {"least_noise": 15}}


def reach_of(task: str, radius: int) -> int:
    """How many frames away the farthest is that one is averaged with where it is with `radius` on either side; of tasks whose frames are not averaged 0."""
    return reach(radius) if task in FUSED or task in AVERAGED_BESIDE else 0


def as_seen(task: str, clip: np.ndarray, radius: int, places: range) -> np.ndarray:
    """Frames `places` of a degraded clip as the program's networks see them."""
    return fused(clip, radius if task in FUSED else 0, places, **FUSED.get(task, {}))


def second_of(task: str, clip: np.ndarray, radius: int, places: range, here: int) -> np.ndarray:
    """The second pictures (condition.py) of frames `places` of a degraded clip: as they came where the task's are not fused beside them; averaged with `radius`
    frames on either side; or, where the task's are fused by rank, the one at `here` among them, which is all that is read of them where frames have windows, with
    those `places` alone."""
    if task in AVERAGED_BESIDE:
        return fused(clip, radius, places, **AVERAGED_BESIDE[task])
    frames = clip[places.start : places.stop]
    if task not in RANKED_BESIDE or radius == 0 or len(frames) == 1:
        return frames
    second = frames.copy()
    second[here] = rank_fused(frames, here, radius)
    return second


# What may have been soft before it was degraded, or enlarged after it.
MADE_SOFT = {"denoise", "deartifact"}


class Examples:
    """`recorded_share`: of the clips that get compressed, as a camera's recording of the scene instead of the scene itself. What is restored is that
    recording: where little was lost of it, its grain has to stay, and no other frame has that.

    `history`: of half of those clips that have all the frames before one that it is fused with, as many frames more at most. In half of those
    the clip stood still until then, in the others, which have half as many, it did not.

    `radii`: frames on either side that one, or its second picture, is fused with, by task; else none.

    `enlarged_share`: of the clips that get noise or compressed, as footage that was 1.25 to 2.5 times as small when it was degraded. What is restored is soft, too.

    `soft_share`: of the clips that get noise or compressed, as through a soft lens: blurred by 0.5 to 2.5 pixels before they are degraded. What is restored is as soft."""

    def __init__(self, source: CropSource, seed: int, process: int = 0, radii: dict[str, int] = {}, history: int = 0,
                 recorded_share: float = 0, enlarged_share: float = 0, soft_share: float = 0):
        self.source, self.seed, self.process = source, seed, process
        self.radii, self.history = radii, history
        self.recorded_share, self.enlarged_share, self.soft_share = recorded_share, enlarged_share, soft_share

    def one(
        self, rng: np.random.Generator, task: str, side: int, frames: int, around: tuple[int, int] = (0, 0), here: int = 0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(clean, as the networks see it, its second pictures), each [frames, side, side, 3]; frame `here` is to be restored."""
        radius, (before, after) = self.radii.get(task, 0), around
        length = before + frames + after
        made = max(length, CONTEXT_FRAMES.get(task, 1))
        still = moving = 0
        if self.history and FUSED.get(task, {}).get("history") and before == reach(radius) and rng.random() < 0.5:
            if rng.random() < 0.5:
                still = int(rng.integers(1, self.history + 1))
            else:
                moving = int(rng.integers(1, max(self.history // 2, 1) + 1))
        kind = rng.random()
        pale = task != "dehaze" or kind < UNTOUCHED_SHARES[task] or rng.random() < PALE_SHARE
        clean = self.source.clip(rng, side, made + moving, pale)
        first = int(rng.integers(made - length + 1))
        clean = np.concatenate([clean[:first], clean[first : first + 1].repeat(still, 0), clean[first:]])
        if task in MADE_SOFT and self.soft_share and rng.random() < self.soft_share:
            sigma = log_uniform(rng, 0.5, 2.5)
            clean = quantize(np.stack([blur(frame, sigma) for frame in clean]))
        enlarged = task in MADE_SOFT and self.enlarged_share and rng.random() < self.enlarged_share
        if enlarged:
            small = 2 * int(side / rng.uniform(1.25, 2.5) / 2)  # even, as encoders want it
            clean = quantize(resized(clean, small, small))
        if task == "deartifact" and self.recorded_share and rng.random() < self.recorded_share:
            clean = recorded(clean, rng)
        degraded = degrade(task, clean, rng, kind=kind)
        earlier = still + moving
        clean, degraded = (clip[first : first + earlier + length] for clip in (clean, degraded))
        if enlarged:
            clean, degraded = (quantize(resized(clip, side, side)) for clip in (clean, degraded))
        places = range(earlier + before, earlier + before + frames)
        second = second_of(task, degraded, radius, places, here)
        return clean[places.start : places.stop], as_seen(task, degraded, radius, places), second

    def at(
        self, step: int, count: int, side: int, task_shares: dict[str, float], frames: int = 1,
        around: dict[str, tuple[int, int]] = {}, here: int = 0
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[str]]:
        """Clean, as the networks see them and their second pictures, each [count * frames, 3, side, side] in [0, 1], a clip's frames side by side; and
        the task of each clip. `here`: as in `one`. `around`: how many more there are before and after them, by task, for what is fused to be fused with."""
        rng = np.random.default_rng((self.seed, step, self.process))
        shares = np.array(list(task_shares.values()))
        tasks = rng.choice(list(task_shares), size=count, p=shares / shares.sum()).tolist()
        pairs = [self.one(rng, task, side, frames, around.get(task, (0, 0)), here) for task in tasks]
        return (*(tensor(np.concatenate(clips)) for clips in zip(*pairs)), tasks)


def tensor(frames: np.ndarray) -> torch.Tensor:
    """[N, H, W, 3] to [N, 3, H, W], laid out as convolutions like it."""
    x = torch.from_numpy(np.ascontiguousarray(frames, np.float32))
    return x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
