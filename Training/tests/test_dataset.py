import cv2
import numpy as np
import pytest
import torch

from tdm_training.dataset import CleanPictures, DegradedPairs, find_pairs, find_pictures
from tdm_training.tasks import EMPTY, PROMPTS

DATA = {"short_side": 64, "side": 48, "seed": 3, "held_out": 2}
SHARES = dict.fromkeys(PROMPTS, 1.0)


def same(a: dict, b: dict) -> bool:
    return all(torch.equal(a[k], b[k]) if isinstance(a[k], torch.Tensor) else a[k] == b[k] for k in a)


def test_an_example_depends_on_its_number_and_the_seed_alone(photographs):
    items = find_pictures(photographs)
    one, two = DegradedPairs(items, DATA, SHARES), DegradedPairs(items, DATA, SHARES)
    for n in (5, 0, 23):
        assert same(one[n], two[n])
    assert not same(one[5], DegradedPairs(items, DATA | {"seed": 4}, SHARES)[5])
    assert not same(one[5], one[5 + len(items)])


def test_an_epoch_has_every_picture_once_in_an_order_of_its_own(photographs):
    data = CleanPictures(find_pictures(photographs), DATA)
    orders = [[data.draw(n + epoch * len(data))[0] for n in range(len(data))] for epoch in range(2)]
    assert set(orders[0]) == set(orders[1]) == set(data.items) and orders[0] != orders[1]


def test_examples_have_the_size_the_task_and_its_prompt(photographs):
    data = DegradedPairs(find_pictures(photographs), DATA, SHARES)
    tasks = set()
    for n in range(40):
        e = data[n]
        assert e["clean"].shape == e["degraded"].shape == (3, 48, 48)
        assert 0 <= float(e["degraded"].min()) and float(e["degraded"].max()) <= 1
        assert e["prompt"] == PROMPTS[e["task"]]
        tasks.add(e["task"])
    assert tasks == set(PROMPTS)


def test_a_caption_beside_a_picture_is_its_prompt(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (64, 80, 3), dtype=np.uint8)
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    (tmp_path / "a.txt").write_text("a field of noise\n")
    data = CleanPictures(find_pictures(tmp_path), DATA)
    prompts = {data.draw(n)[0].clean.stem: [] for n in range(20)}
    for n in range(20):
        prompts[data.draw(n)[0].clean.stem].append(data[n]["prompt"])
    assert set(prompts["a"]) == {"a field of noise"}
    assert set(prompts["b"]) <= {EMPTY, *PROMPTS.values()} and EMPTY in prompts["b"]


def test_given_pairs_are_cropped_alike_and_small_ones_enlarged(tmp_path):
    ramp = np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)[..., None].repeat(3, 2)
    for task, degraded in (("derain", 255 - ramp), ("superres", ramp[::4, ::4])):
        for kind, picture in (("clean", ramp), ("degraded", degraded)):
            (tmp_path / task / kind).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / task / kind / "1.png"), picture)
    data = DegradedPairs(find_pairs(tmp_path), DATA | {"short_side": 96}, SHARES)
    seen = {}
    for n in range(4):
        seen[data[n]["task"]] = data[n]
    assert torch.allclose(seen["derain"]["degraded"], 1 - seen["derain"]["clean"], atol=1e-6)
    assert float((seen["superres"]["degraded"] - seen["superres"]["clean"]).abs().mean()) < 0.02


def test_what_is_wrong_with_a_folder_of_pairs_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no pairs found"):
        find_pairs(tmp_path)
    (tmp_path / "dehaze" / "degraded").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "dehaze" / "degraded" / "1.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(FileNotFoundError, match="dehaze/clean/1.png: missing"):
        find_pairs(tmp_path)
