"""Window fusion: local attention across the frames of the window, at the U-Net's finest level.

SW-CFA averages the keys and values of a window's frames position by position, at the coarse levels where a U-Net attends.
Noise and flicker live at the finest level, and what moves is elsewhere in the next frame. So, before the U-Net's last
convolution, every position attends to a neighbourhood of itself in every frame of the window, one softmax over all of them, and
takes from each frame what looks alike. A frame's keys and values depend on that frame only: they are computed once and
cached for its neighbours, as SW-CFA's are.
"""

import torch
from torch import nn
from torch.nn.functional import silu


class WindowFusion(nn.Module):
    """Features [F, C, H, W] of a window's frames to those of one of them, [1, C, H, W].

        n    = norm(h)                                     group norm, each frame by itself
        q, k = to_q(n), to_k(n)                            1x1, `key_channels` channels
        v    = to_v(h)                                     1x1, C channels
        a    = softmax over frames f and displacements d, |dy|, |dx| <= reach, of
               q[y, x] . k[f][y + dy, x + dx] / sqrt(key_channels) + position_bias[min(|f - here|, radius), dy, dx]
        g    = h + to_out(sum of a v)                      displacements out of the picture are left out
        out  = g + conv2(silu(conv1(silu(g))))             3x3
    """

    def __init__(self, channels: int, key_channels: int = 16, reach: int = 3, radius: int = 3, groups: int = 8):
        super().__init__()
        self.reach, self.radius = reach, radius
        self.norm = nn.GroupNorm(groups, channels, eps=1e-5)
        self.to_q = nn.Conv2d(channels, key_channels, 1, bias=False)
        self.to_k = nn.Conv2d(channels, key_channels, 1, bias=False)
        self.to_v = nn.Conv2d(channels, channels, 1, bias=False)
        self.to_out = nn.Conv2d(channels, channels, 1)
        self.position_bias = nn.Parameter(torch.zeros(radius + 1, 2 * reach + 1, 2 * reach + 1))
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, h: torch.Tensor, here: int) -> torch.Tensor:
        """`here`: which of the frames is restored."""
        n = self.norm(h)
        q = self.to_q(n[here : here + 1]) * self.to_q.out_channels**-0.5
        k, v = self.to_k(n), self.to_v(h)
        reach, (frames, _, height, width) = self.reach, h.shape
        pad = lambda x: nn.functional.pad(x, (reach,) * 4)
        padded_k, padded_v = pad(k), pad(v)
        inside = pad(torch.ones(1, 1, height, width))
        distance = (torch.arange(frames) - here).abs().clamp(max=self.radius)
        bias = self.position_bias[distance]
        side = range(2 * reach + 1)
        scores = []
        for dy in side:
            for dx in side:
                near = (slice(None), slice(None), slice(dy, dy + height), slice(dx, dx + width))
                score = (q * padded_k[near]).sum(1, keepdim=True).float() + bias[:, dy, dx, None, None, None]
                scores.append(score.masked_fill(inside[near] == 0, -torch.inf))
        weights = torch.softmax(torch.stack(scores).flatten(0, 1), 0).unflatten(0, (-1, frames)).to(v.dtype)
        taken = 0
        for i, (dy, dx) in enumerate((dy, dx) for dy in side for dx in side):
            taken = taken + (weights[i] * padded_v[:, :, dy : dy + height, dx : dx + width]).sum(0, keepdim=True)
        g = h[here : here + 1] + self.to_out(taken)
        return g + self.conv2(silu(self.conv1(silu(g))))


def install(unet, settings: dict) -> WindowFusion:
    """Gives a UNet2DConditionModel the fusion, as a part of its weights and of its config."""
    fusion = WindowFusion(unet.config.block_out_channels[0], groups=unet.config.norm_num_groups, **settings)
    unet.window_fusion = fusion
    unet.register_to_config(window_fusion=dict(settings))
    return fusion


@torch.no_grad()
def initialize(unet) -> None:
    """Weights under which the fusion is of use from its first step: half the frame itself, half the mean of what looks like
    it in the window, nearer places first. From random ones it learns to be ignored."""
    fusion = of(unet)
    # The same projection on both sides: the score is largest where the features are the same.
    fusion.to_q.weight.copy_(3 * fusion.to_k.weight)
    offset = torch.arange(2 * fusion.reach + 1) - fusion.reach
    away = torch.arange(fusion.radius + 1)
    fusion.position_bias.copy_(-0.5 * (offset[:, None] ** 2 + offset**2) - 0.2 * away[:, None, None])
    identity = torch.eye(fusion.to_v.in_channels)[:, :, None, None]
    fusion.to_v.weight.copy_(identity)
    fusion.to_out.weight.copy_(identity)
    fusion.to_out.bias.zero_()
    unet.conv_out.weight.mul_(0.5)  # of the sum of two
    fusion.conv2.weight.mul_(0.1)
    fusion.conv2.bias.zero_()


def of(unet) -> WindowFusion | None:
    """A UNet's fusion, if it has one. As an attribute, diffusers gives the config's entry of that name."""
    return dict(unet.named_children()).get("window_fusion")
