"""The one training loop of the autoencoder, the base and the ControlNet: AdamW, averaged weights, mixed precision, several
processes through accelerate, a log, and checkpoints from which going on equals not having stopped.

An optimizer's step takes `batch` x `accumulation` x processes examples, numbered on from those of the step before. So one
process that accumulates twice sees exactly what two processes see, and a checkpoint needs to remember no place in the data.
"""

import csv
import json
import math
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import torch
from accelerate import Accelerator
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

HELD_OUT_BATCHES = 4


@dataclass(frozen=True)
class Settings:
    """A recipe's section [STAGE.training]; length is either `steps` or `epochs`."""

    learning_rate: float
    batch: int  # of a process, at once
    seed: int
    steps: int | None = None
    epochs: float | None = None
    accumulation: int = 1
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: str = "constant"  # diffusers' names: constant, cosine, linear, ...
    warmup: int = 0
    largest_gradient: float = 1.0
    ema: float = 0.9999
    precision: str = "bf16"  # or "no"
    gradient_checkpointing: bool = False
    log_every: int = 10
    checkpoint_every: int = 500
    checkpoints_kept: int = 3
    workers: int = 0

    @classmethod
    def read(cls, values: dict, section: str) -> "Settings":
        known = {f.name for f in fields(cls)}
        for name in values:
            if name not in known:
                raise ValueError(f"{section}: {name}: unknown; expected some of {', '.join(sorted(known))}")
        for name in ("learning_rate", "batch", "seed"):
            if name not in values:
                raise ValueError(f"{section}: {name}: missing")
        settings = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        if settings.precision not in ("bf16", "no"):
            raise ValueError(f"{section}: precision {settings.precision!r}; expected 'bf16' or 'no'")
        if (settings.steps is None) == (settings.epochs is None):
            raise ValueError(f"{section}: expected either steps or epochs")
        return settings


class Stage(Protocol):
    """What is trained."""

    name: str
    module: nn.Module  # its parameters are trained; loss() calls what accelerate has wrapped around it
    data: Dataset  # by example number; its length is an epoch
    held_out: Dataset | None  # likewise, for judging

    def to(self, device: torch.device) -> None:
        """Moves what is not trained."""

    def loss(self, module: nn.Module, batch: dict) -> torch.Tensor: ...

    def write(self, folder: Path) -> None:
        """The product, from self.module."""


@dataclass(frozen=True)
class Options:
    """What a training's command line says beside the recipe."""

    out: Path
    stop_at: int | None = None  # a step; a checkpoint is written there
    resume: str = "latest"  # or "none", or a checkpoint's folder
    tensorboard: bool = False


def total_steps(settings: Settings, epoch: int, processes: int) -> int:
    if settings.steps is not None:
        return settings.steps
    return math.ceil(settings.epochs * epoch / (settings.batch * settings.accumulation * processes))


class Numbers:
    """The example numbers of each batch of one process, turn by turn; a step has as many turns as it accumulates."""

    def __init__(self, turns: range, batch: int, process: int = 0, processes: int = 1):
        self.turns, self.batch, self.process, self.processes = turns, batch, process, processes

    def __len__(self) -> int:
        return len(self.turns)

    def __iter__(self) -> Iterator[list[int]]:
        for turn in self.turns:
            begin = (turn * self.processes + self.process) * self.batch
            yield list(range(begin, begin + self.batch))


def loader(data: Dataset, numbers: Numbers, settings: Settings) -> DataLoader:
    return DataLoader(data, batch_sampler=numbers, num_workers=min(settings.workers, len(numbers)))


def noise_like(x: torch.Tensor, seeds: torch.Tensor) -> torch.Tensor:
    """Standard normal, each example's from its own seed, drawn on the processor so that no device changes it."""
    drawn = [torch.randn(x.shape[1:], generator=torch.Generator().manual_seed(int(s))) for s in seeds]
    return torch.stack(drawn).to(x.device)


def timesteps_of(seeds: torch.Tensor, count: int) -> torch.Tensor:
    """Uniform over the schedule, each example's from its own seed."""
    drawn = [torch.randint(count, (), generator=torch.Generator().manual_seed(int(s) ^ 1)) for s in seeds]
    return torch.stack(drawn).to(seeds.device)


class Checkpoints:
    """OUT/checkpoints/STAGE-NNNNNNNN: accelerate's state of the module, the optimizer and its schedule, and the averages."""

    def __init__(self, folder: Path, stage: str, kept: int):
        self.folder, self.stage, self.kept = folder / "checkpoints", stage, kept

    def all(self) -> list[Path]:
        """Complete ones, oldest first."""
        pattern = re.compile(re.escape(self.stage) + r"-\d{8}$")
        return sorted(p for p in self.folder.glob(f"{self.stage}-*") if pattern.match(p.name))

    def find(self, resume: str) -> Path | None:
        if resume == "none":
            return None
        if resume == "latest":
            return next(reversed(self.all()), None)
        if not (Path(resume) / "loop.json").exists():
            raise FileNotFoundError(f"{resume}: not a checkpoint: expected loop.json in it; there are: "
                                    f"{', '.join(map(str, self.all())) or 'none'}")
        return Path(resume)

    def save(self, accelerator: Accelerator, step: int) -> None:
        """Written beside and renamed: an interrupted write never leaves half a checkpoint under its name."""
        path = self.folder / f"{self.stage}-{step:08d}"
        part = path.with_suffix(".part")
        if accelerator.is_main_process and part.exists():
            shutil.rmtree(part)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(part))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            (part / "loop.json").write_text(json.dumps({"step": step}) + "\n")
            if path.exists():
                shutil.rmtree(path)
            part.rename(path)
            for old in self.all()[: -self.kept]:
                shutil.rmtree(old)
        accelerator.wait_for_everyone()


class Log:
    """OUT/STAGE.csv, and TensorBoard beside it where that is wanted."""

    columns = ("step", "epoch", "loss", "held_out_loss", "rate", "seconds")

    def __init__(self, accelerator: Accelerator, options: Options, stage: str, step: int):
        self.accelerator, self.path, self.tensorboard = accelerator, options.out / f"{stage}.csv", options.tensorboard
        if options.tensorboard:
            accelerator.init_trackers(stage)
        if accelerator.is_main_process:
            options.out.mkdir(parents=True, exist_ok=True)
            rows = []
            if step and self.path.exists():  # what is about to be done again is taken out
                with open(self.path, newline="") as file:
                    rows = [r for r in csv.DictReader(file) if int(r["step"]) <= step]
            with open(self.path, "w", newline="") as file:
                writer = csv.DictWriter(file, self.columns)
                writer.writeheader()
                writer.writerows(rows)

    def write(self, **values) -> None:
        if self.tensorboard:
            self.accelerator.log({k: v for k, v in values.items() if k != "step" and v != ""}, step=values["step"])
        if self.accelerator.is_main_process:
            row = {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in values.items()}
            with open(self.path, "a", newline="") as file:
                csv.DictWriter(file, self.columns).writerow(row)


def train(stage: Stage, settings: Settings, options: Options) -> None:
    """Trains to the recipe's end, or to `stop_at`; goes on from a checkpoint where there is one. What stage.write() makes,
    from the averaged weights, is in OUT when it is done."""
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(), mixed_precision="no", project_dir=str(options.out),
        log_with="tensorboard" if options.tensorboard else None,
    )
    torch.manual_seed(settings.seed)
    processes = accelerator.num_processes
    steps = total_steps(settings, len(stage.data), processes)
    stage.to(accelerator.device)
    stage.module.train()
    parameters = [p for p in stage.module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay, fused=True
    )
    # Not prepared by accelerate, which would step it once for each process.
    rates = get_scheduler(settings.schedule, optimizer, num_warmup_steps=settings.warmup, num_training_steps=steps)
    module, optimizer = accelerator.prepare(stage.module, optimizer)
    average = EMAModel(parameters, decay=settings.ema)
    average.to(accelerator.device)
    accelerator.register_for_checkpointing(rates, average)
    checkpoints = Checkpoints(options.out, stage.name, settings.checkpoints_kept)
    found, step = checkpoints.find(options.resume), 0
    if found:
        accelerator.load_state(str(found))
        average.to(accelerator.device)
        step = json.loads((found / "loop.json").read_text())["step"]
    last = min(steps, options.stop_at or steps)
    log = Log(accelerator, options, stage.name, step)
    turns = range(step * settings.accumulation, last * settings.accumulation)
    batches = iter(loader(stage.data, Numbers(turns, settings.batch, accelerator.process_index, processes), settings))
    bar = tqdm(total=steps, initial=step, desc=stage.name, disable=not accelerator.is_local_main_process, dynamic_ncols=True)
    losses, begun, saved = [], time.monotonic(), step
    while step < last:
        mean = 0.0
        for turn in range(settings.accumulation):
            batch = on_device(next(batches), accelerator.device)
            through = turn + 1 == settings.accumulation
            with nullcontext() if through else accelerator.no_sync(module):
                with computing(settings, accelerator.device):
                    loss = stage.loss(module, batch) / settings.accumulation
                accelerator.backward(loss)
            mean += float(loss.detach())
        if not math.isfinite(mean):
            raise FloatingPointError(f"{stage.name}: step {step + 1}: the loss is {mean}; try a smaller learning_rate, or precision 'no'")
        accelerator.clip_grad_norm_(parameters, settings.largest_gradient)
        optimizer.step()
        rate = rates.get_last_lr()[0]
        rates.step()
        optimizer.zero_grad(set_to_none=True)
        average.step(parameters)
        step += 1
        losses.append(mean)
        bar.update()
        bar.set_postfix(loss=f"{mean:.4f}", refresh=False)
        ends = step == last
        if ends or step % settings.checkpoint_every == 0:
            checkpoints.save(accelerator, step)
            saved = step
        if ends or saved == step or step % settings.log_every == 0:
            judged = judge(stage, settings, accelerator, module, average, parameters) if saved == step else ""
            shared = accelerator.reduce(torch.tensor(losses, device=accelerator.device).mean(), "mean")
            examples = step * settings.batch * settings.accumulation * processes
            log.write(step=step, epoch=examples / len(stage.data), loss=float(shared), held_out_loss=judged, rate=rate,
                      seconds=time.monotonic() - begun)
            losses = []
    bar.close()
    if accelerator.is_main_process:
        average.store(parameters)
        average.copy_to(parameters)
        stage.module = accelerator.unwrap_model(module)
        stage.write(options.out)
        average.restore(parameters)
    accelerator.wait_for_everyone()
    accelerator.end_training()


def computing(settings: Settings, device: torch.device) -> torch.autocast:
    """In the recipe's precision; weights, their averages and the optimizer's state stay in float32. Not by accelerate, which keeps one
    precision for the life of a process."""
    return torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16")


def on_device(batch: dict, device: torch.device) -> dict:
    return {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in batch.items()}


@torch.no_grad()
def judge(stage: Stage, settings: Settings, accelerator: Accelerator, module, average: EMAModel, parameters) -> float | str:
    """The mean loss of the averaged weights on a few held-out examples, always the same with the same noise."""
    if stage.held_out is None:
        return ""
    average.store(parameters)
    average.copy_to(parameters)
    whole = accelerator.unwrap_model(module)
    whole.eval()
    found = []
    for batch in loader(stage.held_out, Numbers(range(HELD_OUT_BATCHES), settings.batch), settings):
        with computing(settings, accelerator.device):
            found.append(float(stage.loss(whole, on_device(batch, accelerator.device))))
    whole.train()
    average.restore(parameters)
    return sum(found) / len(found)
