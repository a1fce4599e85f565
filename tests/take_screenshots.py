"""Take the README's pictures of the panes, light and dark: `python tests/take_screenshots.py [NAME ...]`.

A real JupyterLab, the local model and the simulated ComfyUI; look at the pictures afterwards, nothing compares them.
"""

import pathlib
import re
import sys
import tempfile

from browser.jupyterlab import Lab, Notebook, browser, write_notebook

IMAGES = pathlib.Path(__file__).parents[1] / "docs/images"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
OPEN = """
import spoonkernel as spoon
from spoonkernel.testing.comfy_sim import start_simulated
from spoonwidgets import Chat, Gallery, Params, Profiles, Query, Tasks
wb = spoon.open(data={data!r})
"""
PICTURES = """
profile = await wb.profiles.create(name="Local ComfyUI", type="image", provider="comfyui",
                                   url=start_simulated(seconds_per_step=0.005).url)
session = await wb.sessions.create(profile_id=profile.id, title="Workbench")
runs = [wb.generate("lighthouse on a basalt cliff above a calm sea, gouache on rough paper", session=session.id,
                    seed=4100 + seed, steps=12, cfg_scale=5 + seed % 4, width=512, height=512) for seed in range(16)]
rows = [await run for run in runs]
for place, row in enumerate(rows):
    if place % 3:
        await wb.generations.rate(row.id, rating=1 + place % 5)
"""
TALK = """
async for piece in wb.models.pull("smollm2:135m"):
    pass
chat = Chat(wb, provider="local", model="smollm2:135m", conversation="Fog notes", options={"seed": 3, "max_tokens": 90})
await chat.ask("Write a Python function that greets a lighthouse keeper.")
await chat.ask("Name three words for fog, in a list.")
"""
TASKS = """
tasks = [await wb.tasks.create(name=f"Motto {seed}", type="text", provider="local", prompt="A motto for a lighthouse.",
         options={"model": "smollm2:135m", "seed": seed, "max_tokens": 30}) for seed in (1, 2, 3)]
tasks.append(await wb.tasks.create(name="Product text", type="text", provider="claude", prompt="Hello"))
await Tasks(wb, tasks).wait()
"""
QUERY = '''
query = Query(wb, """select id as image, seed, cfg_scale, rating, sampler_name, duration_ms
from runs
where kind = 'generation' and steps >= $least
order by rating desc nulls last""")
await query.run(least=10)
query
'''
CHART = '''
chart = Query(wb, """select cfg_scale, rating, if(seed < 4108, 'the first eight', 'the others') as runs
from runs
where kind = 'generation'""")
chart.plot("cfg_scale", "rating", draw="line", by="runs")
chart
'''
PANES = {
    "workbench": "wb.workbench_ui()",
    "chat": "chat",
    "params": 'params = Params(wb, session=session.id)\nparams.values = {"steps": 25, "seed": 4102}\nparams',
    "gallery": "Gallery(wb, session=session.id)",
    "query": QUERY,
    "query-chart": CHART,
    "query-tab": "ui = wb.workbench_ui()\nui.tab = 'query'\nui",
    "profiles": "Profiles(wb)",
    "tasks": "Tasks(wb, tasks)",
}


def main(names: list[str]) -> None:
    wanted = {name: code for name, code in PANES.items() if not names or name in names}
    home = pathlib.Path(tempfile.mkdtemp())
    cells = [OPEN.format(data=str(home / "data")), PICTURES, TALK, TASKS, *wanted.values()]
    with Lab(home) as lab, browser(device_scale_factor=1) as context:
        write_notebook(lab.root / "panes.ipynb", *cells)
        page = Notebook(context.new_page(), lab).open("panes.ipynb")
        page.page.set_viewport_size({"width": 1240, "height": 1000})
        for index in range(len(cells)):
            page.run_cell(index)
            page.wait_cell(index)
        for look, theme in THEMES.items():
            page.theme(theme)
            for place, name in enumerate(wanted, len(cells) - len(wanted)):
                pane = page.output(place).locator("[data-spoon]").first
                pane.scroll_into_view_if_needed()
                page.page.wait_for_load_state("networkidle")
                page.page.wait_for_timeout(1_500)  # pictures come in over the comm, and nothing says that all are there
                pane.screenshot(path=IMAGES / f"{name}-{look}.png")
        sys.stdout.write(f"{len(wanted)} panes in {IMAGES}; console: {page.trouble}; outside: {page.outside}\n")


if __name__ == "__main__":
    main([name for name in sys.argv[1:] if re.fullmatch(r"[\w-]+", name)])
