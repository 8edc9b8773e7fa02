#!/usr/bin/env python3
"""Makes packed/tiny.tdmpack with Training/pack.py: a model's folder with two tensors a part, whose values follow a rule.

    pip install torch safetensors zstandard && ./make_packed_fixture.py

It is no model that runs; it shows that what pack.py writes can be read. Element i of each tensor is ((37 i) % 101 - 50) / 16, which 7 bits hold: of the
matrices some as steps, some as they are.
"""
import json
import pathlib
import shutil
import sys
import tempfile

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parents[2] / "Training"))
import pack  # noqa: E402


def tensor(*shape: int, dtype=torch.float32) -> torch.Tensor:
    count = torch.Size(shape).numel()
    return (((37 * torch.arange(count)) % 101 - 50) / 16).reshape(shape).to(dtype)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for part in ("unet", "controlnet", "vae", "text_encoder", "scheduler"):
            shutil.copytree(HERE / "thin" / part, folder / part)
        (folder / "tokenizer").mkdir()
        for file in ("vocab.json", "merges.txt", "end-padded/tokenizer_config.json"):
            shutil.copy(HERE / "tokenizer" / file, folder / "tokenizer")
        (folder / "model_index.json").write_text(json.dumps({
            "unet": ["diffusers", "UNet2DConditionModel"], "controlnet": ["diffusers", "ControlNetModel"],
            "vae": ["diffusers", "AutoencoderTiny"], "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"], "scheduler": ["diffusers", "DDIMScheduler"]}))
        for part, file in (("unet", "diffusion_pytorch_model"), ("controlnet", "diffusion_pytorch_model"),
                           ("vae", "diffusion_pytorch_model"), ("text_encoder", "model")):
            tensors = {"first.weight": tensor(3, 5), "second.weight": tensor(7, dtype=torch.bfloat16)}
            if part == "text_encoder":
                tensors["embeddings.position_ids"] = torch.arange(77).reshape(1, 77)
            save_file(tensors, folder / part / f"{file}.safetensors")
        out = HERE / "packed" / "tiny.tdmpack"
        out.parent.mkdir(exist_ok=True)
        out.write_bytes(pack.pack(folder, 7))


if __name__ == "__main__":
    main()
