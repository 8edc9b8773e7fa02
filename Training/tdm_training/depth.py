"""Deeper networks out of trained ones: what a network has learned is where a deeper one begins."""

import re

import torch
from diffusers import ControlNetModel, UNet2DConditionModel

from . import networks, plain

PART = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.")
FEATURE = re.compile(r"controlnet_down_blocks\.(\d+)\.")


def fit(model: networks.Model, recipe: dict) -> None:
    """Deepens a model's networks, which give the same then, where a recipe's section [unet] wants more layers per block: as many at each resolution, or a list,
    finest first."""
    layers = recipe["unet"]["layers_per_block"]
    if networks.layers_of(model.unet) == networks.of_each(layers, model.unet):
        return
    model.unet = deeper(model.unet, layers)
    if model.controlnet is not None:
        model.controlnet = deeper(model.controlnet, layers)


@torch.no_grad()
def deeper(net: UNet2DConditionModel | ControlNetModel, layers: int | list[int]) -> UNet2DConditionModel | ControlNetModel:
    """With `layers` residual blocks, and attentions where there are any, on the way down at each resolution, and one more on the way up. The new ones
    come last on the way down and after the first on the way up, and add nothing yet, so that every trained one reads what it read."""
    had, more = networks.layers_of(net), [wanted - had for wanted, had in zip(networks.of_each(layers, net), networks.layers_of(net))]
    if net.config.get("resnet_norm") != "none" or min(more) < 0:
        raise ValueError(f"[unet] layers_per_block {layers}: expected {net.config.layers_per_block}, which the model that it begins with has, or more, where it has no norms")
    deep = networks.of_config(type(net), dict(net.config) | {"layers_per_block": layers})
    plain.initialize(deep)
    features = places_of_features(had, more)
    trained = {}
    for name, weights in net.state_dict().items():
        if part := PART.match(name):
            way, resolution, kind, place = part.groups()
            if way == "up" and int(place) > 0:
                place = int(place) + more[-1 - int(resolution)]
            name = f"{way}_blocks.{resolution}.{kind}.{place}.{name[part.end():]}"
        if feature := FEATURE.match(name):
            for place in features[int(feature[1])]:
                trained[f"controlnet_down_blocks.{place}.{name[feature.end():]}"] = weights
            continue
        trained[name] = weights
    deep.load_state_dict(trained, strict=False)
    for block, had, added in zip(deep.down_blocks, had, more):
        silence(block, range(had, had + added))
    for block, added in zip(getattr(deep, "up_blocks", []), reversed(more)):
        silence(block, range(1, 1 + added))
        for resnet in block.resnets[1 : 1 + added]:  # it reads what comes up and, beside it, what a block on the way down gave
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


def places_of_features(had: list[int], more: list[int]) -> list[list[int]]:
    """Where a ControlNet that is deeper by `more` gives what one with `had` layers gives at each place: first the first convolution's, then, of each resolution,
    every block's and, of all but the last, the reduced picture's. The new blocks give what the trained one before them does."""
    places, moved = [[0]], 1
    for resolution, (blocks, added) in enumerate(zip(had, more)):
        ends = [[moved + block] for block in range(blocks)]
        ends[-1] += range(moved + blocks, moved + blocks + added)
        moved += blocks + added
        if resolution < len(had) - 1:
            ends.append([moved])
            moved += 1
        places += ends
    return places
