"""Measures restoration, for every task: the degraded clip, ffmpeg's filters at several strengths, tdm-filter.

    python -m tdm_training.measure clip.mp4 ... --program PATH --out FOLDER
    python -m tdm_training.measure clip.mp4 --program PATH --run "live: --preset live" --run "mine: --model DIR"

Writes FOLDER/table.md, FOLDER/results.json and FOLDER/index.html, a page of pictures. PSNR and SSIM are against the clean
clip; the warping error is x1000, along the clean clip's motion (OpenCV's DIS), without what is occluded. Each input is one
fixed, seeded degradation; measuring/inputs.py says which.
"""

import argparse
import datetime
import platform
import shlex
import subprocess
import time
from pathlib import Path

import numpy as np

from . import recipe as recipes
from .measuring import clips, filters, inputs, metrics, page, report
from .measuring.clips import Clip
from .measuring.perceptual import Perceptual, add_arguments
from .measuring.report import CLEAN, UNTOUCHED, Row
from .pictures import kept_aside, read_folder
from .tasks import PROMPTS

EMBEDDED = Path(__file__).parent.parent / "recipes" / "embedded.toml"


def run_of(text: str) -> tuple[str, list[str]]:
    """"name: options" to a name and a list of options."""
    name, separator, options = text.partition(":")
    if not separator or not name.strip() or name.strip().startswith("-"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected 'NAME: OPTIONS', for example 'live: --preset live'")
    return name.strip(), shlex.split(options)


def held_out_pans(pictures: Path, recipe: Path, count: int, frames: int) -> list[Clip]:
    """Clips out of photographs that the recipe keeps aside, the first ones that are wide."""
    _, kept = kept_aside(read_folder(pictures), recipes.read(recipe)["data"]["held_out"])
    wide = [p for p in kept if p.shape[1] >= p.shape[0]][:count]
    if len(wide) < count:
        raise SystemExit(f"{pictures}: expected {count} wide pictures among the {len(kept)} kept aside, found {len(wide)}")
    return [clips.panned(f"panned-{i}", p, frames) for i, p in enumerate(wide)]


def measure_one(
    input: inputs.Input, clip: Clip, motion: metrics.Motion, seed: int, ffmpeg: bool, program: str | None,
    runs: list[tuple[str, list[str]]], perceptual: Perceptual,
) -> tuple[list[Row], list[tuple[str, np.ndarray]]]:
    """Rows for one clip and input; and (title, frame) of what a page shows: of ffmpeg's filters the best of each kind."""
    rows, shown = [], []
    degraded = inputs.degraded(input, clip.frames, seed)
    middle = len(clip.frames) // 2

    def add(what: str, kind: str, make) -> np.ndarray:
        start = time.monotonic()
        out = make()
        seconds = (time.monotonic() - start) / len(out)
        rows.append(Row(
            input.task, input.name, clip.name, what, kind, metrics.psnr(out, clip.frames),
            metrics.ssim(out, clip.frames), motion.warping_error(out), 0.0 if kind == "clip" else seconds))
        perceptual.add((input.name, what), out)
        return out[middle]

    title = lambda row: f"{report.number(row.psnr, 2)} dB  {row.what}"
    shown.append((CLEAN, add(CLEAN, "clip", lambda: clip.frames)))
    picture = add(UNTOUCHED, "clip", lambda: inputs.at_full_size(input, degraded))
    shown.append((title(rows[-1]), picture))
    best: dict[str, tuple[Row, np.ndarray]] = {}
    for filter in filters.FFMPEG[input.task] if ffmpeg else []:
        picture = add(filter, "ffmpeg", lambda: filters.by_ffmpeg(filter, degraded, input.task))
        kind = filter.split(",")[-1].split("=")[0]
        if kind not in best or rows[-1].psnr > best[kind][0].psnr:
            best[kind] = rows[-1], picture
    shown += [(title(row), picture) for row, picture in best.values()]
    for name, options in runs if program else []:
        picture = add(name, "tdm-filter", lambda: filters.by_program(program, options, degraded, input.task))
        shown.append((title(rows[-1]), picture))
    return rows, shown


def version_of(program: str | None) -> str | None:
    if program is None:
        return None
    try:
        return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"{program}: expected tdm-filter's program: {error}")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("clips", nargs="*", type=Path, help="clean clips that ffmpeg reads")
    p.add_argument("--pictures", type=Path, help="photographs; those kept aside from training become moving clips")
    p.add_argument("--panned", type=int, default=2, help="how many of them")
    p.add_argument("--recipe", type=Path, default=EMBEDDED, help="says which photographs are kept aside")
    p.add_argument("--program", help="tdm-filter's path; left out: only the clips and ffmpeg's filters")
    p.add_argument("--run", action="append", type=run_of, metavar="NAME: OPTIONS",
                   help="a run of --program with these options; may repeat; without: one with none")
    p.add_argument("--task", action="append", choices=list(PROMPTS), help="only this one; may repeat")
    p.add_argument("--frames", type=int, default=10)
    p.add_argument("--widest", type=int, default=640, help="clips are scaled down to this many columns")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--no-ffmpeg", action="store_true", help="leave ffmpeg's filters out")
    p.add_argument("--out", required=True, type=Path, help="a folder for the table, the figures and the page")
    add_arguments(p)
    o = p.parse_args()
    if not o.clips and not o.pictures:
        p.error("nothing to measure on: expected clips or --pictures")
    version = version_of(o.program)
    runs = o.run or [("tdm-filter", [])]
    named = [clips.read(c, o.frames, o.widest) for c in o.clips]
    if o.pictures:
        named += held_out_pans(o.pictures, o.recipe, o.panned, o.frames)
    o.out.mkdir(parents=True, exist_ok=True)
    date = datetime.date.today().isoformat()
    settings = {
        "date": date, "frames": o.frames, "seed": o.seed, "program": version, "machine": platform.machine(),
        "clips": {c.name: "x".join(map(str, c.frames.shape)) for c in named},
        "inputs": {i.name: i.words for i in inputs.INPUTS}, "runs": {n: shlex.join(options) for n, options in runs},
    }
    rows, sections, perceptual = [], [], Perceptual(o.inception, o.clip)
    chosen = [i for i in inputs.INPUTS if not o.task or i.task in o.task]
    for clip in named:
        motion = metrics.Motion(clip.frames)
        for input in chosen:
            these, shown = measure_one(input, clip, motion, o.seed, not o.no_ffmpeg, o.program, runs, perceptual)
            rows += these
            text, picture = report.of_one(these), f"{clip.name}-{input.name}.png"
            heading = f"{clip.name}, {input.name}: {input.words}"
            page.write_picture(o.out / picture, page.sheet(shown, columns=3))
            sections.append((heading, picture, text))
            print(f"## {heading}\n\n{text}\n", flush=True)
            report.write_json(o.out / "results.json", settings, rows)  # each time: a long run may be cut short
    notes = [f"{date}; {o.frames} frames, seed {o.seed}; {version or 'without tdm-filter'}."]
    notes += [f"{name}: tdm-filter {shlex.join(options)}" for name, options in runs if o.program]
    short = report.summary(rows)
    if perceptual.wanted:
        found = {key: perceptual.figures(key, (key[0], CLEAN)) for key in dict.fromkeys((r.input, r.what) for r in rows)}
        short += "\n\n" + report.perceptual(found)
        report.write_json(o.out / "results.json", settings, rows, found)
    whole = "\n\n".join(f"## {heading}\n\n{text}" for heading, _, text in sections)
    (o.out / "table.md").write_text("\n\n".join(["# Measured", *notes, short, whole]) + "\n", encoding="utf-8")
    page.write_index(o.out / "index.html", "Measured", notes, sections)
    print(short)


if __name__ == "__main__":
    main()
