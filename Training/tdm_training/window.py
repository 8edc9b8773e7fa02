"""The window at the input: the first convolution reads the latents of the neighbouring frames beside the frame's own.

SW-CFA averages the keys and values of a window's frames position by position, at the coarse levels where a U-Net attends.
Noise and flicker live at the finest level, and what moves is elsewhere in the next frame. What a network for video does
about that is to see the frames themselves (FastDVDnet, Tassano et al., arXiv 1907.01361). A latent depends on nothing but its own frame and
step, so that it is kept for its neighbours as keys and values are.
"""

import torch
from torch import nn


def stacked(x: torch.Tensor, frames: int, radius: int, here: int | None = None) -> torch.Tensor:
    """Latents [N * frames, C, H, W] of N clips to what the first convolution reads, [N * frames, (2 radius + 1) C, H, W],
    the earliest frame first; or to that of frame `here` of each clip, [N, (2 radius + 1) C, H, W].

    A frame that the clip does not have is the frame itself.
    """
    clips = x.unflatten(0, (-1, frames))
    places = range(frames) if here is None else [here]
    windows = []
    for place in places:
        near = (place + offset for offset in range(-radius, radius + 1))
        windows.append(clips[:, [i if 0 <= i < frames else place for i in near]].flatten(1, 2))
    return torch.stack(windows, 1).flatten(0, 1)


def widen(net: nn.Module, radius: int) -> None:
    """Gives a U-Net or ControlNet a first convolution for windows. Said in the config as `window_input`."""
    old = net.conv_in
    net.conv_in = nn.Conv2d(old.in_channels * (2 * radius + 1), old.out_channels, old.kernel_size, padding=old.padding)
    net.register_to_config(window_input=radius)


@torch.no_grad()
def narrow(net: nn.Module) -> None:
    """Has a network that gets every frame alone, and so has read it in the places of its neighbours, too, read it once: the sum of its weights for
    all of them gives the same."""
    old, frames = net.conv_in, 2 * radius_of(net) + 1
    net.conv_in = nn.Conv2d(old.in_channels // frames, old.out_channels, old.kernel_size, padding=old.padding)
    net.conv_in.weight.copy_(old.weight.unflatten(1, (frames, -1)).sum(1))
    net.conv_in.bias.copy_(old.bias)
    net.register_to_config(window_input=0)


def radius_of(net: nn.Module) -> int:
    """Frames on either side that a network reads; 0 for one that reads a frame alone."""
    return net.config.get("window_input", 0)
