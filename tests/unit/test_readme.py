"""The README's tables are those of the code. `python tests/unit/test_readme.py` writes them."""

import re
import sys
from pathlib import Path

import pytest

from spoonkernel import config, errors
from spoonkernel.api import ROOMS, endpoints

README = Path(__file__).parents[2] / "README.md"


def endpoint_table() -> str:
    rows = ["| room | method | endpoint |", "|---|---|---|"]
    for room, api in ROOMS.items():
        for name, endpoint in endpoints(api).items():
            ours = " (ours)" if endpoint.ours else ""
            rows.append(f"| {room} | `{name}` | `{endpoint.method} /api{endpoint.path}`{ours} |")
    return "\n".join(rows)


def error_table() -> str:
    rows, pending = [], [errors.SpoonError]
    while pending:
        kind = pending.pop(0)
        pending.extend(kind.__subclasses__())
        rows.append(f"| `{kind.code}` | {kind.status} | {(kind.__doc__ or kind.__name__).split('.')[0].strip()} |")
    return "\n".join(rows)


TABLES = {
    "endpoints": (
        "<!-- endpoints: generated from spoonkernel/api, checked by tests/unit/test_readme.py -->",
        endpoint_table,
    ),
    "errors": ("| code | status | when |\n|---|---|---|", error_table),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_readme_has_the_table_of_the_code(name: str) -> None:
    assert TABLES[name][1]() in README.read_text(), "run: python tests/unit/test_readme.py"


def test_the_readme_names_every_setting() -> None:
    source = Path(config.__file__).read_text()
    names = set(re.findall(r'"([A-Z][A-Z_]+)"', source))
    assert len(names) > 10
    assert sorted(name for name in names if f"`{name}`" not in README.read_text()) == []


def write() -> None:
    text = README.read_text()
    text = re.sub(
        r"(<!-- endpoints: .*? -->\n).*?(<!-- /endpoints -->)",
        lambda found: f"{found[1]}{endpoint_table()}\n\n{found[2]}",
        text,
        flags=re.DOTALL,
    )
    text = re.sub(
        r"(\| code \| status \| when \|\n\|---\|---\|---\|\n).*?(\n\n)",
        lambda found: f"{found[1]}{error_table()}{found[2]}",
        text,
        flags=re.DOTALL,
    )
    README.write_text(text)


if __name__ == "__main__":
    sys.exit(write())
