"""Trains the autoencoder whose latents the diffusion works on: python -m tdm_training.autoencoder --help"""

import argparse
import random
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from torch import nn

from . import recipe as recipes
from .degradations import degrade
from .training import Average, Clock, Log, rate_factor, save

DEGRADED_TASKS = ("denoise", "denoise", "deartifact", "superres", "derain", "dehaze")


def build(settings: dict) -> AutoencoderTiny:
    shape = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items() if not isinstance(v, dict)}
    vae = AutoencoderTiny(**shape)
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


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Of two pictures in [0, 1], in dB."""
    return float(-10 * torch.log10((a - b).square().mean()))


@torch.no_grad()
def held_out_psnr(vae: AutoencoderTiny, pictures: list[np.ndarray]) -> float:
    """Mean PSNR of the round trip over whole pictures, cropped to multiples of 8."""
    figures = []
    for p in pictures:
        p = p[: p.shape[0] // 8 * 8, : p.shape[1] // 8 * 8]
        x = torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1)))[None].float() / 255
        y = vae.decode(vae.encode(x * 2 - 1).latents).sample
        figures.append(psnr(((y + 1) / 2).clamp(0, 1), x))
    return float(np.mean(figures))


def unit_scale(vae: AutoencoderTiny, pictures: list[np.ndarray]) -> float:
    """The scaling factor that gives the latents of `pictures` unit deviation."""
    with torch.no_grad():
        square, count = 0.0, 0
        for p in pictures:
            p = p[: p.shape[0] // 8 * 8, : p.shape[1] // 8 * 8]
            x = torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1)))[None].float() / 127.5 - 1
            z = vae.encode(x).latents
            square, count = square + float(z.square().sum()), count + z.numel()
    return (count / square) ** 0.5


def train(recipe: dict, pictures: str, folder: Path) -> None:
    settings = recipe["vae"]["training"]
    torch.manual_seed(settings["seed"])
    random.seed(settings["seed"])
    source, held_out = recipes.crop_source(recipe["data"], pictures, folder)
    vae = build(recipe["vae"])
    start_from_patches(vae, source.photographs)
    vae.to(memory_format=torch.channels_last)
    parameters = list(vae.parameters())
    average = Average(parameters, settings["ema"])
    optimizer = torch.optim.AdamW(parameters, lr=settings["learning_rate"], betas=(0.9, 0.99), fused=True)
    state_path, step, spent = folder / "vae.state", 0, 0.0
    if state_path.exists():
        state = torch.load(state_path, weights_only=True)
        vae.load_state_dict(state["vae"])
        optimizer.load_state_dict(state["optimizer"])
        average.shadow, average.step = state["average"], state["average_step"]
        step, spent = state["step"], state["spent"]
    clock = Clock(settings["minutes"], spent)
    log = Log(folder / "vae.csv", ["step", "minutes", "loss", "held_out_psnr", "rate"])
    # The stream of examples depends on the seed and the step alone, so that going on equals not having stopped.
    running, last_report = 0.0, time.monotonic()

    def checkpoint() -> None:
        average.swap(parameters)
        figure = held_out_psnr(vae, held_out[::4])
        vae.register_to_config(scaling_factor=round(unit_scale(vae, held_out), 5))
        vae.save_pretrained(folder / "vae")
        average.swap(parameters)
        save(state_path, {
            "vae": vae.state_dict(), "optimizer": optimizer.state_dict(), "average": average.shadow,
            "average_step": average.step, "step": step, "spent": clock.spent,
        })
        log.write(step=step, minutes=clock.spent / 60, loss=running, held_out_psnr=figure,
                  rate=optimizer.param_groups[0]["lr"])

    while clock.progress < 1:
        rng = np.random.default_rng((settings["seed"], step))
        generator = torch.Generator().manual_seed(settings["seed"] * 1_000_003 + step)
        x = torch.from_numpy(source.batch(rng, settings["batch"], settings["crop"]))
        if rng.random() < settings["degraded_share"]:
            x = degrade(DEGRADED_TASKS[rng.integers(len(DEGRADED_TASKS))], x, generator)
        x = x.contiguous(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = settings["learning_rate"] * rate_factor(step, clock.progress, settings["warmup"])
        with torch.autocast("cpu", torch.bfloat16):
            z = vae.encoder(x * 2 - 1)
            deviation = z.detach().float().std()
            size = torch.rand(len(x), 1, 1, 1, generator=generator) * settings["latent_noise"] * deviation
            noise = size * torch.randn(z.shape, generator=generator)
            noise[::2] = 0
            y = vae.decoder(z + noise)
        difference = (y.float() + 1) / 2 - x
        # L1 for sharpness, squares for what PSNR counts; the decoder's tanh wants latents within about 3.
        spread = (z.float().square().mean() - 1).square()
        loss = difference.abs().mean() + 8 * difference.square().mean() + 1e-3 * spread
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(parameters)
        step += 1
        running = loss.item() if running == 0 else 0.99 * running + 0.01 * loss.item()
        if time.monotonic() - last_report > 60:
            checkpoint()
            last_report = time.monotonic()
    checkpoint()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--recipe", required=True)
    p.add_argument("--pictures", required=True, help="a folder of photographs")
    p.add_argument("--out", required=True, type=Path, help="checkpoints, log, and the finished folder vae/")
    p.add_argument("--threads", type=int, default=2)
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    train(recipes.read(o.recipe), o.pictures, o.out)


if __name__ == "__main__":
    main()
