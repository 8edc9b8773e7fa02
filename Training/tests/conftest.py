from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tdm_training import procedural


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """A folder of a few made-up pictures in place of photographs."""
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(6):
        picture = procedural.make(np.random.default_rng(i), 96, [])
        cv2.imwrite(str(folder / f"{i}.png"), picture[..., ::-1])
    return folder


@pytest.fixture(scope="session")
def tiny_recipe() -> dict:
    """The embedded model's recipe, shrunk until a step takes milliseconds."""
    from tdm_training import recipe

    r = recipe.read(Path(__file__).parent.parent / "recipes" / "embedded.toml")
    r["data"] |= {"held_out": 2, "procedural_count": 2, "procedural_side": 64}
    r["vae"] |= {
        "encoder_block_out_channels": [16, 16], "decoder_block_out_channels": [16, 16],
        "num_encoder_blocks": [0, 1], "num_decoder_blocks": [1, 1],
    }
    r["vae"]["training"] |= {"minutes": 0.15, "crop": 32, "warmup": 20}
    r["unet"] |= {
        "block_out_channels": [16, 32], "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "attention_head_dim": 2, "cross_attention_dim": 32,
    }
    r["controlnet"] |= {"conditioning_embedding_out_channels": [8, 16]}
    r["text"] |= {"intermediate_size": 32}
    r["denoiser"]["training"] |= {"minutes": 0.2, "batch": 2, "crops": [[1.1, 32]], "warmup": 20}
    r["denoiser"]["finish"] |= {"minutes": 0.05, "batch": 2, "crops": [[1.1, 32]], "warmup": 5}
    return r
