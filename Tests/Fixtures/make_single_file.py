#!/usr/bin/env python3
"""Makes single-file/: a small Stable Diffusion 1.x, and what a checkpoint of a single file calls its tensors.

    pip install torch diffusers transformers safetensors numpy
    python Tests/Fixtures/make_single_file.py

As make.py's folders it has configurations (model/) and how its weights are made (weights.json); names.json gives the original name of
each tensor, by part and diffusers' name: this script knows how CompVis' code numbers its blocks, and diffusers' own converter says what
it makes of each. tokens.json has prompts, and the numbers that transformers' tokenizer makes of them by CLIP's vocabulary.
"""
import json, pathlib, shutil, tempfile
import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from diffusers.loaders import single_file_utils as convert
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from make import fill

HERE = pathlib.Path(__file__).resolve().parent
MERGES = HERE.parents[1] / "Sources/CEmbeddedModel/clip-merges.txt"
WIDTHS, LAYERS = [32, 64, 64], 2
ATTENTION = [True, True, False]   # by resolution, finest first
VAE_WIDTHS = [32, 64, 64, 64]     # the original ControlNet's condition is halved three times

RESNET = ["in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3"]
TRANSFORMER = (["norm", "proj_in", "proj_out"] + [f"transformer_blocks.0.{n}" for n in (
    "norm1", "norm2", "norm3", "attn1.to_out.0", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2")])
WITHOUT_BIAS = [f"transformer_blocks.0.{a}.{n}" for a in ("attn1", "attn2") for n in ("to_q", "to_k", "to_v")]
PROMPTS = ["", "remove the noise", "Remove the compression artifacts, again!", "recover the high resolution details", "fog\n\n  & rain 4x",
           "naïve café — 雨 🌧", "photo-realistic (masterpiece:1.2)", "<|endoftext|> it's o'clock", "word " * 90]


def resnet(place, widens):
    return [f"{place}.{n}.{k}" for n in RESNET + ["skip_connection"] * widens for k in ("weight", "bias")]


def transformer(place):
    return [f"{place}.{n}.{k}" for n in TRANSFORMER for k in ("weight", "bias")] + [f"{place}.{n}.weight" for n in WITHOUT_BIAS]


def both(*places):
    return [f"{p}.{k}" for p in places for k in ("weight", "bias")]


def trunk():
    """The way down and the middle, and how wide what each block leaves is."""
    names, widths, index = both("time_embed.0", "time_embed.2", "input_blocks.0.0"), [WIDTHS[0]], 1
    for level, width in enumerate(WIDTHS):
        for _ in range(LAYERS):
            names += resnet(f"input_blocks.{index}.0", widths[-1] != width) + (transformer(f"input_blocks.{index}.1") if ATTENTION[level] else [])
            widths.append(width); index += 1
        if level < len(WIDTHS) - 1:
            names += both(f"input_blocks.{index}.0.op"); widths.append(width); index += 1
    return names + resnet("middle_block.0", False) + transformer("middle_block.1") + resnet("middle_block.2", False), widths


def unet():
    names, skips = trunk()
    index = 0
    for level in reversed(range(len(WIDTHS))):
        for layer in range(LAYERS + 1):
            skips.pop()
            names += resnet(f"output_blocks.{index}.0", True) + (transformer(f"output_blocks.{index}.1") if ATTENTION[level] else [])
            if level and layer == LAYERS:
                names += both(f"output_blocks.{index}.{1 + ATTENTION[level]}.conv")
            index += 1
    return names + both("out.0", "out.2")


def controlnet():
    names, widths = trunk()
    names += [n for i in range(len(widths)) for n in both(f"zero_convs.{i}.0")] + both("middle_block_out.0")
    return names + [n for i in range(0, 16, 2) for n in both(f"input_hint_block.{i}")]


def autoencoder():
    names = both("quant_conv", "post_quant_conv")
    levels = len(VAE_WIDTHS)
    for side, layers in (("encoder", LAYERS), ("decoder", LAYERS + 1)):
        names += both(f"{side}.conv_in", f"{side}.conv_out", f"{side}.norm_out")
        blocks = [f"{side}.mid.block_1", f"{side}.mid.block_2"]
        for level in range(levels):
            blocks += [f"{side}.{'down' if layers == LAYERS else 'up'}.{level}.block.{i}" for i in range(layers)]
        names += [n for b in blocks for n in both(*(f"{b}.{l}" for l in ("norm1", "conv1", "norm2", "conv2")))]
        names += both(*(f"{side}.mid.attn_1.{n}" for n in ("norm", "q", "k", "v", "proj_out")))
    names += both("encoder.down.1.block.0.nin_shortcut", "decoder.up.0.block.0.nin_shortcut")
    return names + [n for i in range(levels - 1) for n in both(f"encoder.down.{i}.downsample.conv", f"decoder.up.{i + 1}.upsample.conv")]


def renamed(names, prefix, converter, *arguments):
    """diffusers' names by the original ones, as its converter has them."""
    numbered = {prefix + n: torch.full((1, 1, 1, 1), float(i)) for i, n in enumerate(names)}
    original = list(numbered)
    return {original[int(t.flatten()[0])]: n for n, t in converter(numbered, *arguments).items()}


def main():
    blocks = [f"{'CrossAttn' * a}DownBlock2D" for a in ATTENTION]
    common = dict(in_channels=4, block_out_channels=WIDTHS, layers_per_block=LAYERS, down_block_types=blocks, cross_attention_dim=64,
                  attention_head_dim=8)
    torch.manual_seed(0)
    parts = {
        "unet": UNet2DConditionModel(out_channels=4, up_block_types=[f"{'CrossAttn' * a}UpBlock2D" for a in reversed(ATTENTION)], **common),
        "controlnet": ControlNetModel(conditioning_embedding_out_channels=[16, 32, 96, 256], **common),
        "vae": AutoencoderKL(block_out_channels=VAE_WIDTHS, layers_per_block=LAYERS, latent_channels=4, scaling_factor=0.18215,
                             down_block_types=["DownEncoderBlock2D"] * len(VAE_WIDTHS), up_block_types=["UpDecoderBlock2D"] * len(VAE_WIDTHS)),
        "text_encoder": CLIPTextModel(CLIPTextConfig(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=1)),
        "scheduler": DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", set_alpha_to_one=False, clip_sample=False),
    }
    for weight in parts["controlnet"].parameters():
        if weight.dim() > 1 and not weight.any():   # a new ControlNet changes nothing yet
            torch.nn.init.normal_(weight, std=0.05)
    out = HERE / "single-file"
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder)
        for name, part in parts.items():
            part.save_pretrained(model / name)
        (out / "model").mkdir(parents=True)
        weights = fill(model)
        for file in model.glob("*/*config.json"):
            (out / "model" / file.parent.name).mkdir(exist_ok=True)
            shutil.copy(file, out / "model" / file.parent.name)
    lines = [f"{json.dumps(name)}: {json.dumps(recipe)}" for name, recipe in weights.items()]
    (out / "weights.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")

    text = "cond_stage_model.transformer."
    found = {
        "unet": renamed(unet(), "model.diffusion_model.", convert.convert_ldm_unet_checkpoint, dict(parts["unet"].config)),
        "controlnet": renamed(controlnet(), "control_model.", convert.convert_controlnet_checkpoint, dict(parts["controlnet"].config)),
        "vae": renamed(autoencoder(), "first_stage_model.", convert.convert_ldm_vae_checkpoint, dict(parts["vae"].config)),
        "text_encoder": {text + ("" if n.startswith("text_model.") else "text_model.") + n: n for n in parts["text_encoder"].state_dict()},
    }
    names = {}
    for part, table in found.items():
        assert set(table.values()) == set(parts[part].state_dict()), part
        names |= {f"{part}/{diffusers}": original for original, diffusers in table.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(original)}" for name, original in names.items()]
    (out / "names.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")

    pairs = MERGES.read_text().split("\n")[1:-1]
    symbols = list(bytes_to_unicode().values())
    symbols += [s + "</w>" for s in symbols] + [p.replace(" ", "") for p in pairs] + ["<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "vocab.json").write_text(json.dumps({s: i for i, s in enumerate(symbols)}))
        shutil.copy(MERGES, pathlib.Path(folder) / "merges.txt")
        tokenizer = CLIPTokenizer.from_pretrained(folder)
        rows = [[p, tokenizer(p, padding="max_length", max_length=77, truncation=True).input_ids] for p in PROMPTS]
    (out / "tokens.json").write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")


if __name__ == "__main__":
    main()
