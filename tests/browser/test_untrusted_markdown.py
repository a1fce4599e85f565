"""What a model writes is untrusted: nothing in it may run, load, or leave the pane. The page holds a Jupyter token."""

from playwright.sync_api import expect

from browser.test_chat_pane import START, Pane

CORPUS = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 2'>",
    "<svg onload='window.hit = 3'><script>window.hit = 4</script></svg>",
    "<iframe srcdoc='<script>parent.hit = 5</script>'></iframe>",
    "<math><mtext><table><mglyph><style><img src=x onerror='window.hit = 6'></style></mglyph></table></mtext></math>",
    "<form id=x><input name=attributes><input name=parentNode></form>",
    "<template shadowrootmode=open><img src=x onerror='window.hit = 7'></template>",
    "<style>@import 'https://evil.example/a.css'; * { display: none }</style>",
    "<link rel=stylesheet href=https://evil.example/b.css>",
    "<base href=https://evil.example/>",
    "<video src=https://evil.example/c.mp4 autoplay></video>",
    "![pixel](https://evil.example/d.png)",
    "![pixel][r]\n\n[r]: https://evil.example/e.png 'title'",
    "[click me](javascript:window.hit=8)",
    "[click me](JaVaScRiPt&colon;window.hit=9)",
    "[click me](data:text/html,<script>opener.hit=10</script>)",
    "[click me](vbscript:window.hit=11)",
    "<javascript:window.hit=12>",
    "[x](https://ok.example/ 'onmouseover=window.hit=13')",
    "`` <img src=x onerror=window.hit=14> ``",
    "```html\n<img src=x onerror=window.hit=15>\n```",
    '```"><img src=x onerror=window.hit=16>\nx\n```',
    "| <img src=x onerror=window.hit=17> | b |\n|---|---|\n| <script>window.hit=18</script> | [y](javascript:hit=19) |",
    "- [ ] <img src=x onerror=window.hit=20>",
    "&lt;img src=x onerror=window.hit=21&gt;",
    "[a](https://ok.example/%22onclick=window.hit=22)",
    "![a](javascript:window.hit=23)",
    "<a href='javascript:window.hit=24'>raw</a>",
    r"$\href{javascript:window.hit=25}{click me}$ and \(\url{https://evil.example/f.png}\)",
    r"$\includegraphics{https://evil.example/g.png}$",
    r"$$\html{<img src=x onerror=window.hit=26>} \text{<img src=x onerror=window.hit=27>}$$",
    r"$\htmlStyle{background:url(https://evil.example/h.png)}{x} \class{btn}{y} \id{x}{z} \data{a=b}{w}$",
    r"$\color{red;background:url(https://evil.example/i.png)}x \style{position:fixed}{y}$",
    r"$</math><img src=x onerror=window.hit=28>$",
    r"\[ \unicode{x3c}img src=x onerror=window.hit=29\unicode{x3e} \]",
    r"$\def\a{\a\a}\a$ $\rule{99999em}{99999em}$ $\kern{-99999em}x$",
    r"$`<mglyph src=https://evil.example/j.png>`$ $\begin{CD} A @>{<svg onload=window.hit=30>}>> B \end{CD}$",
    "<img src='https://evil.example/half",
]

ATTRIBUTES = """
nodes => nodes.flatMap(node => [...node.attributes]
  .filter(({name, value}) => /^(on|href|xlink|src|id|name|data)/.test(name) || /url|fixed|absolute|script/i.test(value))
  .map(({name, value}) => `${name}=${value}`))
"""
"""What a formula's elements may not have."""


def test_nothing_in_an_answer_runs_or_leaves_the_page(notebook):
    opened = notebook(START.format(model="script"))
    opened.run_cell(0)
    pane = Pane(opened)
    answer = "\n\n".join(CORPUS)
    opened.kernel(f"bench.inner.chat.script = {answer!r}")
    pane.say("do your worst")
    expect(pane.at.get_by_text("Answer complete")).to_be_attached(timeout=15_000)
    article = pane.log.get_by_role("article", name="script")
    for link in article.get_by_role("link").all():
        link.dispatch_event("mouseover")
        assert link.get_attribute("href").startswith(("https://", "mailto:"))
        assert link.get_attribute("rel") == "noopener noreferrer"
        assert link.get_attribute("target") == "_blank"
    assert opened.page.evaluate("() => window.hit") is None
    assert article.locator("img, svg:not(.i), script, iframe, style, form, input, video, link, template").count() == 0
    expect(article.locator("math").first).to_be_visible()
    assert article.locator("math :is(a, mglyph, maction, annotation-xml, semantics)").count() == 0
    assert article.locator("math, math *").evaluate_all(ATTRIBUTES) == []
    expect(article.get_by_text("window.hit = 1</script>")).to_be_visible()  # raw HTML is shown as what it is
    expect(article.get_by_role("link", name="Image: pixel").first).to_be_visible()
    assert opened.outside == []
    assert opened.page.locator(".jp-Toolbar").first.is_visible()  # no style of the answer reached the page


def test_question_is_plain_text(notebook):
    opened = notebook(START.format(model="echo"))
    opened.run_cell(0)
    pane = Pane(opened)
    pane.say("<img src=x onerror='window.hit = 1'> **not bold**")
    expect(pane.at.get_by_text("Answer complete")).to_be_attached()
    expect(pane.log.get_by_role("article", name="You").get_by_text("**not bold**")).to_be_visible()
    assert opened.page.evaluate("() => window.hit") is None
