"""A model inside the embedded one, that enlarges: trained without a ControlNet, packed with the model around it, run."""

import shutil
import sys
from pathlib import Path

import pytest
import torch

from tdm_training import denoiser, networks, recipe
from tdm_training.haar import AutoencoderHaar

TRAINING = Path(__file__).parent.parent
sys.path.insert(0, str(TRAINING))
import pack  # noqa: E402


def small(r: dict, layers: int) -> dict:
    """A recipe of few channels that takes seconds."""
    r["data"] |= {"held_out": 2, "procedural_count": 2, "procedural_side": 64}
    r["unet"] |= {"block_out_channels": [16], "layers_per_block": layers, "cross_attention_dim": 16}
    r["text"] |= {"intermediate_size": 16}
    r["denoiser"] |= {"steps": 20, "warmup": 5}
    r["denoiser"]["stages"] = [r["denoiser"]["stages"][0] | {"until": 1.1, "side": 64, "batch": 2}]
    return r


@pytest.fixture(scope="module")
def enlarging(tmp_path_factory, photographs) -> Path:
    """A model of superres.toml's kind, trained for as long as it takes to see that it can be."""
    r = small(recipe.read(TRAINING / "recipes/superres.toml"), layers=1)
    folder = tmp_path_factory.mktemp("superres")
    denoiser.train(r, str(photographs), folder, report_seconds=60, bf16=False)
    assert (folder / "denoiser.csv").read_text().splitlines()[0] == "step,minutes,path,path_gradient,superres,rate"
    shutil.copy(TRAINING / "recipes/superres-presets.json", folder / "model/presets.json")
    return folder / "model"


def test_a_second_haar_level_is_the_first_ones_of_its_bands():
    x = torch.rand(2, 3, 16, 24) * 2 - 1
    once, twice = AutoencoderHaar(), AutoencoderHaar(levels=2, latent_channels=48)
    z = twice.encode(x)
    assert z.shape == (2, 48, 4, 6) and torch.allclose(twice.decode(z), x, atol=1e-5)
    band = AutoencoderHaar(in_channels=1, latent_channels=4).encode(once.encode(x)[:, 5:6])
    assert torch.allclose(z[:, 5::12], band, atol=1e-5)
    with pytest.raises(ValueError, match="expected 48"):
        AutoencoderHaar(levels=2)


def test_a_deeper_network_is_trained_on_and_loads(enlarging, photographs, tmp_path):
    r = small(recipe.read(TRAINING / "recipes/superres.toml"), layers=2)
    denoiser.train(r, str(photographs), tmp_path, report_seconds=60, start=enlarging, bf16=False)
    deep = networks.load(tmp_path / "model").unet
    assert len(deep.down_blocks[0].resnets) == 2
    # What was added has a say.
    assert deep.down_blocks[0].resnets[1].conv2.weight.any()


def test_without_a_controlnet_there_is_none_to_load(enlarging):
    assert networks.load(enlarging).controlnet is None
    assert not (enlarging / "controlnet").exists()
    assert "controlnet" not in (enlarging / "model_index.json").read_text()


@pytest.fixture
def around(enlarging, tmp_path) -> Path:
    """A model that holds it, and would by itself want a ControlNet."""
    folder = tmp_path / "model"
    shutil.copytree(enlarging, folder)
    shutil.copytree(enlarging, folder / "superres")
    (folder / "presets.json").write_text('{"balanced": {"task_model": {"superres": "superres"}}}')
    return folder


def test_it_is_packed_with_the_model_around_it(enlarging, around):
    names = [file.path for file in pack.collect(around)]
    own = [file.path for file in pack.collect(enlarging)]
    assert names == own + [f"superres/{name}" for name in own]
    (around / "presets.json").write_text('{"balanced": {"task_model": {"superres": "../model"}}}')
    with pytest.raises(pack.PackError, match="superres: expected the name of a folder"):
        pack.collect(around)
    (around / "presets.json").write_text('{"balanced": {"task_model": {"superres": "superres"}}}')
    shutil.rmtree(around / "superres")
    with pytest.raises(pack.PackError, match="superres/model_index.json: missing"):
        pack.collect(around)


def test_its_weights_may_have_significant_bits_of_their_own(enlarging, around):
    mixed = {file.path: file.kept for file in pack.collect(around, 5, {"superres": 7})}
    for file in pack.collect(enlarging, 5):
        assert mixed[file.path] == file.kept or file.path == "presets.json"
    for file in pack.collect(enlarging, 7):
        assert mixed[f"superres/{file.path}"] == file.kept
    with pytest.raises(pack.PackError, match="--bits-of live: expected a model within .*, superres"):
        pack.collect(around, 5, {"live": 7})


def test_it_enlarges_in_place_of_the_model_around_it(around, tmp_path, restored_count):
    folder = around
    (tmp_path / "model.tdmpack").write_bytes(pack.pack(folder))
    for model in (folder, tmp_path / "model.tdmpack"):
        assert restored_count(model, 2, "--task", "superres") == 2 * 16
