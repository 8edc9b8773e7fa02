"""Reproducible noise for the reference script."""
import numpy as np
import torch


def gaussian(seed: int, shape) -> torch.Tensor:
    """Standard normals, defined so that any language can reproduce them: SplitMix64, 53-bit uniforms, Box-Muller pairs."""
    n = int(np.prod(shape)); m = n + n % 2
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, m + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(11)).astype(np.float64) * 2.0 ** -53
    r, a = np.sqrt(-2 * np.log(1 - u[0::2])), 2 * np.pi * u[1::2]
    return torch.from_numpy(np.stack([r * np.cos(a), r * np.sin(a)], 1).reshape(-1)[:n].astype(np.float32)).reshape(shape)
