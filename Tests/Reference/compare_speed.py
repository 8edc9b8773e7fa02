#!/usr/bin/env python3
"""Times the networks of a model folder in tdm-bench and in PyTorch + diffusers, in turns within one run.

    compare_speed.py --bench .build/program/release/tdm-bench --model DIR [--size 512x512 --size 896x512] [--rounds 3] [--repeat 3]

Prints a Markdown table: medians over all rounds in ms, and the ratio PyTorch / tdm-bench (above 1: tdm is faster).
Each round runs tdm-bench, then PyTorch, so that a machine that slows down slows both. PyTorch runs as its users run it on a
processor: bfloat16 weights, channels last, inference mode, as many threads as there are processors. Peaks are the largest
resident set of each process.
"""
import argparse, datetime, json, os, pathlib, platform, statistics, subprocess, sys, time

PARTS = ("text", "encode", "decode", "unet", "controlnet")


def torch_times(model: str, size: str, precision: str, repeat: int) -> dict:
    """Seconds of each part, in this process."""
    import torch
    from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, UNet2DConditionModel
    from transformers import CLIPTextModel

    torch.set_num_threads(os.cpu_count())
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    root = pathlib.Path(model)
    width, height = map(int, size.split("x"))
    tiny = json.loads((root / "vae" / "config.json").read_text())["_class_name"] == "AutoencoderTiny"
    load = lambda cls, part: cls.from_pretrained(root / part).to(kind).eval()
    last = lambda net: net.to(memory_format=torch.channels_last)
    unet, control = last(load(UNet2DConditionModel, "unet")), last(load(ControlNetModel, "controlnet"))
    vae = last(load(AutoencoderTiny if tiny else AutoencoderKL, "vae"))
    text = load(CLIPTextModel, "text_encoder")
    stages = vae.config.encoder_block_out_channels if tiny else vae.config.block_out_channels
    factor = 2 ** (len(stages) - 1)
    picture = torch.rand(1, 3, height, width, dtype=kind).to(memory_format=torch.channels_last)
    latent = torch.randn(1, unet.config.in_channels, height // factor, width // factor, dtype=kind).to(memory_format=torch.channels_last)
    context = torch.randn(1, 77, unet.config.cross_attention_dim, dtype=kind)
    ids = torch.randint(0, text.config.vocab_size, (1, 77))
    runs = {
        "text": lambda: text(ids),
        "encode": lambda: vae.encode(picture),
        "decode": lambda: vae.decode(latent),
        "unet": lambda: unet(latent, 500, context),
        "controlnet": lambda: control(latent, 500, context, controlnet_cond=picture),
    }
    times = {}
    with torch.inference_mode():
        for part, run in runs.items():
            run()
            times[part] = []
            for _ in range(repeat):
                start = time.perf_counter()
                run()
                times[part].append(time.perf_counter() - start)
    return {part: statistics.median(t) for part, t in times.items()}


def run_child(command: list[str]) -> tuple[dict, int]:
    """The JSON object that a command prints, and its peak memory in bytes."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{command[0]} ended with {child.returncode}")
    return json.loads(out), usage.ru_maxrss * 1024


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bench", default=".build/program/release/tdm-bench")
    p.add_argument("--model", required=True)
    p.add_argument("--size", action="append")
    p.add_argument("--precision", default="bf16", choices=("bf16", "f32"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--repeat", type=int, default=3, help="timed runs of each part in a round, after one that is not timed")
    p.add_argument("--torch-only", action="store_true", help=argparse.SUPPRESS)
    o = p.parse_args()
    sizes = o.size or ["512x512", "896x512"]
    if o.torch_only:
        print(json.dumps(torch_times(o.model, sizes[0], o.precision, o.repeat)))
        return
    model_name = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
    print(f"{datetime.date.today()}, {model_name}, {os.cpu_count()} cores, {o.precision}, "
          f"median of {o.rounds} rounds of {o.repeat}\n")
    print("| size | part | tdm ms | PyTorch ms | PyTorch / tdm |\n| --- | --- | ---: | ---: | ---: |")
    for size in sizes:
        ours, theirs, peaks = {k: [] for k in PARTS}, {k: [] for k in PARTS}, [0, 0]
        for _ in range(o.rounds):
            found, peak = run_child([o.bench, "--model", o.model, "--size", size, "--precision", o.precision, "--repeat", str(o.repeat), "--json"])
            peaks[0] = max(peaks[0], peak)
            # diffusers embeds the picture in every step, tdm once a frame: here once a step, to compare like with like.
            found["controlnet"] += found["condition"]
            for k in PARTS:
                ours[k].append(found[k])
            found, peak = run_child([sys.executable, __file__, "--torch-only", "--model", o.model, "--size", size,
                                     "--precision", o.precision, "--repeat", str(o.repeat)])
            peaks[1] = max(peaks[1], peak)
            for k in PARTS:
                theirs[k].append(found[k] * 1000)
        for k in PARTS:
            a, b = statistics.median(ours[k]), statistics.median(theirs[k])
            print(f"| {size} | {k} | {a:.1f} | {b:.1f} | {b / a:.2f} |")
        print(f"| {size} | peak memory, GiB | {peaks[0] / 2**30:.2f} | {peaks[1] / 2**30:.2f} | {peaks[1] / peaks[0]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
