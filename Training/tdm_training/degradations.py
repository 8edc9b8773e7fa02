"""What the camera, the weather and the encoder do to a picture, as random and seeded functions of a batch.

Pictures are [N, 3, H, W] float32 tensors in [0, 1]; every function returns the same shape, clipped and rounded to
8 bits, because that is what a filter gets to read. Parameters are drawn anew for each picture of a batch.
"""

import math

import cv2
import numpy as np
import torch
from torch.nn.functional import conv2d, interpolate


def quantize(x: torch.Tensor) -> torch.Tensor:
    """Clipped to [0, 1] and rounded to 8 bits."""
    return (x.clamp(0, 1) * 255).round() / 255


class Draw:
    """Random parameters, one for each picture of a batch, from one seeded generator."""

    def __init__(self, generator: torch.Generator, count: int):
        self.generator, self.count = generator, count

    def uniform(self, low: float, high: float, channels: int = 1) -> torch.Tensor:
        u = torch.rand(self.count, channels, 1, 1, generator=self.generator)
        return low + (high - low) * u

    def chance(self, share: float) -> torch.Tensor:
        """[N, 1, 1, 1] of 1 with probability `share`, else 0."""
        return (torch.rand(self.count, 1, 1, 1, generator=self.generator) < share).float()

    def normal(self, shape) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator)


def sensor_noise(x: torch.Tensor, generator: torch.Generator, low: float = 5, high: float = 50) -> torch.Tensor:
    """Poisson-Gaussian noise: variance a x + b, of a total deviation between `low` and `high` of 255 levels.

    Half of the draws fall between 15 and 35 levels, where most footage that people want cleaned lies. A share has noise
    that the channels have in common (luma noise after a camera's matrix) or that neighbouring pixels share
    (demosaicking, an encoder's smoothing), and unequal channel gains (white balance).
    """
    n = len(x)
    draw = Draw(generator, n)
    wide = torch.exp(draw.uniform(math.log(low), math.log(high)))
    usual = draw.uniform(15, 35)
    sigma = torch.where(draw.chance(0.5) > 0, usual, wide) / 255
    shot = draw.uniform(0, 1) * draw.chance(0.8)  # the part of the variance that follows the light
    level = x.mean((1, 2, 3), keepdim=True).clamp_min(0.15)
    variance = sigma**2 * ((1 - shot) + shot * x / level)
    grain = draw.normal(x.shape)
    common = draw.uniform(0, 0.8) * draw.chance(0.2)
    grain = (1 - common).sqrt() * grain + common.sqrt() * draw.normal((n, 1, *x.shape[2:]))
    blurred = draw.chance(0.15)
    if blurred.any():
        side = torch.tensor([0.25, 0.5, 0.25])
        kernel = (side[:, None] * side)[None, None].repeat(3, 1, 1, 1)
        smooth = conv2d(torch.nn.functional.pad(grain, (1, 1, 1, 1), mode="reflect"), kernel, groups=3)
        mix = draw.uniform(0.2, 1) * blurred
        grain = (1 - mix) * grain + mix * smooth / smooth.std((1, 2, 3), keepdim=True)
    gains = 1 + draw.uniform(-0.3, 0.3, 3) * draw.chance(0.25)
    return quantize(x + variance.clamp_min(0).sqrt() * gains * grain)


def jpeg(x: torch.Tensor, generator: torch.Generator, low: int = 6, high: int = 60) -> torch.Tensor:
    """JPEG at a quality between `low` and `high`; stands for every block-transform codec's artifacts."""
    out = []
    qualities = torch.exp(Draw(generator, len(x)).uniform(math.log(low), math.log(high))).flatten()
    for picture, quality in zip(x, qualities):
        bytes_ = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        coded = cv2.imencode(".jpg", bytes_[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
        out.append(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].transpose(2, 0, 1).copy())
    return torch.from_numpy(np.stack(out)).float() / 255


def low_resolution(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Down by 4 (bicubic or area), sometimes with faint noise, and up again bicubically: the super-resolver's input."""
    draw = Draw(generator, len(x))
    size = (x.shape[2] // 4, x.shape[3] // 4)
    bicubic = interpolate(x, size, mode="bicubic", antialias=True)
    small = torch.where(draw.chance(0.6) > 0, bicubic, interpolate(x, size, mode="area"))
    small = quantize(small + draw.normal(small.shape) * draw.uniform(0, 6 / 255) * draw.chance(0.3))
    return quantize(interpolate(small, x.shape[2:], mode="bicubic"))


def rain(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Streaks of one direction, drawn by moving sparse drops along it, over a faint veil."""
    n, _, h, w = x.shape
    draw = Draw(generator, n)
    drops = torch.rand(n, 1, h, w, generator=generator)
    share = draw.uniform(0.003, 0.03)
    field = (drops < share).float() * torch.rand(n, 1, h, w, generator=generator)
    angles = draw.uniform(-0.6, 0.6).flatten().tolist()
    lengths = draw.uniform(7, 31).flatten().tolist()
    widths = draw.uniform(0.8, 2.2).flatten().tolist()
    streaks = []
    for i in range(n):
        reach = int(lengths[i])
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        dx, dy = math.sin(angles[i]) * reach / 2, math.cos(angles[i]) * reach / 2
        ends = [(round(reach - dx), round(reach - dy)), (round(reach + dx), round(reach + dy))]
        cv2.line(kernel, *ends, 1.0, 1, cv2.LINE_8)
        kernel = cv2.GaussianBlur(kernel, (5, 5), widths[i] / 2)
        kernel /= kernel.max()
        streaks.append(torch.from_numpy(cv2.filter2D(field[i, 0].numpy(), -1, kernel)))
    layer = torch.stack(streaks)[:, None].clamp(0, 1) * draw.uniform(0.3, 0.9)
    veil = draw.uniform(0, 0.2)
    return quantize((x * (1 - veil) + 0.7 * veil) * (1 - layer) + layer * draw.uniform(0.7, 1))


def haze(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """I = J t + A (1 - t): transmission t smooth over the picture, airlight A nearly grey."""
    n, _, h, w = x.shape
    draw = Draw(generator, n)
    coarse = torch.rand(n, 1, 3, 3, generator=generator) - 0.5
    depth = interpolate(coarse, (h, w), mode="bicubic", align_corners=True)
    t = (draw.uniform(0.25, 0.9) + 0.3 * depth).clamp(0.15, 0.95)
    airlight = draw.uniform(0.65, 0.98) + draw.uniform(-0.04, 0.04, 3)
    return quantize(x * t + airlight * (1 - t))


def untouched(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """No degradation but the rounding: what needs no repair is to be left alone."""
    return quantize(x)


TASKS = {
    "denoise": sensor_noise,
    "deartifact": jpeg,
    "superres": low_resolution,
    "derain": rain,
    "dehaze": haze,
}


def degrade(
    task: str, x: torch.Tensor, generator: torch.Generator, untouched_share: float = 0.04
) -> torch.Tensor:
    """`task`'s degradation of x, but none at all for `untouched_share` of the pictures."""
    clean = torch.rand(len(x), 1, 1, 1, generator=generator) < untouched_share
    return torch.where(clean, untouched(x, generator), TASKS[task](x, generator))
