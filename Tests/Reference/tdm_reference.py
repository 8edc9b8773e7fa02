#!/usr/bin/env python3
"""Executable specification of the TDM restoration pipeline, in float32 PyTorch on diffusers' own networks.

It is the oracle, not the product: slow, whole tensors in memory, no pixel-format handling. Where the paper (arXiv
2501.02269) is silent, what this file does is the project's definition: no guidance unless asked for, an empty prompt and no
ControlNet in inversion, the posterior's mean, "trailing" timesteps for both schedules so that they meet on one level, and
windows at a clip's ends averaged over the frames there are.

    pip install torch diffusers transformers safetensors numpy
    tdm_reference.py make-model DIR [--seed N] [--shape small|wide|thin|haar|sd15]
    tdm_reference.py run --model DIR --size WxH --task denoise [options] < in.rgb > out.rgb
                         (rgb24, 8 bits, frames back to back; --taps FILE saves intermediate tensors)
"""
import argparse, json, math, pathlib, sys
import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

import extensions
from extensions import AutoencoderHaar, WindowConv
from gaussian import gaussian

PROMPTS = {  # task prompt guidance: the first two are quoted in the paper, the others follow their form
    "denoise": "remove the noise",
    "derain": "remove the rain",
    "dehaze": "remove the fog",
    "deartifact": "remove the compression artifacts",
    "superres": "recover the high resolution details",
}


# ---------------------------------------------------------------- random models in the diffusers folder layout

SHAPES = {
    # vae factor 4, three resolutions, attention in the two finest
    "small": dict(
        unet=dict(sample_size=16, layers_per_block=1, block_out_channels=(32, 64, 64), attention_head_dim=4,
                  down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                  up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
                  cross_attention_dim=32, norm_num_groups=8, in_channels=4, out_channels=4),
        control=(8, 16, 16), vae=dict(block_out_channels=(16, 32, 32), layers_per_block=1, latent_channels=4, norm_num_groups=8),
        text=dict(intermediate_size=64, num_hidden_layers=2, num_attention_heads=4), scaling=0.18215,
        scheduler=dict(prediction_type="epsilon", set_alpha_to_one=False)),
    # vae factor 8 as in SD 1.5, two layers a block, no attention at the finest level, other latent width, v-prediction
    "wide": dict(
        unet=dict(sample_size=16, layers_per_block=2, block_out_channels=(32, 32, 64, 64), attention_head_dim=2,
                  down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                  up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                  cross_attention_dim=48, norm_num_groups=16, in_channels=8, out_channels=8),
        control=(8, 8, 16, 16), vae=dict(block_out_channels=(16, 16, 32, 32), layers_per_block=2, latent_channels=8, norm_num_groups=8),
        text=dict(intermediate_size=64, num_hidden_layers=2, num_attention_heads=4), scaling=0.5,
        scheduler=dict(prediction_type="v_prediction", set_alpha_to_one=True)),
    # an AutoencoderTiny (no norms), one resolution with attention
    "thin": dict(
        unet=dict(sample_size=16, layers_per_block=1, block_out_channels=(32, 64), attention_head_dim=4,
                  down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                  cross_attention_dim=32, norm_num_groups=8, in_channels=6, out_channels=6),
        control=(8, 16, 16), vae=dict(encoder_block_out_channels=(16, 16, 16), decoder_block_out_channels=(16, 16, 16), latent_channels=6,
                                      num_encoder_blocks=(1, 2, 1), num_decoder_blocks=(1, 2, 1), upsampling_scaling_factor=2, latent_magnitude=3),
        text=dict(intermediate_size=64, num_hidden_layers=2, num_attention_heads=4), scaling=0.9,
        scheduler=dict(prediction_type="v_prediction", set_alpha_to_one=True)),
    # what diffusers does not know (extensions.py): a Haar transform for an autoencoder, no group norms in residual blocks, the window at the input
    "haar": dict(
        unet=dict(sample_size=16, layers_per_block=1, block_out_channels=(32, 64), attention_head_dim=4,
                  down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                  cross_attention_dim=32, norm_num_groups=8, in_channels=12, out_channels=12),
        control=(8, 16), vae=dict(band_scales=(1.0, 4.0, 3.0, 5.0)), window_input=2,
        text=dict(intermediate_size=64, num_hidden_layers=2, num_attention_heads=4), scaling=0.8,
        scheduler=dict(prediction_type="v_prediction", set_alpha_to_one=True)),
    # the real thing's sizes; written in float16
    "sd15": dict(
        unet=dict(sample_size=64, cross_attention_dim=768, attention_head_dim=8), control=(16, 32, 96, 256),
        vae=dict(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4),
        text=dict(intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12), scaling=0.18215,
        scheduler=dict(prediction_type="epsilon", set_alpha_to_one=False)),
}


def write_tokenizer(folder: pathlib.Path) -> int:
    """A CLIP byte-pair vocabulary: 256 byte symbols, the same ending a word, merges for a few prompt words."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, extra = {b: chr(b) for b in printable}, 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + extra); extra += 1
    symbols = [table[b] for b in printable] + [table[b] for b in range(256) if b not in printable]
    merges, seen = [], set()
    for word in ("remove", "the", "noise", "rain", "fog", "compression", "details", "high", "resolution"):
        parts = list(word[:-1]) + [word[-1] + "</w>"]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair not in seen:
                seen.add(pair); merges.append(pair)
            parts = [parts[0] + parts[1]] + parts[2:]
    vocab = symbols + [s + "</w>" for s in symbols] + ["".join(m) for m in merges]
    vocab = list(dict.fromkeys(vocab)) + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(vocab)}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(m) for m in merges) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}))
    (folder / "special_tokens_map.json").write_text(json.dumps({
        "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}))
    return len(vocab)


def make_model(folder: str, seed: int, shape: str) -> None:
    torch.manual_seed(seed)
    root, s = pathlib.Path(folder), SHAPES[shape]
    vocab = write_tokenizer(root / "tokenizer")
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=vocab, hidden_size=s["unet"]["cross_attention_dim"], **s["text"], max_position_embeddings=77, hidden_act="quick_gelu",
        bos_token_id=vocab - 2, eos_token_id=vocab - 1, pad_token_id=vocab - 1))
    unet = UNet2DConditionModel(**s["unet"])
    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=s["control"])
    if "window_input" in s:
        for net in (unet, control):
            extensions.without_norms(net)
            extensions.widen(net, s["window_input"])
    if "band_scales" in s["vae"]:
        vae = AutoencoderHaar(**s["vae"], scaling_factor=s["scaling"])
    elif "block_out_channels" in s["vae"]:
        n = len(s["vae"]["block_out_channels"])
        vae = AutoencoderKL(**s["vae"], down_block_types=("DownEncoderBlock2D",) * n, up_block_types=("UpDecoderBlock2D",) * n, scaling_factor=s["scaling"])
    else:
        vae = AutoencoderTiny(**s["vae"], scaling_factor=s["scaling"])
    with torch.no_grad():  # no zero convolutions, and a picture with contrast: every weight must matter
        for net in (n for n in (unet, control, vae, text) if isinstance(n, torch.nn.Module)):
            for name, p in net.named_parameters():
                if p.dim() > 1 and float(p.abs().max()) == 0:
                    p.normal_(0, 0.2 / math.sqrt(p[0].numel()))
                elif p.dim() == 1 and "norm" in name:
                    p.add_(0.1 * torch.randn_like(p))
                elif p.dim() == 1:
                    p.normal_(0, 0.02)
        if isinstance(vae, AutoencoderKL):
            vae.decoder.conv_out.weight.mul_(2.0)
        elif isinstance(vae, AutoencoderTiny):
            last = vae.decoder.layers[-1]; last.weight.mul_(16.0); last.bias.fill_(0.5)   # its output is in [0, 1]
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                              steps_offset=1, **s["scheduler"])
    for name, part in (("unet", unet), ("controlnet", control), ("vae", vae), ("text_encoder", text), ("scheduler", scheduler)):
        (part.half() if shape == "sd15" and name != "scheduler" else part).save_pretrained(root / name)
    (root / "model_index.json").write_text(json.dumps({
        "_class_name": "StableDiffusionControlNetPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
        "controlnet": ["diffusers", "ControlNetModel"], "vae": ["diffusers", type(vae).__name__],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"]}, indent=2))


# ---------------------------------------------------------------- the pipeline

def levels(steps: int, strength: float, train_steps: int) -> list[int]:
    """Timesteps of the noise levels 1...steps, trailing spacing: both schedules end on the same, noisiest level."""
    return [math.floor(k * strength * train_steps / steps + 0.5) - 1 for k in range(1, steps + 1)]


class Noise:
    """The cumulative products of the noise schedule, and what a network's output means under it."""

    def __init__(self, scheduler):
        self.abar = scheduler.alphas_cumprod.double()
        self.final = 1.0 if scheduler.config.set_alpha_to_one else float(self.abar[0])
        self.kind = scheduler.config.prediction_type
        self.train_steps = scheduler.config.num_train_timesteps

    def at(self, t: int) -> float:
        return self.final if t < 0 else float(self.abar[t])

    def move(self, x, output, abar_from: float, abar_to: float):
        """One deterministic DDIM move of x between two noise levels (eq. 3 forwards, eq. 4 backwards)."""
        a, b = math.sqrt(abar_from), math.sqrt(1 - abar_from)
        if self.kind == "epsilon":
            eps = output; x0 = (x - b * eps) / a
        elif self.kind == "v_prediction":
            x0 = a * x - b * output; eps = a * output + b * x
        else:
            x0 = output; eps = (x - a * x0) / max(b, math.sqrt(1 - float(self.abar[0])))   # at the clean level b may be 0
        return math.sqrt(abar_to) * x0 + math.sqrt(1 - abar_to) * eps


class Window:
    """The sliding window: whose keys and values the frames of a group read, those within `radius` of each.

    Frames of one group go through the network side by side. Features of up to `radius` earlier frames come from the
    cache that their own pass filled, one entry for each (pass, step, layer). Frames that do not exist are left out.
    With `anchor` every frame reads the clip's first frame instead (Text2Video-Zero's attention, the paper's Table 3).
    """

    def __init__(self, radius: int, anchor: bool = False):
        self.radius, self.anchor, self.cache = radius, anchor, {}
        self.frames: list[int] = []   # frame numbers of the batch
        self.keep: list[int] = []     # those whose features later groups will read
        self.key = None               # (pass, step), set by the caller

    def install(self, net, reads_attention=True):
        if isinstance(net.conv_in, WindowConv):
            net.conv_in.window = self
        if not reads_attention or net.config.get("window_attention") is False:
            return Window(0).install_attention(net)
        self.install_attention(net)

    def install_attention(self, net):
        owner = type(net).__name__          # the UNet and the ControlNet have layers of the same name
        net.set_attn_processor({n: (WindowProcessor(self, (owner, n)) if n.endswith("attn1.processor") else p)
                                for n, p in net.attn_processors.items()})

    def near(self, layer, *features) -> list[list[tuple]]:
        """For each frame of the batch the (offset, *features) of those that it reads, in the clip's order."""
        if not self.frames or not (self.radius > 0 or self.anchor):
            return [[(0, *own)] for own in zip(*features)]
        store = self.cache.setdefault((self.key, layer), {})
        pool = {**store, **dict(zip(self.frames, zip(*features)))}
        near = [[(j - f, *pool[j]) for j in ([0] if self.anchor else range(f - self.radius, f + self.radius + 1)) if j in pool]
                for f in self.frames]
        for f in self.keep:
            store[f] = pool[f]
        for f in [f for f in store if f <= max(self.keep, default=-1) - self.radius and not (self.anchor and f == 0)]:
            del store[f]
        return near


class WindowProcessor:
    """Sliding-window cross-frame attention (eq. 7-9): K and V are means over the window."""

    def __init__(self, window: Window, layer):
        self.window, self.layer = window, layer

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None, **_):
        h = hidden_states                                                  # h: [F, tokens, C], already normalized
        q, k, v = attn.to_q(h), attn.to_k(h), attn.to_v(h)
        near = self.window.near(self.layer, k, v)
        k = torch.stack([torch.stack([frame[1] for frame in frames]).mean(0) for frames in near])
        v = torch.stack([torch.stack([frame[2] for frame in frames]).mean(0) for frames in near])
        split = lambda x: x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        out = torch.nn.functional.scaled_dot_product_attention(split(q), split(k), split(v), scale=attn.scale)
        return attn.to_out[1](attn.to_out[0](out.transpose(1, 2).flatten(2)))


class Latents:
    """Whichever autoencoder a model has: pictures in [-1, 1] to latents times the scaling factor, and back."""

    def __init__(self, folder: pathlib.Path):
        name = json.loads((folder / "config.json").read_text())["_class_name"]
        self.vae = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny, "AutoencoderHaar": AutoencoderHaar}[name].from_pretrained(folder)
        if name != "AutoencoderHaar":
            self.vae.float().eval()
        stages = {"AutoencoderKL": "block_out_channels", "AutoencoderTiny": "encoder_block_out_channels"}
        self.factor = 2 ** (self.vae.config.levels if name == "AutoencoderHaar" else len(self.vae.config[stages[name]]) - 1)
        self.scaling = self.vae.config.scaling_factor

    def encode(self, x):
        encoded = self.vae.encode(x)
        if isinstance(self.vae, AutoencoderKL):
            encoded = encoded.latent_dist.mode()
        elif isinstance(self.vae, AutoencoderTiny):
            encoded = encoded.latents
        return encoded * self.scaling

    def decode(self, z):
        decoded = self.vae.decode(z / self.scaling)
        return decoded if isinstance(self.vae, AutoencoderHaar) else decoded.sample


def pad(x, multiple: int):
    h, w = x.shape[-2:]
    return torch.nn.functional.pad(x, (0, -w % multiple, 0, -h % multiple), mode="replicate")


@torch.no_grad()
def restore(o, frames: np.ndarray):
    """frames: [F, H, W, 3] uint8 -> the same, restored; and the intermediate tensors."""
    root = pathlib.Path(o.model)
    unet = extensions.load(UNet2DConditionModel, root / "unet")
    steered = o.control_scale != 0 or o.inversion_control_scale != 0
    control = extensions.load(ControlNetModel, root / "controlnet") if steered else None
    latents = Latents(root / "vae")
    text = CLIPTextModel.from_pretrained(root / "text_encoder").float().eval()
    tokenizer = CLIPTokenizer.from_pretrained(root / "tokenizer")
    noise = Noise(DDIMScheduler.from_pretrained(root / "scheduler"))
    taps = {}

    def embed(prompt):
        ids = tokenizer(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        return ids, text(ids).last_hidden_state

    ids, positive = embed(o.prompt if o.prompt is not None else PROMPTS[o.task])
    negative = embed(o.negative_prompt)[1]
    inverting = positive if o.inversion_prompt == "task" else embed("")[1]
    taps["token_ids"], taps["text"] = ids.int(), positive

    H, W = frames.shape[1:3]
    factor = latents.factor * 2 ** (len(unet.config.block_out_channels) - 1)
    rgb = pad(torch.from_numpy(frames).permute(0, 3, 1, 2).float(), factor)
    latent = latents.encode(rgb / 127.5 - 1)
    condition = rgb / 255
    taps["latent"] = latent

    radius = o.radius if o.attention == "window" else 0
    window, plain = Window(radius, anchor=o.attention == "first"), Window(0)
    up = [-1] + levels(o.inversion_steps, o.strength, noise.train_steps)
    down = levels(o.steps, o.strength, noise.train_steps)[::-1] + [-1]

    def predict(x, t, context, cond, scale, where):
        where.install(unet)
        if control:
            where.install(control, reads_attention=o.window_in_controlnet)
        many = context.expand(len(x), -1, -1)
        if scale == 0:
            return unet(x, t, many).sample
        d, m = control(x, t, many, controlnet_cond=cond, conditioning_scale=scale, return_dict=False)
        return unet(x, t, many, down_block_additional_residuals=d, mid_block_additional_residual=m).sample

    inverted = []
    for i in range(len(latent)):                                           # inversion: every frame by itself
        x = latent[i:i + 1]
        for a, b in zip(up, up[1:]):
            out = predict(x, b, inverting, condition[i:i + 1], o.inversion_control_scale, plain)
            x = noise.move(x, out, noise.at(a), noise.at(b))
        inverted.append(x)
    inverted = torch.cat(inverted)
    if o.start == "noise":                                                 # the ablation without inversion
        inverted = torch.stack([gaussian(o.seed + i, inverted.shape[1:]) for i in range(len(inverted))])
    taps["inverted"] = inverted

    F = len(latent)
    chunk = o.chunk or F
    sampled = torch.empty_like(latent)
    for start in range(0, F, chunk):                                       # sampling: groups in lockstep
        core = list(range(start, min(start + chunk, F)))
        group = core + list(range(core[-1] + 1, min(core[-1] + 1 + o.lookahead, F)))
        x, cond = inverted[group], condition[group]
        window.frames, window.keep = group, core[:1] if window.anchor else core[-radius:] if radius else []
        for s, (a, b) in enumerate(zip(down, down[1:])):
            window.key = ("positive", s)
            out = predict(x, a, positive, cond, o.control_scale, window)
            if o.guidance != 1:
                window.key = ("negative", s)
                base = predict(x, a, negative, cond, o.control_scale, window)
                out = base + o.guidance * (out - base)
            if s == 0 and start == 0:
                taps["first_output"] = out
            x = noise.move(x, out, noise.at(a), noise.at(b))
        sampled[core] = x[:len(core)]
    taps["sampled"] = sampled

    picture = latents.decode(sampled)[..., :H, :W]
    taps["picture"] = picture
    out = ((picture + 1) * 127.5 + 0.5).floor().clamp(0, 255).byte().permute(0, 2, 3, 1)
    return out.contiguous().numpy(), {k: v.contiguous() for k, v in taps.items()}


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="command", required=True)
    m = sub.add_parser("make-model"); m.add_argument("folder"); m.add_argument("--seed", type=int, default=0)
    m.add_argument("--shape", choices=SHAPES, default="small")
    r = sub.add_parser("run")
    r.add_argument("--model", required=True); r.add_argument("--size", required=True); r.add_argument("--task", choices=PROMPTS, default="denoise")
    r.add_argument("--prompt"); r.add_argument("--negative-prompt", default=""); r.add_argument("--guidance", type=float, default=1)
    r.add_argument("--radius", type=int, default=3); r.add_argument("--chunk", type=int, default=0, help="frames sampled in lockstep; 0: the whole clip")
    r.add_argument("--lookahead", type=int, default=0); r.add_argument("--inversion-steps", type=int, default=10); r.add_argument("--steps", type=int, default=32)
    r.add_argument("--strength", type=float, default=1); r.add_argument("--control-scale", type=float, default=1)
    r.add_argument("--inversion-control-scale", type=float, default=0); r.add_argument("--inversion-prompt", choices=("empty", "task"), default="empty")
    r.add_argument("--attention", choices=("window", "first", "self"), default="window"); r.add_argument("--start", choices=("inversion", "noise"), default="inversion")
    r.add_argument("--seed", type=int, default=0); r.add_argument("--window-in-controlnet", action="store_true"); r.add_argument("--taps")
    r.add_argument("--bf16", action="store_true", help="under bfloat16 autocast: how far PyTorch's own bf16 is from float32")
    return p


def main():
    o = parser().parse_args()
    if o.command == "make-model":
        return make_model(o.folder, o.seed, o.shape)
    w, h = map(int, o.size.split("x"))
    frames = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(-1, h, w, 3)
    with torch.autocast("cpu", torch.bfloat16, enabled=o.bf16):
        out, taps = restore(o, frames)
    if o.taps:
        save_file(taps, o.taps)
    sys.stdout.buffer.write(out.tobytes())


if __name__ == "__main__":
    main()
