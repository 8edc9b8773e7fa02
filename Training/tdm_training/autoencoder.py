"""Trains the autoencoder whose latents the diffusion works on: AutoencoderTiny or AutoencoderKL, as the recipe says.

    python -m tdm_training.autoencoder --recipe R --pictures FOLDER --out RUN

Writes RUN/vae. A recipe with AutoencoderHaar has nothing to train here.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from torch import nn

from . import command, folders
from .dataset import CleanPictures, find_pictures
from .degradations import TASKS, degrade
from .loop import Options, Settings, noise_like, train
from .networks import tuples
from .pictures import kept_aside, read_picture

KINDS = {kind.__name__: kind for kind in (AutoencoderKL, AutoencoderTiny)}
SCALE_PICTURES = 16  # crops by which the latents' deviation is measured


def build(settings: dict) -> AutoencoderKL | AutoencoderTiny:
    """With random weights, from a recipe's section [vae]: `class` and that class's own settings."""
    kind = settings.get("class")
    if kind not in KINDS:
        raise ValueError(f"vae: class {kind!r}: nothing to train; expected {' or '.join(KINDS)}")
    vae = KINDS[kind](**tuples({k: v for k, v in settings.items() if k not in ("class", "start_from_patches")}))
    if kind == "AutoencoderTiny":
        initialize(vae)
    return vae


@torch.no_grad()
def initialize(vae: AutoencoderTiny) -> None:
    """Orthogonal weights that keep the signal's size, and residual branches that begin small.

    There are no norms to correct the defaults of nn.Conv2d, under which the signal fades from layer to layer: after
    the same hundred steps the picture is 3 dB closer this way.
    """
    for layer in vae.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.orthogonal_(layer.weight)
            layer.weight.mul_(layer.weight.shape[0] ** 0.5 / layer.weight.norm())
            if layer.bias is not None:
                layer.bias.zero_()
    for block in vae.modules():
        if isinstance(block, AutoencoderTinyBlock):
            block.conv[0].weight.mul_(2**0.5)
            block.conv[2].weight.mul_(2**0.5)
            block.conv[4].weight.mul_(0.2)


@torch.no_grad()
def start_from_patches(vae: AutoencoderTiny, pictures: list[np.ndarray]) -> None:
    """Begins with an encoder that already works: patches, and their principal components as latents.

    The strided convolutions rearrange 2x2 pixels into channels; pixels are not negative, so that the ReLUs between let
    them pass. The decoder then learns from a steady target instead of one that moves with it. Components are scaled
    half way to equal deviation: all of them are to be heard in the latent's error, the coarse ones most.
    """
    layers = [m for m in vae.encoder.layers if isinstance(m, nn.Conv2d)]
    first, *strided, last = layers
    channels = vae.config.in_channels
    needed = channels * 4 ** len(strided)
    if first.out_channels < needed:
        raise ValueError(f"encoder_block_out_channels: {first.out_channels}; starting from patches needs {needed}")
    for block in vae.encoder.modules():
        if isinstance(block, AutoencoderTinyBlock):
            block.conv[4].weight.mul_(0.2)
    first.weight[:channels] = 0
    for c in range(channels):
        first.weight[c, c, 1, 1] = 1
    for layer in strided:
        layer.weight[: 4 * channels] = 0
        for phase, (y, x) in enumerate(((1, 1), (1, 2), (2, 1), (2, 2))):
            for c in range(channels):
                layer.weight[phase * channels + c, c, y, x] = 1
        channels *= 4
    patches = []
    for p in pictures[:64]:
        rows, columns = p.shape[0] // 8 * 8, p.shape[1] // 8 * 8
        x = torch.from_numpy(np.ascontiguousarray(p[:rows, :columns].transpose(2, 0, 1)))[None].float() / 127.5 - 1
        features = vae.encoder.layers[:-1](x.add(1).div(2))[0, :channels].flatten(1).T
        patches.append(features[torch.randperm(len(features))[:512]])
    patches = torch.cat(patches)
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
    count = last.out_channels
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    scaled = vectors / values**0.25
    scaled /= ((patches - mean) @ scaled).square().mean().sqrt()
    last.weight.zero_()
    last.weight[:, :channels, 1, 1] = scaled.T
    last.bias.copy_(-mean @ scaled)


class RoundTrip(nn.Module):
    """(picture in [0, 1], the latents of it, the posterior's divergence): what the loss is made of."""

    def __init__(self, vae: AutoencoderKL | AutoencoderTiny):
        super().__init__()
        self.vae = vae

    def forward(self, x: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """`noise`: for each example a draw per latent value, by which the decoder learns to bear latents that are a little off."""
        encoded = self.vae.encode(x * 2 - 1)
        if isinstance(self.vae, AutoencoderTiny):
            mean = encoded.latents
            z, divergence = mean + noise.to(mean.dtype), mean.new_zeros(())
        else:
            posterior = encoded.latent_dist
            mean = posterior.mean
            z, divergence = mean + posterior.std * noise.to(mean.dtype), posterior.kl().mean() / mean[0].numel()
        return (self.vae.decode(z).sample + 1) / 2, mean, divergence


class Autoencoder:
    """Loss: |difference| for sharpness, 8 x its square for what PSNR counts, and what keeps latents within bounds: for
    AutoencoderKL `divergence_weight` x the posterior's divergence, for AutoencoderTiny, whose decoder's tanh wants them
    within about 3, a thousandth of (mean square - 1) squared.

    A share of the pictures is degraded: the latents are to hold noise, rain and blocks too, or nothing could be restored from them.
    """

    name = "autoencoder"

    def __init__(self, recipe: dict, pictures: Path):
        own = dict(recipe["vae"]["training"])
        degraded_share = own.pop("degraded_share", 0.5)
        self.latent_noise = own.pop("latent_noise", 0.05)
        self.divergence_weight = own.pop("divergence_weight", 1e-4)
        self.settings = Settings.read(own, "vae.training")
        torch.manual_seed(self.settings.seed)
        vae = build({k: v for k, v in recipe["vae"].items() if k != "training"})
        training, held_out = kept_aside(find_pictures(pictures), recipe["data"]["held_out"])
        if recipe["vae"].get("start_from_patches"):
            start_from_patches(vae, [read_picture(item.clean) for item in training[:64]])
        if self.settings.gradient_checkpointing:
            vae.enable_gradient_checkpointing()
        self.module = RoundTrip(vae).train()
        self.data = Degrading(CleanPictures(training, recipe["data"]), degraded_share)
        self.held_out = Degrading(CleanPictures(held_out, recipe["data"]), degraded_share) if held_out else None

    def to(self, device: torch.device) -> None:
        pass

    def loss(self, module: nn.Module, batch: dict) -> torch.Tensor:
        x, vae = batch["picture"], self.module.vae
        side = x.shape[-1] // factor(vae)
        noise = noise_like(x.new_zeros(len(x), vae.config.latent_channels, side, side), batch["seed"])
        if isinstance(vae, AutoencoderTiny):
            noise[::2] = 0
            noise = noise * self.latent_noise
        y, mean, divergence = module(x, noise)
        difference = y.float() - x
        loss = difference.abs().mean() + 8 * difference.square().mean()
        if isinstance(vae, AutoencoderTiny):
            return loss + 1e-3 * (mean.float().square().mean() - 1).square()
        return loss + self.divergence_weight * divergence.float()

    def write(self, out: Path) -> None:
        vae = self.module.vae
        data = self.held_out or self.data
        vae.register_to_config(scaling_factor=unit_scale(vae, [data[n]["clean"] for n in range(SCALE_PICTURES)]))
        vae.save_pretrained(out / "vae")


class Degrading(torch.utils.data.Dataset):
    """Clean pictures with "picture" beside "clean": the same, or, for a share of them, degraded by any task."""

    def __init__(self, clean: CleanPictures, share: float):
        self.clean, self.share = clean, share

    def __len__(self) -> int:
        return len(self.clean)

    def __getitem__(self, n: int) -> dict:
        example = self.clean[n]
        rng = np.random.default_rng((self.clean.seed, 4, n))
        picture = example["clean"]
        if rng.random() < self.share:
            clip = picture.permute(1, 2, 0).numpy()[None]
            made = degrade(list(TASKS)[rng.integers(len(TASKS))], clip, rng)[0]
            picture = torch.from_numpy(np.ascontiguousarray(made.transpose(2, 0, 1)))
        return example | {"picture": picture}


def factor(vae: AutoencoderKL | AutoencoderTiny) -> int:
    """How many times as long as a latent's a picture's sides are."""
    blocks = vae.config.block_out_channels if isinstance(vae, AutoencoderKL) else vae.config.encoder_block_out_channels
    return 2 ** (len(blocks) - 1)


@torch.no_grad()
def unit_scale(vae: AutoencoderKL | AutoencoderTiny, pictures: list[torch.Tensor]) -> float:
    """The scaling factor that gives the latents of pictures in [0, 1] unit deviation."""
    vae.register_to_config(scaling_factor=1.0)
    device = next(vae.parameters()).device
    z = torch.cat([folders.encode(vae, p[None].to(device)).flatten() for p in pictures])
    return round(float(1 / z.square().mean().sqrt()), 5)


def run(recipe: dict, pictures: Path, options: Options) -> None:
    stage = Autoencoder(recipe, pictures)
    train(stage, stage.settings, options)


def main() -> None:
    o = command.parser(__doc__).parse_args()
    command.run(lambda recipe, options: run(recipe, o.pictures, options), o)


if __name__ == "__main__":
    main()
