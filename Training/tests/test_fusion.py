import numpy as np

from tdm_training import denoiser, examples
from tdm_training.degradations.common import blur
from tdm_training.examples import Examples
from tdm_training.fusion import fused
from tdm_training.pictures import CropSource


def scene(frames, height=96, width=112):
    rng = np.random.default_rng(3)
    coarse = rng.random((8, 10, 3), dtype=np.float32) * 0.6 + 0.2
    picture = np.kron(coarse, np.ones((12, 12, 1), np.float32))[:height, :width]
    return np.stack([picture] * frames)


def psnr(a, b):
    return -10 * np.log10(np.square(a - b).mean())


def test_frames_that_show_the_same_lose_their_noise():
    clean = scene(7)
    noisy = clean + np.random.default_rng(1).standard_normal(clean.shape, dtype=np.float32) * np.float32(20 / 255)
    out = fused(noisy, 2, range(1, 6))
    assert out.shape == (5, *clean.shape[1:])
    # Five frames instead of one: 7 dB at most.
    assert psnr(out[2], clean[3]) > psnr(noisy[3], clean[3]) + 5.5


def test_coarse_noise_is_found_along_the_motion():
    clean = scene(7)
    coarse = np.stack([blur(f, 1) for f in np.random.default_rng(1).standard_normal(clean.shape[:3], dtype=np.float32)])
    noisy = clean + coarse[..., None] / coarse.std() * np.float32(4 / 255)
    out = fused(noisy, 2, range(1, 6))
    assert psnr(out[2], clean[3]) > psnr(noisy[3], clean[3]) + 4


def test_what_stood_still_before_counts_with_its_history_and_what_moved_does_not():
    clean = scene(14)
    noisy = clean + np.random.default_rng(1).standard_normal(clean.shape, dtype=np.float32) * np.float32(20 / 255)
    alone, still = (fused(noisy, 2, range(11, 12), history=h)[0] for h in (False, True))
    # Five frames, then fourteen: 4.5 dB at most.
    assert psnr(still, clean[11]) > psnr(alone, clean[11]) + 2.5
    other = noisy.copy()
    other[:9] = other[:9, :, ::-1]
    moved = fused(other, 2, range(11, 12), history=True)[0]
    assert psnr(moved, clean[11]) > psnr(alone, clean[11]) - 0.3


def test_what_stood_still_stands_where_the_window_begins(monkeypatch):
    picture = (np.random.default_rng(5).random((200, 200, 3)) * 255).astype(np.uint8)
    seen = []
    monkeypatch.setattr(examples, "degrade", lambda task, clip, rng, kind: clip)
    monkeypatch.setattr(examples, "fused", lambda clip, radius, places, **how: seen.append((clip, places)) or clip[places.start : places.stop])
    drawn = Examples(CropSource([picture], [], 0), 1, radii={"denoise": 2}, history=16)
    for seed in range(60):
        drawn.one(np.random.default_rng(seed), "denoise", 32, 1, around=(2, 2))
    stood = [(clip, places.start - 2) for clip, places in seen if places.start > 3 and np.array_equal(clip[0], clip[1])]
    assert len(stood) > 10 and any(not np.array_equal(clip[at], clip[at + 1]) for clip, at in stood)
    for clip, at in stood:
        assert all(np.array_equal(frame, clip[at]) for frame in clip[:at])


def test_some_examples_have_a_history(monkeypatch):
    source = CropSource([(scene(1, 160, 160)[0] * 255).astype(np.uint8)], [], 0)
    def lengths(task, around):
        """Of clips that are fused, and whether with a history."""
        seen = set()
        def watched(clip, radius, places, **how):
            assert places == range(len(clip) - 1 - around[1], len(clip) - around[1])
            seen.add((len(clip), how.get("history", False)))
            return fused(clip, radius, places, **how)
        monkeypatch.setattr(examples, "fused", watched)
        drawn = Examples(source, 1, radii={"denoise": 2}, history=16)
        for seed in range(40):
            assert all(part.shape == (1, 64, 64, 3) for part in drawn.one(np.random.default_rng(seed), task, 64, 1, around=around))
        return seen
    made = lengths("denoise", (2, 2))
    assert all(h for _, h in made) and min(made)[0] == 5 and 5 + 8 < max(made)[0] <= 5 + 16
    # Near a clip's beginning there is none, and enlarged frames have none.
    assert lengths("denoise", (1, 2)) == {(4, True)} and lengths("superres", (2, 2)) == {(5, False)}


def test_nothing_is_fused_where_nothing_is_to_be():
    clip = scene(3)
    assert np.array_equal(fused(clip, 0, range(1, 3)), clip[1:3])
    assert np.array_equal(fused(clip[:1], 2, range(1)), clip[:1])


def test_noisy_examples_are_fused_and_others_are_not():
    source = CropSource([(scene(1, 128, 128)[0] * 255).astype(np.uint8)], [], 0)
    for task in ("denoise", "deartifact", "derain"):
        without, with_ = (Examples(source, 1, radii=r) for r in ({}, {"denoise": 2, "deartifact": 2}))
        made = [e.one(np.random.default_rng(5), task, 64, 1, around=(2, 2)) for e in (without, with_)]
        assert all(part.shape == (1, 64, 64, 3) for parts in made for part in parts)
        assert np.array_equal(made[0][1], made[1][1]) == (task != "denoise")
        alone = [e.one(np.random.default_rng(5), task, 64, 1, around=(0, 0)) for e in (without, with_)]
        assert all(np.array_equal(*parts) for parts in zip(*alone))


def test_frames_are_each_twice_as_far_away_as_the_one_before():
    # Each frame is brighter by another power of two, by so little that all is taken for noise.
    places = np.arange(12)
    clip = np.full((12, 32, 40, 3), 0.5, np.float32) + (2.0 ** places / 2**18)[:, None, None, None].astype(np.float32)
    for at, read in [(8, [0, 4, 6, 7, 9, 10]), (0, [1, 2, 4, 8]), (11, [3, 7, 9, 10])]:
        out = fused(clip, 4, range(at, at + 1), least_noise=30)[0]
        expected = np.mean(2.0 ** np.array([at, *read])) / 2**18
        assert abs(float((out - 0.5).mean()) - expected) < 0.01 * expected, at


def test_a_frame_reaches_as_far_as_those_that_it_is_fused_with():
    assert [examples.reach_of(task, 4) for task in ("denoise", "superres", "deartifact", "derain")] == [8, 8, 8, 0]
    assert examples.reach_of("deartifact", 0) == 0
    settings = {"alone_share": 0.0, "short_share": 0.0, "last_share": 0.0}
    near = lambda **other: denoiser.a_neighbourhood(np.random.default_rng(1), settings | other, 8, 2)
    assert near() == (8, 2) and near(alone_share=1.0) == (0, 0) and near(last_share=1.0) == (8, 0)
    assert denoiser.a_neighbourhood(np.random.default_rng(1), settings, 0, 2) == (0, 0)
    short = [denoiser.a_neighbourhood(np.random.default_rng(i), settings | {"short_share": 1.0}, 8, 2) for i in range(60)]
    assert all(b <= 8 and a <= 2 and 0 < a + b < 10 for b, a in short) and len(set(short)) > 12
