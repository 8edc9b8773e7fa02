"""Trains the window's fusion on moving clips, on a denoiser that stays as it is: python -m tdm_training.fusion --help"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from . import networks, pipeline, window
from . import recipe as recipes
from .denoiser import Objective
from .examples import Examples
from .networks import Model
from .schedule import Schedule
from .training import Average, Log, keep, rate_factor, resume, share_gradients


class Features:
    """What the U-Net's last convolution is given: what the fusion works on."""

    def __init__(self, unet):
        self.seen = None
        unet.conv_out.register_forward_pre_hook(self.keep)

    def keep(self, module, arguments):
        self.seen = arguments[0]


class Fused:
    """Restoration of one frame from a window of frames, by the preset's single step."""

    def __init__(self, model: Model, preset: dict):
        if preset["inversion_steps"] != 0 or preset["steps"] != 1:
            raise ValueError(f"preset: {preset}; fusion is trained on a path of one step without inversion")
        self.model, self.schedule = model, Schedule(model.scheduler)
        self.timestep = self.schedule.descent(1, preset["strength"])[0]
        self.features = Features(model.unet)

    @torch.no_grad()
    def prepare(self, degraded: torch.Tensor, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents and features of frames [F, 3, H, W]; nothing in them depends on the other frames."""
        z = self.model.encode(degraded)
        self.model.predict(z, self.timestep, context.expand(len(z), -1, -1), degraded)
        return z, self.features.seen

    def picture(self, z: torch.Tensor, features: torch.Tensor, here: int) -> torch.Tensor:
        """Frame `here` of a window, [1, 3, H, W]."""
        a, b = self.schedule.at(self.timestep)
        v = self.model.unet.conv_out(window.of(self.model.unet)(features, here)).float()
        return self.model.decode(a * z[here : here + 1] - b * v)


@torch.no_grad()
def restore_clip(model: Model, preset: dict, degraded: torch.Tensor, task: str, radius: int) -> torch.Tensor:
    """A whole clip [F, 3, H, W] in [0, 1], sides multiples of 16, each frame from its window."""
    fused = Fused(model, preset)
    context = pipeline.contexts(model, [task])[task]
    prepared = [fused.prepare(frame[None], context) for frame in degraded]
    out = []
    for i in range(len(degraded)):
        near = range(max(0, i - radius), min(len(degraded), i + radius + 1))
        z, h = (torch.cat([prepared[j][k] for j in near]) for k in range(2))
        out.append(fused.picture(z, h, i - near.start))
    return torch.cat(out).clamp(0, 1)


def train(recipe: dict, pictures: str, folder: Path, report_seconds: float, start: Path) -> None:
    """Trains into `folder`, from the model in `start`. Goes on from the checkpoint that it finds."""
    settings, preset = recipe["fusion"]["training"], recipe["preset"]
    shape = {k: recipe["fusion"][k] for k in ("key_channels", "reach", "radius")}
    accelerator = Accelerator(cpu=True)
    with accelerator.main_process_first():
        source, _ = recipes.crop_source(recipe["data"], pictures, folder)
        torch.manual_seed(settings["seed"])
        model = networks.load(start)
    if window.of(model.unet) is None:
        window.install(model.unet, shape)
        window.initialize(model.unet)
    for part in (model.unet, model.controlnet, model.text):
        part.requires_grad_(False).to(memory_format=torch.channels_last)
    trained = torch.nn.ModuleDict({
        "fusion": window.of(model.unet), "out": model.unet.conv_out,
    }).requires_grad_(True)
    parameters = list(trained.parameters())
    average = Average(parameters, settings["ema"])
    optimizer = torch.optim.AdamW(
        parameters, lr=settings["learning_rate"], betas=(0.9, 0.98), weight_decay=settings["weight_decay"], fused=True
    )
    state_path = folder / "fusion.state"
    step = resume(state_path, trained, optimizer, average)
    examples = Examples(source, settings["seed"], settings["task_shares"], accelerator.process_index)
    objective, fused = Objective(model, preset, settings), Fused(model, preset)
    log = Log(folder / "fusion.csv", ["step", "minutes", "loss", "rate"])
    running, begun = 0.0, time.monotonic()
    last_report = begun

    def checkpoint() -> None:
        if not accelerator.is_main_process:
            return
        keep(state_path, trained, optimizer, average, step)
        average.swap(parameters)
        model.save(folder / "model")
        average.swap(parameters)
        rate = optimizer.param_groups[0]["lr"]
        log.write(step=step, minutes=(time.monotonic() - begun) / 60, loss=running, rate=rate)

    while step < settings["steps"]:
        choice = np.random.default_rng((settings["seed"], step))
        for group in optimizer.param_groups:
            group["lr"] = settings["learning_rate"] * rate_factor(step, step / settings["steps"], settings["warmup"])
        frames = 1 if choice.random() < settings["alone_share"] else int(choice.integers(2, settings["frames"] + 1))
        here = int(choice.integers(frames))  # at a clip's ends the window is one-sided
        clean, degraded, tasks = examples.at(step, settings["batch"], settings["side"], frames)
        loss = 0
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                _, contexts = objective.texts(tasks)
            for i in range(settings["batch"]):
                clip = slice(i * frames, (i + 1) * frames)
                z, h = fused.prepare(degraded[clip], contexts[i : i + 1])
                picture = fused.picture(z, h, here)
                loss = loss + objective.distance(picture, clean[clip][here : here + 1], tasks[i : i + 1]) / settings["batch"]
        loss.backward()
        share_gradients(accelerator, parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(parameters)
        step += 1
        running = loss.item() if running == 0 else 0.98 * running + 0.02 * loss.item()
        if time.monotonic() - last_report > report_seconds:
            checkpoint()
            last_report = time.monotonic()
    checkpoint()
    accelerator.end_training()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--recipe", required=True)
    p.add_argument("--pictures", required=True, help="a folder of photographs")
    p.add_argument("--begin-with", type=Path, required=True, help="the trained denoiser's folder model/")
    p.add_argument("--out", required=True, type=Path, help="checkpoints, log, and the diffusers folder model/")
    p.add_argument("--report-seconds", type=float, default=150)
    p.add_argument("--threads", type=int, default=2)
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    train(recipes.read(o.recipe), o.pictures, o.out, o.report_seconds, o.begin_with)


if __name__ == "__main__":
    main()
