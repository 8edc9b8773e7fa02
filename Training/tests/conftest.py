import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tdm_training import procedural, recipe

RECIPES = Path(__file__).parent.parent / "recipes"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """A folder of a few made-up pictures in place of photographs."""
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(8):
        picture = procedural.make(np.random.default_rng(i), 96, [])
        cv2.imwrite(str(folder / f"{i}.png"), picture[..., ::-1])
    return folder


@pytest.fixture(scope="session")
def program() -> str:
    """tdm-filter's path, from the environment variable TDM_FILTER; without it the tests that run it are skipped, and say so."""
    path = os.environ.get("TDM_FILTER")
    if not path:
        pytest.skip("TDM_FILTER is not set: expected the path of a built tdm-filter")
    return path


@pytest.fixture
def restored_count(program):
    """Runs tdm-filter on frames of noise, [F, H, W, 3], and gives how many come out."""
    def run(model: Path, frames: int, *options: str, height: int = 32, width: int = 48) -> int:
        clip = np.random.default_rng(0).integers(0, 255, (frames, height, width, 3), dtype=np.uint8)
        form = ["--input-format", "raw", "--size", f"{width}x{height}", "--pixel-format", "rgb24"]
        done = subprocess.run([program, "--model", str(model), *form, *options], input=clip.tobytes(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        count, rest = divmod(len(done.stdout), clip[0].nbytes)
        assert rest == 0
        return count

    return run


@pytest.fixture
def small_recipe() -> dict:
    """The paper's way at test size."""
    return recipe.read(RECIPES / "paper-small.toml")


@pytest.fixture(scope="session")
def embedded_recipe() -> dict:
    """The embedded model's recipe, shrunk until a step takes milliseconds."""
    r = recipe.read(RECIPES / "embedded.toml")
    r["data"] |= {"held_out": 2, "procedural_count": 2, "procedural_side": 64}
    r["unet"] |= {
        "block_out_channels": [16, 32], "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "attention_head_dim": 2, "cross_attention_dim": 32,
    }
    r["controlnet"] |= {"conditioning_embedding_out_channels": [8, 16]}
    r["text"] |= {"intermediate_size": 32}
    r["denoiser"] |= {"steps": 40, "warmup": 5}
    r["denoiser"]["stages"] = [r["denoiser"]["stages"][0] | {"until": 1.1, "side": 32, "batch": 2}]
    return r
