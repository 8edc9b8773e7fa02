"""A second picture of each frame: from training to the program."""

import subprocess

import numpy as np
import pytest
import torch

from tdm_training import condition, networks, pipeline, recipe
from tdm_training.degradations.common import quantize
from tdm_training.degradations.resolution import resized
from tdm_training.examples import Examples, as_seen, second_of, tensor
from tdm_training.fusion import rank_fused
from tdm_training.pictures import CropSource
from tdm_training.schedule import Schedule

from conftest import RECIPES
from test_fusion import scene


@pytest.fixture(scope="module")
def reading(tmp_path_factory) -> tuple[networks.Model, dict]:
    """A small model with random weights whose U-Net reads both latents, and the preset that it is run by."""
    own = recipe.read(RECIPES / "live.toml")
    own["unet"] |= {"block_out_channels": [16, 24, 32]}
    own["vae"] |= {"scaling_factor": 0.7}
    torch.manual_seed(6)
    model = networks.build(own, tmp_path_factory.mktemp("reading"))
    with torch.no_grad():
        # Untrained it changes little.
        model.unet.conv_out.weight.mul_(30)
    return model, own["preset"]


@pytest.fixture(scope="module")
def seeing(tmp_path_factory, embedded_recipe) -> tuple[networks.Model, dict]:
    """A small model with random weights whose ControlNet sees both and is deeper where it is finest, and the preset that it is run by."""
    own = recipe.read(RECIPES / "denoise.toml")
    controlnet = own["controlnet"] | {"conditioning_embedding_out_channels": [8, 16]}
    unet = embedded_recipe["unet"]
    deep = unet | {"layers_per_block": [2] + [1] * (len(unet["block_out_channels"]) - 1)}
    folder = tmp_path_factory.mktemp("seeing")
    torch.manual_seed(5)
    model = networks.build(embedded_recipe | {"unet": deep, "controlnet": controlnet}, folder)
    with torch.no_grad():
        # Untrained it is hardly heard.
        model.controlnet.controlnet_cond_embedding.conv_in.weight[:, 3:] *= 100
    return model, own["preset"]


def clip(frames: int = 5) -> np.ndarray:
    """Noisy frames of 8 bits, in [0, 1]."""
    noisy = scene(frames, 64, 80) + np.random.default_rng(1).standard_normal((frames, 64, 80, 3), dtype=np.float32) * np.float32(15 / 255)
    return np.round(np.clip(noisy, 0, 1) * 255).astype(np.float32) / 255


def test_an_example_comes_as_fused_and_as_it_came():
    source = CropSource([(scene(1, 128, 128)[0] * 255).astype(np.uint8)], [], 0)
    drawn = lambda radius: Examples(source, 1, radii={"denoise": radius}).one(np.random.default_rng(5), "denoise", 64, 1, around=(2, 2))
    (clean, fused, second), (_, alone, same) = drawn(2), drawn(0)
    assert np.array_equal(second, same) and np.array_equal(alone, second) and not np.array_equal(fused, second)
    assert clean.shape == fused.shape == second.shape == (1, 64, 64, 3)


def test_a_controlnet_of_six_channels_sees_both(seeing):
    model, _ = seeing
    seen, second = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    both = condition.of(model.controlnet, seen, second)
    assert torch.equal(both, torch.cat([seen, second], 1))
    z, text = model.encode(seen), pipeline.contexts(model, ["denoise"])["denoise"]
    with torch.no_grad():
        plain = model.predict(z, 99, text, both)
        assert not torch.allclose(plain, model.predict(z, 99, text, condition.of(model.controlnet, seen, seen)), atol=1e-4)


def test_a_unet_of_twice_the_channels_reads_both(reading):
    model, _ = reading
    seen, second = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    assert torch.allclose(0.7 * model.beside(second), model.encode(second), atol=1e-5)
    z, text = model.encode(seen), pipeline.contexts(model, ["denoise"])["denoise"]
    with torch.no_grad():
        plain = model.predict(z, 99, text, beside=model.beside(second))
        assert not torch.allclose(plain, model.predict(z, 99, text, beside=model.beside(seen)), atol=1e-4)


def test_a_trained_unet_that_is_shown_both_gives_what_it_gave(tmp_path):
    own = recipe.read(RECIPES / "live.toml")
    own["unet"] |= {"block_out_channels": [16, 24, 32], "in_channels": 48}
    torch.manual_seed(2)
    model = networks.build(own, tmp_path)
    seen, second = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    given = lambda: model.predict(
        model.encode(seen), 99, pipeline.contexts(model, ["denoise"])["denoise"], beside=model.beside(second))
    with torch.no_grad():
        assert model.beside(second) is None
        before = given()
        condition.fit(model.unet, None, own)
        assert model.unet.config.in_channels == 48
        own["unet"] |= {"in_channels": 96}
        condition.fit(model.unet, None, own)
        condition.fit(model.unet, None, own)  # it does already
        assert model.unet.config.in_channels == 96 and torch.allclose(before, given(), atol=1e-5)
    given().square().mean().backward()
    assert float(model.unet.conv_in.weight.grad[:, 48:].abs().max()) > 0
    model.save(tmp_path / "both")
    with torch.no_grad():
        before, model = given(), networks.load(tmp_path / "both")
        assert torch.allclose(before, given(), atol=1e-5)


def test_a_rainy_example_s_second_picture_is_fused_by_rank_where_it_is_to_be_restored():
    grey = CropSource([np.full((128, 128, 3), 100, np.uint8)], [], 0)
    drawn = lambda rank, here: Examples(grey, 1, radii={"derain": rank}).one(np.random.default_rng(2), "derain", 64, 5, here=here)
    (_, seen, same), (_, came, second) = drawn(0, 2), drawn(2, 2)
    assert np.array_equal(seen, same) and np.array_equal(seen, came)
    assert np.array_equal(second[[0, 1, 3, 4]], came[[0, 1, 3, 4]]) and np.array_equal(second[2], rank_fused(came, 2, 2))
    # Rain is brighter than the grey behind it.
    assert second[2].mean() < came[2].mean() - 0.005
    assert np.array_equal(drawn(2, 0)[2][0], rank_fused(came, 0, 2))


def test_hazy_scenes_are_seldom_pale_and_clean_ones_often(monkeypatch):
    pale, source = [], CropSource([np.full((64, 64, 3), 100, np.uint8)], [], 0)
    clip = source.clip
    monkeypatch.setattr(source, "clip", lambda *drawn: pale.append(drawn[-1]) or clip(*drawn))
    for seed in range(120):
        Examples(source, 1).one(np.random.default_rng(seed), "dehaze", 16, 1)
    assert 0.33 < np.mean(pale) < 0.55  # a quarter are clean, a quarter of the others may be
    pale.clear()
    for seed in range(20):
        Examples(source, 1).one(np.random.default_rng(seed), "derain", 32, 1)
    assert all(pale)


def test_a_trained_controlnet_that_is_widened_gives_what_it_gave(embedded_recipe, tmp_path):
    torch.manual_seed(2)
    model = networks.build(embedded_recipe, tmp_path)
    seen, second = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    given = lambda: model.predict(
        model.encode(seen), 99, pipeline.contexts(model, ["denoise"])["denoise"], condition.of(model.controlnet, seen, second)
    )
    assert condition.of(model.controlnet, seen, second) is seen
    with torch.no_grad():
        before = given()
        condition.fit(model.unet, model.controlnet, embedded_recipe)
        assert model.controlnet.config.conditioning_channels == 3
        settings = {"conditioning_channels": 6, "conditioning_embedding_out_channels": [24, 32]}
        wide = embedded_recipe | {"controlnet": settings}
        condition.fit(model.unet, model.controlnet, wide)
        assert torch.allclose(before, given(), atol=1e-4)
        condition.fit(model.unet, model.controlnet, wide)  # it does already
        condition.fit(model.unet, None, wide)
    given().square().mean().backward()
    # What comes first is learned by what reads it, and the difference is there to be read.
    assert float(model.controlnet.controlnet_cond_embedding.conv_out.weight.grad[:, 16:].abs().max()) > 0
    model.save(tmp_path / "wide")
    with torch.no_grad():
        before, model = given(), networks.load(tmp_path / "wide")
        assert torch.allclose(before, given(), atol=1e-5)
    with pytest.raises(ValueError, match="6 channels"):
        condition.widen(model.controlnet, (24, 32))


@pytest.mark.parametrize("task", ["superres", "deartifact"])
def test_an_enlarged_or_compressed_example_s_second_picture_is_the_average_along_the_motion(task):
    source = CropSource([(scene(1, 128, 128)[0] * 255).astype(np.uint8)], [], 0)
    drawn = lambda radius, around: Examples(source, 1, radii={task: radius}).one(np.random.default_rng(5), task, 64, 1, around=around)
    (_, seen, second), (_, came, same) = drawn(2, (2, 2)), drawn(0, (2, 2))
    assert np.array_equal(seen, came) and np.array_equal(came, same) and not np.array_equal(second, seen)
    _, seen, second = drawn(2, (0, 0))  # there is nothing to be fused with
    assert np.array_equal(seen, second)


def enlarged(small: np.ndarray) -> np.ndarray:
    """As the program enlarges, which repeats borders where `resized` leaves out what lies beyond them."""
    height, width = small.shape[1:3]
    wide = np.pad(small, ((0, 0), (4, 4), (4, 4), (0, 0)), "edge")
    return np.clip(resized(wide, 4 * (height + 8), 4 * (width + 8))[:, 16:-16, 16:-16], 0, 1)


@pytest.mark.parametrize("task,ahead", [("denoise", 2), ("derain", 2), ("derain", 0), ("superres", 2), ("superres", 0), ("deartifact", 2), ("deartifact", 0)])
@pytest.mark.parametrize("kind", ["seeing", "reading"])
def test_tdm_filter_shows_it_what_training_shows_it(kind, task, ahead, request, program, tmp_path):
    model, preset = request.getfixturevalue(kind)
    # Compressed frames are fused with some that are farther away.
    radius, place = (3, 4) if task == "deartifact" else (2, 2)
    came, here = clip(2 * place + 1), range(place, place + 1)
    if task == "superres":
        came = quantize(resized(came, 16, 20))
    frames = enlarged(came) if task == "superres" else came
    until = place + 1 + ahead
    seen, own = tensor(as_seen(task, frames, radius, here)), tensor(frames[place : place + 1])
    # But of noise the second picture is the fused one, else the frame as it came.
    second = tensor(second_of(task, frames[:until], radius, range(until), place)[place : place + 1])
    assert (task != "denoise") == torch.equal(seen, own) != torch.equal(second, own)
    with torch.no_grad():
        text = pipeline.contexts(model, ["", task])
        restore = lambda second: pipeline.restore_one(
            model, Schedule(model.scheduler), seen, second, 1, 0, text[""], text[task], preset)
        expected, without = (restore(c).clamp(0, 1)[0].permute(1, 2, 0).numpy() * 255 for c in (second, seen))
    assert np.abs(expected - without).max() > (2 if task == "superres" else 4)
    model.save(tmp_path / "model")
    form = ["--input-format", "raw", "--size", f"{came.shape[2]}x{came.shape[1]}", "--pixel-format", "rgb24", "--precision", "f32"]
    control = [] if model.controlnet else ["--control-scale", "0"]
    how = [*control, "--fusion", str(radius), "--lookahead", str(ahead), "--radius", "0", "--steps", "1", "--inversion-steps", "0", "--strength", "0.1"]
    data = np.round(came * 255).astype(np.uint8).tobytes()
    done = subprocess.run(
        [program, "--model", tmp_path / "model", "--task", task, "--scene-cut", "off", *form, *how], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    out = np.frombuffer(done.stdout, np.uint8).reshape(frames.shape)
    assert np.abs(out[place] - expected).max() < 1
