"""FID, KID and FC with random networks, against other libraries' own results."""

import json
from unittest import mock

import numpy as np
import pytest
import torch
from torch_fidelity import calculate_metrics
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from tdm_training.measuring import features
from tdm_training.measuring.perceptual import Perceptual

from test_metrics import textured


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random InceptionV3 weights."""
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.manual_seed(0)
    with mock.patch.object(torch, "load", return_value={}), mock.patch.object(FeatureExtractorInceptionV3, "load_state_dict"):
        network = FeatureExtractorInceptionV3("random", ["2048"], feature_extractor_weights_path="none")
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def sets():
    clean = np.stack([textured(48, s) for s in range(6)])
    noise = np.random.default_rng(0).normal(0, 20, clean.shape)
    return np.clip(clean + noise, 0, 255).astype(np.uint8), clean


class Frames(torch.utils.data.Dataset):
    def __init__(self, frames):
        self.frames = frames

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, i):
        return torch.from_numpy(self.frames[i].transpose(2, 0, 1).copy())


@pytest.fixture(scope="module")
def ours(weights, sets):
    perceptual = Perceptual(weights, None)
    for name, frames in zip(("out", "clean"), sets):
        perceptual.add(("denoise", name), frames[:4])  # as from two clips
        perceptual.add(("denoise", name), frames[4:])
    return perceptual.figures(("denoise", "out"), ("denoise", "clean"))


def test_fid_and_kid_are_torch_fidelitys_own(weights, sets, ours):
    whole = calculate_metrics(
        input1=Frames(sets[0]), input2=Frames(sets[1]), cuda=False, fid=True, kid=True, kid_subset_size=6, verbose=False,
        cache=False, feature_extractor_weights_path=str(weights))
    assert ours["fid"] > 0
    assert ours["fid"] == pytest.approx(whole["frechet_inception_distance"], rel=1e-3)
    assert ours["kid"] == pytest.approx(100 * whole["kernel_inception_distance_mean"], rel=1e-3)
    assert np.isnan(ours["fc"])


def test_fid_and_kid_are_torchmetrics_too(weights, sets, ours):
    class Network(torch.nn.Module):
        num_features = 2048

        def __init__(self):
            super().__init__()
            self.inception = features.inception(weights)

        def forward(self, x):
            return self.inception(x)[0]

    fid = FrechetInceptionDistance(feature=Network())
    kid = KernelInceptionDistance(feature=Network(), subset_size=6, subsets=3)
    for metric in (fid, kid):
        for frames, real in zip(sets, (False, True)):
            metric.update(torch.from_numpy(frames.transpose(0, 3, 1, 2).copy()), real=real)
    assert ours["fid"] == pytest.approx(float(fid.compute()), rel=1e-2)
    assert ours["kid"] == pytest.approx(100 * float(kid.compute()[0]), rel=1e-2)


def test_the_same_frames_are_no_distance_apart(weights, sets):
    found = features.InceptionFeatures(weights)(sets[1])
    assert abs(features.fid(found, found)) < 1e-3


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8,
        projection_dim=16,
    )).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_feature_consistency_is_the_cosine_of_clips_own_embeddings(clip_folder, sets):
    perceptual = Perceptual(None, clip_folder)
    perceptual.add(("denoise", "out"), sets[0])
    ours = perceptual.figures(("denoise", "out"), ("denoise", "clean"))["fc"]
    network = CLIPVisionModelWithProjection.from_pretrained(clip_folder)
    processor = CLIPImageProcessor.from_pretrained(clip_folder)
    cosines = []
    with torch.no_grad():
        for one, two in zip(sets[0], sets[0][1:]):
            a, b = (network(**processor(images=f, return_tensors="pt")).image_embeds[0] for f in (one, two))
            cosines.append(float(a @ b / a.norm() / b.norm()))
    assert ours == pytest.approx(10 * np.mean(cosines), rel=1e-5)
    assert json.loads((clip_folder / "preprocessor_config.json").read_text())["crop_size"]["height"] == 32


def test_frames_that_do_not_change_are_wholly_consistent(clip_folder, sets):
    still = np.repeat(sets[1][:1], 3, 0)
    assert features.consistency(features.ClipFeatures(clip_folder)(still)) == pytest.approx(10, abs=1e-4)
