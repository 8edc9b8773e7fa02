#!/usr/bin/env python3
"""Compares tdm-bench's networks with diffusers' for options of the configuration files that the fixtures leave alone.

    pip install torch diffusers transformers safetensors numpy
    swift build -c release --scratch-path .build/program --product tdm-bench
    python Tests/Reference/verify_variants.py

Each variant is a small random model with some options changed. Ends with 1 if a network is further off than rounding.
"""
import argparse, copy, json, pathlib, sys, tempfile
import torch

import tdm_reference
import verify_sd15

# part -> options, over one of the reference's shapes: "thin" where an AutoencoderTiny is wanted. control: the widths of the
# condition's embedding, which has to end at the latent's size
VARIANTS = {
    "linear projections, cosines last, shifted frequencies": ("small", {"unet": dict(use_linear_projection=True, flip_sin_to_cos=False, freq_shift=1)}),
    "two transformer layers, other heads in each block": ("small", {"unet": dict(transformer_layers_per_block=2, attention_head_dim=(2, 4, 8))}),
    "three layers a block, centred input": ("small", {"unet": dict(layers_per_block=3, center_input_sample=True)}),
    "wider kernels, other epsilon": ("small", {"unet": dict(conv_in_kernel=3, conv_out_kernel=5, norm_eps=1e-3)}),
    "downsampling without padding": ("small", {"unet": dict(downsample_padding=0)}),
    "middle without attention, scaled": ("small", {"unet": dict(mid_block_type="UNetMidBlock2D", mid_block_scale_factor=1.5)}),
    "scaled middle": ("small", {"unet": dict(mid_block_scale_factor=2)}),
    "autoencoder without quantization convolutions": ("small", {"vae": dict(use_quant_conv=False, use_post_quant_conv=False)}),
    "autoencoder without attention": ("small", {"vae": dict(mid_block_add_attention=False)}),
    "tiny autoencoder with silu, four stages": ("thin", {"vae": dict(
        encoder_block_out_channels=(16,) * 4, decoder_block_out_channels=(16,) * 4, num_encoder_blocks=(1, 0, 2, 1), num_decoder_blocks=(2, 1, 0, 1), act_fn="silu"), "control": (8, 8, 16, 16)}),
    "condition in the order blue, green, red": ("small", {"controlnet": dict(controlnet_conditioning_channel_order="bgr")}),
    "text with plain gelu": ("small", {"text_encoder": dict(hidden_act="gelu")}),
}


def make(name: str, folder: pathlib.Path) -> None:
    base, changes = VARIANTS[name]
    shape = copy.deepcopy(tdm_reference.SHAPES[base])
    shape["control"] = changes.get("control", shape["control"])
    for part in ("unet", "vae"):
        shape[part].update(changes.get(part, {}))
    tdm_reference.SHAPES["variant"] = shape
    tdm_reference.make_model(str(folder), seed=3, shape="variant")
    for part in ("controlnet", "text_encoder"):   # options that change no weight
        path = folder / part / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes.get(part, {})))


@torch.no_grad()
def main() -> bool:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bench", default=str(verify_sd15.ROOT / ".build/program/release/tdm-bench"))
    o, good = p.parse_args(), True
    o.repeat = 1
    for name in VARIANTS:
        with tempfile.TemporaryDirectory() as o.model:
            make(name, pathlib.Path(o.model))
            for part, (kind, folder, run) in verify_sd15.PARTS.items():
                if VARIANTS[name][0] == "thin" and part in ("encode", "decode"):
                    kind, run = tdm_reference.AutoencoderTiny, getattr(sys.modules[__name__], part)
                net = kind.from_pretrained(pathlib.Path(o.model) / folder).float().eval()
                with tempfile.TemporaryDirectory() as dump:
                    verify_sd15.bench(o, "96x64", "f32", part, dump)
                    found = verify_sd15.load_file(f"{dump}/{part}.safetensors")
                worst = max(float((found[k] - e).norm() / e.norm()) for k, e in run(net, found, torch.float32).items())
                print(f"{name}: {part}: relative L2 {worst:.2e}" + ("" if worst <= 1e-4 else "  more than 1e-4"), flush=True)
                good = good and worst <= 1e-4
    return good


def encode(net, given, kind):
    return {"latent": verify_sd15.image(net.encode(verify_sd15.planes(given["picture"])).latents * net.config.scaling_factor)}


def decode(net, given, kind):
    return verify_sd15.decode(net, given, kind)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
