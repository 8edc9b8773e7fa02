"""A lossless autoencoder: one level of the Haar transform, or two. 2x2 pixels of three colours become 12 channels of latent.

Every trained autoencoder of our size was the ceiling of what came out (34 to 46 dB on whole frames). An orthogonal
transform costs nothing, has no ceiling, and what it rearranges a convolution can use at once: the low band is the picture
at half the size, the other three are its edges. Latent diffusion on wavelets: Phung et al., arXiv 2211.16152.
"""

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config

# Low band, then differences along x, along y, along both: rows of an orthogonal matrix over the pixels of a 2x2 block,
# which are counted row by row.
BANDS = ((1, 1, 1, 1), (1, -1, 1, -1), (1, 1, -1, -1), (1, -1, -1, 1))


class AutoencoderHaar(ConfigMixin):
    """Pictures [N, 3, H, W] in [-1, 1] to latents [N, 12, H/2, W/2] and back, both sides even; with `levels` 2 to latents
    [N, 48, H/4, W/4], sides multiples of 4: every band is transformed again.

    Latent channel 3 b + c is band b of colour c, times `band_scales[b]`: without the scales the differences would be a
    tenth as large as the low band, and their errors hardly heard. A level's channels are the colours of the next.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self, in_channels: int = 3, latent_channels: int = 12, band_scales: tuple = (1.0, 4.0, 4.0, 4.0),
        scaling_factor: float = 1.0, levels: int = 1,
    ):
        if latent_channels != 4**levels * in_channels or len(band_scales) != 4:
            raise ValueError(f"latent_channels {latent_channels}, band_scales {band_scales}: expected {4**levels * in_channels} and four")
        self.analysis = torch.tensor(BANDS, dtype=torch.float32) / 2
        self.scales = torch.tensor(list(band_scales), dtype=torch.float32)

    @torch.autocast("cpu", enabled=False)
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(self.config.levels):
            n, c, h, w = x.shape
            pixels = x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(n, 4, -1)
            bands = (self.analysis * self.scales[:, None]) @ pixels.float()
            x = bands.reshape(n, 4 * c, h // 2, w // 2)
        return x

    @torch.autocast("cpu", enabled=False)
    def decode(self, z: torch.Tensor) -> torch.Tensor:
        for _ in range(self.config.levels):
            n, channels, h, w = z.shape
            c = channels // 4
            pixels = (self.analysis.T / self.scales) @ z.float().reshape(n, 4, -1)
            z = pixels.reshape(n, 2, 2, c, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c, 2 * h, 2 * w)
        return z

    def save_pretrained(self, folder) -> None:
        self.save_config(folder)

    @classmethod
    def from_pretrained(cls, folder) -> "AutoencoderHaar":
        return cls.from_config(cls.load_config(folder))
