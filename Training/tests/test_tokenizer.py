from transformers import CLIPTokenizer

from tdm_training import tokenizer
from tdm_training.tasks import PROMPTS


def test_prompts_become_one_token_a_word_and_any_text_has_tokens(tmp_path):
    count = tokenizer.write(tmp_path)
    t = CLIPTokenizer.from_pretrained(tmp_path)
    assert len(t) == count
    for prompt in PROMPTS.values():
        ids = t(prompt).input_ids
        assert len(ids) == len(prompt.split()) + 2, prompt
        assert ids[0] == count - 2 and ids[-1] == count - 1
    ids = t("öde Zeichen 漢字 !?").input_ids
    assert count - 1 not in ids[:-1], "an unknown symbol was replaced by the end token"


def test_the_prompts_differ_in_their_tokens(tmp_path):
    tokenizer.write(tmp_path)
    t = CLIPTokenizer.from_pretrained(tmp_path)
    assert len({tuple(t(p).input_ids) for p in PROMPTS.values()}) == len(PROMPTS)
