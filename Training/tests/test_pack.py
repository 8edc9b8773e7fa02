"""pack.py on weights alone; with a model around them in test_superres.py."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent.parent))
import pack  # noqa: E402


def unpacked(file: pack.File) -> np.ndarray:
    """The numbers of a file's tensors, by the tensors' names, as a reader makes them."""
    start = file.members["planesFrom"]
    count = (file.size - start) // 2
    runs = file.members.get("steps", [[count]])
    assert sum(run[0] for run in runs) == count
    stepped = sum(run[0] for run in runs if len(run) == 2)
    steps = np.frombuffer(file.kept, np.int8, stepped, start)
    low, high = np.frombuffer(file.kept, np.uint8, offset=start + stepped).reshape(2, -1).astype("<u2")
    parted, values = iter((low | high << 8).view("<f2").tolist()), []
    for run in runs:
        if len(run) == 1:
            values += [next(parted) for _ in range(run[0])]
            continue
        own, steps = steps[: run[0]], steps[run[0] :]
        values += [next(parted) if step == -128 else float(step) * 2.0 ** run[1] for step in own]
    assert next(parted, None) is None
    return np.array(values)


def packed(values: torch.Tensor, bits: int, tmp_path, name: str = "a") -> np.ndarray:
    path = tmp_path / "weights.safetensors"
    save_file({name: values}, path)
    return unpacked(pack.half_weights(path, "weights.safetensors", bits))


def test_weights_become_float16(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"b": torch.tensor([1.5, -2.0]), "a": torch.tensor([[0.1]])}, path)
    assert unpacked(pack.half_weights(path, "", 11)).tolist() == [np.float16(0.1), 1.5, -2]
    save_file({"a": torch.tensor([1e5])}, path)
    with pytest.raises(pack.PackError, match="a: expected finite values up to 65504, found 100000"):
        pack.half_weights(path, "", 11)


def test_weights_of_few_bits_are_steps_and_those_far_away_as_bfloat16_has_them(tmp_path):
    # The standard deviation is between 1/2 and 1: a step of 8 bits is 1/256.
    values = torch.tensor([[1 + 2.0**-7, 1 + 2.0**-8, 1 + 3 * 2.0**-8, -0.9, 0.0, 0.25 + 2.0**-8, 2.0**-9, 0.75 * 2.0**-8]])
    expected = [*values[0, :4].bfloat16().tolist(), 0, 0.25 + 2.0**-8, 0, 2.0**-8]
    assert packed(values, 8, tmp_path).tolist() == expected
    assert packed(values, 11, tmp_path).tolist() == values[0].half().tolist()
    # Biases are few.
    assert packed(values[0], 8, tmp_path).tolist() == values[0].half().tolist()
    # Where float16 ends, steps are its own.
    small = torch.tensor([[3.0, -2.0, 1.4, 0.6]]) * 2.0**-24
    assert packed(small, 4, tmp_path).tolist() == [3 * 2.0**-24, -(2.0**-23), 2.0**-24, 2.0**-24]
    assert packed(torch.zeros(2, 2), 4, tmp_path).tolist() == [0] * 4
    assert packed(torch.tensor([[40000.0, -60000.0]]), 4, tmp_path).tolist() == [40000, -60000]  # nor steps so large
    # What a picture passes first and last is not rounded.
    noise = torch.randn(20, 20, generator=torch.Generator().manual_seed(1))
    for name in ("conv_in.weight", "decoder.conv_out.weight", "controlnet_cond_embedding.blocks.0.weight", "mid.conv1.weight"):
        assert np.array_equal(packed(noise, 4, tmp_path, name), noise.half().flatten().numpy()) == (not name.startswith("mid")), name


def test_steps_take_little_more_than_they_tell(tmp_path):
    path = tmp_path / "weights.safetensors"
    values = torch.randn(200, 200, generator=torch.Generator().manual_seed(1)) / 50
    save_file({"a": values}, path)
    exact, stepped = (pack.half_weights(path, "", bits) for bits in (11, 5))
    step = 2.0 ** stepped.members["steps"][0][1]
    assert np.abs(unpacked(stepped) - values.flatten().numpy()).max() <= step / 2
    bits = np.log2(float(values.std()) / step * np.sqrt(2 * np.pi * np.e))  # a normal distribution's entropy
    assert len(pack.frame(stepped.kept)) < 1.05 * values.numel() * bits / 8 + 200 < 0.5 * len(pack.frame(exact.kept))
