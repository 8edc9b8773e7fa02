#!/usr/bin/env python3
"""Makes t5-tokenizer/: small T5 tokenizers in several layouts, and what transformers' T5Tokenizer does with them.

    pip install transformers sentencepiece && ./make_t5_tokenizer_fixtures.py

Each layout is a folder tokenizer/ as diffusers writes it. The model of `cog` has the charsmap that sentencepiece makes unless it is
told otherwise (nmt_nfkc), that of `identity` has none, and the others share one with a few rules of their own.
"""
import io
import json
import pathlib
import random
import shutil
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from transformers import T5Tokenizer

ROOT = pathlib.Path(__file__).parent / "t5-tokenizer"
LENGTHS = (1, 2, 24, 226)
SENTENCES = """
Remove the noise, the rain, the fog and the compression artifacts; recover the details in high resolution.
A panda in a red jacket plays the guitar in a quiet bamboo forest, and the other pandas watch and clap.
The camera follows a white car on a steep dirt road between pine trees, sunlight shines through the dust.
Naïve café, über, façade, jalapeño, Ærøskøbing, Łódź, Đà Nẵng, İstanbul: déjà vu à la carte, 100% crème brûlée!
Удалить шум, дождь и туман; не терять детали. Ελληνικά: αφαίρεσε τον θόρυβο. עברית וערבית: أزل الضوضاء.
日本語のノイズを除去する。雨と霧を消して、細部を回復。中文：去除噪声和雨，恢复高分辨率细节。한국어: 소음을 제거하라.
1234567890 3.14159 2,718 1080p 4k 24fps 0:15 12/31/1999 (a) [b] {c} <d> "e" 'f' g's don't it's #1 @2 $3 €4 £5 50% a&b x=y+z -1 ~ ^ _ | \\ / * ?
""".strip().splitlines()
# The model's own rules: a character, a pair and a longer run, some of which start alike; one gives nothing.
RULES = {"½": "1/2", "ﬁ": "fi", "e\u0301": "é", "E": "e", "\u00ad": "", "\u3000": " ", "ＡＢＣ": "abc", "Ａ": "A", "\u200b": " ", "...": "…",
         "क\u094d\u0937": "x", "<": "‹"}

TEXTS = [
    "", " ", " \t\n\u3000\u00a0", "the", "Remove the noise.", "  remove   the\tnoise \n and\r\nthe rain ", "recover the high-resolution details",
    "A panda, in a red jacket, plays the guitar", "3.14159 and 1080p at 24fps: 50% of $3", "naïve café cafe\u0301 u\u0308ber ÜBER",
    "Đà Nẵng Đa\u0300 Na\u0306\u0303ng", "Удалить шум", "日本語のノイズを除去する。", "中文：去除噪声", "한국어 \u1112\u1161\u11ab\u1100\u116e\u11a8", "עברית أزل الضوضاء", "हिन्दी क्ष ไทย",
    "😀", "😀😀😀", "a😀b 😀 😀c", "👍🏽 👩‍👩‍👧 🇩🇪🇫🇷 ❤️", "noise😀rain", "ᚠᚢᚦ the ᚠ", "ＡＢＣ　ｎｏｉｓｅ １２３", "Ａx ＡＢＣD", "ﬁre oﬃce ﬁ\u0301 ﬀ\u0301",
    "½ ¼ ² Ⅷ ㎏ ㍿ ℃", "½\u0301 ²\u0301x ﷺ", "soft\u00adhyphen zero\u200bwidth\u200cjoin\u200der\u2060x\ufeff", "\u200d \u200b", "a\u0301\u0302\u0303 \u0301 \u0301a",
    "tab\tnew\nline\vfeed\fx\x85y\u2028z\u2029w", "\x00 a\x00b \x01\x1f\x7f\x80\x9f", "a\u2003b\u2009c\u202fd\u205fe\u180ef", "▁", "▁▁a", "a▁b ▁c c▁", "▁ ▁ a",
    "</s>", "a</s>b", "a </s> b</s>", "<pad> <unk> <s>", "the<unk>noise", "< / s >", "＜/s＞ ＜ｕｎｋ＞", "</S>", "<extra_id_0>", "the <extra_id_0> rain <extra_id_1>fog",
    "  <extra_id_99>  x", "<extra_id_100> <extra_id_00>", "＜extra_id_0＞", "a<extra_id_1><extra_id_2> <extra_id_3>b", "<extra_id_5", "<Cat-Toy> a<Cat-Toy>b <cat-toy>",
    "see one-word, xone-word one-word. a one-word", "[ left] x  [ left] y", "x right  y right", "fine ﬁne refined E\u0301clair", "... .... ...... a...b", "don't it's x'f g's",
    "(a) [b] {c} \"e\" 'f' #1 @2 x=y+z ~ ^ _ | \\ / * ?", "the noise, " * 12, "remove" * 30, "x" * 100, "日" * 60, "😀" * 60, "a " * 300, "the " * 225 + "end", "noise" * 300,
    "\u0600\u0661 \u0600½", "\U000110bd1", "\u1100\u1161\u11a8\u11a8", "𝒞𝓁𝒾𝓅 𝟙 𐐀", "e\U0001d165", "①②③ ⒈ ⑴", "ｶﾞｷﾞ ｶ\u3099", "ŉ ǆ ſt ẛ\u0323", "\u1e9b\u0323 \u2126 \u212b",
]


def random_texts(count: int) -> list[str]:
    """Texts of pieces that meet each other in ways that nobody thought of."""
    pick = random.Random(5)
    pieces = list("abcdenorsthé!?.,'’ \t#▁E<") + ["noise", "the ", " rain", "</s>", "<extra_id_7>", "９", "½", "Ü", "\u0301", "\u200d", "ي", "雨", "🌧", "\u2009",
                                                   "Ⅳ", "ﬁ", "Ａ", "ＡＢＣ", "<unk>", "\u0903", "क", "\u094d", "\r\n", "\u00ad", "<pad>", " one-word"]
    return ["".join(pick.choice(pieces) for _ in range(pick.randrange(1, 30))) for _ in range(count)]


def train(**options) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 3), model_writer=model, model_type="unigram", hard_vocab_limit=False, num_threads=1,
        character_coverage=0.99, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2, **options)
    return model.getvalue()


def with_rules(**options) -> bytes:
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        for old, new in RULES.items():
            print(*(" ".join(f"{ord(c):X}" for c in side) for side in (old, new)), sep="\t", file=file)
        file.flush()
        model = sentencepiece_model_pb2.ModelProto.FromString(train(normalization_rule_tsv=file.name, **options))
    model.normalizer_spec.ClearField("normalization_rule_tsv")  # a name that is another every time
    return model.SerializeToString()


def token(text: str, **flags) -> dict:
    return {"content": text, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True} | flags


def layouts() -> dict[str, tuple[bytes, dict[str, dict]]]:
    """A model, and the files beside it."""
    extras = [f"<extra_id_{i}>" for i in range(100)]
    nfkc = train(vocab_size=420)
    rules = with_rules(vocab_size=300, user_defined_symbols=["one-word", "..."])
    size = sentencepiece.SentencePieceProcessor(model_proto=nfkc).get_piece_size()
    roles = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    numbers = {text: size + 99 - i for i, text in enumerate(extras)}
    table = {str(i): token(text) for i, text in enumerate(roles[role] for role in ("pad_token", "eos_token", "unk_token"))}
    table |= {str(number): token(text, lstrip=True, rstrip=True) for text, number in sorted(numbers.items(), key=lambda pair: pair[1])}
    added = [token("<Cat-Toy>", normalized=True, special=False), token("xone-word"), token("[ left]", lstrip=True), token("right", rstrip=True, special=False),
             token("ﬁne", normalized=True, special=False), token("see", single_word=True)]
    return {
        # As CogVideoX has it.
        "cog": (nfkc, {
            "tokenizer_config.json": {"added_tokens_decoder": table, "additional_special_tokens": extras, "clean_up_tokenization_spaces": True,
                                      "extra_ids": 100, "legacy": True, "model_max_length": 226, "sp_model_kwargs": {}, "tokenizer_class": "T5Tokenizer"} | roles,
            "special_tokens_map.json": {"additional_special_tokens": extras} | {role: {k: v for k, v in token(text).items() if k != "special"} for role, text in roles.items()},
            "added_tokens.json": numbers}),
        "identity": (train(vocab_size=420, normalization_rule_name="identity"), {}),
        "rules": (rules, {"tokenizer_config.json": {"extra_ids": 7}}),
        # Before the table: the tokens' flags follow from where they are listed.
        "map": (rules, {"tokenizer_config.json": {"additional_special_tokens": extras[:3]},
                        "special_tokens_map.json": {"eos_token": {k: v for k, v in token("</s>", lstrip=True).items() if k != "special"}, "pad_token": "the"},
                        "added_tokens.json": {extras[0]: 1000, extras[50]: 1001, "</s>": 1, "a word": 7}}),
        "words": (rules, {"tokenizer_config.json": {"added_tokens_decoder": {str(5000 + i): text for i, text in enumerate(added)},
                                                    "eos_token": "<end>", "extra_special_tokens": ["fog"]}}),
    }


def main() -> None:
    texts = TEXTS + random_texts(150)
    shutil.rmtree(ROOT, ignore_errors=True)
    expected = {}

    def ids(tokenizer, some: list[str]) -> dict[str, list[list[int]]]:
        def trimmed(row: list[int]) -> list[int]:
            """Without the padding but for one token of it, which tells what it is."""
            last = len(row)
            while last > 1 and row[last - 1] == row[-1]:
                last -= 1
            return row[:last + 1]
        return {str(length): [trimmed(tokenizer(text, padding="max_length", max_length=length, truncation=True).input_ids)
                              for text in (some if length == LENGTHS[-1] else some[:40 if length == 24 else 12])] for length in LENGTHS}

    for name, (model, files) in layouts().items():
        folder = ROOT / name
        folder.mkdir(parents=True)
        (folder / "spiece.model").write_bytes(model)
        for file, content in files.items():
            (folder / file).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        tokenizer = T5Tokenizer.from_pretrained(folder)
        expected[name] = ids(tokenizer, texts if name in ("cog", "identity", "rules") else TEXTS)
        if name == "rules":
            single = ROOT / "single-file"
            tokenizer.save_pretrained(single)  # what transformers 5 writes: no spiece.model
            (single / "spiece.model").unlink(missing_ok=True)
            expected["single-file"] = ids(T5Tokenizer.from_pretrained(single), TEXTS)
        if name in ("map", "words"):  # whose model is that of `rules`
            (folder / "spiece.model").unlink()

    (ROOT / "expected.json").write_text(
        "{\n \"texts\": [\n  " + ",\n  ".join(json.dumps(text) for text in texts) + "\n ],\n"
        + ",\n".join(f" {json.dumps(name)}: {{\n" + ",\n".join(f"  {json.dumps(length)}: [\n   "
                     + ",\n   ".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n  ]" for length, rows in lengths.items()) + "\n }"
                     for name, lengths in expected.items()) + "\n}\n")


if __name__ == "__main__":
    main()
