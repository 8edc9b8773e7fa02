"""The paper's way of training at test size: autoencoder, base, ControlNet; and what a stop, a resumption and a second process
must not change."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tdm_training import autoencoder, base, controlnet, folders, loop, networks, pipeline, recipe
from tdm_training.dataset import find_pictures
from tdm_training.loop import Options, Settings
from tdm_training.tasks import PROMPTS

from conftest import RECIPES


def read(**changes) -> dict:
    """The small recipe; `changes` go into every section [STAGE.training]."""
    r = recipe.read(RECIPES / "paper-small.toml")
    for section in ("vae", "base", "controlnet"):
        r[section]["training"] |= changes
    return r


def log(folder: Path, stage: str) -> list[dict]:
    with open(folder / f"{stage}.csv") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def run(tmp_path_factory, photographs) -> Path:
    """A whole run, as the README has it."""
    out, r = tmp_path_factory.mktemp("run"), read()
    autoencoder.run(r, photographs, Options(out))
    base.run(r, photographs, out / "vae", Options(out))
    controlnet.run(r, find_pictures(photographs), out / "base", Options(out))
    return out


def test_the_losses_fall(run):
    for stage, share in (("autoencoder", 0.75), ("base", 0.5)):
        losses = [float(row["loss"]) for row in log(run, stage)]
        assert np.mean(losses[-3:]) < share * losses[0], (stage, losses)
        judged = [float(row["held_out_loss"]) for row in log(run, stage) if row["held_out_loss"]]
        assert judged[-1] < judged[0], (stage, judged)


def test_the_controlnet_learns_to_read_the_degraded_picture(run, photographs):
    """On the same examples with the same noise, against the base alone: what its zero convolutions begin as."""
    r = read()
    stage = controlnet.Control(r, find_pictures(photographs), run / "model", None, torch.float32)
    fresh = controlnet.Control(r, find_pictures(photographs), run / "base", None, torch.float32)
    examples = torch.utils.data.default_collate([stage.data[n] for n in range(32)])
    high = {"high": torch.full((32,), 900)}
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        # where noise hides the picture, the condition has most to tell
        patch.setattr(controlnet, "timesteps_of", lambda seeds, count: high["high"])
        trained, untrained = (float(s.loss(s.module.eval(), examples)) for s in (stage, fresh))
    assert trained < untrained, (trained, untrained)


def test_the_folder_is_whole_and_takes_over_what_was_not_trained(run):
    model, begun = run / "model", run / "base"
    index = json.loads((model / "model_index.json").read_text())
    assert index["controlnet"] == ["diffusers", "ControlNetModel"] and index["vae"] == ["diffusers", "AutoencoderKL"]
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        for path in (begun / part).iterdir():
            assert path.read_bytes() == (model / part / path.name).read_bytes(), path
    scale = json.loads((run / "vae" / "config.json").read_text())["scaling_factor"]
    pictures = torch.rand(2, 3, 48, 48)
    with torch.no_grad():
        z = folders.encode(folders.load_vae(run / "vae"), pictures)
    assert scale != 1 and 0.1 < float(z.std()) < 10


def test_our_pipeline_restores_with_it(run):
    model = networks.load(run / "model")
    x = torch.rand(2, 3, 48, 48)
    y = pipeline.restore(model, x, "derain", 1.0, 2, 3)
    assert y.shape == x.shape and bool(torch.isfinite(y).all()) and float(y.std()) > 0


def test_diffusers_own_pipeline_runs_it(run):
    from diffusers import DDIMScheduler, StableDiffusionControlNetPipeline

    diffusers = StableDiffusionControlNetPipeline.from_pretrained(run / "model")
    assert isinstance(diffusers.scheduler, DDIMScheduler)
    diffusers.set_progress_bar_config(disable=True)
    out = diffusers(
        PROMPTS["denoise"], image=torch.rand(1, 3, 48, 48), num_inference_steps=2, guidance_scale=1.0, output_type="np")
    assert out.images.shape == (1, 48, 48, 3)


def test_tdm_filter_runs_it(run, restored_count):
    assert restored_count(run / "model", 3, "--task", "dehaze", "--steps", "2", "--inversion-steps", "2") == 3


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found = {}
    for path in sorted(folder.rglob("*.safetensors")):
        found |= {f"{path.relative_to(folder)}:{k}": v for k, v in load_file(path).items()}
    return found


def identical(one: Path, two: Path) -> None:
    a, b = weights(one), weights(two)
    assert a.keys() == b.keys() and a
    for name in a:
        assert torch.equal(a[name], b[name]), name


def stages(photographs: Path, begun: Path) -> dict:
    """Each stage as a function of a recipe and options, and what it writes."""
    return {
        "autoencoder": (lambda r, o: autoencoder.run(r, photographs, o), "vae"),
        "base": (lambda r, o: base.run(r, photographs, begun / "vae", o), "base"),
        "controlnet": (lambda r, o: controlnet.run(r, find_pictures(photographs), begun / "base", o), "model"),
    }


@pytest.mark.parametrize("stage", ["autoencoder", "base", "controlnet"])
def test_going_on_from_a_checkpoint_equals_not_having_stopped(stage, run, photographs, tmp_path):
    go, product = stages(photographs, run)[stage]
    r = read(steps=6, checkpoint_every=2, log_every=1)
    go(r, Options(tmp_path / "whole"))
    go(r, Options(tmp_path / "parts", stop_at=2))
    go(r, Options(tmp_path / "parts", stop_at=5))
    go(r, Options(tmp_path / "parts"))
    identical(tmp_path / "whole" / product, tmp_path / "parts" / product)
    columns = ("step", "epoch", "loss", "held_out_loss", "rate")
    rows = [[[row[c] for c in columns] for row in log(tmp_path / part, stage)] for part in ("whole", "parts")]
    held_out_at = lambda some: {row[0]: row[3] for row in some if row[3]}
    assert [row[:3] + row[4:] for row in rows[0]] == [row[:3] + row[4:] for row in rows[1]]
    both = held_out_at(rows[0]).keys() & held_out_at(rows[1]).keys()
    assert len(both) >= 3 and all(held_out_at(rows[0])[s] == held_out_at(rows[1])[s] for s in both)


def test_any_checkpoint_can_be_gone_on_from_and_the_log_is_cut_there(run, photographs, tmp_path):
    go, product = stages(photographs, run)["base"]
    r = read(steps=4, checkpoint_every=1, log_every=1)
    go(r, Options(tmp_path))
    shutil.copytree(tmp_path / product, tmp_path / "before")
    kept = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert kept == ["base-00000002", "base-00000003", "base-00000004"]
    go(r, Options(tmp_path, resume=str(tmp_path / "checkpoints" / "base-00000002")))
    identical(tmp_path / "before", tmp_path / product)
    assert [row["step"] for row in log(tmp_path, "base")] == ["1", "2", "3", "4"]
    with pytest.raises(FileNotFoundError, match="not a checkpoint"):
        go(r, Options(tmp_path, resume=str(tmp_path)))


def test_an_interrupted_write_is_not_taken_for_a_checkpoint(tmp_path):
    (tmp_path / "checkpoints" / "base-00000009.part").mkdir(parents=True)
    assert loop.Checkpoints(tmp_path, "base", 3).find("latest") is None


def test_the_same_seed_gives_the_same_weights_and_another_does_not(run, photographs, tmp_path):
    go, product = stages(photographs, run)["controlnet"]
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        go(read(steps=2, seed=seed), Options(tmp_path / name))
    identical(tmp_path / "one" / product, tmp_path / "two" / product)
    a, b = (weights(tmp_path / n / product) for n in ("one", "other"))
    assert any(not torch.equal(a[k], b[k]) for k in a if k.startswith("controlnet"))


def test_two_processes_through_accelerate_train_as_one_that_accumulates(run, photographs, tmp_path):
    """The same examples and the same mean of their gradients: the weights differ by the order of sums at most,
    and far less than by other examples."""
    text = (RECIPES / "paper-small.toml").read_text().replace('ema = 0.95\ngradient', 'precision = "no"\nema = 0.95\ngradient')

    def go(out: str, accumulation: int, *launcher: str) -> torch.Tensor:
        written = tmp_path / f"{out}.toml"
        written.write_text(text.replace("accumulation = 2", f"accumulation = {accumulation}"))
        command = [sys.executable, "-m", *launcher, "tdm_training.controlnet", "--recipe", written, "--out", tmp_path / out,
                   "--pictures", photographs, "--begin-with", run / "base", "--stop-at", "3", "--threads", "1", "--frozen-float32"]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=RECIPES.parent)
        assert done.returncode == 0, done.stderr[-2000:]
        return torch.cat([w.flatten() for w in weights(tmp_path / out / "model" / "controlnet").values()])

    launcher = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
    two, one, half = go("two", 1, *launcher), go("one", 2), go("half", 1)
    assert float((one - two).norm()) < 0.01 * float((one - half).norm())
    last = [log(tmp_path / out, "controlnet")[-1] for out in ("two", "one")]
    assert last[0]["epoch"] == last[1]["epoch"]
    assert float(last[0]["loss"]) == pytest.approx(float(last[1]["loss"]), rel=1e-3)


def test_the_sd15_recipe_is_the_papers():
    r = recipe.read(RECIPES / "sd15-tile.toml")
    settings = Settings.read(r["controlnet"]["training"], "controlnet.training")
    assert (settings.learning_rate, settings.batch * settings.accumulation, settings.epochs) == (1e-5, 4, 25)
    assert r["data"]["short_side"] == r["data"]["side"] == 512 and settings.gradient_checkpointing
    assert loop.total_steps(settings, 27843, 1) == 174019  # ceil of 25 epochs of 27,843 pairs by 4


def test_a_setting_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="base.training: learning_rat: unknown"):
        Settings.read({"learning_rat": 1}, "base.training")
    with pytest.raises(ValueError, match="either steps or epochs"):
        Settings.read({"learning_rate": 1, "batch": 1, "seed": 1}, "base.training")


def test_a_folder_that_is_no_model_is_told_in_one_line(photographs, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tdm_training.controlnet", "--recipe", str(RECIPES / "paper-small.toml"), "--pictures", str(photographs),
         "--begin-with", str(tmp_path), "--out", str(tmp_path / "out")], capture_output=True, text=True, cwd=RECIPES.parent)
    assert done.returncode == 1 and "unet: missing: expected a model's folder" in done.stderr and "Traceback" not in done.stderr


def test_the_patch_encoder_has_latents_of_the_pictures_before_any_training(photographs):
    from tdm_training.dataset import read_picture

    torch.manual_seed(0)
    vae = autoencoder.build({
        "class": "AutoencoderTiny", "encoder_block_out_channels": [16, 16], "decoder_block_out_channels": [16, 16],
        "num_encoder_blocks": [0, 1], "num_decoder_blocks": [1, 1], "latent_channels": 8, "upsampling_scaling_factor": 2,
    })
    pictures = [read_picture(i.clean) for i in find_pictures(photographs)]
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


def test_an_autoencoder_tiny_trains_too(photographs, tmp_path):
    r = read(steps=30, batch=2, checkpoint_every=15)
    r["vae"] = {
        "class": "AutoencoderTiny", "encoder_block_out_channels": [16, 16], "decoder_block_out_channels": [16, 16],
        "num_encoder_blocks": [0, 1], "num_decoder_blocks": [1, 1], "latent_channels": 8, "upsampling_scaling_factor": 2,
        "start_from_patches": True, "training": r["vae"]["training"],
    }
    autoencoder.run(r, photographs, Options(tmp_path))
    judged = [float(row["held_out_loss"]) for row in log(tmp_path, "autoencoder") if row["held_out_loss"]]
    assert judged[-1] < judged[0]
    z = folders.encode(folders.load_vae(tmp_path / "vae"), torch.rand(1, 3, 32, 32))
    assert z.shape == (1, 8, 16, 16)
