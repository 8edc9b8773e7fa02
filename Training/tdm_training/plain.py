"""Residual blocks without group norms.

A group norm divides a picture's features by their deviation, and with it goes how strong the noise is; a network that has to
give back the picture it got, less a degradation of any strength, spends its first thousands of steps on getting round that.
Networks for restoration have left such norms out since EDSR (arXiv 1707.02921).
"""

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import nn


def without_norms(net: nn.Module) -> None:
    """Takes the norms out of every residual block, and norm and activation from before a U-Net's last convolution.
    Attention keeps its norms. Said in the config as `resnet_norm: "none"`."""
    for block in net.modules():
        if isinstance(block, ResnetBlock2D):
            block.norm1, block.norm2 = nn.Identity(), nn.Identity()
    if hasattr(net, "conv_norm_out"):
        net.conv_norm_out, net.conv_act = None, None
    net.register_to_config(resnet_norm="none")


@torch.no_grad()
def initialize(net: nn.Module) -> None:
    """Weights that keep the signal's size where nothing else does, and residual branches that begin small."""
    for block in net.modules():
        if isinstance(block, nn.Conv2d) and float(block.weight.abs().max()) > 0:
            nn.init.kaiming_normal_(block.weight, nonlinearity="linear")
            if block.bias is not None:
                block.bias.zero_()
    for block in net.modules():
        if isinstance(block, ResnetBlock2D):
            block.conv2.weight.mul_(0.2)
    if hasattr(net, "conv_out"):
        net.conv_out.weight.mul_(0.3)
