"""What the page does with texts when it sends them: prompts lose their comments and get their choices made, and file
names get dates and other nodes' values (`dynamicPrompts.ts`, `searchAndReplace.ts` and `formatUtil.ts` of the page)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from spoonkernel.errors import ValidationFailed

FILE_SAVERS = frozenset(
    {"SaveImage", "SaveSVGNode", "SaveVideo", "SaveAnimatedWEBP", "SaveWEBM", "SaveAudio", "SaveAudioMP3"}
    | {"SaveAudioOpus", "SaveGLB", "SaveAnimatedPNG", "CLIPSave", "VAESave", "ModelSave", "LoraSave", "SaveLatent"}
)
"""Classes whose `filename_prefix` may hold `%...%`."""

Find = Callable[[str, str], str | None]
"""The value of a widget by the node's name (for search and replace, else its title) and the widget's name."""

_COMMENT = re.compile(r"/\*[\s\S]*?\*/|//.*")
_PLACEHOLDER = re.compile(r"%([^%]+)%")
_DATE_PART = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyy?y?")
_NOT_IN_NAMES = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
_MAX_DEPTH = 50


def _first(count: int) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Texts:
    """How texts are treated.

    Args:
        choose: picks one of `count` options of `{a|b}` by its index; the page picks by chance, here it is the first.
        now: what `%date:yyyy-MM-dd%` becomes; None leaves it as written.
    """

    choose: Callable[[int], int] = _first
    now: datetime | None = None

    def prompt(self, text: str) -> str:
        """A prompt without `/* */` and `//` comments, with one option taken of each `{a|b|{c|d}}`."""
        return self._prompt(text, 0)

    def _prompt(self, text: str, depth: int) -> str:
        if depth > _MAX_DEPTH:
            raise ValidationFailed(f"A prompt has choices more than {_MAX_DEPTH} deep: {text[:60]!r}")
        text = _COMMENT.sub("", text)
        made: list[str] = []
        place = 0
        while place < len(text):
            if text[place] == "{":
                options, place = _options(text, place + 1)
                made.append(self._prompt(options[self.choose(len(options))], depth + 1))
            else:
                width = 2 if text[place] == "\\" else 1
                made.append(text[place : place + width])
                place += width
        return re.sub(r"\\([{}|])", r"\1", "".join(made))

    def replaced(self, text: str, find: Find) -> str:
        """A file name with `%date:...%` and `%node.widget%` replaced; what is not known stays."""

        def put(match: re.Match[str]) -> str:
            parts = match[1].split(".")
            if len(parts) != 2:
                dated = self.now is not None and parts[0].startswith("date:")
                return _date(parts[0][5:], self.now) if dated and self.now else match[0]
            value = find(parts[0], parts[1])
            return match[0] if value is None else _NOT_IN_NAMES.sub("_", value)

        return _PLACEHOLDER.sub(put, text)


def _options(text: str, place: int) -> tuple[list[str], int]:
    """The options of a choice whose brace ends before `place`, and where the text goes on behind it."""
    options, start, depth = [], place, 0
    while place < len(text):
        char = text[place]
        if char == "\\":
            place += 1
        elif char == "{":
            depth += 1
        elif char == "}":
            if not depth:
                break
            depth -= 1
        elif char == "|" and not depth:
            options.append(text[start:place])
            start = place + 1
        place += 1
    return [*options, text[start:place]], place + 1


def _date(pattern: str, now: datetime) -> str:
    values: Mapping[str, int] = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def put(match: re.Match[str]) -> str:
        part = match[0]
        if part[0] in values:
            return str(values[part[0]]).zfill(len(part))
        return {"yy": str(now.year)[2:], "yyyy": str(now.year)}.get(part, part)

    return _DATE_PART.sub(put, pattern)
