"""Draw the house from its code: folders as boxes, imports as arrows.

python docs/draw_house.py            # writes docs/images/house.svg; tests/test_docs.py holds it current
"""

import ast
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "house.svg"
# Left and right edge of each room, from the top floor down; rooms that are not there are left out.
FLOORS: tuple[dict[str, tuple[int, int]], ...] = (
    {"cli": (20, 540), "service": (570, 980)},
    {"synthaug": (60, 940)},
    {"evaluation": (60, 540), "generators": (570, 900)},
    {"classifiers": (200, 640)},
    {"augment": (20, 980)},
)
# Where the arrow between two rooms runs straight down, past the floors between.
LANES = {
    ("cli", "synthaug"): 280,
    ("cli", "augment"): 40,
    ("service", "synthaug"): 770,
    ("service", "augment"): 960,
    ("synthaug", "evaluation"): 300,
    ("synthaug", "generators"): 735,
    ("synthaug", "classifiers"): 555,
    ("synthaug", "augment"): 920,
    ("evaluation", "classifiers"): 300,
    ("evaluation", "augment"): 130,
    ("generators", "augment"): 770,
    ("classifiers", "augment"): 420,
}
WIDTH, GAP, MARGIN, HEAD = 1000, 56, 20, 52
TILE_WIDTH, TILE_HEIGHT, SPACE = 118, 27, 8  # of a sub-room
LETTER = 7.0  # width of one
GREY = "#57606a"


def modules() -> dict[str, Path]:
    """Files by module name, as the package installs."""
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
    found = {}
    for package, folder in folders.items():
        for path in (ROOT / folder).rglob("*.py"):
            inside = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([package, *inside]).removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> set[str]:
    """What a file imports when it runs; what it imports for type checkers alone is left out."""
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        todo.extend(ast.iter_child_nodes(node))
    return found


def room_of(module: str) -> str:
    """The folder at the top that a module stands in."""
    inside = [*module.split("."), ""][1]
    return inside if any(inside in floor for floor in FLOORS) else "synthaug"


def arrows() -> list[tuple[str, str]]:
    """Pairs of rooms of which the first imports the second."""
    known = modules()
    pairs = {
        (room_of(module), room_of(target))
        for module, path in known.items()
        for target in imported(path) & known.keys()
    }
    return sorted(pair for pair in pairs if pair[0] != pair[1])


def subrooms(room: str) -> list[str]:
    """Folders of modules within a room."""
    return sorted(path.parent.name for path in (ROOT / room).glob("*/__init__.py"))


def purpose(room: str, width: int) -> str:
    """The first sentence of its docstring, or so much of it as the width holds."""
    docstring = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text())) or ""
    sentence = docstring.split(".")[0]
    return sentence if len(sentence) * LETTER < width else sentence.split(":")[0]


def draw() -> str:
    """The picture as SVG."""
    boxes: dict[str, tuple[int, int, int, int]] = {}  # left, top, right, bottom
    top = MARGIN
    for floor in FLOORS:
        rooms = {room: edges for room, edges in floor.items() if (ROOT / room / "__init__.py").exists()}
        rows = max(-(-len(subrooms(room)) // _columns(*edges)) for room, edges in rooms.items())
        bottom = top + HEAD + SPACE + rows * (TILE_HEIGHT + SPACE)
        boxes |= {room: (left, top, right, bottom) for room, (left, right) in rooms.items()}
        top = bottom + GAP
    lines = [line for pair in arrows() for line in _arrow(boxes, pair)]
    lines += [line for room, box in boxes.items() for line in _room(room, *box)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top - GAP + MARGIN}" '
            'font-family="Helvetica, Arial, sans-serif" font-size="13">',
            f'<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
            f'orient="auto"><path d="M0 0 8 4 0 8z" fill="{GREY}"/></marker></defs>',
            f'<rect width="{WIDTH}" height="100%" fill="#ffffff"/>',
            *lines,
            "</svg>\n",
        ]
    )


def _columns(left: int, right: int) -> int:
    return (right - left - 2 * SPACE) // (TILE_WIDTH + SPACE)


def _text(x: int, y: int, text: str, more: str = "") -> str:
    return f'<text x="{x}" y="{y}"{more}>{text}</text>'


def _room(room: str, left: int, top: int, right: int, bottom: int) -> list[str]:
    """A box with a tile for each sub-room."""
    lines = [
        f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" rx="8" fill="#eef4fb" '
        'stroke="#4a6fa5"/>',
        _text(left + 14, top + 24, f"{room}/", ' font-size="18" font-weight="bold"'),
        _text(left + 14, top + 43, escape(purpose(room, right - left)), f' fill="{GREY}"'),
    ]
    for place, name in enumerate(subrooms(room)):
        row, column = divmod(place, _columns(left, right))
        x, y = left + 14 + column * (TILE_WIDTH + SPACE), top + HEAD + row * (TILE_HEIGHT + SPACE)
        lines += [
            f'<rect x="{x}" y="{y}" width="{TILE_WIDTH}" height="{TILE_HEIGHT}" rx="5" fill="#ffffff" '
            'stroke="#9db4d0"/>',
            _text(x + 8, y + 18, f"{name}/"),
        ]
    return lines


def _arrow(boxes: dict[str, tuple[int, int, int, int]], pair: tuple[str, str]) -> list[str]:
    """Straight down from a room to one that it imports."""
    if pair not in LANES:
        raise ValueError(f"{pair[0]} imports {pair[1]}: no lane for it in LANES")
    x, start, end = LANES[pair], boxes[pair[0]][3], boxes[pair[1]][1]
    return [f'<path d="M{x} {start}V{end}" stroke="{GREY}" stroke-width="1.5" marker-end="url(#tip)"/>']


if __name__ == "__main__":
    PICTURE.write_text(draw())
