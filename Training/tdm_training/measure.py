"""PSNR and SSIM of restored clips beside ffmpeg's filters, and a page of pictures: python -m tdm_training.measure --help"""

import argparse
import subprocess
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from skimage.metrics import structural_similarity

from . import clips, networks, pipeline

FILTERS = [
    "nlmeans=s=6:p=5:r=9", "nlmeans=s=12:p=5:r=9", "nlmeans=s=20:p=5:r=9", "hqdn3d=8", "hqdn3d=16",
    "bm3d=sigma=15", "bm3d=sigma=25",
]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Over a whole clip, dB."""
    return float(10 * np.log10(255**2 / np.square(a.astype(np.float64) - b).mean()))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean([structural_similarity(x, y, channel_axis=-1) for x, y in zip(a, b)]))


def by_python(model: networks.Model, clip: np.ndarray, task: str, way: tuple[float, int, int]) -> np.ndarray:
    """Every frame by itself, in bfloat16: a stand-in that needs no build of tdm-filter and knows no window."""
    x = clips.tensor(clip)
    height, width = x.shape[2:]
    x = torch.nn.functional.pad(x, (0, -width % 16, 0, -height % 16), mode="replicate")
    out = []
    with torch.autocast("cpu", torch.bfloat16):
        for frame in x:
            out.append(pipeline.restore(model, frame[None], task, *way).float())
    return clips.array(torch.cat(out)[..., :height, :width])


def by_filter(program: str, options: list[str], clip: np.ndarray, task: str) -> np.ndarray:
    """Through tdm-filter itself, as raw rgb24."""
    height, width = clip.shape[1:3]
    form = ["--input-format", "raw", "--size", f"{width}x{height}", "--pixel-format", "rgb24"]
    done = subprocess.run([program, "--task", task, *form, *options], input=clip.tobytes(), capture_output=True)
    if done.returncode:
        raise SystemExit(f"{program}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return np.frombuffer(done.stdout, np.uint8).reshape(clip.shape)


def titled(picture: np.ndarray, title: str) -> np.ndarray:
    picture = picture.copy()
    picture[:22] = picture[:22] // 4
    cv2.putText(picture, title, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("clips", nargs="+", type=Path, help="clean clips that ffmpeg reads")
    p.add_argument("--model", type=Path, help="a diffusers folder, run in Python, a frame at a time")
    p.add_argument("--path", action="append", default=[], help="strength:inversion+sampling steps for --model, as 0.1:1+1; may repeat")
    p.add_argument("--program", help="tdm-filter's path; runs it instead of Python")
    p.add_argument("--option", action="append", default=[], help="passed on to --program; may repeat")
    p.add_argument("--sigma", type=float, default=25, help="deviation of the noise, of 255")
    p.add_argument("--frames", type=int, default=24)
    p.add_argument("--widest", type=int, default=640)
    p.add_argument("--no-filters", action="store_true", help="leave ffmpeg's filters out")
    p.add_argument("--page", type=Path, help="a PNG side by side for each clip goes here: PAGE-CLIP.png")
    p.add_argument("--threads", type=int, default=2)
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    model = networks.load(o.model) if o.model else None
    print("| clip | what | PSNR dB | SSIM | s a frame |\n| --- | --- | --- | --- | --- |")
    for path in o.clips:
        clean = clips.read(path, o.frames, o.widest)
        noisy = clips.add_noise(clean, o.sigma)
        rows = [("untouched", lambda: noisy)]
        if not o.no_filters:
            rows += [(f, lambda f=f: clips.filtered(noisy, f)) for f in FILTERS]
        for text in (o.path or ["0.1:1+1"]) if model else []:
            strength, steps = text.split(":")
            way = (float(strength), *map(int, steps.split("+")))
            rows.append((f"model {text}", lambda way=way: by_python(model, noisy, "denoise", way)))
        if o.program:
            rows.append(("tdm-filter", lambda: by_filter(o.program, o.option, noisy, "denoise")))
        pictures = [titled(clean[len(clean) // 2], "clean")]
        for name, run in rows:
            start = time.monotonic()
            out = run()
            seconds = (time.monotonic() - start) / len(out)
            figure = psnr(out, clean)
            print(f"| {path.stem} | {name} | {figure:.2f} | {ssim(out, clean):.3f} | {seconds:.2f} |", flush=True)
            if not name.startswith(("hqdn3d", "bm3d")):
                pictures.append(titled(out[len(out) // 2], f"{name}  {figure:.2f} dB"))
        if o.page:
            pictures += [np.zeros_like(pictures[0])] * (len(pictures) % 2)
            page = np.vstack([np.hstack(pictures[i : i + 2]) for i in range(0, len(pictures), 2)])
            cv2.imwrite(f"{o.page}-{path.stem}.png", page[..., ::-1])


if __name__ == "__main__":
    main()
