"""FID, KID and FC, where the user has the feature networks' weights. The networks and the figures are the libraries' own:
torch-fidelity's InceptionV3, FID and KID, and transformers' CLIP.

FID and KID compare the restored frames of all clips with the clean ones; with a few dozen frames FID is far from what thousands would
give, and only comparable at the same frames. FC, feature consistency, is the mean cosine similarity of CLIP's image embeddings of
neighbouring frames, within each clip.
"""

from pathlib import Path

import numpy as np
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

FEATURES = "2048"  # the layer's name, and how many there are
KID_SUBSET = 1000
BATCH = 16


def inception(weights: Path) -> FeatureExtractorInceptionV3:
    """torch-fidelity's network with the weights in a file, pt_inception-2015-12-05-6726825d.pth as it is usually called."""
    torch.load(weights, weights_only=True)  # so that no file runs code: torch-fidelity itself would let it
    return FeatureExtractorInceptionV3("inception-v3-compat", [FEATURES], feature_extractor_weights_path=str(weights))


class InceptionFeatures:
    def __init__(self, weights: Path):
        self.network = inception(weights)

    @torch.no_grad()
    def __call__(self, frames: np.ndarray) -> torch.Tensor:
        """[F, H, W, 3] uint8 to [F, 2048]."""
        x = torch.from_numpy(np.array(frames.transpose(0, 3, 1, 2)))
        return torch.cat([self.network(part)[0] for part in x.split(BATCH)])


class ClipFeatures:
    """A folder as transformers writes it: CLIP's vision model with its projection, and the image processor's settings."""

    def __init__(self, folder: Path):
        self.network = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
        self.processor = CLIPImageProcessor.from_pretrained(folder)

    @torch.no_grad()
    def __call__(self, frames: np.ndarray) -> torch.Tensor:
        """[F, H, W, 3] uint8 to image embeddings [F, D]."""
        x = self.processor(images=list(frames), return_tensors="pt", input_data_format="channels_last").pixel_values
        return torch.cat([self.network(part).image_embeds for part in x.split(BATCH)])


def fid(out: torch.Tensor, clean: torch.Tensor) -> float:
    """Of two sets of features [N, 2048]."""
    statistics = [fid_features_to_statistics(f.double()) for f in (out, clean)]
    return fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]


def kid(out: torch.Tensor, clean: torch.Tensor) -> float:
    """Mean over subsets, x100; the subsets are as large as 1000 or as there are frames."""
    size = min(KID_SUBSET, len(out), len(clean))
    found = kid_features_to_metric(out.double(), clean.double(), kid_subset_size=size, verbose=False)
    return found["kernel_inception_distance_mean"] * 100


def consistency(embeddings: torch.Tensor) -> float:
    """FC x10 of one clip's embeddings [F, D]; not a number for a single frame."""
    return float(torch.cosine_similarity(embeddings[1:], embeddings[:-1]).mean()) * 10
