"""The parts of a model, as a recipe describes them, and the prompts as the text encoder sees them."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from . import folders, plain, tokenizer, window
from .haar import AutoencoderHaar
from .tasks import EMPTY, PROMPTS

MODEL_INDEX = {
    "unet": ["diffusers", "UNet2DConditionModel"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DDIMScheduler"],
}

# What a config says that diffusers itself does not know of: Protocol/model-files.md.
OWN_KEYS = ("resnet_norm", "window_input", "window_attention")


@dataclass
class Model:
    """UNet, ControlNet (or none) and text encoder, trained together, around an autoencoder that stays as it is."""

    unet: UNet2DConditionModel
    controlnet: ControlNetModel | None
    text: CLIPTextModel
    tokenizer: CLIPTokenizer
    vae: AutoencoderHaar | AutoencoderKL | AutoencoderTiny
    scheduler: DDIMScheduler

    @property
    def trained(self) -> nn.ModuleDict:
        parts = {"unet": self.unet, "controlnet": self.controlnet, "text": self.text}
        return nn.ModuleDict({name: part for name, part in parts.items() if part is not None})

    def tokens(self) -> dict[str, torch.Tensor]:
        """Token ids of every task's prompt and of the empty one, each [77]."""
        named = {**PROMPTS, "": EMPTY}
        ids = self.tokenizer(
            list(named.values()), padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        ).input_ids
        return dict(zip(named, ids))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Latents of pictures in [0, 1]."""
        if isinstance(self.vae, AutoencoderHaar):
            return self.vae.encode(x * 2 - 1) * self.vae.config.scaling_factor
        return folders.encode(self.vae, x)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Pictures of latents, in [0, 1] but not clipped."""
        decoded = self.vae.decode(z / self.vae.config.scaling_factor)
        return ((decoded if isinstance(decoded, torch.Tensor) else decoded.sample) + 1) / 2

    @property
    def reads_both(self) -> bool:
        """Whether the UNet reads two latents."""
        return self.unet.config.in_channels == 2 * self.vae.config.latent_channels

    def beside(self, second: torch.Tensor) -> torch.Tensor | None:
        """What a UNet of twice the latent's channels reads beside the latent, as InstructPix2Pix's (arXiv 2211.09800) does: the latents, without
        the scaling factor, of the second pictures (condition.py), in [0, 1]. None for other UNets."""
        if not self.reads_both:
            return None
        with torch.no_grad():
            return self.encode(second) / self.vae.config.scaling_factor

    def predict(self, x, timesteps, context, condition=None, windows=None, beside=None):
        """The output (v, of our own models), from the UNet alone or, given the degraded picture in [0, 1], with the ControlNet.

        `windows`: what window.stacked makes of x and its neighbours; without them every frame is alone. `beside`: as `beside` gives it.
        """
        if radius := window.radius_of(self.unet):
            x = window.stacked(x, 1, radius) if windows is None else windows
        if beside is not None:
            x = torch.cat([x, beside], 1)
        if condition is None or self.controlnet is None:
            return self.unet(x, timesteps, context).sample
        down, mid = self.controlnet(
            x, timesteps, context, controlnet_cond=condition, return_dict=False
        )
        return self.unet(
            x, timesteps, context, down_block_additional_residuals=down, mid_block_additional_residual=mid
        ).sample

    def save(self, folder: Path, half: bool = False) -> None:
        """The diffusers folder; `half` stores the weights in float16."""
        steered = {} if self.controlnet is None else {"controlnet": self.controlnet}
        parts = {"unet": self.unet, **steered, "text_encoder": self.text, "vae": self.vae}
        for name, part in parts.items():
            if isinstance(part, AutoencoderHaar):
                part.save_pretrained(folder / name)
                continue
            part.to(torch.float16 if half else torch.float32).save_pretrained(folder / name)
            part.float()
        self.scheduler.save_pretrained(folder / "scheduler")
        tokenizer.write(folder / "tokenizer")
        pipeline = f"StableDiffusion{'ControlNet' if steered else 'InstructPix2Pix' if self.reads_both else ''}Pipeline"
        libraries = {name: ["diffusers", type(part).__name__] for name, part in {"vae": self.vae, **steered}.items()}
        index = {"_class_name": pipeline, **MODEL_INDEX, **libraries}
        (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def tuples(settings: dict) -> dict:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items() if not isinstance(v, dict)}


def build(recipe: dict, folder: Path, vae: Path | None = None) -> Model:
    """A new model with random weights; `folder` gets its tokenizer. `vae`: a trained autoencoder's folder, where the
    recipe's is one that is trained."""
    vocabulary = tokenizer.write(folder / "tokenizer")
    unet = UNet2DConditionModel(**tuples(recipe["unet"]))
    controlnet = None
    if "controlnet" in recipe:
        layers = recipe["unet"]["layers_per_block"]
        alike = unet if isinstance(layers, int) else UNet2DConditionModel(**tuples(recipe["unet"] | {"layers_per_block": max(layers)}))
        controlnet = ControlNetModel.from_unet(alike, **tuples(recipe["controlnet"]), load_weights_from_unet=False)
        if not isinstance(layers, int):
            leave(controlnet, layers)
    if recipe.get("window_attention") is False:
        unet.register_to_config(window_attention=False)
    nets = [net for net in (unet, controlnet) if net is not None]
    if radius := recipe.get("window_input"):
        for net in nets:
            window.widen(net, radius)
    if recipe.get("resnet_norm") == "none":
        for net in nets:
            plain.without_norms(net)
            plain.initialize(net)
    if controlnet is not None:
        wake(controlnet)
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=recipe["unet"]["cross_attention_dim"], max_position_embeddings=77,
        hidden_act="quick_gelu", bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1, **recipe["text"],
    ))
    return Model(
        unet, controlnet, text, CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        load_vae(vae) if vae else AutoencoderHaar(**tuples(recipe["vae"])), DDIMScheduler(**recipe["scheduler"]),
    )


@torch.no_grad()
def wake(controlnet: ControlNetModel) -> None:
    """Gives the zero convolutions weights.

    They start at zero so that a ControlNet does not disturb a trained UNet. Trained together from the start there is
    nothing to protect, and zeros only keep the condition out for the first hundreds of steps.
    """
    for parameter in controlnet.parameters():
        if parameter.dim() == 4 and float(parameter.abs().max()) == 0:
            parameter.normal_(0, (1 / parameter[0].numel()) ** 0.5)


def load_vae(folder: Path) -> AutoencoderHaar | AutoencoderKL | AutoencoderTiny:
    if json.loads((folder / "config.json").read_text())["_class_name"] == "AutoencoderHaar":
        return AutoencoderHaar.from_pretrained(folder)
    return folders.frozen(folders.load_vae(folder))


def of_config(kind: type, config: dict) -> UNet2DConditionModel | ControlNetModel:
    """A UNet or ControlNet of no weights in particular."""
    own = {key: config[key] for key in OWN_KEYS if key in config}
    known = {key: value for key, value in config.items() if key not in own}
    layers = known["layers_per_block"]
    if kind is ControlNetModel and not isinstance(layers, int):
        part = kind.from_config(known | {"layers_per_block": max(layers)})
        leave(part, layers)
    else:
        part = kind.from_config(known)
    if own.get("resnet_norm") == "none":
        plain.without_norms(part)
    if own.get("window_input"):
        window.widen(part, own["window_input"])
    part.register_to_config(**own)
    return part


def leave(controlnet: ControlNetModel, layers: list[int]) -> None:
    """Takes layers from a ControlNet that has as many at each resolution, so that it has those of a U-Net that has not: diffusers builds only such U-Nets."""
    features, kept = list(controlnet.controlnet_down_blocks), []
    kept.append(features.pop(0))
    for block, count in zip(controlnet.down_blocks, layers, strict=True):
        had = len(block.resnets)
        for name in ("resnets", "attentions"):
            if hasattr(block, name):
                setattr(block, name, getattr(block, name)[:count])
        own = had + (block.downsamplers is not None)
        kept += features[:count] + features[had:own]
        features = features[own:]
    controlnet.controlnet_down_blocks = nn.ModuleList(kept)
    controlnet.register_to_config(layers_per_block=layers)


def of_each(layers: int | list[int], net: UNet2DConditionModel | ControlNetModel) -> list[int]:
    """A config's `layers_per_block` as layers of each resolution, finest first."""
    return [layers] * len(net.config.block_out_channels) if isinstance(layers, int) else list(layers)


def layers_of(net: UNet2DConditionModel | ControlNetModel) -> list[int]:
    """Of each resolution on the way down, finest first."""
    return of_each(net.config.layers_per_block, net)


def load_part(kind: type, folder: Path) -> UNet2DConditionModel | ControlNetModel:
    """A UNet or ControlNet in float32."""
    part = of_config(kind, json.loads((folder / "config.json").read_text()))
    part.load_state_dict(load_file(folder / "diffusion_pytorch_model.safetensors"))
    return part.float()


def load(folder: Path) -> Model:
    """A model from a diffusers folder, in float32."""
    return Model(
        load_part(UNet2DConditionModel, folder / "unet"),
        load_part(ControlNetModel, folder / "controlnet") if (folder / "controlnet").exists() else None,
        CLIPTextModel.from_pretrained(folder / "text_encoder").float(),
        CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        load_vae(folder / "vae"),
        DDIMScheduler.from_pretrained(folder / "scheduler"),
    )
