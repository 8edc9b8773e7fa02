"""The measuring commands, as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from tdm_training.measuring import clips
from tdm_training.measuring.inputs import INPUTS

from test_metrics import textured


def command(module: str, *arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", f"tdm_training.{module}", *map(str, arguments)], capture_output=True, text=True,
        cwd=Path(__file__).parent.parent,
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "moving.y4m"
    frames = clips.panned("moving", textured(120), 4).frames
    height, width = frames.shape[1:3]
    form = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25", "-i", "-"]
    clips.ffmpeg([*form, "-pix_fmt", "yuv444p", str(path)], frames.tobytes())
    return path


def test_one_command_makes_the_table_the_figures_and_the_page(clip, tmp_path):
    done = command("measure", clip, "--frames", 3, "--task", "superres", "--task", "dehaze", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert {r["input"] for r in rows} == {"superres", "superres-aliased", "superres-x264", "dehaze", "dehaze-even"}
    assert {"clean", "untouched", "lanczos", "normalize"} <= {r["what"] for r in rows}
    page = (tmp_path / "index.html").read_text()
    for name in ("moving-superres.png", "moving-dehaze.png"):
        assert name in page and cv2.imread(str(tmp_path / name)) is not None
    table = (tmp_path / "table.md").read_text()
    assert "| lanczos |" in table and "best of ffmpeg" in table


def test_what_cannot_be_run_is_told_in_one_line(clip, tmp_path):
    done = command("measure", clip, "--program", tmp_path / "missing", "--out", tmp_path)
    assert done.returncode and "missing: expected tdm-filter's program" in done.stderr and "Traceback" not in done.stderr


def test_tdm_filter_is_measured_at_every_task(clip, program, tmp_path):
    done = command("measure", clip, "--frames", 3, "--no-ffmpeg", "--program", program, "--run", "live: --preset live", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert len([r for r in rows if r["what"] == "live"]) == len(INPUTS)
    figure = lambda what: next(r["psnr"] for r in rows if r["what"] == what and r["input"] == "denoise")
    assert figure("live") > figure("untouched")


def test_tables_3_and_4_of_a_model_are_one_command(clip, program, tmp_path):
    done = command(
        "ablations", clip, "--frames", 3, "--program", program, "--task", "denoise", "--option=--steps=2",
        "--option=--inversion-steps=2", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "ablations.json").read_text())
    text = (tmp_path / "ablations.md").read_text()
    assert len(rows) == 6 and all(r["psnr"] for r in rows)  # "radius 3" of Table 3 is Table 4's whole
    assert "denoise: first frame as reference" in text and "denoise: without inversion (T+S)" in text


BLOTCHES = "noise 15, in colours 100, blurred by 2"


def test_video_is_measured_from_clean_to_bad(clip, program, tmp_path):
    out = tmp_path / "table.md"
    inputs = [word for name in ("clean, denoise", "noise 20", "noise 40, blurred by 0.8", BLOTCHES, "CRF 30") for word in ("--input", name)]
    done = command("measure_video", clip, *inputs, "--frames", 6, "--program", program, "--run", "live: --preset live", "--out", out)
    assert done.returncode == 0, done.stderr
    head, _, *lines = out.read_text().splitlines()
    assert head == "| input | before | best of ffmpeg's | live |"
    assert [line.split(" | ")[0] for line in lines] == ["| moving, clean, denoise", "| moving, noise 20", "| moving, noise 40, blurred by 0.8", f"| moving, {BLOTCHES}", "| moving, CRF 30"]
    for line in lines[1:4]:  # of a deviation of 12, of 8, and of 8 and 11
        _, before, best, live = line.strip("| ").split(" | ")
        assert 26 < float(before) < float(best.split(",")[0])
        # The clip itself is blotches of colour, which a model takes with those that were added.
        assert float(live) > (20 if BLOTCHES in line else float(before))


@pytest.mark.parametrize("name", ["embedded", "paper-small"])
def test_a_contact_sheet_shows_two_rows_for_each_task(name, photographs, tmp_path):
    recipe = Path(__file__).parent.parent / "recipes" / f"{name}.toml"
    out = tmp_path / "sheet.png"
    if name == "embedded":  # its 20 held out are more than the fixture has
        small = tmp_path / "r.toml"
        small.write_text(recipe.read_text().replace("held_out = 20", "held_out = 1"))
        recipe = small
    done = command("contact_sheet", "--pictures", photographs, "--recipe", recipe, "--side", 48, "--draws", 3, "--out", out)
    assert done.returncode == 0, done.stderr
    picture = cv2.imread(str(out))
    assert picture.shape == (10 * (48 + 24), 3 * 48, 3) and picture.std() > 20
