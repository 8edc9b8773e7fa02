"""Measures noise and compression as an ffmpeg user meets them: 4:2:0 video made worse, filtered and compared by ffmpeg alone.

    python -m tdm_training.measure_video clip.mp4 ... --program PATH --run "live: --preset live" --out table.md

From footage that is nearly clean to bad: a filter that helps bad footage and harms good is of no use where nobody knows which it is. PSNR is of all
samples of the three planes, as ffmpeg's `psnr` gives it. `testsrc2` in place of a clip is ffmpeg's test pattern, `still:photo.jpg` a photograph that
stands still.
"""

import argparse
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .measure import run_of, version_of
from .measuring.clips import ffmpeg
from .measuring.report import number, table

TEST_PATTERN, STILL = "testsrc2", "still:"
Y4M = ["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe"]


@dataclass(frozen=True)
class Input:
    task: str
    name: str
    noise: int | None = None  # of ffmpeg's filter of that name
    crf: int | None = None  # of x264, after the noise
    blur: float | None = None  # of the noise, in pixels: grain; where `colours` says so, of that
    colours: int | None = None  # of the colours' noise, where it is another: blotches

    def made(self, clean: Path, out: Path) -> None:
        # Its generator begins anew in every process: the same noise each time.
        noise = f"noise=alls={self.noise}:allf=t"
        if self.blur:
            blur = f"gblur=sigma={self.blur}"
            if self.colours:
                noise = ":".join(f"c{k}s={n}:c{k}f=t" for k, n in enumerate((self.noise, self.colours, self.colours)))
                noise, blur = f"noise={noise}", f"{blur}:planes=6"
            noise = f"split[a][b];[b]lutyuv=128:128:128,{noise},{blur}[n];[a][n]blend=all_mode=grainmerge"
        worse = ["-vf", noise] if self.noise else []
        if self.crf is not None:
            coded = out.with_suffix(".mkv")
            ffmpeg(["-y", "-i", str(clean), *worse, "-c:v", "libx264", "-crf", str(self.crf), str(coded)])
            ffmpeg(["-y", "-i", str(coded), *Y4M, str(out)])
        else:
            ffmpeg(["-y", "-i", str(clean), *worse, *Y4M, str(out)])


INPUTS = [
    *(Input("denoise", f"noise {n}" if n else "clean, denoise", noise=n) for n in (0, 4, 8, 20, 40)),
    *(Input("denoise", f"noise {n}, blurred by {b}", noise=n, blur=b) for n, b in ((40, 0.8), (100, 1.6))),
    Input("denoise", "noise 15, in colours 100, blurred by 2", noise=15, blur=2, colours=100),
    *(Input("denoise", f"noise {n}, then CRF {c}", noise=n, crf=c) for n, c in ((8, 23), (20, 23), (20, 28))),
    Input("deartifact", "clean, deartifact"),
    *(Input("deartifact", f"CRF {c}", crf=c) for c in (15, 20, 25, 30, 36)),
]
FILTERS = {
    "denoise": [
        *(f"nlmeans=s={s}" for s in (1, 1.5, 2, 3, 4, 6)),
        *(f"nlmeans=s={s}:p=5:r=9" for s in (3, 6, 9, 12)),
        *(f"bm3d=sigma={s}" for s in (2, 4, 8, 15, 25, 40, 60)),
        *(f"fftdnoiz=sigma={s}:block=16:prev=1:next=1" for s in (2, 4, 8, 15, 30, 50)),
        *(f"hqdn3d={s}" for s in (1, 2, 4, 8, 16)),
        "atadenoise=s=5",
        *(f"hqdn3d=0:0:{s}:{s}" for s in (15, 40, 100)),
    ],
    "deartifact": ["deblock=filter=weak", "deblock=filter=strong", "pp7=qp=2", "pp7=qp=4", "spp=4:2", "spp=4:4", "spp=4:10", "hqdn3d=1", "hqdn3d=2"],
}
# Reads 16 frames on either side; of shorter clips ffmpeg 5.1 never ends.
LONG_FRAMES = 17
LONG = [f"atadenoise=s=33:0a={a}:1a={a}:2a={a}:0b={b}:1b={b}:2b={b}" for a, b in ((0.1, 0.4), (0.2, 1), (0.3, 2))]


def filters(task: str, frames: int) -> list[str]:
    return FILTERS[task] + (LONG if task == "denoise" and frames >= LONG_FRAMES else [])


def psnr(clip: Path, clean: Path) -> float:
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-i", clip, "-i", clean, "-lavfi", "psnr", "-f", "null", "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return float(re.search(r"PSNR .*average:(\S+)", told)[1])


def clean_clip(source: str, width: int, frames: int, out: Path) -> None:
    """4:2:0, at most `width` columns."""
    if source == TEST_PATTERN:
        ffmpeg(["-y", "-f", "lavfi", "-i", f"testsrc2=s={width}x{width * 9 // 32 * 2}:r=25", "-frames:v", str(frames), *Y4M, str(out)])
    else:
        picture = source.removeprefix(STILL)
        scale = f"scale='min({width},iw)':-2:flags=area"
        ffmpeg(["-y", *(["-loop", "1"] if picture != source else []), "-i", picture, "-vf", scale, "-frames:v", str(frames), *Y4M, str(out)])


def line(input: Input, clean: Path, frames: int, folder: Path, program: str, runs: list[tuple[str, list[str]]]) -> list[str]:
    worse, out = folder / "worse.y4m", folder / "out.y4m"
    input.made(clean, worse)
    best = (-1.0, "")
    for filter in filters(input.task, frames):
        ffmpeg(["-y", "-i", str(worse), "-vf", filter, *Y4M, str(out)])
        best = max(best, (psnr(out, clean), filter))
    figures = [psnr(worse, clean)]
    for _, options in runs:
        with worse.open("rb") as source, out.open("wb") as target:
            subprocess.run([program, "--task", input.task, "--quiet", *options], stdin=source, stdout=target, check=True)
        figures.append(psnr(out, clean))
    before, *ours = (number(f, 2) for f in figures)
    return [before, f"{number(best[0], 2)}, `{best[1]}`", *ours]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("clips", nargs="+", help=f"clean clips that ffmpeg reads, {TEST_PATTERN}, or {STILL}PICTURE")
    p.add_argument("--program", required=True, help="tdm-filter's path")
    p.add_argument("--run", action="append", type=run_of, metavar="NAME: OPTIONS", help="a run with these options; may repeat; without: one with none")
    p.add_argument("--input", action="append", choices=[i.name for i in INPUTS], help="only this one; may repeat")
    p.add_argument("--frames", type=int, default=6)
    p.add_argument("--width", type=int, default=480, help="clips are scaled down to this many columns")
    p.add_argument("--out", required=True, type=Path, help="a file for the table")
    o = p.parse_args()
    print(version_of(o.program), flush=True)
    runs = o.run or [("tdm-filter", [])]
    head = ["input", "before", "best of ffmpeg's", *(name for name, _ in runs)]
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for clip in o.clips:
            clean_clip(clip, o.width, o.frames, folder / "clean.y4m")
            for input in (i for i in INPUTS if not o.input or i.name in o.input):
                lines.append([f"{Path(clip).stem}, {input.name}", *line(input, folder / "clean.y4m", o.frames, folder, o.program, runs)])
                print(*lines[-1], sep=" | ", flush=True)
    o.out.write_text(table(head, lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
