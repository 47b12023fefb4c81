"""Build the icon sprite from a list of names, so that a page loads one small file instead of an icon font.

Run: python scripts/build_icons.py FOLDER, where FOLDER is the unpacked npm package `@tabler/icons`. Names in
`static/icons.txt` are Tabler's; a name that ends in `-filled` is the filled drawing. The sprite's name carries a hash
of its content, so that it can be cached for ever.
"""

import hashlib
import re
import sys
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "static"
FILLED = ' fill="currentColor" stroke="none"'


def read_names(listing: Path) -> dict[str, str]:
    """Return Tabler's name per name of ours; a line may give both, ours first. Blank lines are skipped."""
    lines = [line.split() for line in listing.read_text().splitlines() if line.strip()]
    return {words[0]: words[-1] for words in sorted(lines)}


def drawing_of(name: str, package: Path) -> str:
    """Return the shapes of one icon without Tabler's empty frame.

    Raises:
        FileNotFoundError: the package has no icon of that name.
    """
    filled = name.endswith("-filled")
    folder = "filled" if filled else "outline"
    svg = (package / "icons" / folder / f"{name.removesuffix('-filled')}.svg").read_text()
    shapes = re.findall(r"<(?:path|circle|rect|line|polyline)\b[^>]*>", svg)
    return "".join(re.sub(r"\s+", " ", shape).replace(" />", "/>") for shape in shapes if 'stroke="none"' not in shape)


def build_sprite(names: dict[str, str], package: Path) -> str:
    """Return the sprite: one symbol a name, of 24 units. Stroke and its width come from the page's `.i` class."""
    symbols = [
        f'<symbol id="{name}" viewBox="0 0 24 24"{FILLED if name.endswith("-filled") else ""}>'
        f"{drawing_of(drawing, package)}</symbol>"
        for name, drawing in names.items()
    ]
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def main(package: Path) -> None:
    """Write the sprite beside its list and remove the one before."""
    sprite = build_sprite(read_names(STATIC / "icons.txt"), package)
    digest = hashlib.sha256(sprite.encode()).hexdigest()[:8]
    for old in STATIC.glob("icons-*.svg"):
        old.unlink()
    path = STATIC / f"icons-{digest}.svg"
    path.write_text(sprite)
    print(f"{path.name}: {len(sprite)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Give the folder of the unpacked npm package @tabler/icons.")
    main(Path(sys.argv[1]))
