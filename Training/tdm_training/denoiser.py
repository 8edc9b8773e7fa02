"""Trains UNet, ControlNet (where the recipe has one) and text encoder together, on short moving clips: python -m tdm_training.denoiser --help"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from . import condition, depth, networks, window
from . import recipe as recipes
from .degradations import TASKS
from .examples import AVERAGED_BESIDE, FUSED, RANKED_BESIDE, Examples, reach_of
from .held_out import HeldOut
from .muon import Muon
from .objective import GOOD_ENOUGH, Batch, Objective
from .training import Average, Log, keep, rate_factor, resume, share_gradients

# What a stage says of its batches, and of its larger ones.
STAGE_KEYS = {"side", "batch", "task_shares"}
# A recipe's section [denoiser].
KEYS = {
    "steps", "windowed", "fusion", "alone_share", "short_share", "learning_rate", "warmup", "weight_decay", "ema", "seed",
    "latent_weight", "shares", "stages",
}
OPTIONAL_KEYS = {
    "optimizer",  # "adamw", which it is where none is said, or "muon": muon.py
    "fusion_ahead",  # frames behind one that it may wait for to be fused with; else as many as `fusion`
    "task_fusion",  # `fusion` of tasks that have another
    "history",  # frames at most that a noisy clip has before those that one is fused with; else none: examples.py
    "recorded_share",  # of the clips that get compressed: a recording's, with grain and losses of its own; else none: examples.py
    "enlarged_share",  # of the clips that get noise or compressed: as if enlarged after they were degraded; else none: examples.py
    "soft_share",  # of the clips that get noise or compressed: as through a soft lens; else none: examples.py
    "good_enough",  # squared error about which one counts most; else objective.GOOD_ENOUGH
    "last_share",  # of the batches: frames with all that they may have before them and none behind; else none
}


def settings_of(recipe: dict) -> dict:
    """The section, whose keys are those and no others."""
    settings = recipe["denoiser"]
    recipes.expect_keys("denoiser", settings, KEYS, OPTIONAL_KEYS)
    for stage in settings["stages"]:
        recipes.expect_keys("denoiser.stages", stage, STAGE_KEYS | {"until", "rate", "task_weights"}, {"large"})
        if "large" in stage:
            recipes.expect_keys("denoiser.stages.large", stage["large"], STAGE_KEYS | {"share"})
    if settings.get("optimizer", "adamw") not in ("adamw", "muon"):
        raise ValueError(f"[denoiser] optimizer: expected adamw or muon, found {settings['optimizer']!r}")
    return {"optimizer": "adamw", "fusion_ahead": settings["fusion"], "task_fusion": {}, "last_share": 0.0, "history": 0, "recorded_share": 0.0, "enlarged_share": 0.0, "soft_share": 0.0,
            "good_enough": GOOD_ENOUGH} | settings


def a_window(choice: np.random.Generator, settings: dict, before: int, after: int) -> tuple[int, int]:
    """(frames, which of them to restore): a frame with all of those that it may have before and after it, one without those after it, as
    from a camera, one with fewer, as at the beginning and the end of a clip, or a frame alone."""
    kind, most = choice.random(), before + 1 + after
    if kind < settings["alone_share"] or most == 1:
        return 1, 0
    if kind < settings["alone_share"] + settings["short_share"] and most > 2:
        frames = int(choice.integers(2, most))
        return frames, int(choice.integers(max(frames - 1 - after, 0), min(before + 1, frames)))
    if kind < settings["alone_share"] + settings["short_share"] + settings["last_share"]:
        return before + 1, before
    return most, before


def a_neighbourhood(choice: np.random.Generator, settings: dict, before: int, after: int) -> tuple[int, int]:
    """How many frames one has before it and after it, of a window of those that it may have; after it no more than before."""
    frames, here = a_window(choice, settings, before, min(before, after))
    return here, frames - 1 - here


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
        condition.fit(model.unet, model.controlnet, recipe)
        depth.fit(model, recipe)
        if not recipe.get("window_input") and not settings["windowed"] and window.radius_of(model.unet):
            for net in filter(None, (model.unet, model.controlnet)):
                window.narrow(net)
    fusion, ahead = settings["fusion"], settings["fusion_ahead"]
    windowed, radius = settings["windowed"], window.radius_of(model.unet)
    if both := set(windowed) & (FUSED.keys() | AVERAGED_BESIDE.keys()):
        raise ValueError(f"windowed: {', '.join(sorted(both))}: averaged frames are trained alone; expected tasks whose frames are not")
    sizes = [size for stage in settings["stages"] for size in (stage, stage.get("large")) if size]
    tasks = [t for t in TASKS if any(size["task_shares"].get(t) for size in sizes)]
    sees_both = condition.sees_both(model.controlnet) or model.reads_both
    radii = {t: settings["task_fusion"].get(t, fusion) for t in tasks if t in FUSED or t in AVERAGED_BESIDE and sees_both}
    if sees_both:  # As many frames on either side as the window has.
        radii |= {t: radius for t in RANKED_BESIDE & set(windowed)}
    examples = Examples(source, settings["seed"], accelerator.process_index, radii, settings["history"], settings["recorded_share"],
                        settings["enlarged_share"], settings["soft_share"])
    judged = HeldOut(held_out[:12], tasks, radii, ahead, windowed, style=source.style) if accelerator.is_main_process else None
    trained = model.trained.to(memory_format=torch.channels_last)
    parameters = list(trained.parameters())
    average = Average(parameters, settings["ema"])
    options = {"lr": settings["learning_rate"], "betas": (0.9, 0.99), "weight_decay": settings["weight_decay"], "fused": True}
    optimizer = Muon(trained, accelerator, **options) if settings["optimizer"] == "muon" else torch.optim.AdamW(parameters, **options)
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
        frames, here = a_window(choice, settings, radius, radius) if reads_window else (1, 0)
        # Where no window is read, the frames about one are there for the fusion alone.
        around = {t: a_neighbourhood(choice, settings, reach_of(t, radii.get(t, 0)), ahead) for t in shares_of_tasks if not reads_window}
        drawn = examples.at(step, size["batch"], size["side"], shares_of_tasks, frames, around, here)
        batch = Batch(*drawn, frames, here, stage["task_weights"])
        generator = torch.Generator().manual_seed((settings["seed"] * 64 + accelerator.process_index) * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = settings["learning_rate"] * stage["rate"] * rate_factor(step, progress, settings["warmup"])
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = getattr(objective, way)(batch, generator)
        loss.backward()
        share_gradients(accelerator, parameters)
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, 1.0))
        if not math.isfinite(norm):  # before it is in the averages, and these in the only checkpoint
            raise FloatingPointError(f"step {step + 1}, {way}: the gradient's norm is {norm}; try a smaller learning_rate, or --float32")
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
    # Gradients of what is restored well are denormal in places: without it a step of dehaze.toml came to take 1.1 s instead of 0.6.
    torch.set_flush_denormal(True)
    train(recipes.read(o.recipe), o.pictures, o.out, o.report_seconds, o.begin_with, o.vae, not o.float32)


if __name__ == "__main__":
    main()
