"""What tdm-filter's models may have beyond diffusers (Protocol/model-files.md), in float32 PyTorch: the executable definition."""
import json, pathlib
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.resnet import ResnetBlock2D
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import silu


class AutoencoderHaar(ConfigMixin):
    """One level of the Haar transform: pictures [N, 3, H, W] in [-1, 1] to latents [N, 12, H/2, W/2] and back.

    Latent channel 3 b + c is band b of colour c: low, differences along x, along y, along both.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(self, in_channels=3, latent_channels=12, band_scales=(1.0, 4.0, 4.0, 4.0), scaling_factor=1.0):
        self.bands = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
        self.scales = torch.tensor(list(band_scales), dtype=torch.float32)

    def encode(self, x):
        n, c, h, w = x.shape
        pixels = x.reshape(n, c, h // 2, 2, w // 2, 2)
        bands = torch.einsum("bp,ncyxp->nbcyx", self.bands, pixels.permute(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4))
        return (bands * self.scales[:, None, None, None]).reshape(n, 4 * c, h // 2, w // 2)

    def decode(self, z):
        n, c, h, w = z.shape[0], z.shape[1] // 4, *z.shape[2:]
        bands = z.reshape(n, 4, c, h, w) / self.scales[:, None, None, None]
        pixels = torch.einsum("bp,nbcyx->ncyxp", self.bands, bands).reshape(n, c, h, w, 2, 2)
        return pixels.permute(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)

    def save_pretrained(self, folder):
        self.save_config(folder)

    @classmethod
    def from_pretrained(cls, folder):
        return cls.from_config(cls.load_config(folder))


class WindowFusion(nn.Module):
    """Attention of every position to its neighbourhood in each frame of the window, before the UNet's conv_out.

        n    = norm(h)                                     group norm
        q, k = to_q(n), to_k(n)                            1x1, `key_channels` channels
        v    = to_v(h)                                     1x1, C channels
        a    = softmax over frames f and displacements d, |dy|, |dx| <= reach, of
               q[y, x] . k[f][y + dy, x + dx] / sqrt(key_channels) + position_bias[min(distance of f, radius), dy, dx]
        g    = h + to_out(sum of a v)                      displacements out of the picture are left out
        out  = g + conv2(silu(conv1(silu(g))))             3x3
    """

    def __init__(self, channels, groups, key_channels=16, reach=3, radius=3):
        super().__init__()
        self.reach, self.radius, self.window = reach, radius, None
        self.norm = nn.GroupNorm(groups, channels, eps=1e-5)
        self.to_q = nn.Conv2d(channels, key_channels, 1, bias=False)
        self.to_k = nn.Conv2d(channels, key_channels, 1, bias=False)
        self.to_v = nn.Conv2d(channels, channels, 1, bias=False)
        self.to_out = nn.Conv2d(channels, channels, 1)
        self.position_bias = nn.Parameter(torch.zeros(radius + 1, 2 * reach + 1, 2 * reach + 1))
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, h):
        """h: [F, C, H, W], the frames of a batch; `window` says what each reads."""
        n = self.norm(h)
        q, k, v = self.to_q(n), self.to_k(n), self.to_v(h)
        near = self.window.near("window_fusion", k, v) if self.window else [[(0, a, b)] for a, b in zip(k, v)]
        taken = torch.stack([self.attend(q[i], frames) for i, frames in enumerate(near)])
        g = h + self.to_out(taken)
        return g + self.conv2(silu(self.conv1(silu(g))))

    def attend(self, q, frames):
        """q: [K, H, W]; frames: (distance, keys [K, H, W], values [C, H, W])"""
        (depth, height, width), side = q.shape, 2 * self.reach + 1
        around = lambda x: nn.functional.unfold(x[None], side, padding=self.reach).reshape(-1, side * side, height * width)
        outside = around(torch.ones(1, height, width))[0] == 0
        scores, values = [], []
        for distance, k, v in frames:
            score = (q.reshape(depth, 1, -1) * around(k)).sum(0) * depth**-0.5
            score = score + self.position_bias[min(distance, self.radius)].reshape(-1, 1)
            scores.append(score.masked_fill(outside, -torch.inf))
            values.append(around(v))
        weights = torch.softmax(torch.cat(scores), 0)
        return (torch.cat(values, 1) * weights).sum(1).reshape(-1, height, width)


def install_fusion(unet, settings):
    """Gives a UNet2DConditionModel the layer, as a part of its weights and of its configuration."""
    fusion = WindowFusion(unet.config.block_out_channels[0], unet.config.norm_num_groups, **settings)
    unet.window_fusion = fusion
    last = unet.conv_norm_out or unet.conv_out
    last.register_forward_pre_hook(lambda layer, inputs: (fusion(inputs[0]),))
    unet.register_to_config(window_fusion=dict(settings))
    return fusion


def fusion_of(net):
    """A network's layer, if it has one. As an attribute diffusers gives the configuration of that name."""
    return dict(net.named_children()).get("window_fusion")


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
    fusion, norm = config.pop("window_fusion", None), config.pop("resnet_norm", "group")
    if fusion is None and norm == "group":
        return kind.from_pretrained(folder).float().eval()
    net = kind.from_config(config)
    if norm == "none":
        without_norms(net)
    if fusion is not None:
        install_fusion(net, fusion)
    net.load_state_dict(load_file(folder / "diffusion_pytorch_model.safetensors"))
    return net.float().eval()
