"""The paper's Tables 3 and 4 for any model's folder, by tdm-filter's switches.

    python -m tdm_training.ablations clip.mp4 ... --program PATH --model FOLDER --out FOLDER

Table 3, whose features attention reads: each frame's own (radius 0), the first frame's, the window's mean (radius 3). Table 4, what is
left out: inversion (noise instead), SW-CFA (attention to the frame itself), task prompts (the empty prompt). Preset `paper` unless
--option says otherwise. FID, KID and FC are there where --inception and --clip give their networks.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .measuring import clips, filters, inputs, metrics, report
from .measuring.perceptual import Perceptual, add_arguments
from .measuring.report import CLEAN
from .tasks import PROMPTS

FULL: tuple[str, ...] = ("--attention", "window", "--radius", "3")
TABLES: dict[str, dict[str, tuple[str, ...]]] = {
    "Table 3": {
        "radius 0": ("--attention", "window", "--radius", "0"),
        "first frame as reference": ("--attention", "first"),
        "radius 3": FULL,
    },
    "Table 4": {
        "without inversion (T+S)": ("--start", "noise", *FULL),
        "without SW-CFA (T+I)": ("--attention", "self"),
        "without task prompts (I+S)": ("--prompt", "", *FULL),
        "TDM (T+I+S)": FULL,
    },
}
INPUTS = {i.task: i for i in reversed(inputs.INPUTS)}  # of a task's inputs the first


@dataclass
class Figures:
    psnr: float
    ssim: float
    warping_error: float
    fid: float
    kid: float
    fc: float

    def cells(self) -> list[str]:
        return [report.number(v, d) for v, d in zip(vars(self).values(), (2, 3, 3, 2, 2, 3))]


def measure(
    program: str, common: list[str], named: list[clips.Clip], tasks: list[str], seed: int, perceptual: Perceptual
) -> dict[tuple[str, tuple[str, ...]], Figures]:
    """By task and switches; each set of switches is run once."""
    found, motions = {}, [metrics.Motion(c.frames) for c in named]
    switches = list(dict.fromkeys(s for table in TABLES.values() for s in table.values()))
    for task in tasks:
        degraded = [inputs.degraded(INPUTS[task], c.frames, seed) for c in named]
        for c in named if perceptual.wanted else []:
            perceptual.add((task, CLEAN), c.frames)
        for switch in switches:
            rows, key = [], (task, " ".join(switch))
            for c, motion, d in zip(named, motions, degraded):
                out = filters.by_program(program, [*common, *switch], d, task)
                rows.append((metrics.psnr(out, c.frames), metrics.ssim(out, c.frames), motion.warping_error(out)))
                perceptual.add(key, out)
            found[task, switch] = Figures(*np.mean(rows, 0).tolist(), **perceptual.figures(key, (task, CLEAN)))
            print(f"{task}, {' '.join(switch)}: {' / '.join(found[task, switch].cells())}", flush=True)
    return found


def written(found: dict[tuple[str, tuple[str, ...]], Figures], tasks: list[str]) -> str:
    head = ["", "PSNR dB", "SSIM", "warping x1000", "FID", "KID x100", "FC x10"]
    parts = []
    for name, variants in TABLES.items():
        lines = [[f"{task}: {v}", *found[task, switch].cells()] for task in tasks for v, switch in variants.items()]
        parts.append(f"## {name}\n\n{report.table(head, lines)}")
    return "\n\n".join(parts)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("clips", nargs="+", type=Path, help="clean clips that ffmpeg reads")
    p.add_argument("--program", required=True, help="tdm-filter's path")
    p.add_argument("--model", type=Path, help="a model's folder; left out: the embedded model")
    p.add_argument("--option", action="append", default=[], help="passed on, as --option=--steps=8; may repeat")
    p.add_argument("--task", action="append", choices=list(PROMPTS), help="only this one; may repeat")
    p.add_argument("--frames", type=int, default=15)
    p.add_argument("--widest", type=int, default=896)
    p.add_argument("--seed", type=int, default=0, help="of the degradations")
    p.add_argument("--out", required=True, type=Path, help="a folder for ablations.md and ablations.json")
    add_arguments(p)
    o = p.parse_args()
    tasks = o.task or list(PROMPTS)
    common = ["--preset", "paper", *(["--model", str(o.model)] if o.model else []), *o.option]
    named = [clips.read(c, o.frames, o.widest) for c in o.clips]
    found = measure(o.program, common, named, tasks, o.seed, Perceptual(o.inception, o.clip))
    o.out.mkdir(parents=True, exist_ok=True)
    text = written(found, tasks)
    (o.out / "ablations.md").write_text(text + "\n", encoding="utf-8")
    rows = [{"task": task, "switches": list(s), **report.strict(vars(f))} for (task, s), f in found.items()]
    (o.out / "ablations.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
