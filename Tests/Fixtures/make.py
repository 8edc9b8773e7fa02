#!/usr/bin/env python3
"""Makes the golden data that the Swift tests compare with, from diffusers' networks and ../Reference/tdm_reference.py.

    pip install torch diffusers transformers safetensors numpy
    python Tests/Fixtures/make.py [SHAPE ...]

For each shape small, wide, thin, haar: a model's configuration files (model/), how its weights are made (weights.json: shape,
standard deviation and mean of each tensor, which both languages fill from a generator seeded by the tensor's name), what each
network gives for given inputs (networks.safetensors), and the clips that the whole pipeline gives (cases.json; NAME.rgb is the
output, rgb24; NAME.safetensors holds the tensors on the way). Images are [height, width, channels], clips have the frame in front.
"""
import json, pathlib, shlex, shutil, sys, tempfile
import numpy as np
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Reference"))
import extensions
import tdm_reference as reference
from gaussian import gaussian

WIDTH, HEIGHT, FRAMES = 37, 21, 7   # odd, so that every shape has to pad; longer than a window of radius 3
FEW = "--inversion-steps 3 --steps 4 "
CASES = {
    "small": {
        "whole-clip": FEW,
        "ring": FEW + "--chunk 1 --lookahead 3",
        "chunk-4": FEW + "--chunk 4 --lookahead 2",
        "causal": FEW + "--chunk 1 --lookahead 0",
        "radius-0": FEW + "--radius 0",
        "radius-1": FEW + "--radius 1 --chunk 2 --lookahead 1 --task derain",
        "guidance": FEW + "--guidance 5 --negative-prompt 'fog, details' --chunk 2 --lookahead 2",
        "strength": FEW + "--strength 0.6",
        "inversion-control": FEW + "--inversion-control-scale 1 --inversion-prompt task --control-scale 0.7",
        "window-in-controlnet": FEW + "--window-in-controlnet --chunk 2 --lookahead 1",
        "without-control": FEW + "--control-scale 0 --prompt 'the rain in the high resolution'",
        "first-frame": FEW + "--attention first --chunk 2 --lookahead 1",
        "noise": FEW + "--start noise --seed 7 --chunk 3",
    },
    "wide": {"whole-clip": FEW, "ring": FEW + "--chunk 1 --lookahead 3 --strength 0.6"},
    "thin": {"whole-clip": FEW, "chunk-2": FEW + "--chunk 2 --lookahead 1 --guidance 2 --inversion-control-scale 1"},
    "haar": {
        "whole-clip": FEW, "ring": FEW + "--chunk 1 --lookahead 3", "radius-0": FEW + "--radius 0",
        "causal": FEW + "--chunk 1 --lookahead 0", "guidance": FEW + "--guidance 3 --chunk 3 --lookahead 1",
        "first-frame": FEW + "--attention first --chunk 2 --lookahead 1", "own-attention": FEW + "--attention self --chunk 2",
        "without-inversion": "--inversion-steps 0 --steps 1 --strength 0.1 --chunk 4 --lookahead 3",
    },
}
SAMPLED = ("whole-clip", "ring", "chunk-4", "causal", "guidance", "window-in-controlnet")


def seed(name: str) -> int:
    """FNV-1a, 64 bits, of the name's UTF-8."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def fill(model: pathlib.Path) -> dict:
    """Replaces a model's weights by reproducible ones, alike in mean and deviation."""
    table = {}
    for file in sorted(model.glob("*/*.safetensors")):
        tensors = {}
        for name, tensor in load_file(file).items():
            key = f"{file.parent.name}/{name}"
            mean = round(float(tensor.mean()), 1) + 0.0 if tensor.dim() == 1 else 0.0
            deviation = float(f"{float((tensor - mean).square().mean().sqrt()):.2g}")
            table[key] = [list(tensor.shape), deviation, mean]
            tensors[name] = np.float32(mean) + np.float32(deviation) * gaussian(seed(key), tuple(tensor.shape))
        save_file(tensors, file, metadata={"format": "pt"})
    return table


def clip() -> np.ndarray:
    """A bright disc that moves over a gradient, in noise: [F, H, W, 3] uint8."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    noise = gaussian(11, (FRAMES, HEIGHT, WIDTH, 3)).numpy()
    frames = []
    for f in range(FRAMES):
        disc = 1 / (1 + np.exp(np.hypot(x - 10 - 3 * f, y - 11 + f) - 7))
        picture = np.stack([60 + 3 * x, 180 - 4 * y, 90 + 2 * (x + y)], -1) * (1 - disc[..., None]) + disc[..., None] * np.array([230, 200, 40])
        frames.append(picture + 12 * noise[f])
    return np.clip(np.stack(frames) + 0.5, 0, 255).astype(np.uint8)


def image(tensor: torch.Tensor) -> torch.Tensor:
    """[1, C, H, W] -> [H, W, C]"""
    return tensor[0].permute(1, 2, 0).contiguous()


def planes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.permute(2, 0, 1)[None]


@torch.no_grad()
def networks(model: pathlib.Path) -> dict:
    """Every network on inputs of its own."""
    unet = extensions.load(UNet2DConditionModel, model / "unet")
    control = extensions.load(ControlNetModel, model / "controlnet")
    text = CLIPTextModel.from_pretrained(model / "text_encoder").eval()
    tokenizer = CLIPTokenizer.from_pretrained(model / "tokenizer")
    latents = reference.Latents(model / "vae")

    ids = tokenizer("Remove the compression artifacts, again!", padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    context = text(ids).last_hidden_state
    picture = (0.5 * gaussian(1, (32, 48, 3))).clamp(-1, 1)
    latent = latents.encode(planes(picture))
    given = gaussian(2, tuple(image(latent).shape))
    condition = picture * 0.5 + 0.5
    down, mid = control(planes(given), 601, context, controlnet_cond=planes(condition), return_dict=False)
    controlled = lambda s: unet(planes(given), 601, context, down_block_additional_residuals=[d * s for d in down], mid_block_additional_residual=mid * s).sample

    clip = gaussian(4, (3, *given.shape))
    window = reference.Window(1)
    window.install(unet)
    window.frames = [0, 1, 2]
    windowed = unet(clip.permute(0, 3, 1, 2), 97, context.expand(3, -1, -1)).sample
    reference.Window(0).install(unet)
    result = {
        "token_ids": ids[0].float(), "text": context[0], "picture": picture, "latent": image(latent),
        "given": given, "decoded": image(latents.decode(planes(given))),
        "condition_embedding": image(control.controlnet_cond_embedding(planes(condition))), "timestep": torch.tensor([601.0]),
        "controlnet.mid": image(mid), "unet": image(unet(planes(given), 601, context).sample), "controlled": image(controlled(1)),
        "controlled_0.3": image(controlled(0.3)), "clip": clip, "clip_timestep": torch.tensor([97.0]),
        "windowed": windowed.permute(0, 2, 3, 1).contiguous(),
    }
    return result | {f"controlnet.down.{i}": image(d) for i, d in enumerate(down) if d.shape[-1] <= 6 or i == len(down) - 1}   # the small ones


def pipeline(model: pathlib.Path, options: str, frames: np.ndarray):
    arguments = ["run", "--model", str(model), "--size", f"{WIDTH}x{HEIGHT}"] + shlex.split(options)
    out, taps = reference.restore(reference.parser().parse_args(arguments), frames)
    kept = {k: taps[k].permute(0, 2, 3, 1).contiguous() for k in ("latent", "inverted", "first_output", "sampled")}
    return out, kept


def main():
    frames = clip()
    (HERE / "clip.rgb").write_bytes(frames.tobytes())
    for shape in sys.argv[1:] or CASES:
        folder = HERE / shape
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory() as temporary:
            model = pathlib.Path(temporary)
            reference.make_model(str(model), seed=1, shape=shape)
            table = fill(model)
            for file in sorted(model.rglob("*")):
                if file.suffix in (".json", ".txt"):
                    # the tokenizer is the same for all shapes
                    copy = HERE / file.relative_to(model) if file.parent.name == "tokenizer" else folder / "model" / file.relative_to(model)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(file.read_bytes())
            lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in table.items())
            (folder / "weights.json").write_text("{\n" + lines + "\n}\n")
            save_file(networks(model), folder / "networks.safetensors")
            cases, seen = [], {}
            for name, options in CASES[shape].items():
                out, taps = pipeline(model, options, frames)
                if cases:
                    del taps["first_output"]   # enough of it in one case
                if name not in SAMPLED:
                    del taps["sampled"]
                # what an earlier case holds already is not stored again
                held = {}
                for key in list(taps):
                    bits = (key, taps[key].numpy().tobytes())
                    held[key] = seen.setdefault(bits, name)
                    if held[key] != name:
                        del taps[key]
                if taps:
                    save_file(taps, folder / f"{name}.safetensors")
                (folder / f"{name}.rgb").write_bytes(out.tobytes())
                change = np.abs(out.astype(int) - frames).mean()
                print(f"{shape} {name}: output {out.min()}...{out.max()}, mean change {change:.1f}")
                cases.append({"name": name, "options": shlex.split(options), "tensors": held})
            (folder / "cases.json").write_text(json.dumps({"width": WIDTH, "height": HEIGHT, "frames": FRAMES, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
