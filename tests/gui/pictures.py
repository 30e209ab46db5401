"""The guide's pictures, from the screenshots that the test of the window has left.

KMM_GUI_PICTURES=shots python -m pytest -m slow tests/gui && python tests/gui/pictures.py shots
"""

from __future__ import annotations

import sys
from pathlib import Path

from kmm.preview import save_picture
from PIL import Image

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
GAP = 8  #: pixels between two screenshots in one picture
#: Picture: the screenshots that are side by side in it, and the part of them, in pixels, that shows it best.
PARTS = {
    "panel": (["03 generating"], None),
    "two_blocks": (["07 undone"], (785, 80, 1056, 520)),
    "takes": (["05 second of two takes"], (310, 80, 1056, 530)),
    "in_between": (["10 two poses", "11 between two poses"], (220, 80, 680, 700)),
    "engine": (["15 engine"], (785, 525, 1056, 735)),
}


def main() -> None:
    shots = Path(sys.argv[1])
    for name, (names, part) in PARTS.items():
        images = [Image.open(shots / f"{shot}.png").convert("RGB") for shot in names]
        images = [image.crop(part or (0, 0, *image.size)) for image in images]
        sheet = Image.new("RGB", (sum(i.width + GAP for i in images) - GAP, images[0].height), "white")
        for number, image in enumerate(images):
            sheet.paste(image, (number * (image.width + GAP), 0))
        picture = PICTURES / f"{name}.png"
        save_picture(sheet, picture)
        print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
