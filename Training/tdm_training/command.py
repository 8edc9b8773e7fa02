"""What the command lines of the trainings share."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import diffusers
import torch
import transformers

from . import recipe as recipes
from .loop import Options


def parser(text: str, pictures_required: bool = True) -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--recipe", required=True, type=Path)
    p.add_argument("--pictures", required=pictures_required, type=Path, help="a folder of photographs")
    p.add_argument("--out", required=True, type=Path, help="checkpoints, the log, and what comes out")
    p.add_argument("--stop-at", type=int, metavar="STEP", help="stop there, with a checkpoint")
    p.add_argument("--resume", default="latest", help="a checkpoint's folder, or 'latest' (the default), or 'none'")
    p.add_argument("--tensorboard", action="store_true", help="log for TensorBoard too, under OUT")
    p.add_argument("--threads", type=int, help="processors that one process computes with")
    return p


def run(go: Callable[[dict, Options], None], o: argparse.Namespace) -> None:
    """An error of the user's is one line."""
    for library in (diffusers, transformers):  # their remarks on every part that is read and written
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    if o.threads:
        torch.set_num_threads(o.threads)
    try:
        go(recipes.read(o.recipe), Options(o.out, o.stop_at, o.resume, o.tensorboard))
    except (OSError, ValueError, KeyError, FloatingPointError) as error:
        text = f"missing: {error}" if isinstance(error, KeyError) else str(error)
        sys.exit(f"{Path(sys.argv[0]).stem}: {text}")
