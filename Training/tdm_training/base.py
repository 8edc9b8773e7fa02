"""Trains the base: a U-Net that knows clean pictures, with the text encoder that it listens to.

    python -m tdm_training.base --recipe R --pictures FOLDER --vae RUN/vae --out RUN

Writes RUN/base, a folder in diffusers' layout without a ControlNet. A model that exists (Stable Diffusion 1.5) needs no base of
its own: go on with tdm_training.controlnet.
"""

from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from . import command, folders, tokenizer
from .dataset import CleanPictures, find_pictures
from .folders import tokens
from .loop import Options, Settings, noise_like, timesteps_of, train
from .networks import tuples
from .pictures import kept_aside


class Conditioned(nn.Module):
    """U-Net and text encoder as one module, for what wraps a module to share its gradients."""

    def __init__(self, unet: UNet2DConditionModel, text: CLIPTextModel):
        super().__init__()
        self.unet, self.text = unet, text

    def forward(self, x: torch.Tensor, timesteps: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        return self.unet(x, timesteps, self.text(ids).last_hidden_state).sample


class Base:
    name = "base"

    def __init__(self, recipe: dict, pictures: Path, vae: Path, out: Path):
        self.folder, self.vae_folder = out / "base", vae
        self.settings = Settings.read(recipe["base"]["training"], "base.training")
        torch.manual_seed(self.settings.seed)
        vocabulary = tokenizer.write(self.folder / "tokenizer")
        self.tokenizer = CLIPTokenizer.from_pretrained(self.folder / "tokenizer")
        self.vae = folders.frozen(folders.load_vae(vae))
        DDIMScheduler(**recipe["scheduler"]).save_pretrained(self.folder / "scheduler")
        self.schedule = folders.load_schedule(self.folder)
        unet = UNet2DConditionModel(**tuples(recipe["unet"]))
        text = CLIPTextModel(CLIPTextConfig(
            vocab_size=vocabulary, hidden_size=recipe["unet"]["cross_attention_dim"], max_position_embeddings=77,
            hidden_act="quick_gelu", bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1,
            pad_token_id=vocabulary - 1, **recipe["text"],
        ))
        self.module = Conditioned(unet, text).train()
        if self.settings.gradient_checkpointing:
            unet.enable_gradient_checkpointing()
            text.gradient_checkpointing_enable()
        training, held_out = kept_aside(find_pictures(pictures), recipe["data"]["held_out"])
        self.data = CleanPictures(training, recipe["data"])
        self.held_out = CleanPictures(held_out, recipe["data"]) if held_out else None

    def to(self, device: torch.device) -> None:
        self.vae.to(device)

    def loss(self, module: nn.Module, batch: dict) -> torch.Tensor:
        with torch.no_grad():
            z = folders.encode(self.vae, batch["clean"])
        noise = noise_like(z, batch["seed"])
        timesteps = timesteps_of(batch["seed"], self.schedule.config.num_train_timesteps)
        ids = tokens(self.tokenizer, batch["prompt"]).to(z.device)
        output = module(self.schedule.add_noise(z, noise, timesteps), timesteps, ids)
        return (output.float() - folders.target(self.schedule, z, noise, timesteps)).square().mean()

    def write(self, out: Path) -> None:
        self.module.unet.save_pretrained(self.folder / "unet")
        self.module.text.save_pretrained(self.folder / "text_encoder")
        folders.copy(self.vae_folder, self.folder / "vae")
        folders.write_index(self.folder, folders.vae_class(self.folder))


def run(recipe: dict, pictures: Path, vae: Path, options: Options) -> None:
    stage = Base(recipe, pictures, vae, options.out)
    train(stage, stage.settings, options)


def main() -> None:
    p = command.parser(__doc__)
    p.add_argument("--vae", required=True, type=Path, help="the autoencoder's folder")
    o = p.parse_args()
    command.run(lambda recipe, options: run(recipe, o.pictures, o.vae, options), o)


if __name__ == "__main__":
    main()
