"""Shows what training sees: for every task a row of examples, the clean picture above the degraded one.

    python -m tdm_training.contact_sheet --pictures FOLDER --out sheet.png
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import recipe as recipes
from .dataset import DegradedPairs, find_pictures
from .examples import Examples
from .measuring.page import sheet, write_picture
from .pictures import kept_aside
from .tasks import PROMPTS

EMBEDDED = Path(__file__).parent.parent / "recipes" / "embedded.toml"

# (task, number of the example) to (clean, degraded), each [side, side, 3] in [0, 1]
Source = Callable[[str, int], tuple[np.ndarray, np.ndarray]]


def source_of(recipe: dict, pictures: Path, side: int, seed: int) -> Source:
    """What the recipe's own training draws from, told by its [data]: numbered pairs, or the embedded model's moving crops."""
    data = recipe["data"]
    if "short_side" in data:
        items, _ = kept_aside(find_pictures(pictures), data["held_out"])

        def numbered(task: str, n: int):
            example = DegradedPairs(items, data | {"seed": seed}, {task: 1})[n]
            return tuple(example[k].permute(1, 2, 0).numpy() for k in ("clean", "degraded"))

        return numbered
    crops, _ = recipes.crop_source(data | {"procedural_count": 12}, pictures)
    examples = Examples(crops, seed, recorded_share=recipe["denoiser"].get("recorded_share", 0))

    def drawn(task: str, n: int):
        clean, _, degraded = examples.one(np.random.default_rng((seed, n, list(PROMPTS).index(task))), task, side, 1)
        return clean[0], degraded[0]

    return drawn


def contact_sheet(source: Source, draws: int) -> np.ndarray:
    """One uint8 picture, two rows of tiles for each task."""
    tiles = []
    for task in PROMPTS:
        pairs = [source(task, n) for n in range(draws)]
        for which, name in enumerate(("clean", task)):
            tiles += [(f"{name} {n}", np.round(np.clip(pair[which], 0, 1) * 255).astype(np.uint8)) for n, pair in enumerate(pairs)]
    return sheet(tiles, columns=draws, width=1)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pictures", required=True, type=Path, help="a folder of photographs")
    p.add_argument("--recipe", type=Path, default=EMBEDDED)
    p.add_argument("--side", type=int, default=160, help="of the crops, a multiple of 4, where the recipe has none")
    p.add_argument("--draws", type=int, default=8)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", required=True, type=Path)
    o = p.parse_args()
    write_picture(o.out, contact_sheet(source_of(recipes.read(o.recipe), o.pictures, o.side, o.seed), o.draws))


if __name__ == "__main__":
    main()
