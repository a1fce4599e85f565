"""What other programs use of `spoonkernel.comfy`, with nothing but the package imported."""

import subprocess
import sys

import pytest

from spoonkernel import comfy


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("convert", "to_api"),
        ("seeds", "seed_map"),
        ("prompts", "prompt_roles"),
        ("parameters", "extract"),
        ("parameters", "fill"),
    ],
)
def test_public_parts_are_there_without_being_imported(part, name):
    code = f"from spoonkernel import comfy; assert callable(comfy.{part}.{name}); assert {part!r} in dir(comfy)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        comfy.nonsense  # noqa: B018  # asking is the test
