#!/usr/bin/env python3
"""Packs a model's folder, as diffusers writes it, into one .tdmpack file (the format: Protocol/model-files.md).

    pip install torch safetensors zstandard
    pack.py FOLDER OUT.tdmpack [--bits N] [--bits-of INNER=N]...

Weights become float16; a value that float16 cannot hold is refused by name. With --bits, 4 to 7, each becomes a number of steps, which a byte holds, and of which
one as large as its tensor's standard deviation has 2^(N-1) to 2^N; those of the first and last layers stay as they are. With 5 that is two fifths of float16 to store. --bits-of says it for
a model within the folder by itself. The same folder always makes the same file, with the same version of zstandard.
"""
import argparse
import json
import pathlib
import struct
import sys
from dataclasses import dataclass, replace

import numpy as np
import torch
import zstandard
from safetensors import safe_open

MAGIC, VERSION, HEADER_SIZE = b"TDMPACK\n", 3, 32
# Weights are noise in their low bytes, and more effort often finds less: the smallest of these is taken.
LEVELS = (1, 3, 9, 19)
# What diffusers and transformers write and the program reads, part by part.
PARTS = {
    "controlnet": ("config.json", "diffusion_pytorch_model.safetensors"),
    "scheduler": ("scheduler_config.json",),
    "text_encoder": ("config.json", "model.safetensors"),
    "tokenizer": ("tokenizer_config.json", "vocab.json", "merges.txt", "tokenizer.json", "special_tokens_map.json"),
    "unet": ("config.json", "diffusion_pytorch_model.safetensors"),
    "vae": ("config.json", "diffusion_pytorch_model.safetensors"),
}
# Of this class are autoencoders without weights.
WEIGHTLESS = "AutoencoderHaar"
OPTIONAL = {"presets.json", "tokenizer/vocab.json", "tokenizer/merges.txt", "tokenizer/tokenizer.json", "tokenizer/special_tokens_map.json"}


class PackError(Exception):
    """Why a folder cannot be packed, in one line."""


FLOAT16_BITS = 11  # significant ones, the first of which is not stored
# What a picture passes on its way in and out is never rounded: an error there is one of every pixel's colour, and costs up to 5 dB of what is nearly clean.
EXACT = {"conv_in", "conv_out", "controlnet_cond_embedding"}


FARTHEST = 127  # steps that a signed byte holds
ELSEWHERE = -128  # in a step's place: the number is further away, and kept as it is
EXPONENTS = range(-24, 10)  # of steps whose FARTHEST multiples float16 holds exactly


def half(tensor: torch.Tensor, name: str, bits: int) -> tuple[np.ndarray, np.ndarray | None, int | None]:
    """Weights as float16 holds them, and where `bits` are fewer than it has as steps of a power of 2, which is the exponent: of `bits` significant bits of a
    weight as large as the tensor's standard deviation. What lies further away keeps so many of its own. Biases are few and keep all."""
    weights = tensor.float()
    exponent = steps = None
    values = weights
    if weights.dim() >= 2 and bits < FLOAT16_BITS:
        exponent = max(int(torch.frexp(weights.std(correction=0))[1]) - bits, EXPONENTS[0])
    if exponent in EXPONENTS:
        steps = torch.round(torch.ldexp(weights, torch.tensor(-exponent)))
        finest = torch.frexp(weights)[1] - bits
        far = torch.ldexp(torch.round(torch.ldexp(weights, -finest)), finest)
        is_near = steps.abs() <= FARTHEST
        values = torch.where(is_near, torch.ldexp(steps, torch.tensor(exponent)), far)
        steps = torch.where(is_near, steps, ELSEWHERE).to(torch.int8).numpy()
    values = values.to(torch.float16)
    if not bool(torch.isfinite(values).all()):
        largest = float(tensor.float().nan_to_num(nan=float("inf")).abs().max())
        raise PackError(f"{name}: expected finite values up to 65504, found {largest:g}: float16 cannot hold it")
    return values.contiguous().numpy().astype("<f2", copy=False), steps, exponent if steps is not None else None


@dataclass(frozen=True)
class File:
    """`kept`: what is compressed of it, of `size` bytes. `members`: what the index says of how."""

    path: str
    kept: bytes
    size: int
    members: dict


def half_weights(path: pathlib.Path, name: str, bits: int) -> File:
    """A safetensors file with every tensor in float16, by name."""
    table, numbers, steps, runs, offset = {"__metadata__": {"format": "pt"}}, [], [], [], 0
    with safe_open(path, "pt") as file:
        for tensor_name in sorted(file.keys()):
            tensor = file.get_tensor(tensor_name)
            if not tensor.is_floating_point():
                if tensor_name.rsplit(".", 1)[-1] == "position_ids":
                    continue  # the numbers 0, 1, 2 ...: no network reads them
                raise PackError(f"{path}: {tensor_name}: expected floating point, found {tensor.dtype}")
            kept = bits if EXACT.isdisjoint(tensor_name.split(".")) else FLOAT16_BITS
            values, own, exponent = half(tensor, f"{path}: {tensor_name}", kept)
            table[tensor_name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [offset, offset + values.nbytes]}
            offset += values.nbytes
            if own is None:
                numbers.append(values.ravel())
                runs.append([values.size])
            else:
                steps.append(own.ravel())
                numbers.append(values[own == ELSEWHERE])
                runs.append([values.size, exponent])
    header = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    header = struct.pack("<Q", len(header)) + header
    halves = b"".join(x.tobytes() for x in numbers)
    kept = header + b"".join(x.tobytes() for x in steps) + halves[0::2] + halves[1::2]
    return File(name, kept, len(header) + offset, {"planesFrom": len(header)} | ({"steps": runs} if steps else {}))


def collect(folder: pathlib.Path, bits: int = FLOAT16_BITS, bits_of: dict[str, int] = {}) -> list[File]:
    """Each file to pack: those of the model and of the models within it that its presets name."""
    files = collect_model(folder, bits)
    names = inner_models(folder)
    if unknown := sorted(bits_of.keys() - set(names)):
        raise PackError(f"--bits-of {unknown[0]}: expected a model within {folder}, {', '.join(names) or 'which has none'}")
    for inner in names:
        own = collect_model(folder / inner, bits_of.get(inner, bits))
        files += [replace(file, path=f"{inner}/{file.path}") for file in own]
    return files


def inner_models(folder: pathlib.Path) -> list[str]:
    """The folders of models that run tasks in this one's place."""
    path = folder / "presets.json"
    presets = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    named = set()
    for preset, values in presets.items():
        for task, inner in values.get("task_model", {}).items():
            if not isinstance(inner, str) or not inner or inner.startswith(".") or "/" in inner:
                raise PackError(f"{path}: {preset}: task_model: {task}: expected the name of a folder within the model's, found {inner!r}")
            named.add(inner)
    return sorted(named)


def collect_model(folder: pathlib.Path, bits: int) -> list[File]:
    """As `collect`, without the models within it."""
    parts = dict(PARTS)
    index = folder / "model_index.json"
    needed = not index.is_file() or "controlnet" in json.loads(index.read_text(encoding="utf-8"))
    if not needed and not (folder / "controlnet").exists():
        del parts["controlnet"]
    names = ["model_index.json", "presets.json"] + [f"{part}/{name}" for part, names in parts.items() for name in names]
    configuration = folder / "vae/config.json"
    if configuration.is_file() and json.loads(configuration.read_text(encoding="utf-8")).get("_class_name") == WEIGHTLESS:
        names.remove("vae/diffusion_pytorch_model.safetensors")
    files = []
    for name in names:
        path = folder / name
        if not path.is_file():
            if name in OPTIONAL:
                continue
            raise PackError(f"{path}: missing: a model needs it")
        if name.endswith(".safetensors"):
            files.append(half_weights(path, name, bits))
            continue
        content = path.read_bytes()
        if name.endswith(".json"):
            content = json.dumps(json.loads(content), separators=(",", ":"), ensure_ascii=False).encode()
        files.append(File(name, content, len(content), {}))
    paths = {file.path for file in files}
    if not ({"tokenizer/vocab.json", "tokenizer/merges.txt"} <= paths or "tokenizer/tokenizer.json" in paths):
        raise PackError(f"{folder}/tokenizer/vocab.json: missing: a model needs it, with merges.txt")
    if "tokenizer/vocab.json" in paths:
        files = [file for file in files if file.path != "tokenizer/tokenizer.json"]  # the same again
    return files


def frame(content: bytes) -> bytes:
    compressors = (zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True) for level in LEVELS)
    return min((compressor.compress(content) for compressor in compressors), key=len)


def pack(folder: pathlib.Path, bits: int = FLOAT16_BITS, bits_of: dict[str, int] = {}) -> bytes:
    files = [(file, frame(file.kept)) for file in collect(folder, bits, bits_of)]
    index = {"files": [{"path": file.path, "size": file.size, "packed": len(packed)} | file.members for file, packed in files]}
    head = json.dumps(index, separators=(",", ":")).encode()
    parts = [frame(head)] + [packed for _, packed in files]
    size = HEADER_SIZE + sum(map(len, parts))
    return MAGIC + struct.pack("<IIIIQ", VERSION, len(parts[0]), len(head), 0, size) + b"".join(parts)


def significant_bits(text: str) -> int:
    if not text.isdecimal() or int(text) not in (*range(4, 8), FLOAT16_BITS):
        raise argparse.ArgumentTypeError(f"expected 4 to 7, or {FLOAT16_BITS}, found {text}")
    return int(text)


def bits_of_inner(text: str) -> tuple[str, int]:
    inner, _, bits = text.partition("=")
    return inner, significant_bits(bits)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--bits", type=significant_bits, default=FLOAT16_BITS, metavar="N", help="of each weight as large as its tensor's standard deviation, 4 to 7; 11: all as they are")
    parser.add_argument("--bits-of", type=bits_of_inner, action="append", default=[], metavar="INNER=N",
                        help="of the weights of a model within the folder; may repeat")
    options = parser.parse_args()
    try:
        packed = pack(options.folder, options.bits, dict(options.bits_of))
    except PackError as error:
        print(f"pack.py: {error}", file=sys.stderr)
        return 66
    # Renamed into place: a program that has the old file mapped keeps the old file.
    partial = options.out.with_name(options.out.name + ".partial")
    partial.write_bytes(packed)
    partial.rename(options.out)
    print(f"{options.out}: {len(packed)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
