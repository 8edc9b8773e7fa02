#!/usr/bin/env python3
"""Compares tdm-bench's networks with diffusers' at Stable Diffusion 1.5's full size, on random weights.

    pip install torch diffusers transformers safetensors numpy
    swift build -c release --scratch-path .build/program --product tdm-bench
    python Tests/Reference/verify_sd15.py [--model DIR] [--sizes 512x512,896x512] [--repeat 3]

Without --model, the model is made in a temporary folder (2.6 GB). Each network gets the inputs that tdm-bench left, in float32. The
relative L2 has to be at most 1e-3 where tdm-bench computed in f32, 2e-2 in bf16. With --repeat, medians of PyTorch's own bf16 (on the
same number of threads) are printed beside tdm-bench's, in milliseconds. Ends with 1 if a network is further off than that.
"""
import argparse, json, pathlib, statistics, subprocess, sys, tempfile, time
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextModel

import tdm_reference

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = {"f32": 1e-3, "bf16": 2e-2}


def planes(image):   # [H, W, C] -> [1, C, H, W]
    return image.permute(2, 0, 1)[None]


def image(planes):
    return planes[0].float().permute(1, 2, 0)


def text(net, given, kind):
    return {"text": net(given["token_ids"].long()[None]).last_hidden_state[0].float()}


def encode(net, given, kind):
    return {"latent": image(net.encode(planes(given["picture"]).to(kind)).latent_dist.mode() * net.config.scaling_factor)}


def decode(net, given, kind):
    return {"picture": image(net.decode(planes(given["latent"]).to(kind) / net.config.scaling_factor).sample)}


def condition(net, given, kind):
    picture = planes(given["picture"]).to(kind) * 0.5 + 0.5
    if net.config.controlnet_conditioning_channel_order == "bgr":   # otherwise ControlNetModel does it
        picture = picture.flip(1)
    return {"condition": image(net.controlnet_cond_embedding(picture))}


def unet(net, given, kind):
    out = net(planes(given["latent"]).to(kind), given["timestep"], given["text"][None].to(kind)).sample
    return {"output": image(out)}


def controlnet(net, given, kind):
    down, mid = net(planes(given["latent"]).to(kind), given["timestep"], given["text"][None].to(kind),
                    controlnet_cond=planes(given["picture"]).to(kind) * 0.5 + 0.5, return_dict=False)
    return {"mid": image(mid)} | {f"down.{i}": image(d) for i, d in enumerate(down)}


PARTS = {
    "text": (CLIPTextModel, "text_encoder", text), "encode": (AutoencoderKL, "vae", encode), "decode": (AutoencoderKL, "vae", decode),
    "condition": (ControlNetModel, "controlnet", condition), "unet": (UNet2DConditionModel, "unet", unet),
    "controlnet": (ControlNetModel, "controlnet", controlnet),
}


def bench(o, size, precision, part, folder):
    command = [o.bench, "--model", o.model, "--size", size, "--precision", precision, "--repeat", str(max(o.repeat, 1)), "--parts", part,
               "--threads", str(torch.get_num_threads()), "--json", "--dump", folder]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def milliseconds(compute, repeat):
    compute()
    times = []
    for _ in range(repeat):
        start = time.perf_counter(); compute(); times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


@torch.no_grad()
def verify(o) -> bool:
    good = True
    for size in o.sizes.split(","):
        for part in o.parts.split(","):
            kind, folder, run = PARTS[part]
            net, expected = kind.from_pretrained(pathlib.Path(o.model) / folder).float().eval(), None
            for precision in ("f32", "bf16"):
                with tempfile.TemporaryDirectory() as dump:
                    result = bench(o, size, precision, part, dump)
                    found = load_file(f"{dump}/{part}.safetensors")
                expected = expected or run(net, found, torch.float32)
                worst = max(float((found[k] - e).norm() / e.norm()) for k, e in expected.items())
                line = f"{size} {part:10} {precision:4}  relative L2 {worst:.2e}  {result[part]:9.1f} ms  peak {result['peak_memory_mib']:5} MiB"
                if precision == "bf16" and o.repeat:
                    net = net.bfloat16()
                    theirs = milliseconds(lambda: run(net, found, torch.bfloat16), o.repeat)
                    off = run(net, found, torch.bfloat16)
                    theirs_off = max(float((off[k] - e).norm() / e.norm()) for k, e in expected.items())
                    line += f"  PyTorch {theirs:9.1f} ms, relative L2 {theirs_off:.2e}"
                print(line + ("" if worst <= LIMIT[precision] else f"  more than {LIMIT[precision]}"), flush=True)
                good = good and worst <= LIMIT[precision]
    return good


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model"); p.add_argument("--sizes", default="512x512,896x512"); p.add_argument("--parts", default=",".join(PARTS))
    p.add_argument("--repeat", type=int, default=0, help="0: no PyTorch timings")
    p.add_argument("--threads", type=int, default=torch.get_num_threads())
    p.add_argument("--bench", default=str(ROOT / ".build/program/release/tdm-bench"))
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    if o.model:
        return verify(o)
    with tempfile.TemporaryDirectory() as o.model:
        tdm_reference.make_model(o.model, seed=0, shape="sd15")
        return verify(o)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
