"""Deeper networks out of trained ones: what a network has learned is where a deeper one begins."""

import re

import torch
from diffusers import ControlNetModel, UNet2DConditionModel

from . import networks, plain

PART = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.")
FEATURE = re.compile(r"controlnet_down_blocks\.(\d+)\.")


def fit(model: networks.Model, recipe: dict) -> None:
    """Deepens a model's networks, which give the same then, where a recipe's section [unet] wants more layers per block."""
    layers = recipe["unet"]["layers_per_block"]
    if layers == model.unet.config.layers_per_block:
        return
    model.unet = deeper(model.unet, layers)
    if model.controlnet is not None:
        model.controlnet = deeper(model.controlnet, layers)


@torch.no_grad()
def deeper(net: UNet2DConditionModel | ControlNetModel, layers: int) -> UNet2DConditionModel | ControlNetModel:
    """With `layers` residual blocks, and attentions where there are any, on the way down at each resolution, and one more on the way up. The new ones
    come last on the way down and after the first on the way up, and add nothing yet, so that every trained one reads what it read."""
    had = net.config.layers_per_block
    more = layers - had
    if net.config.get("resnet_norm") != "none" or more <= 0:
        raise ValueError(f"[unet] layers_per_block {layers}: expected {had}, which the model that it begins with has, or more, where it has no norms")
    deep = networks.of_config(type(net), dict(net.config) | {"layers_per_block": layers})
    plain.initialize(deep)
    trained = {}
    for name, weights in net.state_dict().items():
        if part := PART.match(name):
            way, resolution, kind, place = part.groups()
            if way == "up" and int(place) > 0:
                place = int(place) + more
            name = f"{way}_blocks.{resolution}.{kind}.{place}.{name[part.end():]}"
        if feature := FEATURE.match(name):
            for place in places_of_feature(int(feature[1]), had, more):
                trained[f"controlnet_down_blocks.{place}.{name[feature.end():]}"] = weights
            continue
        trained[name] = weights
    deep.load_state_dict(trained, strict=False)
    for block in deep.down_blocks:
        silence(block, range(had, layers))
    for block in getattr(deep, "up_blocks", []):
        silence(block, range(1, 1 + more))
        for resnet in block.resnets[1 : 1 + more]:  # it reads what comes up and, beside it, what a block on the way down gave
            width = resnet.conv_shortcut.out_channels
            resnet.conv_shortcut.weight.zero_()
            resnet.conv_shortcut.weight[:, :width, 0, 0] = torch.eye(width)
            resnet.conv_shortcut.bias.zero_()
    return deep


def silence(block: torch.nn.Module, places: range) -> None:
    """What residual blocks and attentions at `places` add is nothing."""
    last = [block.resnets[p].conv2 for p in places] + [block.attentions[p].proj_out for p in places if hasattr(block, "attentions")]
    for layer in last:
        layer.weight.zero_()
        layer.bias.zero_()


def places_of_feature(place: int, had: int, more: int) -> list[int]:
    """Where a ControlNet that is deeper by `more` gives what one with `had` layers gives at `place`: first the first convolution's, then, of each resolution,
    every block's and the reduced picture's. The new blocks give what the trained one before them does."""
    resolution, rest = divmod(place - 1, had + 1)
    if place == 0:
        return [0]
    moved = 1 + resolution * (had + more + 1) + rest
    if rest == had:
        return [moved + more]
    return list(range(moved, moved + more + 1)) if rest == had - 1 else [moved]
