"""What tdm-filter's models may have beyond diffusers (Protocol/model-files.md), in float32 PyTorch: the executable definition."""
import json, pathlib
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.resnet import ResnetBlock2D
from safetensors.torch import load_file
from torch import nn


class AutoencoderHaar(ConfigMixin):
    """The Haar transform: pictures [N, 3, H, W] in [-1, 1] to latents [N, 12, H/2, W/2] and back; at two levels to [N, 48, H/4, W/4], the channels of
    the first being the colours of the second.

    Latent channel 3 b + c is band b of colour c: low, differences along x, along y, along both.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(self, in_channels=3, latent_channels=12, band_scales=(1.0, 4.0, 4.0, 4.0), scaling_factor=1.0, levels=1):
        self.bands = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
        self.scales = torch.tensor(list(band_scales), dtype=torch.float32)

    def encode(self, x):
        for _ in range(self.config.levels):
            n, c, h, w = x.shape
            pixels = x.reshape(n, c, h // 2, 2, w // 2, 2)
            bands = torch.einsum("bp,ncyxp->nbcyx", self.bands, pixels.permute(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4))
            x = (bands * self.scales[:, None, None, None]).reshape(n, 4 * c, h // 2, w // 2)
        return x

    def decode(self, z):
        for _ in range(self.config.levels):
            n, c, h, w = z.shape[0], z.shape[1] // 4, *z.shape[2:]
            bands = z.reshape(n, 4, c, h, w) / self.scales[:, None, None, None]
            pixels = torch.einsum("bp,nbcyx->ncyxp", self.bands, bands).reshape(n, c, h, w, 2, 2)
            z = pixels.permute(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)
        return z

    def save_pretrained(self, folder):
        self.save_config(folder)

    @classmethod
    def from_pretrained(cls, folder):
        return cls.from_config(cls.load_config(folder))


class WindowConv(nn.Conv2d):
    """A first convolution that reads the latents of the 2 radius + 1 frames about each, the earliest first; where a frame is not
    there, or not in the window, that frame itself."""

    def __init__(self, radius, old, owner):
        super().__init__(old.in_channels * (2 * radius + 1), old.out_channels, old.kernel_size, padding=old.padding)
        self.radius, self.window, self.layer = radius, None, (owner, "conv_in")

    def forward(self, x):
        """x: [F, C, H, W], the frames of a batch; `window` says what each reads."""
        near = self.window.near(self.layer, x) if self.window else [[(0, a)] for a in x]
        stacks = []
        for own, frames in zip(x, near):
            by_offset = {offset: latent for offset, latent in frames}
            stacks.append(torch.cat([by_offset.get(d, own) for d in range(-self.radius, self.radius + 1)]))
        return super().forward(torch.stack(stacks))


def widen(net, radius):
    """Gives a UNet or ControlNet such a convolution, in its configuration too."""
    net.conv_in = WindowConv(radius, net.conv_in, type(net).__name__)
    net.register_to_config(window_input=radius)


def without_norms(net):
    """Takes the group norms out of a UNet's or ControlNet's residual blocks, and norm and activation from before conv_out."""
    for block in net.modules():
        if isinstance(block, ResnetBlock2D):
            block.norm1, block.norm2 = nn.Identity(), nn.Identity()
    if hasattr(net, "conv_norm_out"):
        net.conv_norm_out, net.conv_act = None, None
    net.register_to_config(resnet_norm="none")


def load(kind, folder):
    """A UNet2DConditionModel or ControlNetModel with what its configuration has beyond diffusers."""
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    own = {key: config.pop(key) for key in ("resnet_norm", "window_input", "window_attention") if key in config}
    if not own:
        return kind.from_pretrained(folder).float().eval()
    net = kind.from_config(config)
    if own.get("resnet_norm") == "none":
        without_norms(net)
    if own.get("window_input"):
        widen(net, own["window_input"])
    net.register_to_config(**own)
    net.load_state_dict(load_file(folder / "diffusion_pytorch_model.safetensors"))
    return net.float().eval()
