#!/usr/bin/env python3
"""Executable specification of zero-shot video deraining (arXiv 2511.18537), in float32 PyTorch on diffusers' CogVideoX networks.

No training and no paired data: a text-to-video model inverts the clip (edit-friendly DDPM inversion), then runs it again pushed
away from its own concept of rain (negative prompting), with attention switching in the first and last blocks so that the scene
stays. The authors' choices are theirs; native size padded to 16, the posterior's mean, segments with a cross-fade and the
reproducible noise are the project's.

    pip install torch diffusers transformers safetensors numpy sentencepiece protobuf
    zsvd_reference.py make-model DIR [--seed N]
    zsvd_reference.py run --model DIR --size WxH [options] < in.rgb > out.rgb      (rgb24, 8 bits)
"""
import argparse, json, math, pathlib, sys, tempfile
import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from gaussian import gaussian

NEGATIVE = "heavy rain, light rain, drizzle, sprinkle, shower, raindrops, rainstorm, streak"   # the authors' default


def make_model(folder: str, seed: int) -> None:
    import sentencepiece
    torch.manual_seed(seed)
    root = pathlib.Path(folder); (root / "tokenizer").mkdir(parents=True, exist_ok=True)
    text = [NEGATIVE, "remove the rain", "a street in the rain", "a sunny day, people walking", "light snow and heavy fog over the sea"] * 20
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
        f.write("\n".join(text)); f.flush()
        sentencepiece.SentencePieceTrainer.train(input=f.name, model_prefix=str(root / "tokenizer" / "spiece"), model_type="unigram",
            vocab_size=90, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, minloglevel=2)
    (root / "tokenizer" / "spiece.vocab").unlink()
    (root / "tokenizer" / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "T5Tokenizer", "extra_ids": 0, "model_max_length": 24, "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}))
    encoder = T5EncoderModel(T5Config(vocab_size=96, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu"))
    transformer = CogVideoXTransformer3DModel(num_attention_heads=3, attention_head_dim=16, in_channels=4, out_channels=4, time_embed_dim=16,
        text_embed_dim=32, num_layers=4, sample_width=12, sample_height=8, sample_frames=9, patch_size=2, temporal_compression_ratio=4,
        max_text_seq_length=24, spatial_interpolation_scale=1.875, temporal_interpolation_scale=1.0)
    vae = AutoencoderKLCogVideoX(block_out_channels=(8, 16, 16, 16), latent_channels=4, layers_per_block=1, norm_num_groups=4,
        down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4, temporal_compression_ratio=4,
        scaling_factor=1.15258426, sample_height=64, sample_width=96)
    with torch.no_grad():
        for net in (transformer, vae, encoder):
            for name, p in net.named_parameters():
                if p.dim() > 1 and float(p.abs().max()) == 0: p.normal_(0, .3 / math.sqrt(p[0].numel()))
                elif p.dim() == 1 and "norm" in name: p.add_(.1 * torch.randn_like(p))
                elif p.dim() == 1: p.normal_(0, .02)
        vae.decoder.conv_out.conv.weight.mul_(2)
    scheduler = CogVideoXDDIMScheduler(beta_start=.00085, beta_end=.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
        timestep_spacing="trailing", rescale_betas_zero_snr=True, snr_shift_scale=3.0, set_alpha_to_one=True, clip_sample=False)
    for name, part in (("transformer", transformer), ("vae", vae), ("text_encoder", encoder), ("scheduler", scheduler)):
        part.save_pretrained(root / name)
    (root / "model_index.json").write_text(json.dumps({
        "_class_name": "CogVideoXPipeline", "transformer": ["diffusers", "CogVideoXTransformer3DModel"],
        "vae": ["diffusers", "AutoencoderKLCogVideoX"], "text_encoder": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "T5Tokenizer"], "scheduler": ["diffusers", "CogVideoXDDIMScheduler"]}, indent=2))


class Switching:
    """Attention switching: video queries of the negative branch read the TEXT keys and values of the empty-prompt branch.

    Batch item 0 is the negative (rain) branch, 1 the empty prompt. Text queries see the unswitched attention, so that the rain
    concept still reaches the blocks between the switched ones.
    """

    def __init__(self, on: bool):
        self.on = on

    def __call__(self, attn, hidden_states, encoder_hidden_states, attention_mask=None, image_rotary_emb=None, **_):
        n = encoder_hidden_states.shape[1]
        h = torch.cat([encoder_hidden_states, hidden_states], 1)
        split = lambda x: x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        q, k, v = split(attn.to_q(h)), split(attn.to_k(h)), split(attn.to_v(h))
        q, k = attn.norm_q(q), attn.norm_k(k)
        sdpa = torch.nn.functional.scaled_dot_product_attention
        out = sdpa(q, k, v)
        if self.on and len(h) == 2:
            k, v = k.clone(), v.clone()
            k[0, :, :n], v[0, :, :n] = k[1, :, :n].clone(), v[1, :, :n].clone()
            out = torch.cat([out[:, :, :n], sdpa(q[:, :, n:], k, v)], 2)
        out = attn.to_out[1](attn.to_out[0](out.transpose(1, 2).flatten(2)))
        return out[:, n:], out[:, :n]


def blocks(text: str) -> set[int]:
    r = set()
    for part in filter(None, text.split(",")):
        a, _, b = part.partition("-"); r |= set(range(int(a), int(b or a) + 1))
    return r


@torch.no_grad()
def derain(o, frames: np.ndarray):
    """frames: [F, H, W, 3] uint8 -> the same length and size, derained."""
    root = pathlib.Path(o.model)
    net = CogVideoXTransformer3DModel.from_pretrained(root / "transformer").float().eval()
    vae = AutoencoderKLCogVideoX.from_pretrained(root / "vae").float().eval()
    encoder = T5EncoderModel.from_pretrained(root / "text_encoder").float().eval()
    tokenizer = T5Tokenizer.from_pretrained(root / "tokenizer")
    scheduler = CogVideoXDDIMScheduler.from_pretrained(root / "scheduler")
    N = o.steps
    scheduler.set_timesteps(N)
    times = [int(t) for t in scheduler.timesteps]                       # noisiest first
    abar = scheduler.alphas_cumprod.double()
    stride = scheduler.config.num_train_timesteps // N
    at = lambda t: float(abar[t]) if t >= 0 else float(scheduler.final_alpha_cumprod)
    variance = lambda t: (1 - at(t - stride)) / (1 - at(t)) * (1 - at(t) / at(t - stride))
    switched, taps = blocks(o.switch_blocks), {}

    def switch(on):
        net.set_attn_processor({n: Switching(on and int(n.split(".")[1]) in switched) for n in net.attn_processors})

    def embed(prompt):                                                  # no attention mask: padding is attended to, as in the pipeline
        ids = tokenizer(prompt, padding="max_length", max_length=net.config.max_text_seq_length, truncation=True, return_tensors="pt").input_ids
        return ids, encoder(ids)[0]

    def mean(v, t, x):                                                  # the deterministic DDIM move from t to t - stride
        a, b = at(t), at(t - stride)
        x0 = math.sqrt(a) * x - math.sqrt(1 - a) * v
        k = math.sqrt((1 - b) / (1 - a))
        return k * x + (math.sqrt(b) - math.sqrt(a) * k) * x0

    empty, (ids, rain) = embed("")[1], embed(o.negative_prompt)
    taps["token_ids"], taps["text"] = ids.int(), rain
    H, W = frames.shape[1:3]
    F, L, V = len(frames), o.segment, o.overlap
    total, weight = torch.zeros(F, 3, H, W), torch.zeros(F, 1, 1, 1)
    starts = [0]
    while starts[-1] + L < F:
        starts.append(starts[-1] + L - V)

    for number, start in enumerate(starts):
        clip = torch.from_numpy(frames[start:start + L]).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
        n = clip.shape[2]
        clip = torch.cat([clip] + [clip[:, :, -1:]] * ((1 - n) % 4), 2)  # 4k + 1 frames, the last one repeated
        clip = torch.nn.functional.pad(clip, (0, -W % 16, 0, -H % 16, 0, 0), mode="replicate")
        x0 = (vae.encode(clip).latent_dist.mode() * vae.config.scaling_factor).permute(0, 2, 1, 3, 4)   # [1, T, C, h, w]
        noise = gaussian(o.seed + number, (N, *x0.shape[1:]))
        path = [x0] + [math.sqrt(at(t)) * x0 + math.sqrt(1 - at(t)) * noise[i:i + 1] for i, t in enumerate(reversed(times))]

        switch(False)
        z = [None] * N                                                  # the noise that each reverse step has to add
        for i, t in enumerate(reversed(times)):                         # level i + 1 is timestep t
            if i >= N - o.skip: break
            s = math.sqrt(variance(t))
            z[i] = torch.zeros_like(x0) if s == 0 else (path[i] - mean(net(path[i + 1], timestep=torch.tensor([t]), encoder_hidden_states=empty)[0], t, path[i + 1])) / s
        switch(True)
        x = path[N - o.skip]
        for i in range(N - o.skip - 1, -1, -1):
            t = times[N - 1 - i]
            v = net(torch.cat([x, x]), timestep=torch.tensor([t, t]), encoder_hidden_states=torch.cat([rain, empty]))[0]
            v = v[:1] + o.guidance * (v[1:] - v[:1])
            x = mean(v, t, x) + math.sqrt(variance(t)) * z[i]
        if number == 0:
            taps.update(latent=x0, noise_first=noise[0], z_last=z[N - o.skip - 1], edited=x)
        picture = vae.decode(x.permute(0, 2, 1, 3, 4) / vae.config.scaling_factor).sample[0].permute(1, 0, 2, 3)[:n, :, :H, :W]
        ramp = torch.ones(n, 1, 1, 1)
        for k in range(min(V, n)):                                      # linear cross-fade where segments overlap
            if number > 0: ramp[k] = (k + 1) / (V + 1)
        if number + 1 < len(starts):
            for k in range(V): ramp[L - V + k] = 1 - (k + 1) / (V + 1)
        total[start:start + n] += ramp * picture; weight[start:start + n] += ramp
    picture = total / weight
    taps["picture"] = picture
    out = ((picture + 1) * 127.5 + .5).floor().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return out, {k: v.contiguous() for k, v in taps.items()}


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="command", required=True)
    m = sub.add_parser("make-model"); m.add_argument("folder"); m.add_argument("--seed", type=int, default=0)
    r = sub.add_parser("run")
    r.add_argument("--model", required=True); r.add_argument("--size", required=True); r.add_argument("--negative-prompt", default=NEGATIVE)
    r.add_argument("--steps", type=int, default=100); r.add_argument("--skip", type=int, default=40); r.add_argument("--guidance", type=float, default=15)
    r.add_argument("--switch-blocks", default="0-3,15-29"); r.add_argument("--seed", type=int, default=0)
    r.add_argument("--segment", type=int, default=49); r.add_argument("--overlap", type=int, default=8); r.add_argument("--taps")
    r.add_argument("--bf16", action="store_true", help="networks in bfloat16, by autocast")
    return p


def main():
    o = parser().parse_args()
    if o.command == "make-model":
        return make_model(o.folder, o.seed)
    w, h = map(int, o.size.split("x"))
    with torch.autocast("cpu", torch.bfloat16, enabled=o.bf16):
        out, taps = derain(o, np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(-1, h, w, 3))
    if o.taps: save_file(taps, o.taps)
    sys.stdout.buffer.write(out.tobytes())


if __name__ == "__main__":
    main()
