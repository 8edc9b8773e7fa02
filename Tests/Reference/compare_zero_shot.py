#!/usr/bin/env python3
"""Holds --method zero-shot against its executable specification (zsvd_reference.py) on random models and clips.

    pip install torch diffusers transformers safetensors numpy sentencepiece protobuf
    compare_zero_shot.py --filter .build/program/release/tdm-filter [--seed N]

For each option set: the share of rgb24 samples within 1 of the specification's and the largest difference, in float32; then how far
bfloat16 is from that, beside how far the specification's own bfloat16 is. Ends with 1 where a set has less than 99.9% of samples within 1,
any further than 3, or bfloat16 more than 1 dB under the specification's.
"""
import argparse, pathlib, shlex, sys, tempfile

import compare_pipeline as pipeline

REFERENCE = pathlib.Path(__file__).with_name("zsvd_reference.py")
SIZES = {"small": (64, 48), "odd": (90, 61)}
SETS = {   # frames, options
    "defaults": (14, ""),
    "one frame": (1, "--steps 8 --skip 3 --guidance 4"),
    "two frames": (2, "--steps 8 --skip 3 --guidance 4"),
    "chunks of 13 and 8": (21, "--steps 8 --skip 3 --guidance 4"),
    "segments": (20, "--steps 8 --skip 3 --guidance 4 --segment 9 --overlap 3 --seed 5"),
    "close segments": (12, "--steps 8 --skip 3 --guidance 4 --segment 7 --overlap 5"),
    "segments apart": (15, "--steps 8 --skip 3 --guidance 4 --segment 5 --overlap 0"),
    "from noise": (9, "--steps 6 --skip 0 --guidance 2"),
    "no switching": (9, "--steps 8 --skip 2 --switch-blocks ''"),
    "another prompt": (9, "--steps 8 --skip 2 --negative-prompt fog --switch-blocks 2,900"),
}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--filter", default=".build/program/release/tdm-filter")
    p.add_argument("--seed", type=int, default=7)
    o = p.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder)
        pipeline.run([sys.executable, REFERENCE, "make-model", model, "--seed", o.seed], b"")
        for size, (width, height) in SIZES.items():
            for name, (frames, options) in SETS.items():
                data = pipeline.clip(o.seed, width, height, frames).tobytes()
                chosen = shlex.split(f"--model {model} --size {width}x{height} {options}")
                specified = [sys.executable, REFERENCE, "run", *chosen]
                ours = [o.filter, "--quiet", "--method", "zero-shot", "--input-format", "raw", "--pixel-format", "rgb24", *chosen]
                expected = pipeline.run(specified, data)
                found, rounded = (pipeline.run(ours + ["--precision", precision], data) for precision in ("f32", "bf16"))
                if len(found) != len(expected):
                    sys.exit(f"{size}, {name}: {len(expected)} bytes expected, {len(found)} found")
                difference = abs(found - expected)
                theirs, own = pipeline.psnr(pipeline.run(specified + ["--bf16"], data), expected), pipeline.psnr(rounded, found)
                good = (difference <= 1).mean() >= 0.999 and difference.max() <= 3 and own >= theirs - 1
                print(f"{size:6} {name:20} within 1: {100 * (difference <= 1).mean():.3f}%  largest: {difference.max()}"
                      f"  bf16: {own:.1f} dB, the specification's {theirs:.1f} dB" + ("" if good else "  FAILED"), flush=True)
                failures += not good
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
