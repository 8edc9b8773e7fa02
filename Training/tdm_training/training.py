"""What the embedded model's training is made of: the learning rate's course, averaged weights, checkpoints, the log."""

import csv
import math
import os
from pathlib import Path

import torch
from accelerate import Accelerator


def rate_factor(step: int, progress: float, warmup: int, floor: float = 0.02) -> float:
    """A linear rise over `warmup` steps, flat to three tenths of the way, then a cosine down to `floor`."""
    falling = max(0.0, (progress - 0.3) / 0.7)
    return min(1.0, (step + 1) / max(warmup, 1)) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * falling)))


@torch.no_grad()
def share_gradients(accelerator: Accelerator, parameters: list[torch.Tensor]) -> None:
    """Replaces every process's gradients by their mean, in one message.

    Plain gradient averaging instead of a wrapper around the model: not every way of training uses every parameter,
    and a step calls the UNet more than once.
    """
    if accelerator.num_processes == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = accelerator.reduce(torch.cat([g.flatten() for g in gradients]), "mean")
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients])):
        gradient.copy_(mean.view_as(gradient))


class Average:
    """Exponential moving average of a set of parameters."""

    def __init__(self, parameters: list[torch.Tensor], decay: float):
        self.decay, self.step = decay, 0
        self.shadow = [p.detach().clone() for p in parameters]

    @torch.no_grad()
    def update(self, parameters: list[torch.Tensor]) -> None:
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.shadow, [p.detach() for p in parameters], 1 - decay)

    @torch.no_grad()
    def swap(self, parameters: list[torch.Tensor]) -> None:
        """Exchanges the averages and the parameters; twice is the identity."""
        for s, p in zip(self.shadow, parameters):
            held = p.detach().clone()
            p.copy_(s)
            s.copy_(held)


def save(path: Path, state: dict) -> None:
    """Written beside and renamed: an interrupted write never leaves half a checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


class Log:
    """One CSV line a report, and the same line on the terminal."""

    def __init__(self, path: Path, columns: list[str]):
        self.path, self.columns = path, columns
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(",".join(columns) + "\n")

    def write(self, **values) -> None:
        row = [f"{v:.5g}" if isinstance(v, float) else v for v in (values[c] for c in self.columns)]
        with open(self.path, "a", newline="") as file:
            csv.writer(file).writerow(row)
        print("  ".join(f"{c} {v}" for c, v in zip(self.columns, row)), flush=True)


def keep(path: Path, trained: torch.nn.Module, optimizer: torch.optim.Optimizer, average: Average, step: int) -> None:
    """Writes all that `resume` needs to go on as if there had been no stop."""
    save(path, {
        "trained": trained.state_dict(), "optimizer": optimizer.state_dict(), "average": average.shadow,
        "average_step": average.step, "step": step,
    })


def resume(path: Path, trained: torch.nn.Module, optimizer: torch.optim.Optimizer, average: Average) -> int:
    """The number of steps taken, with everything as it was then; 0 where there is no checkpoint."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    trained.load_state_dict(state["trained"])
    optimizer.load_state_dict(state["optimizer"])
    average.shadow, average.step = state["average"], state["average_step"]
    return state["step"]
