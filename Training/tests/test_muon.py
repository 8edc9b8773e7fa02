"""Muon: what it moves, how far, and that it can be gone on with."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tdm_training.muon import AS_ADAMW, Muon, as_matrix, orthogonal

ALONE = SimpleNamespace(num_processes=1, process_index=0)
OPTIONS = {"lr": 0.01, "weight_decay": 0.0}


def net() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 24, 3), nn.Conv2d(24, 24, 1), nn.Conv2d(24, 24, 1)).to(memory_format=torch.channels_last)


def gradients(of: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for p in of.parameters():
        p.grad = torch.randn(p.shape, generator=generator)


@pytest.mark.parametrize("shape", [(3, 16, 100), (3, 100, 16)])
def test_singular_values_come_near_one(shape):
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(2))))
    assert values.shape == (3, 16) and values.min() > 0.6 and values.max() < 1.25


@torch.no_grad()
def test_convolutions_are_moved_alike_in_all_directions_and_others_by_adamw():
    of, by_adamw = net(), net()
    optimizer, adamw = Muon(of, ALONE, **OPTIONS), torch.optim.AdamW(by_adamw.parameters(), **OPTIONS)
    before = [p.clone() for p in of.parameters()]
    for one, by in ((of, optimizer), (by_adamw, adamw)):
        gradients(one, 3)
        by.step()
    moves = [b - p for b, p in zip(before, of.parameters())]
    # Of the first convolution's weights and all biases there are too few.
    for place in (0, 1, 3, 5, 7):
        assert torch.equal(list(of.parameters())[place], list(by_adamw.parameters())[place])
    for place in (2, 4, 6):
        values = torch.linalg.svdvals(as_matrix(moves[place])) / (0.01 * AS_ADAMW * max(as_matrix(moves[place]).shape) ** 0.5)
        assert 0.6 < values.min() and values.max() < 1.25
        # Against the gradient, not along it.
        assert (moves[place] * list(of.parameters())[place].grad).sum() > 0


@torch.no_grad()
def test_two_processes_move_as_one_does():
    class Half(SimpleNamespace):
        """A process of two, that is told what the other found."""

        def reduce(self, flat, how):
            assert how == "sum"
            self.said = flat.clone()
            return flat + self.other

    one = net()
    gradients(one, 4)
    Muon(one, ALONE, **OPTIONS).step()
    said = {}
    for index in (0, 1, 0):
        of, process = net(), Half(num_processes=2, process_index=index, other=said.get(1 - index, 0))
        gradients(of, 4)
        Muon(of, process, **OPTIONS).step()
        said[index] = process.said
    assert (said[0] != 0).any() and (said[1] != 0).any() and not ((said[0] != 0) & (said[1] != 0)).any()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(of.parameters(), one.parameters()))


@torch.no_grad()
def test_it_goes_on_as_if_there_had_been_no_stop():
    whole, parted = net(), net()
    optimizer = Muon(whole, ALONE, **OPTIONS)
    for seed in (5, 6):
        gradients(whole, seed)
        optimizer.step()
        optimizer.zero_grad()
    assert all(p.grad is None for p in whole.parameters())
    first = Muon(parted, ALONE, **OPTIONS)
    gradients(parted, 5)
    first.step()
    second = Muon(parted, ALONE, **OPTIONS)
    second.load_state_dict(first.state_dict())
    gradients(parted, 6)
    second.step()
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parted.parameters()))
