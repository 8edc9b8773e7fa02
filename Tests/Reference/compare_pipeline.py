#!/usr/bin/env python3
"""Holds tdm-filter against the executable specification (tdm_reference.py) on random models and clips.

    pip install torch diffusers transformers safetensors numpy
    compare_pipeline.py --filter .build/program/release/tdm-filter [--seed N] [--shape small] [--steps 10,32] [--bf16]

For each option set: the share of rgb24 samples within 1 of the specification's and the largest difference, in float32. With
--bf16 also how far bfloat16 is from float32, beside how far the specification's own bfloat16 is. Ends with 1 where a set has
less than 99.9% of samples within 1, any further than 3, or bfloat16 more than 1 dB under the specification's.
"""
import argparse, pathlib, subprocess, sys, tempfile
import numpy as np

REFERENCE = pathlib.Path(__file__).with_name("tdm_reference.py")
SIZES = {"small": (39, 23), "wide": (53, 34), "thin": (47, 19), "haar": (45, 27)}   # odd, and no multiples of what the models pad to
FRAMES = 7
SETS = {
    "whole clip": "",
    "chunk 1 lookahead 3": "--chunk 1 --lookahead 3",
    "chunk 4 lookahead 2": "--chunk 4 --lookahead 2",
    "chunk 1 lookahead 0": "--chunk 1 --lookahead 0",
    "radius 0": "--radius 0",
    "radius 1": "--radius 1 --task derain",
    "guidance 5": "--guidance 5 --negative-prompt noise --chunk 3 --lookahead 1",
    "strength 0.6": "--strength 0.6 --task dehaze",
    "inversion control": "--inversion-control-scale 1 --inversion-prompt task",
    "window in ControlNet": "--window-in-controlnet --chunk 3 --lookahead 2",
    "attention first": "--attention first --chunk 2 --lookahead 2",
    "attention self": "--attention self",
    "start noise": "--start noise --seed 99 --chunk 2",
    "no ControlNet": "--control-scale 0",
    "no inversion": "--inversion-steps 0 --strength 0.1 --chunk 2 --lookahead 2",
}


def clip(seed: int, width: int, height: int, frames: int = FRAMES) -> np.ndarray:
    """Waves that move, with noise: [F, H, W, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    phase, wave = rng.uniform(0, 6, 3), rng.uniform(0.05, 0.3, (3, 2))
    pictures = [np.stack([128 + 70 * np.sin(wave[c, 0] * (x + 2 * f) + wave[c, 1] * y + phase[c]) for c in range(3)], -1)
              + 20 * rng.standard_normal((height, width, 3)) for f in range(frames)]
    return np.clip(np.stack(pictures) + 0.5, 0, 255).astype(np.uint8)


def run(command: list, data: bytes) -> np.ndarray:
    result = subprocess.run([str(c) for c in command], input=data, capture_output=True)
    if result.returncode:
        sys.exit(f"{command[0]} ended with {result.returncode}: {result.stderr.decode()[-800:]}")
    return np.frombuffer(result.stdout, np.uint8).astype(int)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(1e-9, ((a - b) ** 2).mean()))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--filter", default=".build/program/release/tdm-filter")
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--shape", action="append", choices=SIZES)
    p.add_argument("--steps", default="2,3", help="moves of inversion and of sampling")
    p.add_argument("--bf16", action="store_true")
    o = p.parse_args()
    inversion_steps, steps = o.steps.split(",")
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for shape in o.shape or SIZES:
            model, (width, height) = pathlib.Path(folder) / shape, SIZES[shape]
            run([sys.executable, REFERENCE, "make-model", model, "--seed", o.seed, "--shape", shape], b"")
            data = clip(o.seed, width, height).tobytes()
            for name, options in SETS.items():
                chosen = f"--model {model} --size {width}x{height} --inversion-steps {inversion_steps} --steps {steps} {options}".split()
                specified = [sys.executable, REFERENCE, "run", *chosen]
                # The specification's defaults where they are not the filter's.
                rest = " ".join(d for d in ("--chunk 0", "--lookahead 0", "--strength 1", "--radius 3") if d.split()[0] not in options)
                ours = [o.filter, "--quiet", "--input-format", "raw", "--pixel-format", "rgb24", "--scene-cut", "off", *chosen, *rest.split()]
                expected, found = run(specified, data), run(ours + ["--precision", "f32"], data)
                if len(found) != len(expected):
                    sys.exit(f"{shape}, {name}: {len(expected)} bytes expected, {len(found)} found")
                difference = abs(found - expected)
                good = (difference <= 1).mean() >= 0.999 and difference.max() <= 3
                line = f"{shape:6} {name:22} within 1: {100 * (difference <= 1).mean():.3f}%  largest: {difference.max()}"
                if o.bf16 and "noise" not in options.split()[:2]:   # PyTorch's autocast cannot start from its float32 noise
                    theirs, own = psnr(run(specified + ["--bf16"], data), expected), psnr(run(ours + ["--precision", "bf16"], data), found)
                    good &= own >= theirs - 1
                    line += f"  bf16: {own:.1f} dB, the specification's {theirs:.1f} dB"
                print(line + ("" if good else "  FAILED"), flush=True)
                failures += not good
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
