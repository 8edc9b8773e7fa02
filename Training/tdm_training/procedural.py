"""Pictures out of a random generator: sharp edges at every scale, flat areas, ramps, fine lines, letters.

Photographs of a small data set miss what cameras also see: computer-made edges, skies without grain, print. Dead leaves
(Lee, Mumford and Huang 2001) have the edge and scale statistics of natural pictures; colours come from photographs.
"""

import cv2
import numpy as np


def palette(rng: np.random.Generator, photographs: list[np.ndarray], count: int) -> np.ndarray:
    """[count, 3] uint8 colours found together in one photograph, or at random where there is none."""
    if not photographs:
        return rng.integers(0, 256, (count, 3), dtype=np.uint8)
    picture = photographs[rng.integers(len(photographs))]
    pixels = picture.reshape(-1, 3)
    return pixels[rng.integers(len(pixels), size=count)]


def ramp(rng: np.random.Generator, side: int, first, second) -> np.ndarray:
    """A linear or a radial passage between two colours, [side, side, 3] float32."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        t = np.cos(angle) * x + np.sin(angle) * y
    else:
        centre = rng.uniform(0, 1, 2)
        t = np.hypot(x - centre[0], y - centre[1])
    t = (t - t.min()) / (np.ptp(t) + 1e-6)
    return (1 - t[..., None]) * np.float32(first) + t[..., None] * np.float32(second)


def waves(rng: np.random.Generator, side: int) -> np.ndarray:
    """A fine regular texture in [-1, 1], [side, side, 1] float32: cloth, grass, bricks from afar."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    total = np.zeros((side, side), np.float32)
    for _ in range(rng.integers(1, 4)):
        angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(3), np.log(30)))
        total += np.sin((np.cos(angle) * x + np.sin(angle) * y) * (2 * np.pi / period) + rng.uniform(0, 6.28))
    if rng.random() < 0.5:
        total = np.sign(total)
    return (total / (np.abs(total).max() + 1e-6))[..., None]


def cloud(rng: np.random.Generator, side: int, roughness: float) -> np.ndarray:
    """Noise whose amplitude falls as 1 / f^roughness, zero mean and unit deviation, [side, side, 1] float32."""
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    f = np.hypot(fy, fx)
    f[0, 0] = 1
    spectrum = (rng.normal(size=f.shape) + 1j * rng.normal(size=f.shape)) / f**roughness
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, (side, side)).astype(np.float32)
    return ((field - field.mean()) / (field.std() + 1e-9))[..., None]


def surface(rng: np.random.Generator, side: int, colours: np.ndarray) -> np.ndarray:
    """What a leaf is covered with: flat colour, ramp, cloud or waves, [side, side, 3] float32 in 0...255."""
    base = np.full((side, side, 3), colours[0], np.float32)
    kind = rng.random()
    if kind < 0.3:
        return base
    if kind < 0.5:
        return ramp(rng, side, colours[0], colours[1])
    if kind < 0.8:
        return base + cloud(rng, side, rng.uniform(0.6, 1.8)) * rng.uniform(3, 30)
    return base + waves(rng, side) * rng.uniform(4, 50)


def leaf(rng: np.random.Generator, centre: np.ndarray, radius: float) -> np.ndarray:
    """The outline of an ellipse or of a polygon, [points, 2] int32."""
    if rng.random() < 0.6:
        angles = np.linspace(0, 2 * np.pi, 40)
        turn, squeeze = rng.uniform(0, np.pi), rng.uniform(0.3, 1)
        x, y = np.cos(angles), squeeze * np.sin(angles)
        points = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], 1)
    else:
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
        points = np.stack([np.cos(angles), np.sin(angles)], 1)
    return (centre + radius * points).astype(np.int32)


def dead_leaves(rng: np.random.Generator, side: int, photographs: list[np.ndarray]) -> np.ndarray:
    """Opaque shapes of power-law sizes over one another, drawn at twice the size so that edges are smooth."""
    big = side * 2
    colours = palette(rng, photographs, 400)
    picture = surface(rng, big, colours)
    surfaces = [surface(rng, big, colours[rng.permutation(len(colours))[:2]]) for _ in range(6)]
    smallest, largest = rng.uniform(6, 40), rng.uniform(0.15, 0.5) * big
    for _ in range(rng.integers(100, 1200)):
        # Sizes with density 1 / r^3 between the two ends: the scaling of natural pictures.
        u = rng.random()
        radius = 1 / np.sqrt((1 - u) / smallest**2 + u / largest**2)
        outline = leaf(rng, rng.integers(0, big, 2), radius)
        colour = colours[rng.integers(len(colours))].astype(np.float32)
        if rng.random() < 0.35:
            low = np.clip(outline.min(0), 0, big - 1)
            high = np.clip(outline.max(0) + 1, low + 1, big)
            box = (slice(low[1], high[1]), slice(low[0], high[0]))
            mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
            cv2.fillPoly(mask, [outline - low], 255)
            cover = surfaces[rng.integers(len(surfaces))][box]
            cover = cover - cover.mean((0, 1)) + colour
            picture[box] = np.where(mask[..., None] > 0, cover, picture[box])
        else:
            cv2.fillPoly(picture, [outline], colour.tolist())
    return cv2.resize(np.clip(picture, 0, 255), (side, side), interpolation=cv2.INTER_AREA)


def lines_and_letters(rng: np.random.Generator, side: int, photographs: list[np.ndarray]) -> np.ndarray:
    """Print, wires and fences over a plain or shaded ground."""
    big = side * 2
    colours = palette(rng, photographs, 16)
    picture = np.clip(ramp(rng, big, colours[0], colours[1 if rng.random() < 0.5 else 0]), 0, 255)
    picture = np.ascontiguousarray(picture.astype(np.uint8))
    for _ in range(rng.integers(4, 40)):
        colour = colours[rng.integers(2, 16)].tolist()
        start = rng.integers(0, big, 2)
        if rng.random() < 0.5:
            letters = "".join(chr(c) for c in rng.integers(33, 127, rng.integers(2, 14)))
            size, weight = rng.uniform(0.4, 3), int(rng.integers(1, 6))
            font = int(rng.choice([0, 1, 2, 3, 4, 5, 6, 7]))
            cv2.putText(picture, letters, start.tolist(), font, size, colour, weight, cv2.LINE_AA)
        else:
            step = rng.integers(-40, 41, 2)
            end = start + rng.integers(-big, big, 2)
            for k in range(rng.integers(1, 20)):
                a, b = start + k * step, end + k * step
                cv2.line(picture, a.tolist(), b.tolist(), colour, int(rng.integers(1, 5)), cv2.LINE_AA)
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


def vivid(rng: np.random.Generator, count: int) -> np.ndarray:
    """[count, 3] uint8 colours as screens and drawings have them: many of each channel's values are its ends, or grey."""
    colours = rng.integers(0, 256, (count, 3))
    ends = rng.random((count, 3)) < 0.5
    colours[ends] = rng.choice([0, 255], int(ends.sum()))
    greys = rng.random(count) < 0.25
    colours[greys] = colours[greys][:, :1]
    return colours.astype(np.uint8)


def graphics(rng: np.random.Generator, side: int, photographs: list[np.ndarray]) -> np.ndarray:
    """Screens, charts, test patterns and drawings: flat vivid colours, passages, chequers and letters, with sharp edges or outlines."""
    smooth = 2 if rng.random() < 0.5 else 1  # drawn at twice the size, edges are smooth
    big, colours = side * smooth, vivid(rng, 32)
    picture = np.full((big, big, 3), colours[0], np.uint8)
    outline = int(rng.integers(1, 4)) * smooth if rng.random() < 0.5 else 0
    for _ in range(rng.integers(8, 80)):
        colour, other = (c.tolist() for c in colours[rng.integers(len(colours), size=2)])
        low = rng.integers(-big // 8, big, 2)
        high = low + (np.exp(rng.uniform(np.log(4), np.log(big * 0.6), 2))).astype(int)
        low, high = np.clip(low, 0, big - 1), np.clip(high, 1, big)
        if (high <= low).any():
            continue
        box, kind = picture[low[1] : high[1], low[0] : high[0]], rng.random()
        if kind < 0.3:
            box[:] = colour
        elif kind < 0.45:
            t = np.linspace(0, 1, box.shape[1], dtype=np.float32)[None, :, None]
            if rng.random() < 0.5:
                t = np.linspace(0, 1, box.shape[0], dtype=np.float32)[:, None, None]
            box[:] = np.float32(colour) * (1 - t) + np.float32(other) * t
        elif kind < 0.6:
            cell = smooth * rng.integers(1, 17, 2)
            y, x = np.mgrid[0 : box.shape[0], 0 : box.shape[1]] // cell[:, None, None]
            kept = (x + y if rng.random() < 0.5 else x) % 2 == 0
            box[kept] = colour
            box[~kept] = other
        elif kind < 0.8:
            points = leaf(rng, low, float((high - low).max()) / 2)
            cv2.fillPoly(picture, [points], colour)
            if outline:
                cv2.polylines(picture, [points], True, other, outline, cv2.LINE_AA)
            continue
        else:
            letters = "".join(chr(c) for c in rng.integers(33, 127, rng.integers(2, 20)))
            size = rng.uniform(0.3, 2) * smooth
            cv2.putText(picture, letters, low.tolist(), int(rng.integers(0, 8)), size, colour, int(rng.integers(1, 3)) * smooth, cv2.LINE_AA)
            continue
        if outline:
            cv2.rectangle(picture, low.tolist(), (high - 1).tolist(), other, outline)
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) if smooth > 1 else picture


def soft(rng: np.random.Generator, side: int, photographs: list[np.ndarray]) -> np.ndarray:
    """Sky, wall, fog: a ramp with at most a faint cloud."""
    colours = palette(rng, photographs, 2)
    picture = ramp(rng, side, colours[0], colours[1])
    if rng.random() < 0.6:
        picture = picture + cloud(rng, side, rng.uniform(1.2, 2.2)) * rng.uniform(1, 25)
    return picture


def make(rng: np.random.Generator, side: int, photographs: list[np.ndarray]) -> np.ndarray:
    """One procedural picture, [side, side, 3] uint8."""
    kind = rng.random()
    draw = dead_leaves if kind < 0.5 else lines_and_letters if kind < 0.62 else soft if kind < 0.75 else graphics
    return np.clip(draw(rng, side, photographs) + 0.5, 0, 255).astype(np.uint8)


def pool(seed: int, count: int, side: int, photographs: list[np.ndarray]) -> list[np.ndarray]:
    """`count` procedural pictures, the same for the same seed and photographs."""
    return [make(np.random.default_rng((seed, i)), side, photographs) for i in range(count)]
