from datetime import datetime

import pytest

from comfy_graphs import graph
from spoonkernel.comfy.filenames import replaced, with_filenames

NOW = datetime(2026, 3, 7, 15, 4, 9)  # noqa: DTZ001  # file names tell local time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%date:yyyy-MM-dd%/%date:hh-mm-ss%", "2026-03-07/15-04-09"),
        ("%date:yy_M_d h:m:s%", "26_3_7 15:4:9"),
        ("%date:dd.MM.yyyy%", "07.03.2026"),
        ("%KSampler.seed%_%KSampler.cfg%", "2012915689_7"),
        ("%My sampler.steps%", "4"),
        ("%CheckpointLoaderSimple.ckpt_name%", "tiny_sd15.safetensors"),
        ("%CLIPTextEncode.text%", "a_b_c_ _d___e_"),
        ("%width%x%height% %year%", "%width%x%height% %year%"),
        ("%Nobody.seed% %KSampler.nothing% %KSampler.model%", "%Nobody.seed% %KSampler.nothing% %KSampler.model%"),
        ("100% sure", "100% sure"),
    ],
)
def test_tokens_are_replaced_as_the_page_replaces_them(text, expected):
    nodes = graph()
    nodes["3"]["_meta"] = {"title": "My sampler"}
    nodes["6"]["inputs"]["text"] = 'a/b\\c: <d>\t"e|'
    assert replaced(text, nodes, NOW) == expected


def test_only_prefixes_of_file_names_are_filled_and_the_graph_stays_as_it_was():
    nodes = graph()
    nodes["6"]["inputs"]["text"] = nodes["9"]["inputs"]["filename_prefix"] = "%date:yyyy%"
    nodes["10"] = {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": ["6", 0]}}
    filled = with_filenames(nodes, NOW)
    assert filled["9"]["inputs"] == {"filename_prefix": "2026", "images": ["8", 0]}
    assert (filled["6"], filled["10"]) == (nodes["6"], nodes["10"])
    assert nodes["9"]["inputs"]["filename_prefix"] == "%date:yyyy%"
