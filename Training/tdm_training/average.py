"""Averages the weights of models of one training run: python -m tdm_training.average --help

Reference: Wortsman et al. 2022, "Model soups": what two stretches of one run gained lies between them, too.
"""

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file


def average(models: list[Path], shares: list[float], out: Path) -> None:
    """Writes the first model's folder with every weight the models' weighted mean, kept in the type that it had."""
    total = sum(shares)
    shutil.copytree(models[0], out)
    for path in sorted(out.rglob("*.safetensors")):
        files = [load_file(model / path.relative_to(out)) for model in models]
        if any(f.keys() != files[0].keys() or any(f[k].shape != files[0][k].shape for k in f) for f in files):
            raise SystemExit(f"{path.relative_to(out)}: the models' weights differ in names or shapes; give models of one recipe")
        mean = {k: (sum(s * f[k].float() for s, f in zip(shares, files)) / total).to(files[0][k].dtype).contiguous() for k in files[0]}
        save_file(mean, path, metadata={"format": "pt"})


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, type=Path, action="append", help="a folder that export wrote; give two or more")
    p.add_argument("--share", required=True, type=float, action="append", help="of each model, above 0")
    p.add_argument("--out", required=True, type=Path, help="a folder that is not there yet")
    o = p.parse_args()
    if len(o.model) != len(o.share) or len(o.model) < 2 or min(o.share) <= 0:
        raise SystemExit(f"--share: expected one above 0 for each of two or more --model, found {o.share} for {len(o.model)}")
    if o.out.exists():
        raise SystemExit(f"{o.out}: is there already; give a folder that is not")
    average(o.model, o.share, o.out)


if __name__ == "__main__":
    main()
