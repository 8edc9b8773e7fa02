"""Trains UNet, ControlNet (where the recipe has one) and text encoder together, on short moving clips: python -m tdm_training.denoiser --help"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from . import networks, pipeline, window
from . import recipe as recipes
from .degradations import TASKS
from .examples import FUSED, Examples, as_seen, tensor
from .networks import Model
from .pictures import CropSource
from .schedule import Schedule
from .training import Average, Log, keep, rate_factor, resume, share_gradients


# Squared error, 40 dB, about which an error counts most. Without it nearly clean pictures, whose errors are tiny, have
# by far the largest gradients, and AdamW takes its step from them; with more of it nothing better than it is learned.
GOOD_ENOUGH = 1e-4


# A recipe's section [denoiser].
KEYS = {
    "steps", "windowed", "fusion", "alone_share", "short_share", "learning_rate", "warmup", "weight_decay", "ema", "seed",
    "latent_weight", "shares", "stages",
}
OPTIONAL_KEYS = {"fusion_ahead"}  # frames behind one that it is fused with; else as many as before it


def settings_of(recipe: dict) -> dict:
    """The section, whose keys are those and no others."""
    settings = recipe["denoiser"]
    for name in sorted(settings.keys() ^ KEYS):
        if name not in OPTIONAL_KEYS:
            raise ValueError(f"recipe: [denoiser] {name}: {'unknown' if name in settings else 'missing'}; expected {', '.join(sorted(KEYS | OPTIONAL_KEYS))}")
    return {"fusion_ahead": settings["fusion"]} | settings


@dataclass(frozen=True)
class Batch:
    """Clips of `frames` frames, of which one is to be restored: frame `here`."""

    clean: torch.Tensor  # [N * frames, 3, H, W] in [0, 1]
    degraded: torch.Tensor
    tasks: list[str]
    frames: int
    here: int
    task_weights: dict[str, float]

    def at_here(self, x: torch.Tensor) -> torch.Tensor:
        """[N * frames, ...] to [N, ...]"""
        return x.unflatten(0, (-1, self.frames))[:, self.here]

    @property
    def target(self) -> torch.Tensor:
        return self.at_here(self.clean)

    @property
    def own(self) -> torch.Tensor:
        return self.at_here(self.degraded)


class Objective:
    """The ways of training, each a loss of one batch.

    alone     the UNet with the empty prompt on noisy latents of clean and of degraded pictures: what inversion needs
    noise     UNet and ControlNet from Gaussian noise of any level: diffusion as it is defined; most often from the top
    path      what the program's preset runs, from the degraded picture's latent to the clean picture
    inverted  the same after one step of inversion
    """

    def __init__(self, model: Model, preset: dict, settings: dict):
        self.model, self.schedule, self.preset = model, Schedule(model.scheduler), preset
        self.latent_weight = settings["latent_weight"]
        tokens = model.tokens()
        self.names, self.tokens = list(tokens), torch.stack(list(tokens.values()))

    def texts(self, tasks: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.model.text(self.tokens).last_hidden_state
        empty = features[[self.names.index("")] * len(tasks)]
        return empty, features[[self.names.index(t) for t in tasks]]

    def noisy(self, z: torch.Tensor, timesteps: torch.Tensor, generator: torch.Generator):
        noise = torch.randn(z.shape, generator=generator)
        a, b = self.schedule.of(timesteps)
        return a * z + b * noise, a * noise - b * z

    def draw(self, count: int, top_share: float, generator: torch.Generator) -> torch.Tensor:
        """Timesteps: the noisiest for `top_share`, the others anywhere."""
        top = torch.rand(count, generator=generator) < top_share
        last = self.schedule.train_steps - 1
        anywhere = torch.randint(0, last + 1, (count,), generator=generator)
        return torch.where(top, last, anywhere)

    def distance(self, picture: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The logarithm of each picture's squared error: its PSNR but for sign and scale.

        What is wrong in fog is wrong in the same way everywhere in the picture, and moves the weights ten times as much as noise
        does, that is wrong in a new way in every pixel: the tasks' weights bring them to the same size.
        """
        square = (picture.float() - batch.target).square().mean((1, 2, 3))
        weights = torch.tensor([batch.task_weights[t] for t in batch.tasks])
        return (weights * torch.log(square + GOOD_ENOUGH)).mean()

    def alone(self, batch: Batch, generator) -> torch.Tensor:
        empty, _ = self.texts(batch.tasks)
        z = self.model.encode(torch.cat([batch.target[::2], batch.own[1::2]]))
        timesteps = self.draw(len(z), 0.2, generator)
        # Inversion of the preset's strength happens near the clean level.
        near = torch.rand(len(z), generator=generator) < 0.5
        timesteps = torch.where(near, (timesteps * self.preset["strength"]).long(), timesteps)
        x, v = self.noisy(z, timesteps, generator)
        return self.latent_weight * (self.model.predict(x, timesteps, empty).float() - v).square().mean()

    def noise(self, batch: Batch, generator) -> torch.Tensor:
        _, context = self.texts(batch.tasks)
        timesteps = self.draw(len(batch.tasks), 0.3, generator)
        x, v = self.noisy(self.model.encode(batch.clean), timesteps.repeat_interleave(batch.frames), generator)
        windows = window.stacked(x, batch.frames, window.radius_of(self.model.unet), batch.here)
        output = self.model.predict(batch.at_here(x), timesteps, context, batch.own, windows).float()
        return self.latent_weight * (output - batch.at_here(v)).square().mean()

    def path(self, batch: Batch, generator) -> torch.Tensor:
        return self.followed(batch, self.preset)

    def inverted(self, batch: Batch, generator) -> torch.Tensor:
        return self.followed(batch, self.preset | {"inversion_steps": 1})

    def followed(self, batch: Batch, preset: dict) -> torch.Tensor:
        empty, context = self.texts(batch.tasks)
        picture = pipeline.restore_one(
            self.model, self.schedule, batch.degraded, batch.frames, batch.here, empty, context, preset)
        return self.distance(picture, batch)


class HeldOut:
    """Clips made of pictures kept aside, each degraded for each task by a seed of its own: what training is judged by.

    `tasks`: those that are trained. `windowed`: tasks that read their window, of `FRAMES` frames; for others a frame is alone, fused as the program
    fuses it, with `fusion` frames before it and `ahead` behind.
    """

    FRAMES = 5

    def __init__(self, pictures: list[np.ndarray], tasks: list[str], fusion: int, ahead: int, windowed: list[str], side: int = 192):
        # A full window lies in a clip that goes on: what is fused reads as far again on either side.
        middle = self.FRAMES // 2 + fusion
        own, window = range(middle, middle + 1), range(fusion, fusion + self.FRAMES)
        clips = [
            CropSource([p], [], 0).clip(np.random.default_rng((i, 54321)), side, self.FRAMES + 2 * fusion)
            for i, p in enumerate(pictures)
        ]
        self.clean = tensor(np.stack([c[middle] for c in clips]))
        degraded = {
            task: [TASKS[task](c, np.random.default_rng((i, 12345))) for i, c in enumerate(clips)] for task in tasks
        }
        self.own = {task: [tensor(c[middle : middle + 1]) for c in d] for task, d in degraded.items()}
        seen = lambda task, c: as_seen(task, c, fusion, window) if task in windowed else as_seen(task, c[: own.stop + ahead], fusion, own)
        self.seen = {task: [tensor(seen(task, c)) for c in d] for task, d in degraded.items()}

    def untouched(self) -> dict[str, float]:
        """By task."""
        return {t: self.mean(torch.cat(frames)) for t, frames in self.own.items()}

    def mean(self, pictures: torch.Tensor) -> float:
        """PSNR in dB, the mean over the pictures."""
        return float((-10 * torch.log10((pictures - self.clean).square().mean((1, 2, 3)))).mean())

    @torch.no_grad()
    def psnr(self, model: Model, preset: dict, bf16: bool) -> dict[str, float]:
        """By task."""
        schedule, figures = Schedule(model.scheduler), {}
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            text = pipeline.contexts(model, ["", *self.seen])
            for task, clips in self.seen.items():
                out = [
                    pipeline.restore_one(model, schedule, c, len(c), len(c) // 2, text[""], text[task], preset) for c in clips
                ]
                figures[task] = self.mean(torch.cat(out).float().clamp(0, 1))
        return figures


def a_window(choice: np.random.Generator, settings: dict, before: int, after: int) -> tuple[int, int]:
    """(frames, which of them to restore): a frame with all of those that it may have before and after it, one with fewer, as at the
    beginning and the end of a clip, or a frame alone."""
    kind, most = choice.random(), before + 1 + after
    if kind < settings["alone_share"] or most == 1:
        return 1, 0
    if kind < settings["alone_share"] + settings["short_share"] and most > 2:
        frames = int(choice.integers(2, most))
        return frames, int(choice.integers(max(frames - 1 - after, 0), min(before + 1, frames)))
    return most, before


def of_one_kind(choice: np.random.Generator, task_shares: dict[str, float], windowed: list[str]) -> tuple[dict[str, float], bool]:
    """(the shares of a batch's tasks, whether they read their window): all of a batch's clips have as many frames."""
    kinds = [{t: s for t, s in task_shares.items() if (t in windowed) == w} for w in (False, True)]
    reads = choice.random() * sum(task_shares.values()) < sum(kinds[True].values())
    return kinds[reads], reads


def train(recipe: dict, pictures: str, folder: Path, report_seconds: float, start: Path | None = None,
          vae: Path | None = None, bf16: bool = True) -> None:
    """Trains into `folder`, from nothing or from the model in `start`. Goes on from the checkpoint that it finds."""
    settings, preset = settings_of(recipe), recipe["preset"]
    accelerator = Accelerator(cpu=True)
    with accelerator.main_process_first():
        source, held_out = recipes.crop_source(recipe["data"], pictures, folder)
        torch.manual_seed(settings["seed"])
        model = networks.load(start) if start else networks.build(recipe, folder, vae)
    fusion, ahead = settings["fusion"], settings["fusion_ahead"]
    windowed, radius = settings["windowed"], window.radius_of(model.unet)
    if both := set(windowed) & FUSED.keys():
        raise ValueError(f"windowed: {', '.join(sorted(both))}: fused frames are trained alone; expected tasks that are not fused")
    examples = Examples(source, settings["seed"], accelerator.process_index, fusion)
    sizes = [size for stage in settings["stages"] for size in (stage, stage.get("large")) if size]
    tasks = [t for t in TASKS if any(size["task_shares"].get(t) for size in sizes)]
    judged = HeldOut(held_out[:12], tasks, fusion, ahead, windowed) if accelerator.is_main_process else None
    trained = model.trained.to(memory_format=torch.channels_last)
    parameters = list(trained.parameters())
    average = Average(parameters, settings["ema"])
    optimizer = torch.optim.AdamW(
        parameters, lr=settings["learning_rate"], betas=(0.9, 0.99), weight_decay=settings["weight_decay"], fused=True
    )
    state_path = folder / "denoiser.state"
    step = resume(state_path, trained, optimizer, average)
    objective = Objective(model, preset, settings)
    ways = list(settings["shares"])
    shares = np.array([settings["shares"][w] for w in ways])
    if judged and step == 0:
        print("held out, untouched: ", {t: round(v, 2) for t, v in judged.untouched().items()}, flush=True)
    log = Log(folder / "denoiser.csv", ["step", "minutes", *ways, *(f"{w}_gradient" for w in ways), *tasks, "rate"])
    running, norms, begun = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0), time.monotonic()
    last_report = begun

    def checkpoint() -> None:
        if not accelerator.is_main_process:
            return
        keep(state_path, trained, optimizer, average, step)
        average.swap(parameters)
        figures = judged.psnr(model, preset, bf16)
        model.save(folder / "model")
        average.swap(parameters)
        rate = optimizer.param_groups[0]["lr"]
        log.write(step=step, minutes=(time.monotonic() - begun) / 60, **running, **figures, rate=rate,
                  **{f"{w}_gradient": n for w, n in norms.items()})

    while step < settings["steps"]:
        progress = step / settings["steps"]
        # One way for all processes: a step costs what its way costs, and the processes wait for each other.
        choice = np.random.default_rng((settings["seed"], step))
        way = ways[choice.choice(len(ways), p=shares / shares.sum())]
        stage = next(s for s in settings["stages"] if progress < s["until"])
        size = stage["large"] if "large" in stage and choice.random() < stage["large"]["share"] else stage
        shares_of_tasks, reads_window = of_one_kind(choice, size["task_shares"], windowed)
        length, place = a_window(choice, settings, *((radius, radius) if reads_window else (fusion, ahead)))
        # Where no window is read, the frames about one are there for the fusion alone.
        frames, here, around = (length, place, (0, 0)) if reads_window else (1, 0, (place, length - 1 - place))
        drawn = examples.at(step, size["batch"], size["side"], shares_of_tasks, frames, around)
        batch = Batch(*drawn, frames, here, stage["task_weights"])
        generator = torch.Generator().manual_seed((settings["seed"] * 64 + accelerator.process_index) * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = settings["learning_rate"] * stage["rate"] * rate_factor(step, progress, settings["warmup"])
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = getattr(objective, way)(batch, generator)
        loss.backward()
        share_gradients(accelerator, parameters)
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, 1.0))
        norms[way] = norm if norms[way] == 0 else 0.98 * norms[way] + 0.02 * norm
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(parameters)
        step += 1
        running[way] = loss.item() if running[way] == 0 else 0.98 * running[way] + 0.02 * loss.item()
        if time.monotonic() - last_report > report_seconds:
            checkpoint()
            last_report = time.monotonic()
    checkpoint()
    accelerator.end_training()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--recipe", required=True)
    p.add_argument("--pictures", required=True, help="a folder of photographs")
    p.add_argument("--vae", type=Path, help="a trained autoencoder's folder, where the recipe's is one that is trained")
    p.add_argument("--begin-with", type=Path, help="a model's folder to go on from")
    p.add_argument("--out", required=True, type=Path, help="checkpoints, log, and the diffusers folder model/")
    p.add_argument("--report-seconds", type=float, default=150)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--float32", action="store_true", help="in place of bfloat16: faster on processors without AMX")
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    train(recipes.read(o.recipe), o.pictures, o.out, o.report_seconds, o.begin_with, o.vae, not o.float32)


if __name__ == "__main__":
    main()
