"""Models as folders in diffusers' layout: parts read from them, and a folder that takes over what was not trained."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

PIPELINE = "StableDiffusionControlNetPipeline"
LIBRARIES = {
    "unet": ["diffusers", "UNet2DConditionModel"],
    "controlnet": ["diffusers", "ControlNetModel"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DDIMScheduler"],
}


def require(folder: Path, *parts: str) -> None:
    for part in parts:
        if not (folder / part).is_dir():
            raise FileNotFoundError(f"{folder / part}: missing: expected a model's folder in diffusers' layout with "
                                    f"{', '.join(parts)} in it")


def frozen(part: torch.nn.Module, precision: torch.dtype = torch.float32) -> torch.nn.Module:
    return part.to(precision).requires_grad_(False).eval()


def load_vae(folder: Path) -> AutoencoderKL | AutoencoderTiny:
    """Of either kind, in float32."""
    name = json.loads((folder / "config.json").read_text())["_class_name"]
    kinds = {k.__name__: k for k in (AutoencoderKL, AutoencoderTiny)}
    if name not in kinds:
        raise ValueError(f"{folder}: {name}: expected {' or '.join(kinds)}")
    return kinds[name].from_pretrained(folder)


def encode(vae: AutoencoderKL | AutoencoderTiny, x: torch.Tensor) -> torch.Tensor:
    """Latents of pictures in [0, 1]: the posterior's mean, scaled."""
    encoded = vae.encode((x * 2 - 1).to(next(vae.parameters()).dtype))
    z = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    return (z.float() - shift) * vae.config.scaling_factor


def load_text(folder: Path) -> tuple[CLIPTextModel, CLIPTokenizer]:
    return CLIPTextModel.from_pretrained(folder / "text_encoder"), CLIPTokenizer.from_pretrained(folder / "tokenizer")


def load_unet(folder: Path, precision: torch.dtype = torch.float32) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=precision)


def load_controlnet(folder: Path) -> ControlNetModel:
    return ControlNetModel.from_pretrained(folder, torch_dtype=torch.float32)


def load_schedule(folder: Path) -> DDPMScheduler:
    """The noise levels that training draws from: the ones in the folder, which the sampler reads too."""
    schedule = DDPMScheduler.from_pretrained(folder / "scheduler")
    if schedule.config.prediction_type not in ("epsilon", "v_prediction"):
        raise ValueError(f"{folder}/scheduler: prediction_type {schedule.config.prediction_type!r}; expected epsilon or v_prediction")
    return schedule


def target(schedule: DDPMScheduler, z: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    """What the network is to predict from z with noise at these timesteps."""
    if schedule.config.prediction_type == "v_prediction":
        return schedule.get_velocity(z, noise, timesteps)
    return noise


def tokens(tokenizer: CLIPTokenizer, prompts: list[str]) -> torch.Tensor:
    """[N, 77]"""
    settings = dict(padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt")
    return tokenizer(prompts, **settings).input_ids


def copy(source: Path, to: Path) -> None:
    """A part of a model as it is; what was there before goes."""
    if to.exists():
        shutil.rmtree(to)
    shutil.copytree(source, to)


def write_index(out: Path, vae: str) -> None:
    index = {"_class_name": PIPELINE} | LIBRARIES | {"vae": ["diffusers", vae]}
    present = {k: v for k, v in index.items() if k == "_class_name" or (out / k).is_dir()}
    # diffusers' pipeline asks for these by name; there are none
    present |= {"safety_checker": [None, None], "feature_extractor": [None, None], "requires_safety_checker": False}
    (out / "model_index.json").write_text(json.dumps(present, indent=2) + "\n")


def vae_class(folder: Path) -> str:
    return json.loads((folder / "vae" / "config.json").read_text())["_class_name"]
