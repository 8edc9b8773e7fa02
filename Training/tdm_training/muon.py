"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/): AdamW, but that the weights of convolutions and linear layers move along the nearest
orthogonal matrix of their momentum, in all directions alike, and not mostly in the few that all gradients share.

torch.optim.Muon takes matrices, not convolutions, in bfloat16, and each process moves all of them; here processes share them, in float32.
"""

import torch
from accelerate import Accelerator
from torch import nn

COEFFICIENTS = 3.4445, -4.7750, 2.0315  # of the Newton-Schulz iteration: Jordan's
ITERATIONS = 5
MOMENTUM = 0.95
LEAST = 16  # rows and inputs of what is moved so: first and last convolutions have fewer
AS_ADAMW = 0.2  # root mean square of a step, in learning rates: about AdamW's (Liu et al., arXiv 2502.16982)


def orthogonal(x: torch.Tensor) -> torch.Tensor:
    """Matrices [N, rows, columns], their singular values all brought to 0.7...1.2."""
    if x.shape[1] > x.shape[2]:
        return orthogonal(x.mT).mT
    a, b, c = COEFFICIENTS
    x = x / x.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None]
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x


def as_matrix(weights: torch.Tensor) -> torch.Tensor:
    """[outputs, inputs, ...] to [outputs, all others]: a view where a convolution's weights lie with their inputs last."""
    return weights.movedim(1, -1).flatten(1)


class Muon(torch.optim.AdamW):
    """For all parameters of `net`. Matrices of one shape are moved together, each process's share of them by that process."""

    def __init__(self, net: nn.Module, accelerator: Accelerator, lr: float, weight_decay: float, **adamw):
        matrices, others = {}, []
        for part in net.modules():
            for name, p in part.named_parameters(recurse=False):
                if isinstance(part, (nn.Conv2d, nn.Linear)) and name == "weight" and min(p.shape[:2]) >= LEAST:
                    matrices.setdefault(tuple(as_matrix(p).shape), []).append(p)
                else:
                    others.append(p)
        super().__init__(others, lr=lr, weight_decay=weight_decay, **adamw)
        self.matrices, self.accelerator = list(matrices.values()), accelerator
        self.momentum = [torch.zeros(len(alike), *shape) for shape, alike in matrices.items()]

    @torch.no_grad()
    def step(self) -> None:
        super().step()
        group, moves = self.param_groups[0], []
        for alike, momentum in zip(self.matrices, self.momentum):
            gradients = torch.stack([as_matrix(torch.zeros_like(p) if p.grad is None else p.grad) for p in alike])
            momentum.lerp_(gradients, 1 - MOMENTUM)
            own = range(self.accelerator.process_index, len(alike), self.accelerator.num_processes)
            move = torch.zeros_like(momentum)
            if own:
                move[own] = orthogonal(gradients[own].lerp(momentum[own], MOMENTUM))
            moves.append(move)
        flat = torch.cat([move.flatten() for move in moves])
        if self.accelerator.num_processes > 1:
            flat = self.accelerator.reduce(flat, "sum")
        for alike, move in zip(self.matrices, flat.split([move.numel() for move in moves])):
            rows, columns = as_matrix(alike[0]).shape
            size = group["lr"] * AS_ADAMW * max(rows, columns) ** 0.5
            for p, own in zip(alike, move.view(len(alike), rows, columns)):
                own = own.view(rows, *p.shape[2:], p.shape[1]).movedim(-1, 1)
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(own, alpha=-size)

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for alike in self.matrices:
            for p in alike:
                p.grad = None

    def state_dict(self) -> dict:
        return super().state_dict() | {"momentum": self.momentum}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict({key: value for key, value in state.items() if key != "momentum"})
        for momentum, kept in zip(self.momentum, state["momentum"], strict=True):
            momentum.copy_(kept)
