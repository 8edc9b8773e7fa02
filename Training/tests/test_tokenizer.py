from transformers import CLIPTokenizer

from tdm_training import tokenizer
from tdm_training.tasks import PROMPTS


def test_prompts_take_few_tokens_and_any_text_has_some_that_spell_it(tmp_path):
    count = tokenizer.write(tmp_path)
    t = CLIPTokenizer.from_pretrained(tmp_path)
    assert len(t) == count
    for prompt in PROMPTS.values():
        ids = t(prompt).input_ids
        assert len(ids) - 2 <= len(prompt) / 2, prompt
        assert ids[0] == count - 2 and ids[-1] == count - 1
    for text in ("remove the noise", "\u00f6de zeichen \u6f22\u5b57 !?"):
        ids = t(text).input_ids
        assert count - 1 not in ids[:-1], "an unknown symbol was replaced by the end token"
        assert t.decode(ids[1:-1]).replace(" ", "") == text.replace(" ", "")


def test_the_prompts_differ_in_their_tokens(tmp_path):
    tokenizer.write(tmp_path)
    t = CLIPTokenizer.from_pretrained(tmp_path)
    assert len({tuple(t(p).input_ids) for p in PROMPTS.values()}) == len(PROMPTS)
