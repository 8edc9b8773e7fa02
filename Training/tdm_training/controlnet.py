"""Trains the ControlNet on pairs of a degraded and a clean picture, all five tasks in one model, told apart by their prompt.

    python -m tdm_training.controlnet --recipe R --pictures FOLDER --begin-with MODEL --out RUN
    python -m tdm_training.controlnet --recipe R --pairs FOLDER --begin-with MODEL --controlnet TILE --out RUN

MODEL is a folder in diffusers' layout: RUN/base, or Stable Diffusion 1.5. Its autoencoder, U-Net and text encoder stay as they
are, and its schedule and tokenizer are what training reads. Where neither it nor --controlnet has a ControlNet, one begins as the
U-Net's copy. Writes RUN/model, which tdm-filter and diffusers load. Pairs are FOLDER/TASK/degraded/NAME and
FOLDER/TASK/clean/NAME; pictures are degraded on the way.
"""

from pathlib import Path

import torch
from diffusers import ControlNetModel
from torch import nn

from . import command, folders
from .dataset import DegradedPairs, Item, find_pairs, find_pictures
from .folders import tokens
from .loop import Options, Settings, noise_like, timesteps_of, train
from .networks import tuples
from .pictures import kept_aside
from .tasks import PROMPTS

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


class Control:
    name = "controlnet"

    def __init__(self, recipe: dict, items: list[Item], model: Path, controlnet: Path | None, precision: torch.dtype):
        folders.require(model, *PARTS)
        self.model = model
        self.settings = Settings.read(recipe["controlnet"]["training"], "controlnet.training")
        torch.manual_seed(self.settings.seed)
        self.schedule = folders.load_schedule(model)
        self.vae = folders.frozen(folders.load_vae(model / "vae"), precision)
        text, tokenizer = folders.load_text(model)
        self.unet = folders.frozen(folders.load_unet(model, precision), precision)
        # The prompts are few and the text encoder stays: their features are computed once.
        with torch.no_grad():
            features = folders.frozen(text)(tokens(tokenizer, list(PROMPTS.values()))).last_hidden_state
        self.features = dict(zip(PROMPTS.values(), features))
        self.module = self.begin(recipe, controlnet).train()
        if self.settings.gradient_checkpointing:
            self.module.enable_gradient_checkpointing()
            self.unet.enable_gradient_checkpointing()
        training, held_out = kept_aside(items, recipe["data"]["held_out"])
        shares = recipe["controlnet"]["task_shares"]
        self.data = DegradedPairs(training, recipe["data"], shares)
        self.held_out = DegradedPairs(held_out, recipe["data"], shares) if held_out else None

    def begin(self, recipe: dict, controlnet: Path | None) -> ControlNetModel:
        found = controlnet or self.model / "controlnet"
        if found.is_dir():
            return folders.load_controlnet(found)
        if controlnet:
            raise FileNotFoundError(f"{controlnet}: missing: expected a ControlNet's folder")
        shape = tuples({k: v for k, v in recipe["controlnet"].items() if k == "conditioning_embedding_out_channels"})
        return ControlNetModel.from_unet(self.unet, **shape).float()

    def to(self, device: torch.device) -> None:
        self.vae.to(device)
        self.unet.to(device)

    def loss(self, module: nn.Module, batch: dict) -> torch.Tensor:
        with torch.no_grad():
            z = folders.encode(self.vae, batch["clean"])
        noise = noise_like(z, batch["seed"])
        timesteps = timesteps_of(batch["seed"], self.schedule.config.num_train_timesteps)
        context = torch.stack([self.features[p] for p in batch["prompt"]]).to(z.device)
        x = self.schedule.add_noise(z, noise, timesteps)
        down, middle = module(x, timesteps, context, controlnet_cond=batch["degraded"], return_dict=False)
        kind = self.unet.dtype
        output = self.unet(
            x.to(kind), timesteps, context.to(kind), down_block_additional_residuals=[d.to(kind) for d in down],
            mid_block_additional_residual=middle.to(kind),
        ).sample
        return (output.float() - folders.target(self.schedule, z, noise, timesteps)).square().mean()

    def write(self, out: Path) -> None:
        folder = out / "model"
        for part in PARTS:
            folders.copy(self.model / part, folder / part)
        self.module.save_pretrained(folder / "controlnet")
        folders.write_index(folder, folders.vae_class(folder))


def run(
    recipe: dict, items: list[Item], model: Path, options: Options, controlnet: Path | None = None,
    precision: torch.dtype = torch.bfloat16,
) -> None:
    stage = Control(recipe, items, model, controlnet, precision)
    train(stage, stage.settings, options)


def main() -> None:
    p = command.parser(__doc__, pictures_required=False)
    p.add_argument("--pairs", type=Path, help="a folder of given pairs; beside --pictures or instead of them")
    p.add_argument("--begin-with", required=True, type=Path, metavar="MODEL", help="a folder in diffusers' layout")
    p.add_argument("--controlnet", type=Path, help="the ControlNet to begin with, where it is not in MODEL")
    p.add_argument("--frozen-float32", action="store_true", help="keep what is not trained in float32, not bfloat16")
    o = p.parse_args()
    if not o.pictures and not o.pairs:
        p.error("nothing to train on: expected --pictures or --pairs")
    precision = torch.float32 if o.frozen_float32 else torch.bfloat16

    def go(recipe: dict, options: Options) -> None:
        items = (find_pairs(o.pairs) if o.pairs else []) + (find_pictures(o.pictures) if o.pictures else [])
        run(recipe, items, o.begin_with, options, o.controlnet, precision)

    command.run(go, o)


if __name__ == "__main__":
    main()
