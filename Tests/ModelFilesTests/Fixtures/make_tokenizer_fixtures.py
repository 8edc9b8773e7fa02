#!/usr/bin/env python3
"""Makes tokenizer/: small CLIP tokenizers in several layouts, and what transformers' CLIPTokenizer does with them.

    pip install transformers && ./make_tokenizer_fixtures.py

The vocabulary is byte-level like CLIP's: 256 symbols, the same ending a word, and the pairs that make a few words.
"""
import json
import pathlib
import random

from transformers import CLIPTokenizer

ROOT = pathlib.Path(__file__).parent / "tokenizer"
WORDS = ("remove", "the", "noise", "rain", "fog", "compression", "artifacts", "recover", "high", "resolution",
         "details", "rained", "noises", "##", "...", "über", "не", "日本", "'s", "don")
START, END = "<|startoftext|>", "<|endoftext|>"

TEXTS = [
    "", " ", "\t\n", "remove the noise", "Remove THE  Noise", "  remove\tthe\nnoise  ", "recover the high resolution details",
    "remove the compression artifacts", "a <cat-toy> in the rain", "<CAT-TOY>x the<Cat-Toy> <cat- toy> cat-toy", "[Plain] [plain] x[Plain]", "rain rained raining terrain", "it's don't I'M we'll he'd they've you're 'tis",
    "''s 'S ’s rock'n'roll", "a.b,c;d:e!f?g", "...the... ...", "#hash ## ### ####", "(the) [fog] {rain} <noise>", "high-resolution",
    "12345 3.14 1a2b 007 1,000", "½ ² Ⅷ ٣ 一二", "über ÜBER u\u0308ber naïve café cafe\u0301", "ΑΣ Σ ς ΌΣΟΣ", "İstanbul ı I", "ǅ ﬁ ß ẞ",
    "Привет, не надо шума", "日本語のノイズ 日本", "한국어 \u1112\u1161\u11ab", "עברית العربية", "हिन्दी ไทย", "😀 👍🏽 👩‍👩‍👧 🇩🇪", "noise😀rain",
    "a\u200bb a\u00a0b a\u2003b a\u3000b\u0085c\ufeffd", "\u0301 \u0308x q\u0307\u0323", "tab\x00null \x7f\x1b[0m", "!!!", "hello!", "! a !b", "-- — – …",
    "<|endoftext|>", "a <|endoftext|> b", "a<|startoftext|>b<|endoftext|>", "<|ENDOFTEXT|> a", "<|StartOfText|>", "<|endoftext|", "x!<|EndOfText|>",
    "\\ / | ~ ` ^ _ = + * & % $ @", "\"quoted\" 'single'", "𝒞𝓁𝒾𝓅 𐐀 𝟙", "e\u0301e\u0301e\u0301 Å \u212b", "mixed123abc 4k 1080p", "remove" * 12,
    "noise " * 100, "x" * 200, "the noise, " * 20 + "fog", "a" * 74 + " b", "1" * 80, "é" * 60,
]


def random_texts(count: int) -> list[str]:
    """Texts of pieces that meet each other in ways that nobody thought of."""
    pick = random.Random(5)
    pieces = list("abcdenorsthé!?.,'’ \t#") + list(WORDS) + ["'ll", "'RE", END, "<|", "|>", "9", "½", "Ü", "\u0301", "ي", "雨", "🌧", "\u2009", "Ⅳ"]
    return ["".join(pick.choice(pieces) for _ in range(pick.randrange(1, 30))) for _ in range(count)]


def byte_symbols() -> tuple[list[str], dict[int, str]]:
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [byte for byte in range(256) if byte not in printable]
    table = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(rest)}
    return [table[byte] for byte in printable + rest], table


def write_vocabulary(folder: pathlib.Path) -> None:
    symbols, table = byte_symbols()
    merges = []
    for word in WORDS:
        parts = [table[byte] for byte in word.encode()]
        parts[-1] += "</w>"
        while len(parts) > 1:
            if (parts[0], parts[1]) not in merges:
                merges.append((parts[0], parts[1]))
            parts = [parts[0] + parts[1]] + parts[2:]
    # Pairs that compete with the words' own, so that ranks and repeated merging matter.
    merges[3:3] = [("o", "i"), ("a", "a"), ("aa", "aa"), ("n", "o"), ("e", "n"), ("a", "i")]
    vocabulary = symbols + [symbol + "</w>" for symbol in symbols] + ["".join(pair) for pair in merges] + [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    ids = {token: i for i, token in enumerate(dict.fromkeys(vocabulary))}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))


def added(text: str, **flags) -> dict:
    return {"__type": "AddedToken", "content": text, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False} | flags


def layouts(size: int) -> dict[str, dict[str, dict]]:
    """The files beside a vocabulary of so many symbols, as they are found in published models."""
    roles = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    plain = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77}
    old = {role: {key: value for key, value in added(text).items() if key != "__type"} for role, text in roles.items()}
    return {
        # Stable Diffusion 1.5: the padding is the end token.
        "end-padded": {"tokenizer_config.json": plain | roles},
        # Stable Diffusion 2: the padding is "!", which so becomes a token wherever a prompt has one.
        "exclamation-padded": {"tokenizer_config.json": plain | roles | {"pad_token": "!"}},
        "old-map": {"tokenizer_config.json": plain | {role: added(text) for role, text in roles.items()},
                    "special_tokens_map.json": old | {"pad_token": "!"}},
        "old-config": {"tokenizer_config.json": plain | {role: added(text) for role, text in roles.items()} | {"pad_token": END}},
        "table": {"tokenizer_config.json": plain | roles | {"pad_token": "!", "added_tokens_decoder": {
            "0": {key: value for key, value in added("!", normalized=False, special=True).items() if key != "__type"}}}},
        "bare": {},
        # Words that were added to a model, behind its vocabulary.
        "added": {"tokenizer_config.json": plain | roles | {"added_tokens_decoder": {
            str(size + i): {key: value for key, value in added(text, **flags).items() if key != "__type"}
            for i, (text, flags) in enumerate({"<Cat-Toy>": {}, "[Plain]": {"normalized": False}}.items())}}},
        # Tokens whose numbers leave gaps, and that take white space with them or stand by themselves only.
        "gaps": {"tokenizer_config.json": plain | roles | {"added_tokens_decoder": {
            str(size + 3 * i + 2): {key: value for key, value in added(text, **flags).items() if key != "__type"}
            for i, (text, flags) in enumerate({
                "<cat-toy>": {"lstrip": True}, "[Plain]": {"normalized": False, "rstrip": True}, "rain": {"single_word": True},
            }.items())}}},
        # Special tokens without a role, in either place, and a padding that the vocabulary lacks.
        "listed": {"tokenizer_config.json": plain | roles | {"pad_token": "<pad>", "additional_special_tokens": ["<Cat-Toy>", "[Plain]"]},
                   "added_tokens.json": {"<Cat-Toy>": size + 1, "rain": size}},
        # In the configuration's list an object, whose case counts, and a text.
        "objects": {"tokenizer_config.json": plain | roles | {"additional_special_tokens": [added("<CAT-TOY>", normalized=False, special=True), "[Plain]"]},
                    "added_tokens.json": {"<CAT-TOY>": size, "[Plain]": size + 1}},
        "mapped": {"tokenizer_config.json": plain | roles, "special_tokens_map.json": {"additional_special_tokens": ["[Plain]", "rain"]}},
    }


def main() -> None:
    texts = TEXTS + random_texts(120)
    write_vocabulary(ROOT)
    expected = {}
    for name, files in layouts(len(json.loads((ROOT / "vocab.json").read_text()))).items():
        folder = ROOT / name
        folder.mkdir(exist_ok=True)
        for file in ("vocab.json", "merges.txt"):
            (folder / file).write_bytes((ROOT / file).read_bytes())
        for file, content in files.items():
            (folder / file).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
        tokenizer = CLIPTokenizer.from_pretrained(folder)
        some = texts if name == "end-padded" else texts[:50]
        expected[name] = [tokenizer(text, padding="max_length", max_length=77, truncation=True).input_ids for text in some]
        if name == "end-padded":
            tokenizer.save_pretrained(ROOT / "single-file")  # what transformers 5 writes: no vocab.json
            expected["single-file"] = expected[name][:50]
            # A word that was added later: the older files beside know nothing of it.
            tokenizer.add_tokens(["<cat-toy>"])
            tokenizer.save_pretrained(ROOT / "older-files-beside")
            for file in ("vocab.json", "merges.txt"):
                (ROOT / "older-files-beside" / file).write_bytes((ROOT / file).read_bytes())
            tokenizer = CLIPTokenizer.from_pretrained(ROOT / "older-files-beside")
            expected["older-files-beside"] = [
                tokenizer(text, padding="max_length", max_length=77, truncation=True).input_ids for text in texts[:50]]
            for file in ("vocab.json", "merges.txt"):
                (ROOT / "older-files-beside" / file).unlink()
        for file in ("vocab.json", "merges.txt"):
            (folder / file).unlink()

    def trimmed(ids: list[int]) -> list[int]:
        """Without the padding but for one token of it, which tells what it is."""
        last = len(ids)
        while last > 1 and ids[last - 1] == ids[-1]:
            last -= 1
        return ids[:min(last + 1, len(ids))]

    (ROOT / "expected.json").write_text(
        "{\n \"texts\": [\n  " + ",\n  ".join(json.dumps(text) for text in texts) + "\n ],\n"
        + ",\n".join(f" {json.dumps(name)}: [\n  " + ",\n  ".join(json.dumps(trimmed(ids), separators=(",", ":")) for ids in rows) + "\n ]"
                     for name, rows in expected.items()) + "\n}\n")


if __name__ == "__main__":
    main()
