#!/usr/bin/env python3
"""Makes video/: the golden data for zero-shot deraining, from diffusers' CogVideoX networks and ../Reference/zsvd_reference.py.

    pip install torch diffusers transformers safetensors numpy sentencepiece protobuf
    python Tests/Fixtures/make_video.py

As make.py does for the other models: configuration files and a tokenizer (model/), how weights are made (weights.json), what each
network gives (networks.safetensors), and the clips that the whole pipeline gives for ../clip.rgb (cases.json, NAME.rgb).
"""
import json, pathlib, shlex, shutil, sys, tempfile
import numpy as np
import sentencepiece
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from safetensors.torch import save_file
from transformers import T5EncoderModel, T5Tokenizer

import make
import zsvd_reference as reference
from gaussian import gaussian

FEW = "--steps 6 --skip 2 --guidance 4 "
CASES = {
    "one-segment": FEW,
    "segments": FEW + "--segment 4 --overlap 2 --seed 3",
    "apart": FEW + "--segment 3 --overlap 0",
    "close": FEW + "--segment 5 --overlap 4 --switch-blocks 1,3",
    "without-switching": FEW + "--switch-blocks ''",
    "from-noise": "--steps 5 --skip 0 --guidance 2 --negative-prompt 'heavy fog, people'",
}
# 21 frames go in chunks of 13 and 8; their 6 latent frames come back in three pairs. 9 frames go at once.
CLIPS = {"long": 21, "short": 9}


def tokenizer(folder: pathlib.Path) -> None:
    """One that leaves Unicode alone: its file is a hundredth of that of one which does not."""
    text = [reference.NEGATIVE, "remove the rain", "a street in the rain", "light snow and heavy fog over the sea, people"] * 20
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
        f.write("\n".join(text)); f.flush()
        sentencepiece.SentencePieceTrainer.train(
            input=f.name, model_prefix=str(folder / "spiece"), model_type="unigram", vocab_size=80, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
            hard_vocab_limit=False, minloglevel=2, normalization_rule_name="identity")
    (folder / "spiece.vocab").unlink()


def video(tensor: torch.Tensor) -> torch.Tensor:
    """[1, C, T, H, W] -> [T, H, W, C]"""
    return tensor[0].permute(1, 2, 3, 0).contiguous()


def planes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.permute(3, 0, 1, 2)[None]


@torch.no_grad()
def networks(model: pathlib.Path) -> dict:
    """Every network on inputs of its own, which the tests draw as this does."""
    net = CogVideoXTransformer3DModel.from_pretrained(model / "transformer").float().eval()
    vae = AutoencoderKLCogVideoX.from_pretrained(model / "vae").float().eval()
    encoder = T5EncoderModel.from_pretrained(model / "text_encoder").float().eval()
    words = T5Tokenizer.from_pretrained(model / "tokenizer")
    ids = words([reference.NEGATIVE, ""], padding="max_length", max_length=net.config.max_text_seq_length, truncation=True, return_tensors="pt").input_ids
    texts = encoder(ids)[0]
    result = {"token_ids": ids.float(), "texts": texts}
    for name, frames in CLIPS.items():
        clip = (0.5 * gaussian(frames, (frames, 32, 16, 3))).clamp(-1, 1)
        latent = vae.encode(planes(clip)).latent_dist.mode() * vae.config.scaling_factor
        result[f"{name}.latent"] = video(latent)
        result[f"{name}.decoded"] = video(vae.decode(latent / vae.config.scaling_factor).sample)
    latent = gaussian(5, (3, 4, 6, net.config.in_channels))
    x = latent.permute(0, 3, 1, 2)[None]
    predict = lambda x, texts: net(x, timestep=torch.tensor([601] * len(x)), encoder_hidden_states=texts)[0].permute(0, 1, 3, 4, 2).contiguous()
    result["plain"] = predict(x, texts[1:])[0]
    net.set_attn_processor({n: reference.Switching(int(n.split(".")[1]) in (0, 2)) for n in net.attn_processors})
    result["switched"] = predict(torch.cat([x, x]), texts)
    return result


def main():
    frames = np.frombuffer((make.HERE / "clip.rgb").read_bytes(), np.uint8).reshape(make.FRAMES, make.HEIGHT, make.WIDTH, 3)
    folder = make.HERE / "video"
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        model = pathlib.Path(temporary)
        reference.make_model(str(model), seed=1)
        tokenizer(model / "tokenizer")
        table = make.fill(model)
        for file in sorted(model.rglob("*")):
            if file.suffix in (".json", ".model"):
                copy = folder / "model" / file.relative_to(model)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(file.read_bytes())
        lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in table.items())
        (folder / "weights.json").write_text("{\n" + lines + "\n}\n")
        save_file(networks(model), folder / "networks.safetensors")
        cases = []
        for name, options in CASES.items():
            words = ["run", "--model", str(model), "--size", f"{make.WIDTH}x{make.HEIGHT}"] + shlex.split(options)
            out = reference.derain(reference.parser().parse_args(words), frames)[0]
            (folder / f"{name}.rgb").write_bytes(out.tobytes())
            print(f"{name}: output {out.min()}...{out.max()}, mean change {np.abs(out.astype(int) - frames).mean():.1f}")
            cases.append({"name": name, "options": shlex.split(options), "tensors": {}})
        (folder / "cases.json").write_text(
            json.dumps({"width": make.WIDTH, "height": make.HEIGHT, "frames": make.FRAMES, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
