"""The embedded model's own training, at test size, and what must hold of its product."""

import csv
import shutil

import numpy as np
import pytest
import torch

from tdm_training import denoiser, examples, networks, pipeline, recipe, window
from tdm_training.examples import Examples
from tdm_training.haar import AutoencoderHaar
from tdm_training.held_out import HeldOut
from tdm_training.objective import Objective
from tdm_training.schedule import Schedule
from tdm_training.training import Average

from conftest import RECIPES


@pytest.fixture(scope="module")
def trained(tmp_path_factory, photographs, embedded_recipe):
    folder = tmp_path_factory.mktemp("run")
    denoiser.train(embedded_recipe, str(photographs), folder, report_seconds=0.1)
    return folder


def test_training_lowers_the_error_of_what_comes_out(trained):
    with open(trained / "denoiser.csv") as file:
        rows = list(csv.DictReader(file))
    assert int(rows[-1]["step"]) == 40
    figures = [np.mean([float(r[t]) for t in ("denoise", "deartifact", "superres")]) for r in rows]
    assert len(figures) > 1 and figures[-1] > figures[0]


def test_training_that_was_stopped_goes_on_as_though_it_had_not(photographs, embedded_recipe, tmp_path, monkeypatch):
    short = embedded_recipe | {"denoiser": embedded_recipe["denoiser"] | {"steps": 6}}
    kept = denoiser.keep

    def keeps_the_third_step(path, *state):
        kept(path, *state)
        if state[-1] == 3:
            shutil.copytree(path.parent, tmp_path / "stopped")

    monkeypatch.setattr(denoiser, "keep", keeps_the_third_step)
    for folder in ("whole", "stopped"):
        denoiser.train(short, str(photographs), tmp_path / folder, report_seconds=0)
    one, two = (torch.load(tmp_path / folder / "denoiser.state", weights_only=True) for folder in ("whole", "stopped"))
    assert one["step"] == two["step"] == 6
    for name, tensor in one["trained"].items():
        assert torch.equal(tensor, two["trained"][name]), name
    assert all(torch.equal(a, b) for a, b in zip(one["average"], two["average"], strict=True))


@pytest.mark.parametrize("channels,windowed", [(6, ["derain"]), (3, ["derain"]), (6, [])])
def test_training_fuses_rainy_frames_by_rank_for_networks_that_see_both(channels, windowed, photographs, embedded_recipe, tmp_path, monkeypatch):
    fused = []
    monkeypatch.setattr(examples, "rank_fused", lambda clip, here, radius: fused.append((len(clip), here, radius)) or clip[here])
    settings = embedded_recipe["denoiser"]
    stage = settings["stages"][0] | {"task_shares": {"derain": 1.0}}
    own = {"steps": 12, "windowed": windowed, "shares": {"path": 1.0}, "stages": [stage]}
    seen = embedded_recipe["controlnet"] | {"conditioning_channels": channels}
    denoiser.train(embedded_recipe | {"controlnet": seen, "denoiser": settings | own}, str(photographs), tmp_path, report_seconds=1e9)
    # Two held-out clips, whose middle is restored, and each clip of each step but for frames alone, wherever in it the one is that is restored.
    assert bool(fused) == (channels == 6 and bool(windowed))
    if fused:
        assert fused[:2] == [(5, 2, 2)] * 2 and len({here for _, here, _ in fused}) > 1 and all(radius == 2 for *_, radius in fused)


def test_training_ends_before_numbers_that_are_none_are_kept(photographs, embedded_recipe, tmp_path):
    bad = embedded_recipe | {"denoiser": embedded_recipe["denoiser"] | {"steps": 6, "learning_rate": float("inf")}}
    with pytest.raises(FloatingPointError, match="gradient's norm"):
        denoiser.train(bad, str(photographs), tmp_path, report_seconds=1e9)
    assert not (tmp_path / "denoiser.state").exists()


def test_the_folder_restores_a_picture(trained):
    model = networks.load(trained / "model")
    x = torch.rand(1, 3, 32, 48)
    y = pipeline.restore(model, x, "denoise", 0.1, 1, 2)
    assert y.shape == x.shape and 0 <= float(y.min()) and float(y.max()) <= 1


def test_the_prompt_and_the_condition_matter(trained):
    model = networks.load(trained / "model")
    g = torch.Generator().manual_seed(0)
    z, x = torch.randn(1, 12, 16, 16, generator=g), torch.rand(1, 3, 32, 32, generator=g)
    with torch.no_grad():
        text = pipeline.contexts(model, ["denoise", "derain"])
        plain = model.predict(z, 999, text["denoise"], x)
        assert not torch.equal(plain, model.predict(z, 999, text["derain"], x))
        assert not torch.allclose(plain, model.predict(z, 999, text["denoise"], 1 - x), atol=1e-3)


def test_training_reads_each_tasks_own_prompt_as_restoration_does(trained, embedded_recipe):
    model = networks.load(trained / "model")
    tasks = ["superres", "denoise", "dehaze"]
    with torch.no_grad():
        empty, context = Objective(model, embedded_recipe["preset"], denoiser.settings_of(embedded_recipe)).texts(tasks)
        text = pipeline.contexts(model, ["", *tasks])
    for i, task in enumerate(tasks):
        assert torch.allclose(context[i], text[task][0], atol=1e-5), task
        assert torch.allclose(empty[i], text[""][0], atol=1e-5)


def test_float16_weights_give_nearly_the_same_picture(trained, tmp_path):
    model = networks.load(trained / "model")
    x = torch.rand(1, 3, 32, 32)
    before = pipeline.restore(model, x, "denoise", 0.1, 1, 1)
    model.save(tmp_path / "half", half=True)
    after = pipeline.restore(networks.load(tmp_path / "half"), x, "denoise", 0.1, 1, 1)
    assert float((before - after).abs().max()) < 0.02


def test_a_window_is_the_frames_about_one_and_itself_where_they_are_missing():
    x = torch.arange(6.0).reshape(6, 1, 1, 1)  # two clips of three frames
    of = lambda frame: window.stacked(x, 3, 2).flatten(1)[frame].tolist()
    assert of(0) == [0, 0, 0, 1, 2] and of(1) == [1, 0, 1, 2, 1] and of(5) == [3, 4, 5, 5, 5]
    assert window.stacked(x, 3, 2, here=1).flatten(1).tolist() == [[1, 0, 1, 2, 1], [4, 3, 4, 5, 4]]


def test_one_frame_of_a_clip_is_restored_as_with_the_whole_clip(trained, embedded_recipe):
    model = networks.load(trained / "model")
    clip = torch.rand(6, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    preset = embedded_recipe["preset"]
    with torch.no_grad():
        text = pipeline.contexts(model, ["", "derain"])
        many = {k: v.expand(2, -1, -1) for k, v in text.items()}
        one = pipeline.restore_one(model, Schedule(model.scheduler), clip, clip, 3, 1, many[""], many["derain"], preset)
    whole = pipeline.restore(model, clip, "derain", **preset, frames=3)
    assert torch.allclose(one.clamp(0, 1), whole[[1, 4]], atol=1e-5)
    alone = pipeline.restore(model, clip, "derain", **preset)
    assert not torch.allclose(alone, whole, atol=1e-4)


def test_tdm_filter_runs_the_folder(trained, restored_count):
    assert restored_count(trained / "model", 2, "--preset", "live", "--steps", "1", "--inversion-steps", "1") == 2


def test_a_rerun_of_a_step_sees_the_same_examples(photographs, embedded_recipe):
    source, _ = recipe.crop_source(embedded_recipe["data"], photographs)
    shares = embedded_recipe["denoiser"]["stages"][0]["task_shares"]
    one, two = (Examples(source, 2).at(7, 3, 32, shares) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one[:3], two[:3])) and one[3] == two[3]
    assert not torch.equal(one[0], Examples(source, 2, process=1).at(7, 3, 32, shares)[0])


def test_a_batch_is_of_tasks_that_read_their_window_or_of_others():
    shares, choice = {"denoise": 0.5, "derain": 0.3, "dehaze": 0.2}, np.random.default_rng(0)
    drawn = [denoiser.of_one_kind(choice, shares, ["derain"]) for _ in range(1000)]
    assert all(kind == ({"derain": 0.3} if reads else {"denoise": 0.5, "dehaze": 0.2}) for kind, reads in drawn)
    assert 0.25 < np.mean([reads for _, reads in drawn]) < 0.35


@pytest.mark.parametrize("before, after", [(0, 0), (1, 0), (2, 0), (1, 1), (2, 2)])
def test_a_window_is_whole_or_short_or_a_frame_alone(before, after):
    settings, choice = {"alone_share": 0.2, "short_share": 0.3, "last_share": 0.0}, np.random.default_rng(0)
    drawn = {denoiser.a_window(choice, settings, before, after) for _ in range(500)}
    places = {(b + 1 + a, b) for b in range(before + 1) for a in range(after + 1)}
    assert drawn == places


def test_a_window_may_end_with_its_frame():
    settings, choice = {"alone_share": 0.0, "short_share": 0.0, "last_share": 0.5}, np.random.default_rng(0)
    drawn = [denoiser.a_window(choice, settings, 2, 2) for _ in range(200)]
    assert set(drawn) == {(3, 2), (5, 2)} and 70 < drawn.count((3, 2)) < 130


def test_a_recipe_with_a_key_too_many_or_too_few_is_refused(embedded_recipe):
    section = embedded_recipe["denoiser"]
    assert denoiser.settings_of(embedded_recipe)["fusion_ahead"] == section["fusion"]
    assert denoiser.settings_of({"denoiser": section | {"fusion_ahead": 0}})["fusion_ahead"] == 0
    with pytest.raises(ValueError, match="fusion_behind: unknown"):
        denoiser.settings_of({"denoiser": section | {"fusion_behind": 0}})
    with pytest.raises(ValueError, match="ema: missing"):
        denoiser.settings_of({"denoiser": {k: v for k, v in section.items() if k != "ema"}})


@pytest.mark.parametrize("name", ["embedded", "weather", "denoise", "live", "superres"])
def test_the_recipes_have_the_keys_that_are_read(name, photographs):
    whole = recipe.read(RECIPES / f"{name}.toml")
    denoiser.settings_of(whole)
    data = whole["data"] | {"held_out": 2, "procedural_count": 1, "procedural_side": 64}
    recipe.crop_source(data, photographs)
    with pytest.raises(ValueError, match="toned_shares: unknown"):
        recipe.crop_source(data | {"toned_shares": 1}, photographs)
    stages = [whole["denoiser"]["stages"][0] | {"larg": {}}]
    with pytest.raises(ValueError, match="larg: unknown"):
        denoiser.settings_of({"denoiser": whole["denoiser"] | {"stages": stages}})


def test_drawn_pictures_are_kept_for_those_who_want_the_same(photographs, tmp_path):
    data = {"held_out": 2, "procedural_share": 1, "procedural_count": 1, "procedural_side": 64, "seed": 1}
    pictures = lambda **other: recipe.crop_source(data | other, photographs, tmp_path)[0].procedural
    first = pictures()
    assert np.array_equal(first, pictures()) and len(list(tmp_path.iterdir())) == 1
    assert len(pictures(procedural_count=2)) == 2 and not np.array_equal(first[0], pictures(seed=2)[0])


def test_held_out_frames_are_fused_with_as_many_behind_as_the_recipe_says():
    pictures = [np.random.default_rng(i).integers(0, 256, (72, 72, 3), np.uint8) for i in range(2)]
    none, some, all_ = (HeldOut(pictures, ["denoise", "dehaze", "superres"], {"denoise": 2, "superres": 2}, ahead, [], side=64) for ahead in (0, 1, 2))
    for other in (some, all_):
        assert torch.equal(none.clean, other.clean) and torch.equal(none.came["denoise"][0], other.came["denoise"][0])
        assert torch.equal(none.seen["dehaze"][0], other.seen["dehaze"][0])
        assert not torch.equal(none.seen["denoise"][0], other.seen["denoise"][0])
        assert torch.equal(none.seen["superres"][0], other.seen["superres"][0])
        assert not torch.equal(none.second["superres"][0], other.second["superres"][0])
    assert not torch.equal(some.seen["denoise"][0], all_.seen["denoise"][0])
    assert not torch.equal(some.second["superres"][0], all_.second["superres"][0])


def test_the_haar_autoencoder_loses_nothing():
    x = torch.rand(2, 3, 16, 24) * 2 - 1
    vae = AutoencoderHaar()
    z = vae.encode(x)
    assert z.shape == (2, 12, 8, 12) and torch.allclose(vae.decode(z), x, atol=1e-5)


def test_averages_follow_and_swapping_twice_changes_nothing():
    p = [torch.zeros(3)]
    a = Average(p, 0.9)
    p[0].fill_(1)
    for _ in range(200):
        a.update(p)
    assert torch.allclose(a.shadow[0], torch.ones(3), atol=1e-3)
    p[0].fill_(5)
    a.swap(p)
    assert torch.allclose(p[0], torch.ones(3), atol=1e-3) and float(a.shadow[0][0]) == 5
    a.swap(p)
    assert float(p[0][0]) == 5


def test_the_schedule_of_the_folder_is_the_recipes(trained, embedded_recipe):
    scheduler = networks.load(trained / "model").scheduler
    assert scheduler.config.beta_end == embedded_recipe["scheduler"]["beta_end"]
    assert Schedule(scheduler).at(999)[0] == pytest.approx(0.0683, abs=1e-3)
