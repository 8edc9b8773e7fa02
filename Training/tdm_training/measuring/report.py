"""What was measured: rows, as JSON and as tables in markdown."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

CLEAN, UNTOUCHED = "clean", "untouched"


@dataclass
class Row:
    task: str
    input: str
    clip: str
    what: str  # "clean", "untouched", an ffmpeg filter, or a name given to a run of tdm-filter
    kind: str  # "clip", "ffmpeg", "tdm-filter"
    psnr: float  # dB
    ssim: float
    warping_error: float  # x1000
    seconds: float  # a frame, start of the process and all


def table(head: list[str], lines: list[list[str]]) -> str:
    aligned = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, aligned, *lines])


def number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else "∞" if math.isinf(value) else f"{value:.{digits}f}"


def figures(row: Row) -> list[str]:
    return [number(row.psnr, 2), number(row.ssim, 3), number(row.warping_error, 2)]


def of_one(rows: list[Row]) -> str:
    """Everything measured on one clip and input."""
    return table(["what", "PSNR dB", "SSIM", "warping x1000"], [[r.what, *figures(r)] for r in rows])


def best(rows: list[Row]) -> Row:
    """By PSNR."""
    return max(rows, key=lambda r: r.psnr)


def summary(rows: list[Row]) -> str:
    """One line for each input and clip: untouched, the ffmpeg filter that is best there, each run of tdm-filter."""
    runs = list(dict.fromkeys(r.what for r in rows if r.kind == "tdm-filter"))
    lines = []
    for key in dict.fromkeys((r.input, r.clip) for r in rows):
        here = [r for r in rows if (r.input, r.clip) == key]
        cell = lambda r: " / ".join(figures(r))
        filters = [r for r in here if r.kind == "ffmpeg"]
        chosen = [next(r for r in here if r.what == UNTOUCHED), *([best(filters)] if filters else [])]
        line = [f"{key[0]}, {key[1]}", cell(chosen[0])]
        line.append(f"{cell(chosen[1])} `{chosen[1].what}`" if filters else "–")
        for run in runs:
            found = [r for r in here if r.what == run and r.kind == "tdm-filter"]
            line.append(cell(found[0]) if found else "–")
        lines.append(line)
    return table(["PSNR dB / SSIM / warping x1000", UNTOUCHED, "best of ffmpeg, by PSNR", *runs], lines)


def perceptual(found: dict[tuple[str, str], dict[str, float]]) -> str:
    """Over all clips together, by input and what was done."""
    lines = [[f"{input}, {what}", *(number(f[k], d) for k, d in (("fid", 2), ("kid", 2), ("fc", 3)))]
             for (input, what), f in found.items()]
    return table(["all clips", "FID", "KID x100", "FC x10"], lines)


def strict(figures: dict) -> dict:
    """JSON has no infinities: None instead."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in figures.items()}


def write_json(path: Path, settings: dict, rows: list[Row], perceptual: dict[tuple[str, str], dict[str, float]] | None = None) -> None:
    content = {"settings": settings, "rows": [strict(asdict(r)) for r in rows]}
    if perceptual:
        content["perceptual"] = [{"input": i, "what": w, **strict(f)} for (i, w), f in perceptual.items()]
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
