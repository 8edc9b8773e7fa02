"""Trains UNet, ControlNet and text encoder together on a finished autoencoder: python -m tdm_training.denoiser --help"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from . import networks, pipeline
from . import recipe as recipes
from .degradations import degrade, sensor_noise
from .networks import Model
from .pictures import CropSource
from .schedule import Schedule
from .training import Average, Clock, Log, rate_factor, save, share_gradients


# What the third way of training follows: strength, inversion steps, sampling steps; and its share. The preset's own
# comes first and is trained as a whole, inversion included; of the others only one step is, on what those before it leave.
PATHS = {
    (0.1, 1, 1): 0.72, (0.1, 1, 2): 0.08, (0.1, 2, 2): 0.05, (1.0, 1, 1): 0.08, (1.0, 2, 3): 0.04, (1.0, 3, 4): 0.03,
}
PRESET = next(iter(PATHS))


class Examples:
    """Batches of clean and degraded pictures with their tasks, a function of seed, process and step alone."""

    def __init__(self, source: CropSource, settings: dict, process: int = 0):
        self.source, self.settings, self.process = source, settings, process
        shares = settings["task_shares"]
        self.tasks = list(shares)
        self.shares = np.array([shares[t] for t in self.tasks]) / sum(shares.values())

    def at(self, step: int, side: int) -> tuple[torch.Tensor, torch.Tensor, list[str], torch.Generator]:
        seed, count = self.settings["seed"], self.settings["batch"]
        rng = np.random.default_rng((seed, step, self.process))
        generator = torch.Generator().manual_seed((seed * 64 + self.process) * 1_000_003 + step)
        clean = torch.from_numpy(self.source.batch(rng, count, side))
        tasks = sorted(rng.choice(self.tasks, size=count, p=self.shares).tolist())
        parts = []
        for task in dict.fromkeys(tasks):
            chosen = [i for i, t in enumerate(tasks) if t == task]
            parts.append(degrade(task, clean[chosen], generator))
        form = torch.channels_last
        degraded = torch.cat(parts).contiguous(memory_format=form)
        return clean.contiguous(memory_format=form), degraded, tasks, generator


class Objective:
    """The three ways of training, each a loss of one batch.

    alone  the UNet with the empty prompt on noisy latents of clean and of degraded pictures: what inversion needs.
    noise  UNet and ControlNet from Gaussian noise of any level: diffusion as it is defined; most often from the top.
    path   what a preset runs: the degraded picture's own inverted latent, and the steps down from there.
    """

    def __init__(self, model: Model, settings: dict):
        self.model, self.schedule = model, Schedule(model.scheduler)
        self.decoder = settings["decoder"]
        self.latent_weight, self.pixel_weight = settings["latent_weight"], settings["pixel_weight"]
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

    def distance(self, estimate: torch.Tensor, latent: torch.Tensor, clean: torch.Tensor, weight=1.0) -> torch.Tensor:
        """Between an estimated clean latent and the truth, as latents and as pictures."""
        picture = self.model.decode(estimate).float()
        pixels = ((picture - clean).square() + 1e-5).sqrt()
        latents = (estimate - latent).square()
        return self.latent_weight * (weight * latents).mean() + self.pixel_weight * (weight * pixels).mean()

    def alone(self, clean, degraded, tasks, choice, generator) -> torch.Tensor:
        empty, _ = self.texts(tasks)
        with torch.no_grad():
            z = self.model.encode(torch.cat([clean[::2], degraded[1::2]])).float()
        timesteps = self.draw(len(z), 0.3, generator)
        x, v = self.noisy(z, timesteps, generator)
        return (self.model.predict(x, timesteps, empty).float() - v).square().mean()

    def noise(self, clean, degraded, tasks, choice, generator) -> torch.Tensor:
        _, context = self.texts(tasks)
        with torch.no_grad():
            z = self.model.encode(clean).float()
        timesteps = self.draw(len(z), 0.5, generator)
        x, v = self.noisy(z, timesteps, generator)
        output = self.model.predict(x, timesteps, context, degraded).float()
        a, b = self.schedule.of(timesteps)
        return (output - v).square().mean() + self.distance(a * x - b * output, z, clean, b.square())

    def path(self, clean, degraded, tasks, choice, generator) -> torch.Tensor:
        empty, context = self.texts(tasks)
        followed = list(PATHS)[choice.choice(len(PATHS), p=np.array(list(PATHS.values())))]
        strength, inversion_steps, steps = followed
        whole = followed == PRESET
        schedule, predict = self.schedule, self.model.predict
        with torch.no_grad():
            z, start = self.model.encode(torch.cat([clean, degraded])).float().chunk(2)
        rungs = schedule.descent(steps, strength)
        last = 0 if whole else int(choice.integers(steps))
        with torch.set_grad_enabled(whole):
            x = pipeline.invert(self.model, schedule, start, empty, inversion_steps, strength)
        with torch.no_grad():
            for here, below in zip(rungs[:last], rungs[1:]):
                x = schedule.move(x, predict(x, here, context, degraded).float(), here, below)
        a, b = schedule.at(rungs[last])
        output = predict(x, rungs[last], context, degraded).float()
        # The estimate errs b times as much as the output: without this, low levels would hardly be heard.
        loss = self.distance(a * x - b * output, z, clean) / b
        if self.decoder:  # which has to go on drawing what the encoder wrote
            loss = loss + self.pixel_weight * (self.model.decode(z).float() - clean).abs().mean()
        return loss


@torch.no_grad()
def held_out_psnr(model: Model, pictures: list[np.ndarray], count: int = 8) -> float:
    """Mean PSNR of the preset's path on the middles of pictures with strong noise."""
    crops = []
    for p in pictures[:count]:
        y, x = (p.shape[0] - 256) // 2, (p.shape[1] - 256) // 2
        crops.append(p[y : y + 256, x : x + 256].transpose(2, 0, 1))
    clean = torch.from_numpy(np.stack(crops)).float() / 255
    noisy = sensor_noise(clean, torch.Generator().manual_seed(0), 25, 25)
    with torch.autocast("cpu", torch.bfloat16):
        out = pipeline.restore(model, noisy, "denoise", *PRESET).float()
    return float((-10 * torch.log10((out - clean).square().mean((1, 2, 3)))).mean())


def side_at(crops: list[list[float]], progress: float) -> int:
    """The crops' side from [[until this progress, side], ...]: small ones first, for more steps in the time."""
    return next(int(side) for until, side in crops if progress < until)


def together(accelerator: Accelerator, progress: float) -> float:
    """The processes' mean progress: their clocks differ, their learning rates and their ends may not."""
    return float(accelerator.reduce(torch.tensor(progress, dtype=torch.float64), "mean"))


def train(
    recipe: dict, pictures: str, folder: Path, report_seconds: float, vae: Path | None = None, start: Path | None = None
) -> None:
    """Trains into `folder`: from nothing on the autoencoder `vae`, or, the recipe's `finish`, from the model `start`."""
    settings = recipe["denoiser"]["finish" if start else "training"]
    accelerator = Accelerator(cpu=True)
    with accelerator.main_process_first():
        source, held_out = recipes.crop_source(recipe["data"], pictures, folder)
    examples = Examples(source, settings, accelerator.process_index)
    with accelerator.main_process_first():
        torch.manual_seed(settings["seed"])
        model = networks.load(start) if start else networks.build(recipe, vae, folder)
    trained = model.trained
    if settings["decoder"]:
        trained["decoder"] = model.vae.decoder.requires_grad_(True)
    trained.to(memory_format=torch.channels_last)
    model.vae.to(memory_format=torch.channels_last)
    parameters = list(trained.parameters())
    average = Average(parameters, settings["ema"])
    optimizer = torch.optim.AdamW(
        parameters, lr=settings["learning_rate"], betas=(0.9, 0.98), weight_decay=settings["weight_decay"], fused=True
    )
    state_path, step, spent = folder / "denoiser.state", 0, 0.0
    if state_path.exists():
        state = torch.load(state_path, weights_only=True)
        trained.load_state_dict(state["trained"])
        optimizer.load_state_dict(state["optimizer"])
        average.shadow, average.step = state["average"], state["average_step"]
        step, spent = state["step"], state["spent"]
    objective, clock = Objective(model, settings), Clock(settings["minutes"], spent)
    ways = ["alone", "noise", "path"]
    log = Log(folder / "denoiser.csv", ["step", "minutes", *ways, "held_out_psnr", "rate"])
    running, last_report = dict.fromkeys(ways, 0.0), time.monotonic()

    def checkpoint() -> None:
        if not accelerator.is_main_process:
            return
        average.swap(parameters)
        figure = held_out_psnr(model, held_out)
        model.save(folder / "model")
        average.swap(parameters)
        save(state_path, {
            "trained": trained.state_dict(), "optimizer": optimizer.state_dict(), "average": average.shadow,
            "average_step": average.step, "step": step, "spent": clock.spent,
        })
        rate = optimizer.param_groups[0]["lr"]
        log.write(step=step, minutes=clock.spent / 60, **running, held_out_psnr=figure, rate=rate)

    while (progress := together(accelerator, clock.progress)) < 1:
        # One way for all processes: a step costs what its way costs, and the processes wait for each other.
        choice = np.random.default_rng((settings["seed"], step))
        clean, degraded, tasks, generator = examples.at(step, side_at(settings["crops"], progress))
        # The shares' course is over the first half; after it everything is as in the end.
        along = min(1.0, 2 * progress)
        shares = np.array([(1 - along) * settings[w][0] + along * settings[w][1] for w in ways])
        way = ways[choice.choice(len(ways), p=shares / shares.sum())]
        for group in optimizer.param_groups:
            group["lr"] = settings["learning_rate"] * rate_factor(step, progress, settings["warmup"])
        with torch.autocast("cpu", torch.bfloat16):
            loss = getattr(objective, way)(clean, degraded, tasks, choice, generator)
        loss.backward()
        share_gradients(accelerator, parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
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
    source = p.add_mutually_exclusive_group(required=True)
    source.add_argument("--vae", type=Path, help="the finished autoencoder's folder; everything else begins at random")
    source.add_argument("--begin-with", type=Path, help="a model's folder to go on from, with the recipe's [denoiser.finish]")
    p.add_argument("--out", required=True, type=Path, help="checkpoints, log, and the diffusers folder model/")
    p.add_argument("--report-seconds", type=float, default=150)
    p.add_argument("--threads", type=int, default=2)
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    train(recipes.read(o.recipe), o.pictures, o.out, o.report_seconds, o.vae, o.begin_with)


if __name__ == "__main__":
    main()
