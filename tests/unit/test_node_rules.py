"""Which node classes are refused in workflows from users."""

import json

import pytest

from comfy_recordings import RECORDINGS
from spoonkernel.config import read_config
from spoonkernel.errors import Forbidden
from spoonkernel.services.node_rules import check_nodes, reason_against

CODE = [
    "ShellCodeNode",
    "PythonCodeNode",
    "NodePython",
    "PyExec",
    "KY_Eval_Python",
    "KY_Eval_Python_Expr",
    "RunPythonCode",
    "Any_Python",
    "anyPython",
    "PythonScript",
    "ExecutePython",
    "ACE_ExpressionEval",
    "IDENode",
    "EvalNode",
    "LLM_shell",
    "NotebookCell",
    "BashScript",
    "RunScript",
    "RunCommand",
    "SubprocessNode",
    "PowerShellNode",
    "LuaScript",
    "JavascriptRunner",
    "ExecuteCode",
]
NETWORK = ["LoadImageFromUrl", "Load Image From URL (mtb)", "Get Request Node", "Post Request Node", "HTTPRequest",
           "SendWebhook", "S3Upload"]  # fmt: skip
FILES = ["Load Text File", "Save Text File", "SaveTextToFile", "Text Load Line From File", "SavePromptToFile",
         "DeleteFile"]  # fmt: skip
HARMLESS = [
    *("Evaluate Integers", "Evaluate Strings", "HighRes-Fix Script", "Noise Control Script", "Tiled Upscaler Script"),
    *("ImpactExecutionOrderController", "ExecuteAllControlSwitch", "MathExpression|pysssss", "ShowText|pysssss"),
    *("SimpleMath+", "easy seed", "easy fullLoader", "KSampler (Efficient)", "Seed (rgthree)", "VHS_VideoCombine"),
    *("Power Lora Loader (rgthree)", "UltimateSDUpscale", "CR Text", "DownloadAndLoadFlorence2Model", "ttN text"),
    *(
        "VHS_LoadVideoPath",
        "Image Save",
        "Load Image Batch",
        "WD14Tagger|pysssss",
        "ETN_LoadImageBase64",
        "Text String",
    ),
    *("ConditioningSetMask", "CopyImage", "Seashell", "PyramidBlend", "Evaluation", "Curly Hair", "JsonToText"),
]


@pytest.mark.parametrize("name", [*CODE, *NETWORK, *FILES])
def test_what_runs_code_or_reaches_out_is_refused(name):
    assert reason_against(name) in {"runs code", "runs programs", "reaches for the network", "touches any file"}


@pytest.mark.parametrize("name", HARMLESS)
def test_well_known_nodes_that_do_none_of_it_are_accepted(name):
    assert reason_against(name) is None


def test_no_class_of_core_is_refused():
    core = json.loads((RECORDINGS / "object_info.json").read_text())
    assert len(core) == 496
    assert [name for name in core if reason_against(name)] == []
    custom = json.loads((RECORDINGS / "custom_nodes.json").read_text())["nodes"]
    assert [name for name in custom if reason_against(name)] == []


def test_a_refusal_names_node_class_and_the_way_to_allow_it():
    graph = {"7": {"class_type": "PythonScript", "inputs": {}, "_meta": {"title": "Mine"}}}
    with pytest.raises(Forbidden) as told:
        check_nodes(graph, ())
    assert told.value.message == (
        "Mine (node 7): nodes of class PythonScript are not accepted, such a node runs code. "
        "An administrator can allow it: SPOON_COMFYUI_ALLOW_NODES=PythonScript"
    )
    for allowed in (("PythonScript",), ("*",), ("Other", "PythonScript")):
        check_nodes(graph, allowed)
    with pytest.raises(Forbidden):
        check_nodes(graph, ("Python*", "pythonscript"))


def test_the_environment_allows_classes_by_name():
    config = read_config({"SPOON_COMFYUI_ALLOW_NODES": " PythonScript, Load Text File ,"}, data="x")
    assert config.comfyui_allow_nodes == ("PythonScript", "Load Text File")
    assert read_config({}, data="x").comfyui_allow_nodes == ()
