"""A byte-level CLIP vocabulary of a few hundred symbols, in the files that transformers.CLIPTokenizer reads.

OpenAI's vocabulary has 49,408 entries whose embeddings would outweigh the whole embedded model. Bytes spell any prompt;
the words of the tasks' prompts are merged into one or a few tokens: a word is cut where it holds a pair that an earlier
word begins with.
"""

import json
from pathlib import Path

from .tasks import PROMPTS

BEGIN, END = "<|startoftext|>", "<|endoftext|>"


def byte_symbols() -> list[str]:
    """The printable stand-ins that GPT-2's and CLIP's tokenizers give the 256 bytes, printable bytes first."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(len(others))]


def merges(words: list[str]) -> list[tuple[str, str]]:
    """Pairs that build each word from its left end; a word's last letter carries the end mark."""
    pairs: dict[tuple[str, str], None] = {}
    for word in words:
        *letters, last = word
        built, rest = (letters + [last + "</w>"])[0], (letters + [last + "</w>"])[1:]
        for part in rest:
            pairs.setdefault((built, part))
            built += part
    return list(pairs)


def write(folder: Path) -> int:
    """Writes the tokenizer's files and returns the number of tokens; the last two are begin and end."""
    words = sorted({w for prompt in PROMPTS.values() for w in prompt.split()})
    pairs = merges(words)
    symbols = byte_symbols()
    tokens = [*symbols, *(s + "</w>" for s in symbols), *(a + b for a, b in pairs)]
    tokens = [*dict.fromkeys(tokens), BEGIN, END]
    marks = {"bos_token": BEGIN, "eos_token": END, "unk_token": END, "pad_token": END}
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "vocab.json": json.dumps({t: i for i, t in enumerate(tokens)}, ensure_ascii=False),
        "merges.txt": "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in pairs),
        "tokenizer_config.json": json.dumps(
            {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **marks}, indent=2
        ),
        "special_tokens_map.json": json.dumps(marks, indent=2),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return len(tokens)
