"""The guide's pictures, from the screenshots that the test of the window has left.

KMM_GUI_PICTURES=shots python -m pytest tests/gui && python tests/gui/pictures.py shots
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
#: Picture: the screenshot, and the part of it, in pixels, that shows it best.
PARTS = {
    "panel": ("03 generating", None),
    "two_blocks": ("02 two blocks", (785, 80, 1056, 520)),
}


def main() -> None:
    shots = Path(sys.argv[1])
    for name, (shot, part) in PARTS.items():
        image = Image.open(shots / f"{shot}.png")
        picture = PICTURES / f"{name}.png"
        image.crop(part or (0, 0, *image.size)).quantize(256).save(picture, optimize=True)
        print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
