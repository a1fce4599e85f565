"""A model's markdown made harmless for a notebook's own renderer.

A notebook trusts what its own cells output: JupyterLab puts the HTML inside `text/markdown` into the page as it is, and
the page holds the reader's token. So no tag, no picture from elsewhere and no link but to the web may reach it. The
neutralised characters become entities, which a markdown parser never takes for markup; code goes as HTML of our own,
because entities are not read inside markdown's code.
"""

import re

_FENCE = re.compile(r"^ {0,3}(?P<mark>`{3,}|~{3,})(?P<info>[^\n`]*)$")
_CODE = re.compile(r"(?<![`\\])(?P<ticks>`+)(?!`)(?P<code>[^`\n]|[^`\n].*?[^`])(?P=ticks)(?!`)")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\](?P<mark>[(:])(?!\s{0,3}<?(?:https?://|mailto:))")


def harmless(text: str) -> str:
    """The same text as markdown without HTML, remote pictures, or links other than http, https and mailto."""
    done: list[str] = []
    prose: list[str] = []
    lines = iter(text.replace("\r\n", "\n").split("\n"))
    for line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            prose.append(line)
            continue
        done.append(_prose("\n".join(prose)))
        prose.clear()
        end = re.compile(rf"^ {{0,3}}{re.escape(fence['mark'][0])}{{{len(fence['mark'])},}}\s*$")
        code: list[str] = []
        for inner in lines:
            if end.match(inner):
                break
            code.append(inner)
        done.append(_block(code, fence["info"].strip()))
    done.append(_prose("\n".join(prose)))
    return "\n".join(done)


def _prose(text: str) -> str:
    """Everything but fenced code."""
    done, at = [], 0
    for found in _CODE.finditer(text):
        done.append(_plain(text[at : found.start()]))
        done.append(f"<code>{_inert(found['code'])}</code>")
        at = found.end()
    return "".join([*done, _plain(text[at:])])


def _plain(text: str) -> str:
    text = _TAG.sub("&lt;", text).replace("![", "&#33;[")
    return _LINK.sub(lambda found: f"]&#{ord(found['mark'])};", text)


def _block(lines: list[str], info: str) -> str:
    """A fenced block as an HTML block: it may not hold an empty line's end, nor anything that markdown reads."""
    language = re.sub(r"[^\w+#.-]", "", info.split(" ", maxsplit=1)[0])
    code = _inert("\n".join(lines))
    return f'\n<pre><code class="language-{language}">{code}\n</code></pre>\n'


def _inert(code: str) -> str:
    """Code as HTML text in which markdown finds nothing to do."""
    return re.sub(r"[&<>\"'`*_\[\]\\!$~|:(]", lambda found: f"&#{ord(found[0])};", code)
