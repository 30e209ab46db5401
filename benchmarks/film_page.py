"""Build docs/strips.md: film strips of 24 prompts, one seed, none picked, each judged by its predicate.

    python benchmarks/film_page.py [WEIGHTS] [--seed N]

The prompts are those of `kmm evaluate directions`, so none of them is in the training captions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kmm.clip import FPS
from kmm.evaluation.directions import Check, checks
from kmm.model.pipeline import Pipeline
from kmm.preview import film_strip_sheet
from kmm.protocol import PromptSegment

COUNT, A_SHEET = 24, 6
DOCS = Path(__file__).parent.parent / "docs"

HEAD = """# What {weights} makes of {count} prompts

Made by `python benchmarks/film_page.py {weights}`: seed {seed}, nothing picked, no prompt in the training captions.
The verdict is that of `kmm evaluate directions`: {passed} of {count} do what their prompt says.
"""


def chosen() -> list[Check]:
    """The first prompt of every second kind, and of the kinds in between until there are COUNT."""
    first: dict[str, Check] = {}
    for check in checks():
        if isinstance(check, Check):
            first.setdefault(check.kind, check)
    kinds = list(first)
    picked = (kinds[::2] + kinds[1::2])[:COUNT]
    return [first[kind] for kind in kinds if kind in picked]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", nargs="?", default="kmm-open")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pipeline = Pipeline.load(options.weights)
    rows = []
    for check in chosen():
        clip = pipeline.clip([PromptSegment(check.prompt, round(check.seconds * FPS))], options.seed)
        rows.append((check, clip, check.judge(clip)))
    passed = sum(ok for _, _, ok in rows)
    lines = [HEAD.format(weights=pipeline.name, seed=options.seed, count=len(rows), passed=passed)]
    for number, at in enumerate(range(0, len(rows), A_SHEET), start=1):
        sheet = rows[at : at + A_SHEET]
        picture = DOCS / "pictures" / f"strips-{pipeline.name}-{number}.png"
        titles = [f"{c.prompt}  ({'as told' if ok else 'NOT as told'})" for c, _, ok in sheet]
        film_strip_sheet([clip for _, clip, _ in sheet], titles, picture)
        lines.append(f"![{'; '.join(titles)}](pictures/{picture.name})\n")
    failed = [f"- {c.kind}: “{c.prompt}”" for c, _, ok in rows if not ok]
    lines.append("Not as told:\n\n" + "\n".join(failed or ["- none"]) + "\n")
    page = DOCS / ("strips.md" if pipeline.name == "kmm-open" else f"strips-{pipeline.name}.md")
    page.write_text("\n".join(lines), encoding="utf-8")
    print(f"{page.relative_to(DOCS.parent)}: {passed} of {len(rows)} as told")


if __name__ == "__main__":
    main()
