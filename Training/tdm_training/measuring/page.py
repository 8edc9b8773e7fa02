"""A page of pictures: for each clip and input one frame of everything, side by side, and the figures below."""

import html
from pathlib import Path

import cv2
import numpy as np

BAR = 24  # rows of a title


def titled(picture: np.ndarray, title: str, width: int) -> np.ndarray:
    """The picture with a title above it, [BAR + H, W, 3]; small pictures are enlarged to `width` or more, pixels kept square."""
    if picture.shape[1] < width:
        factor = -(-width // picture.shape[1])
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    bar = np.full((BAR, picture.shape[1], 3), 24, np.uint8)
    cv2.putText(bar, title, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([bar, picture])


def sheet(pictures: list[tuple[str, np.ndarray]], columns: int, width: int = 320) -> np.ndarray:
    """Titled pictures [H, W, 3] in rows of `columns`, one uint8 picture."""
    tiles = [titled(p, title, width) for title, p in pictures]
    height, wide = max(t.shape[0] for t in tiles), max(t.shape[1] for t in tiles)
    blank = np.full((height, wide, 3), 24, np.uint8)
    placed = []
    for t in tiles:
        tile = blank.copy()
        tile[: t.shape[0], : t.shape[1]] = t
        placed.append(tile)
    placed += [blank] * (-len(placed) % columns)
    return np.vstack([np.hstack(placed[i : i + columns]) for i in range(0, len(placed), columns)])


def write_picture(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture[..., ::-1]):
        raise OSError(f"{path}: the picture could not be written")


def write_index(path: Path, title: str, notes: list[str], sections: list[tuple[str, str, str]]) -> None:
    """An HTML page of (heading, picture's file name, table in markdown)."""
    parts = [
        "<!doctype html><meta charset=utf-8>", f"<title>{html.escape(title)}</title>",
        "<style>body{font:15px sans-serif;margin:2em;max-width:110em}img{max-width:100%}"
        "td,th{padding:.1em .8em;text-align:right}td:first-child{text-align:left;font-family:monospace}</style>",
        f"<h1>{html.escape(title)}</h1>", *(f"<p>{html.escape(n)}</p>" for n in notes),
    ]
    for heading, picture, table in sections:
        parts += [f"<h2>{html.escape(heading)}</h2>", f'<img src="{html.escape(picture)}" alt="{html.escape(heading)}">']
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "---" not in line]
        cells = lambda row, tag: "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in row) + "</tr>"
        parts.append("<table>" + cells(rows[0], "th") + "".join(cells(r, "td") for r in rows[1:]) + "</table>")
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
