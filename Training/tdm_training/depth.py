"""Deeper networks out of trained ones: what a network has learned is where a deeper one begins."""

import torch
from diffusers import UNet2DConditionModel

from . import networks, plain


def fit(unet: UNet2DConditionModel, recipe: dict) -> UNet2DConditionModel:
    """`unet`, or a deeper one that gives the same where a recipe's section [unet] wants more layers per block."""
    layers = recipe["unet"]["layers_per_block"]
    return unet if layers == unet.config.layers_per_block else deeper(unet, layers)


@torch.no_grad()
def deeper(unet: UNet2DConditionModel, layers: int) -> UNet2DConditionModel:
    """With `layers` residual blocks on the way down, and one more on the way up. The new ones come last and first and add nothing yet, so that
    every trained one reads what it read."""
    config = dict(unet.config)
    own = {key: config.pop(key) for key in networks.OWN_KEYS if key in config}
    more = layers - config["layers_per_block"]
    if len(config["block_out_channels"]) != 1 or own.get("resnet_norm") != "none" or more <= 0:
        raise ValueError(f"[unet] layers_per_block {layers}: expected {layers - more}, which the model that it begins with has, "
                         "or more, where it has one resolution and no norms")
    deep = UNet2DConditionModel.from_config(config | {"layers_per_block": layers})
    plain.without_norms(deep)
    plain.initialize(deep)
    first = "up_blocks.0.resnets."
    trained = {}
    for name, weights in unet.state_dict().items():
        if name.startswith(first):
            place, rest = name.removeprefix(first).split(".", 1)
            name = f"{first}{int(place) + more}.{rest}"
        trained[name] = weights
    deep.load_state_dict(trained, strict=False)
    rising = deep.up_blocks[0].resnets[:more]
    for block in (*deep.down_blocks[0].resnets[-more:], *rising):
        block.conv2.weight.zero_()
        block.conv2.bias.zero_()
    for block in rising:  # it reads what comes up and, beside it, what a block on the way down gave
        width = block.conv_shortcut.out_channels
        block.conv_shortcut.weight.zero_()
        block.conv_shortcut.weight[:, :width, 0, 0] = torch.eye(width)
        block.conv_shortcut.bias.zero_()
    deep.register_to_config(**own)
    return deep
