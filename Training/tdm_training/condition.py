"""A second picture of each frame, for networks that see frames fused along the motion: a ControlNet of six channels sees both pictures, a U-Net of
twice the latent's channels, where there is no ControlNet, both latents.

The picture whose latent is restored is the fused one, and the second is the frame as it came; of rain, compression and what was enlarged it is the other way round. Frames that were
fused along the motion have lost a part of their noise, how much of it depends on where the motion was found, and what is left looks like fine
texture. The frame as it came, less the fused one, is the noise that was taken: it tells how much there was. Of rain, which is brighter than what it
hides and new in every frame, most is gone where frames are fused by rank; but where the motion was not found so is the scene. The mean of enlarged frames has detail that each has at other phases, that of compressed
ones what each has lost of its own, and both are a blur where the motion was not found.
"""

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import nn

from . import window

BOTH = 6  # channels


def of(controlnet: ControlNetModel | None, seen: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Pictures [N, 3, H, W], whose latents are restored, and their second ones, to what `controlnet` reads."""
    return torch.cat([seen, second], 1) if sees_both(controlnet) else seen


def sees_both(controlnet: ControlNetModel | None) -> bool:
    return controlnet is not None and controlnet.config.conditioning_channels == BOTH


def fit(unet: UNet2DConditionModel, controlnet: ControlNetModel | None, recipe: dict) -> None:
    """Widens trained networks that see one picture where a recipe's sections [unet] and [controlnet] want both."""
    if recipe["unet"]["in_channels"] == 2 * unet.config.in_channels:
        if controlnet is not None or window.radius_of(unet):
            raise ValueError("[unet] in_channels: a U-Net reads both latents where it has neither a ControlNet nor a window at the input")
        see_beside(unet)
    settings = recipe.get("controlnet", {})
    if controlnet is not None and settings.get("conditioning_channels") == BOTH != controlnet.config.conditioning_channels:
        widen(controlnet, tuple(settings["conditioning_embedding_out_channels"]))


@torch.no_grad()
def see_beside(unet: UNet2DConditionModel) -> None:
    """Lets a trained U-Net read the latent of the second picture beside its own, without a change to what it gives: nothing is read of it yet."""
    old = unet.conv_in
    unet.conv_in = nn.Conv2d(2 * old.in_channels, old.out_channels, old.kernel_size, padding=old.padding)
    unet.conv_in.weight.zero_()
    unet.conv_in.weight[:, : old.in_channels] = old.weight
    unet.conv_in.bias.copy_(old.bias)
    unet.register_to_config(in_channels=2 * old.in_channels)


@torch.no_grad()
def widen(controlnet: ControlNetModel, widths: tuple[int, int]) -> None:
    """Lets a trained ControlNet whose condition is one picture see both, without a change to what it gives: the channels that come to those
    of `conditioning_embedding_out_channels` read the difference of the two, and nothing reads them yet."""
    embedding = controlnet.controlnet_cond_embedding
    narrow = controlnet.config.conditioning_embedding_out_channels
    if controlnet.config.conditioning_channels != 3 or len(narrow) != 2 or len(widths) != 2:
        raise ValueError(f"a condition of {controlnet.config.conditioning_channels} channels through {narrow} cannot be widened to {widths}; "
                         "expected 3 through two widths")
    first = embedding.conv_in
    embedding.conv_in = wider(first, BOTH, widths[0])
    fresh = embedding.conv_in.weight[first.out_channels :]
    fresh[:, 3:] *= 4  # noise is small beside a picture
    fresh[:, :3] = -fresh[:, 3:]
    embedding.blocks[0] = wider(embedding.blocks[0], widths[0], widths[0])
    embedding.blocks[1] = wider(embedding.blocks[1], widths[0], widths[1])
    embedding.conv_out = wider(embedding.conv_out, widths[1], embedding.conv_out.out_channels)
    controlnet.register_to_config(conditioning_channels=BOTH, conditioning_embedding_out_channels=tuple(widths))


def wider(old: nn.Conv2d, inputs: int, outputs: int) -> nn.Conv2d:
    """`old` among more channels: its outputs read nothing of the new inputs; the new outputs read nothing else, where there are any."""
    new = nn.Conv2d(inputs, outputs, old.kernel_size, old.stride, old.padding)
    nn.init.kaiming_normal_(new.weight, nonlinearity="linear")
    new.bias.zero_()
    new.weight[: old.out_channels] = 0
    new.weight[:, : old.in_channels] = 0
    new.weight[: old.out_channels, : old.in_channels] = old.weight
    new.bias[: old.out_channels] = old.bias
    return new
