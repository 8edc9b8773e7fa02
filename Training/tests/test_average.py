"""Models averaged: every weight the weighted mean, and refused where they do not belong together."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from tdm_training.average import average


def model(folder, value, name="w", dtype=torch.float16):
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    save_file({name: torch.full((2, 3), value, dtype=dtype)}, folder / "unet" / "w.safetensors")
    return folder


def test_weights_are_the_mean_by_shares(tmp_path):
    models = [model(tmp_path / "a", 1.0), model(tmp_path / "b", 3.0)]
    average(models, [1, 3], tmp_path / "c")
    mean = load_file(tmp_path / "c" / "unet" / "w.safetensors")["w"]
    assert mean.dtype == torch.float16 and torch.equal(mean, torch.full((2, 3), 2.5, dtype=torch.float16))
    assert (tmp_path / "c" / "model_index.json").read_text() == "{}"


def test_models_of_two_kinds_are_refused(tmp_path):
    models = [model(tmp_path / "a", 1.0), model(tmp_path / "b", 3.0, name="v")]
    with pytest.raises(SystemExit, match="unet/w.safetensors: .*one recipe"):
        average(models, [1, 1], tmp_path / "c")


def test_the_command_wants_a_share_for_each(tmp_path):
    command = [sys.executable, "-m", "tdm_training.average", "--model", "a", "--model", "b", "--share", "1", "--out", tmp_path / "c"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode and "--share" in result.stderr
