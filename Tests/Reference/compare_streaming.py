#!/usr/bin/env python3
"""Tables what streaming costs against the whole clip at once: chunk x lookahead x radius, on any model and clips.

    pip install numpy [opencv-python-headless]
    compare_streaming.py --filter .build/program/release/tdm-filter --clip park_joy.y4m --clip carphone.mp4 [--model DIR]
                         [--noise 25] [--size 480x270] [--frames 24] [--chunk 1,2,4,8] [--lookahead 0,1,2,3] [--radius 1,2,3]
                         [-- options of tdm-filter]

Each clip (read by ffmpeg, scaled, with Poisson-Gaussian noise added) is restored with --chunk 0, and then with each
setting. Columns, as a Markdown table:

    against whole   PSNR in dB between streamed and whole-clip frames, over the clip, and of its worst frame
    against clean   PSNR in dB of the streamed frames, and how much more than the whole clip's
    warping         mean squared difference x 1000 (values 0...1) between a frame and the one before moved along the clean
                    clip's optical flow, where that finds its way back; needs OpenCV
    samplings       evaluations of the sampler for each frame at most: (chunk + lookahead) / chunk
    fps             frames a second by the program's own closing line
    latency         frames that have to arrive before the first can leave
"""
import argparse, itertools, pathlib, re, subprocess, sys
import numpy as np

try:
    import cv2
except ImportError:
    cv2 = None


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def read(path: str, width: int, height: int, frames: int) -> np.ndarray:
    """[F, H, W, 3]"""
    command = ["ffmpeg", "-v", "error", "-i", path, "-frames:v", str(frames), "-vf", f"scale={width}:{height}:flags=area",
               "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(data, np.uint8).reshape(-1, height, width, 3)


def with_noise(clean: np.ndarray, level: float) -> np.ndarray:
    """Noise of this standard deviation in mid-grey, half of its variance in proportion to the light."""
    rng = np.random.default_rng(1)
    deviation = level * np.sqrt(0.5 + 0.5 * clean / 127.5)
    return np.clip(clean + deviation * rng.standard_normal(clean.shape) + 0.5, 0, 255).astype(np.uint8)


def run(o: argparse.Namespace, noisy: np.ndarray, *options: object) -> subprocess.CompletedProcess:
    height, width = noisy.shape[1:3]
    command = [o.filter, "--size", f"{width}x{height}", "--pixel-format", "rgb24", "--scene-cut", "off", *o.options]
    if o.model:
        command += ["--model", o.model]
    result = subprocess.run([str(c) for c in (*command, *options)], input=noisy.tobytes(), capture_output=True)
    if result.returncode:
        sys.exit(f"tdm-filter ended with {result.returncode}: {result.stderr.decode()[-800:]}")
    return result


def latency(o: argparse.Namespace, noisy: np.ndarray, *options: object) -> str:
    plan = run(o, noisy, *options, "--dry-run").stdout.decode()
    return re.search(r"latency: +([0-9]+) frame", plan)[1]


def restore(o: argparse.Namespace, noisy: np.ndarray, *options: object) -> tuple[np.ndarray, float]:
    result = run(o, noisy, *options)
    frames = np.frombuffer(result.stdout, np.uint8).reshape(noisy.shape)
    return frames, float(re.search(rb"done: .*?, ([0-9.]+) fps", result.stderr)[1])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(1e-3, ((a.astype(float) - b) ** 2).mean()))


class Motion:
    """The clean clip's, by which restored clips are warped."""

    def __init__(self, clean: np.ndarray) -> None:
        gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clean]
        search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        height, width = gray[0].shape
        grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
        self.places, self.valid = [], []
        for before, after in zip(gray, gray[1:]):
            back, forth = search.calc(after, before, None), search.calc(before, after, None)
            place = grid + back
            returned = back + cv2.remap(forth, place, None, cv2.INTER_LINEAR)
            inside = ((place >= 0) & (place <= [width - 1, height - 1])).all(-1)
            self.places.append(place)
            self.valid.append(inside & ((returned**2).sum(-1) < 0.25 + 0.01 * ((back**2).sum(-1))))

    def error(self, clip: np.ndarray) -> float:
        errors = []
        for before, after, place, valid in zip(clip, clip[1:], self.places, self.valid):
            moved = cv2.remap(before.astype(np.float32), place, None, cv2.INTER_LINEAR)
            errors.append((((after - moved) / 255) ** 2)[valid].mean())
        return 1000 * float(np.mean(errors))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--filter", default=".build/program/release/tdm-filter")
    p.add_argument("--clip", action="append", required=True)
    p.add_argument("--model")
    p.add_argument("--noise", type=float, default=25)
    p.add_argument("--size", default="480x270")
    p.add_argument("--frames", type=int, default=24)
    p.add_argument("--chunk", type=numbers, default=[1, 2, 4, 8])
    p.add_argument("--lookahead", type=numbers, default=[0, 1, 2, 3])
    p.add_argument("--radius", type=numbers, default=[1, 2, 3])
    p.add_argument("options", nargs="*", help="for tdm-filter, behind --")
    o = p.parse_args()
    width, height = (int(side) for side in o.size.split("x"))

    for path in o.clip:
        clean = read(path, width, height, o.frames)
        noisy = with_noise(clean, o.noise)
        motion = Motion(clean) if cv2 is not None else None

        def warping(clip: np.ndarray) -> str:
            return f"{motion.error(clip):.3f}" if motion else "-"

        print(f"\n{pathlib.Path(path).name}, {len(clean)} frames of {o.size}, noise {o.noise:g}/255 "
              f"({psnr(noisy, clean):.1f} dB, warping {warping(noisy)}) {' '.join(o.options)}\n")
        print("| radius | chunk | lookahead | against whole | worst frame | against clean | more | warping | samplings | fps | latency |")
        print("| ---: " * 11 + "|", flush=True)
        for radius in o.radius:
            whole, speed = restore(o, noisy, "--radius", radius, "--chunk", 0)
            quality = psnr(whole, clean)
            print(f"| {radius} | whole | - | - | - | {quality:.2f} | - | {warping(whole)} | 1 | {speed:.2f} | {len(clean)} |",
                  flush=True)
            for chunk, lookahead in itertools.product(o.chunk, o.lookahead):
                options = ("--radius", radius, "--chunk", chunk, "--lookahead", lookahead)
                frames, speed = restore(o, noisy, *options)
                worst = min(psnr(a, b) for a, b in zip(frames, whole))
                own = psnr(frames, clean)
                print(f"| {radius} | {chunk} | {lookahead} | {psnr(frames, whole):.2f} | {worst:.2f} | {own:.2f} | "
                      f"{own - quality:+.2f} | {warping(frames)} | {(chunk + lookahead) / chunk:.2f} | {speed:.2f} | "
                      f"{latency(o, noisy, *options)} |", flush=True)


if __name__ == "__main__":
    main()
