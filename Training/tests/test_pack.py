"""pack.py on weights alone; with a model around them in test_superres.py."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import zstandard
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent.parent))
import pack  # noqa: E402


def test_weights_become_float16(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"b": torch.tensor([1.5, -2.0]), "a": torch.tensor([[0.1]])}, path)
    _, data = pack.half_weights(path, 11)
    assert np.frombuffer(data, "<f2").tolist() == [np.float16(0.1), 1.5, -2]
    save_file({"a": torch.tensor([1e5])}, path)
    with pytest.raises(pack.PackError, match="a: expected finite values up to 65504, found 100000"):
        pack.half_weights(path, 11)


def test_weights_of_eight_bits_are_what_bfloat16_holds_and_take_less(tmp_path):
    values = torch.tensor([[1 + 2.0**-7, 1 + 2.0**-8, 1 + 3 * 2.0**-8, -0.9, 0.0]])
    bits = np.frombuffer(pack.half(values, "", 8), np.uint16)
    assert bits.view(np.float16).tolist() == values[0].bfloat16().tolist()
    assert not (bits & 7).any()
    assert np.frombuffer(pack.half(values, "", 11), np.float16).tolist() == values[0].half().tolist()
    assert np.frombuffer(pack.half(values[0], "", 8), np.float16).tolist() == values[0].half().tolist()

    # A tensor's small weights are no finer than those of its standard deviation's size, which is between 1/2 and 1 here.
    values = torch.tensor([[1.0, -1.0, 1.3, 3.3, 1.4, 0.6, 0.4]]) * torch.tensor([1, 1, 1, *[2.0**-7] * 4])
    expected = [1, -1, 83 * 2.0**-6, 3 * 2.0**-7, 2.0**-7, 2.0**-7, 0]
    assert np.frombuffer(pack.half(values, "", 7), np.float16).tolist() == expected
    assert np.frombuffer(pack.half(values, "", 11), np.float16).tolist() == values.half().flatten().tolist()

    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.randn(200, 200, generator=torch.Generator().manual_seed(1)) / 50}, path)
    exact, rounded = (pack.half_weights(path, bits)[1] for bits in (11, 8))
    size = lambda data: len(zstandard.compress(data[0::2] + data[1::2]))
    assert size(rounded) < 0.85 * size(exact)
    # What a picture passes first and last is not rounded.
    for name in ("conv_in.weight", "decoder.conv_out.weight", "controlnet_cond_embedding.blocks.0.weight", "mid.conv1.weight"):
        save_file({name: torch.randn(20, 20, generator=torch.Generator().manual_seed(1))}, path)
        assert (pack.half_weights(path, 4)[1] == pack.half_weights(path, 11)[1]) == (not name.startswith("mid")), name
