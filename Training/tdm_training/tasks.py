"""The tasks and the prompts that tell the model which of them to do. Every other file reads them here."""

PROMPTS = {
    "denoise": "remove the noise",
    "derain": "remove the rain",
    "dehaze": "remove the fog",
    "deartifact": "remove the compression artifacts",
    "superres": "recover the high resolution details",
}

EMPTY = ""  # inversion's prompt: the network alone, told nothing
