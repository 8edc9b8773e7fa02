"""Writes a trained model as the folder that tdm-filter and diffusers load: python -m tdm_training.export --help"""

import argparse
import shutil
from pathlib import Path

from safetensors import safe_open

from . import networks

LIMIT = 25 * 2**20  # bytes; the model travels inside the program


def weight_bytes(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*.safetensors"))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True, type=Path, help="the folder model/ that training wrote")
    p.add_argument("--out", required=True, type=Path, help="replaced if it exists")
    p.add_argument("--float32", action="store_true", help="keep the weights in float32 instead of float16")
    o = p.parse_args()
    model = networks.load(o.model)
    if o.out.exists():
        if not (o.out / "model_index.json").exists():
            raise SystemExit(f"{o.out}: not a model folder; expected model_index.json in it; choose another --out")
        shutil.rmtree(o.out)
    model.save(o.out, half=not o.float32)
    for path in sorted(o.out.rglob("*.safetensors")):
        with safe_open(path, "np") as file:
            count = sum(int(file.get_tensor(k).size) for k in file.keys())
        print(f"{path.relative_to(o.out)}  {count:,} parameters")
    size = weight_bytes(o.out)
    print(f"{size / 2**20:.1f} MiB of weights" + ("" if size <= LIMIT else f", more than {LIMIT >> 20} MiB"))


if __name__ == "__main__":
    main()
