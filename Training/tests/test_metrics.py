import json

import cv2
import numpy as np
import pytest

from tdm_training.measuring import clips, filters, inputs, metrics, report


def textured(side=96, seed=0) -> np.ndarray:
    """Something that motion can be seen on, [side, side, 3] uint8."""
    rng = np.random.default_rng(seed)
    coarse = cv2.GaussianBlur(rng.random((side, side, 3), dtype=np.float32), (0, 0), 2.5)
    low, high = coarse.min(), coarse.max()
    return ((coarse - low) / (high - low) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def panned() -> clips.Clip:
    return clips.panned("panned", textured(160), 6)


def test_psnr_of_a_known_error():
    clean = np.full((2, 16, 16, 3), 100, np.uint8)
    assert metrics.psnr(clean + np.uint8(5), clean) == pytest.approx(20 * np.log10(255 / 5))
    assert metrics.psnr(clean, clean) == float("inf")


def test_ssim_is_one_for_the_same_and_falls_with_noise(panned):
    rng = np.random.default_rng(0)
    noisy = np.clip(panned.frames + rng.normal(0, 25, panned.frames.shape), 0, 255).astype(np.uint8)
    assert metrics.ssim(panned.frames, panned.frames) == pytest.approx(1)
    assert metrics.ssim(noisy, panned.frames) < 0.9


def test_flow_finds_the_pan(panned):
    found = np.median(metrics.flow(panned.frames[0], panned.frames[1]), (0, 1))
    assert found == pytest.approx([-2.3, -0.7], abs=0.1)


def test_warping_error_is_small_along_true_motion_and_counts_flicker_by_its_square(panned):
    motion = metrics.Motion(panned.frames)
    still = motion.warping_error(panned.frames)
    assert still < 0.1
    half = (panned.frames // 2 + 60).astype(np.uint8)  # away from the ends of the range
    flicker = half.copy()
    flicker[::2] += 12
    assert motion.warping_error(flicker) - motion.warping_error(half) == pytest.approx(1000 * (12 / 255) ** 2, rel=0.1)


def test_what_is_hidden_is_left_out():
    """A square moves over a ground that stands still: what it uncovers was not to be seen before."""
    clip = np.repeat(textured(96, 1)[None], 2, 0)
    square = textured(96, 2)[:32, :32] // 2 + 127
    clip[0, 32:64, 20:52] = square
    clip[1, 32:64, 28:60] = square
    back, there = metrics.flow(clip[1], clip[0]), metrics.flow(clip[0], clip[1])
    seen = metrics.seen_in_both(back, there)
    uncovered = seen[34:62, 21:27].mean()
    assert uncovered < 0.5 and seen[:, 70:].mean() > 0.9


def test_one_frame_has_no_warping_error(panned):
    assert np.isnan(metrics.Motion(panned.frames[:1]).warping_error(panned.frames[:1]))


@pytest.mark.parametrize("input", inputs.INPUTS, ids=lambda i: i.name)
def test_inputs_repeat_with_their_seed_and_keep_to_the_size(input, panned):
    one, two = (inputs.degraded(input, panned.frames, 7) for _ in range(2))
    assert np.array_equal(one, two) and one.dtype == np.uint8
    frames, height, width, _ = panned.frames.shape
    assert one.shape == ((frames, height // 4, width // 4, 3) if input.task == "superres" else panned.frames.shape)
    full = inputs.at_full_size(input, one)
    assert full.shape == panned.frames.shape and 8 < metrics.psnr(full, panned.frames) < 45


def test_the_noise_is_of_25_levels_over_the_clip():
    grey = np.full((2, 128, 128, 3), 128, np.uint8)
    assert (inputs.degraded(inputs.INPUTS[0], grey, 0).astype(float) - 128).std() == pytest.approx(25, rel=0.02)


@pytest.mark.parametrize("task", filters.FFMPEG)
def test_ffmpeg_knows_every_filter_and_returns_as_many_frames_of_the_right_size(task, panned):
    input = next(i for i in inputs.INPUTS if i.task == task)
    degraded = inputs.degraded(input, panned.frames, 0)
    for filter in filters.FFMPEG[task]:
        assert filters.by_ffmpeg(filter, degraded, task).shape == panned.frames.shape, filter


def test_ffmpeg_without_a_filter_changes_nothing(panned):
    assert np.array_equal(filters.by_ffmpeg("null", panned.frames, "denoise"), panned.frames)


def stand_in(folder, script: str) -> str:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_program_gets_the_frames_and_its_options(tmp_path, panned):
    program = stand_in(tmp_path, f'echo "$@" > {tmp_path}/said; cat')
    out = filters.by_program(program, ["--steps", "3"], panned.frames, "derain")
    height, width = panned.frames.shape[1:3]
    assert np.array_equal(out, panned.frames)
    said = (tmp_path / "said").read_text()
    assert "--task derain" in said and f"--size {width}x{height}" in said and "--steps 3" in said


def test_a_program_that_fails_or_loses_frames_is_told_of(tmp_path, panned):
    with pytest.raises(RuntimeError, match="exit 66: no such model"):
        filters.by_program(stand_in(tmp_path, "echo no such model >&2; exit 66"), [], panned.frames, "denoise")
    with pytest.raises(RuntimeError, match="expected .* bytes"):
        filters.by_program(stand_in(tmp_path, "head -c 100"), [], panned.frames, "denoise")


def test_the_summary_takes_the_best_filter_and_every_run():
    row = lambda what, kind, psnr: report.Row("denoise", "denoise", "c", what, kind, psnr, 0.5, float("nan"), 0.1)
    rows = [row("untouched", "clip", 20), row("a", "ffmpeg", 24), row("b", "ffmpeg", 25), row("mine", "tdm-filter", 27)]
    text = report.summary(rows)
    assert "25.00 / 0.500 / – `b`" in text and "27.00" in text and "24.00" not in text


def test_json_has_no_infinities(tmp_path):
    row = report.Row("denoise", "denoise", "c", "clean", "clip", float("inf"), 1.0, float("nan"), 0.0)
    report.write_json(tmp_path / "r.json", {}, [row])
    found = json.loads((tmp_path / "r.json").read_text(), parse_constant=lambda c: pytest.fail(c))
    assert found["rows"][0]["psnr"] is None and found["rows"][0]["ssim"] == 1.0
