"""A small model from nothing to a folder, and what must hold of it on the way."""

import csv

import numpy as np
import pytest
import torch

from tdm_training import autoencoder, denoiser, networks, pipeline
from tdm_training.schedule import Schedule
from tdm_training.training import Average


@pytest.fixture(scope="module")
def trained(tmp_path_factory, photographs, tiny_recipe):
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    autoencoder.train(tiny_recipe, str(photographs), folder)
    denoiser.train(tiny_recipe, str(photographs), folder, report_seconds=3, vae=folder / "vae")
    return folder


def column(path, name):
    with open(path) as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def test_the_losses_fall_and_the_folder_restores_a_picture(trained):
    losses = column(trained / "denoiser.csv", "path")
    assert losses[-1] < 0.8 * losses[0], losses
    model = networks.load(trained / "model")
    x = torch.rand(1, 3, 32, 48)
    y = pipeline.restore(model, x, "denoise", 0.1, 1, 2)
    assert y.shape == x.shape and 0 <= float(y.min()) and float(y.max()) <= 1


def test_finishing_goes_on_from_the_folder(trained, photographs, tiny_recipe, tmp_path):
    denoiser.train(tiny_recipe, str(photographs), tmp_path, report_seconds=3, start=trained / "model")
    last, first = column(trained / "denoiser.csv", "path")[-1], column(tmp_path / "denoiser.csv", "path")[-1]
    assert first < 1.3 * last, (first, last)
    assert (tmp_path / "model" / "model_index.json").exists()


def test_the_prompt_and_the_condition_matter(trained):
    model = networks.load(trained / "model")
    g = torch.Generator().manual_seed(0)
    z, x = torch.randn(1, 8, 16, 16, generator=g), torch.rand(1, 3, 32, 32, generator=g)
    with torch.no_grad():
        text = pipeline.contexts(model, ["denoise", "derain"])
        plain = model.predict(z, 999, text["denoise"], x)
        assert not torch.allclose(plain, model.predict(z, 999, text["derain"], x), atol=1e-6)
        assert not torch.allclose(plain, model.predict(z, 999, text["denoise"], 1 - x), atol=1e-3)


def test_training_reads_each_tasks_own_prompt_as_restoration_does(trained, tiny_recipe):
    model = networks.load(trained / "model")
    tasks = ["superres", "denoise", "dehaze"]
    with torch.no_grad():
        empty, context = denoiser.Objective(model, tiny_recipe["denoiser"]["training"]).texts(tasks)
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


def test_a_rerun_of_a_step_sees_the_same_examples(photographs, tiny_recipe):
    from tdm_training import recipe

    source, _ = recipe.crop_source(tiny_recipe["data"], photographs)
    settings = tiny_recipe["denoiser"]["training"]
    one, two = (denoiser.Examples(source, settings).at(7, 32) for _ in range(2))
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1]) and one[2] == two[2]
    other = denoiser.Examples(source, settings, process=1).at(7, 32)
    assert not torch.equal(one[0], other[0])


def test_the_patch_encoder_has_latents_of_the_pictures_before_any_training(photographs, tiny_recipe):
    from tdm_training.pictures import read_folder

    torch.manual_seed(0)
    vae = autoencoder.build(tiny_recipe["vae"])
    pictures = read_folder(photographs)
    autoencoder.start_from_patches(vae, pictures)
    x = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy()).float() / 127.5 - 1
    with torch.no_grad():
        z = vae.encode(x).latents
    # A linear read-out of the latents finds the pixels again: 8 of 12 components carry nearly everything.
    patches = x.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(0, 2)
    features = z.permute(0, 2, 3, 1).flatten(0, 2)
    features = torch.cat([features, torch.ones(len(features), 1)], 1)
    found = features @ torch.linalg.lstsq(features, patches).solution
    assert float((found - patches).square().mean()) < 0.04 * float(patches.var())


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


def test_the_schedule_of_the_folder_is_the_recipes(trained, tiny_recipe):
    scheduler = networks.load(trained / "model").scheduler
    assert scheduler.config.beta_end == tiny_recipe["scheduler"]["beta_end"]
    assert Schedule(scheduler).at(999)[0] == pytest.approx(0.0683, abs=1e-3)
