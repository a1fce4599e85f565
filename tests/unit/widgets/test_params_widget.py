"""The params pane's Python half: on a real workbench, against the simulated ComfyUI."""

import io
import threading

import pytest
from PIL import Image

import spoonkernel
from comfy_graphs import NEGATIVE, PROMPT, graph
from spoonkernel.errors import BadRequest, NotFound, ProviderConnectionError, ValidationFailed
from spoonkernel.testing.comfy_sim import start_simulated
from spoonkernel.types.workflows import WorkflowParameter
from spoonwidgets._params_fields import fields_of, nodes_of
from spoonwidgets._params_runs import reasons
from spoonwidgets._params_values import Values, fitting
from spoonwidgets.params import Params

WAIT_S = 20
SEED_MAX = 2**64 - 1


@pytest.fixture(scope="module")
def sim():
    return start_simulated()


@pytest.fixture
def wb(tmp_path, monkeypatch):
    monkeypatch.delenv("COMFYUI_URL", raising=False)
    with spoonkernel.open(data=tmp_path) as opened:
        yield opened


@pytest.fixture
def profile(wb, sim):
    return wb.profiles.create(name="Sim", type="image", provider="comfyui", url=sim.url).result(WAIT_S)


@pytest.fixture
def own(wb, profile):
    """A small workflow of one's own, made to run fast."""
    return wb.workflows.create(name="Fox", profile_id=profile.id, workflow_json=graph()).result(WAIT_S)


@pytest.fixture
def params(wb, own):
    return Params(wb, "Fox", session="Tests")


def ran(wb, generation):
    """The sampler's inputs and the prompt as ComfyUI got them."""
    nodes = wb.generations.workflow(generation.id).result(WAIT_S).workflow_json
    return nodes["3"]["inputs"], nodes["6"]["inputs"]["text"]


def state(view):
    return view.call("sync")["state"]


def until(view, condition):
    """The state once it says so; `runs` and the others come with each event."""
    found = state(view)
    while not condition(found):
        count = len(view.events)
        view.until(lambda count=count: len(view.events) > count)
        found = state(view)
    return found


# -- values ----------------------------------------------------------------------------------------------------------


def test_values_are_those_of_the_workflow_and_go_both_ways(params):
    assert params.values["steps"] == 4
    assert params.prompt == PROMPT
    params.values = {"steps": "6", "cfg": 5, "3.denoise": 0.5}
    params.prompt = "an owl"
    assert {"prompt": "an owl", "steps": 6, "cfg_scale": 5, "denoise": 0.5}.items() <= params.values.items()
    params.values = params.values
    params.reset("steps")
    assert params.values["steps"] == 4
    params.reset()
    assert params.prompt == PROMPT


def test_assigning_sets_all_or_nothing(params):
    with pytest.raises(ValidationFailed, match="steps: 20000 is too high: ComfyUI takes 1 to 10000"):
        params.values = {"cfg_scale": 3, "steps": 20_000}
    assert params.values["cfg_scale"] == 7
    with pytest.raises(ValidationFailed, match="stepps: this workflow has no such value; it has prompt"):
        params.values = {"stepps": 3}


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("INT", "12.5", "12.5 is not a whole number."),
        ("INT", "abc", "abc is not a number."),
        ("INT", " ", "A number is missing here."),
        ("FLOAT", -11, "\N{MINUS SIGN}11 is too low: ComfyUI takes \N{MINUS SIGN}10 to 10."),
        ("FLOAT", "nan", "nan is not a number."),
        ("BOOLEAN", "maybe", "maybe is neither true nor false."),
        ("COMBO", "x", "x is not one of its 2 choices."),
        ("STRING", 7, "7 is no text."),
    ],
)
def test_what_does_not_fit_is_said_in_words(kind, value, said):
    kinds = {"INT": "number", "FLOAT": "number", "BOOLEAN": "boolean", "COMBO": "choice", "STRING": "string"}
    limits = {"min": -10, "max": 10} if kinds[kind] == "number" else {}
    choices = ["a", "b"] if kind == "COMBO" else None
    told = WorkflowParameter(node_id="1", field="x", type=kinds[kind], integer=kind == "INT", options=choices, **limits)
    with pytest.raises(ValidationFailed) as caught:
        fitting(fields_of([told])[0], value)
    assert caught.value.message == said


def test_numbers_are_taken_as_people_write_them():
    [field] = fields_of([WorkflowParameter(node_id="1", field="x", type="number", min=-10, max=10)])
    assert [fitting(field, text) for text in ("0,5", "\N{MINUS SIGN}3", " 7 ", 2)] == [0.5, -3, 7, 2]


def test_fields_stand_in_groups_and_a_role_stands_for_all_its_inputs():
    def told(node, field, role=None, title="Node", **more):
        return WorkflowParameter(node_id=node, field=field, type="number", role=role, node=title, label=field, **more)

    fields = fields_of(
        [
            told("10", "lora_name", "lora", "Load LoRA"),
            told("10", "strength_model", None, "Load LoRA"),
            told("3", "steps", "steps", "KSampler"),
            told("13", "steps", "steps", "Second pass"),
            told("20", "blur", None, "Sharpen"),
            told("9", "filename_prefix", "filename_prefix", "Save"),
            told("6", "text", "prompt", "Positive"),
        ]
    )
    assert [(one.group, one.key) for one in fields] == [
        ("Prompt", "prompt"),
        ("Sampler", "steps"),
        ("Model", "lora"),
        ("Model", "10.strength_model"),
        ("Sharpen", "20.blur"),
        ("Output", "filename_prefix"),
    ]
    assert fields[1].addresses == ("3.steps", "13.steps")
    assert nodes_of(fields[2:4]) == "Load LoRA, node 10"


# -- runs ------------------------------------------------------------------------------------------------------------


def test_a_64_bit_seed_arrives_to_its_last_digit(wb, params):
    params.values = {"seed": SEED_MAX, "prompt": "an owl"}
    generation = params.generate().result(WAIT_S)
    assert generation.status == "complete"
    sampler, prompt = ran(wb, generation)
    assert (int(sampler["seed"]), sampler["steps"], prompt) == (SEED_MAX, 4, "an owl")
    assert params.session.title == "Tests"


def test_several_runs_have_a_seed_each(wb, params):
    def seeds(count):
        params.generate(count).result(WAIT_S)
        return [one.seed for one in wb.generations.list().result(WAIT_S)][:count][::-1]

    params.values = {"seed": 40}
    assert seeds(2) == [40, 41]
    assert params.values["seed"] == 40  # fixed stays
    wb.start(params.op_set({}, "step")).result(WAIT_S)
    assert seeds(2) == [40, 41]
    assert params.values["seed"] == 42  # +1 has gone on
    params.values = {"seed": SEED_MAX}
    wb.start(params.op_set({}, "step")).result(WAIT_S)
    assert seeds(1) == [SEED_MAX]
    assert params.values["seed"] == 0
    params.values = {"seed": -1}
    drawn = seeds(2)
    assert len({*drawn, 40, 0}) == 4
    with pytest.raises(ValidationFailed, match="takes 1 to 64 runs, not 0"):
        params.generate(0)


def test_a_run_has_the_values_of_its_moment(wb, params):
    params.values = {"steps": 2}
    first = params.generate()
    params.values = {"steps": 3}
    second = params.generate()
    assert [run.result(WAIT_S).steps for run in (first, second)] == [2, 3]


def test_listeners_hear_of_a_run_once_comfyui_has_it(wb, params):
    heard, came = [], threading.Semaphore(0)

    @params.on_generate
    def plain(generation):
        heard.append((generation.id, params.values["steps"]))  # may use the pane: it has a thread of its own
        came.release()

    @params.on_generate
    async def coroutine(generation):
        heard.append((generation.id, None))
        came.release()

    generation = params.generate().result(WAIT_S)
    assert came.acquire(timeout=WAIT_S)
    assert came.acquire(timeout=WAIT_S)
    assert sorted(heard, key=str) == sorted([(generation.id, 4), (generation.id, None)], key=str)


def test_a_reset_value_is_not_what_the_session_remembers(wb, params):
    params.values = {"steps": 2}
    params.generate().result(WAIT_S)
    params.reset()
    assert params.generate().result(WAIT_S).steps == 4


def test_a_cleared_prompt_is_empty_and_not_the_workflows_own(wb, params):
    params.values = {"prompt": "", "negative_prompt": ""}
    generation = params.generate().result(WAIT_S)
    assert ran(wb, generation)[1] == ""
    assert generation.negative_prompt == ""


def test_a_model_that_is_missing_is_left_to_the_kernel(wb, profile):
    params = Params(wb, "SD 1.5 text to image")
    params.values = {"width": 64, "height": 64, "steps": 1}
    generation = params.generate().result(WAIT_S)
    assert generation.status == "complete"
    assert "is not on this server" in generation.warnings[0]


def test_the_session_brings_its_last_values_back(wb, own, params):
    params.values = {"steps": 2, "seed": 7}
    params.generate().result(WAIT_S)
    again = Params(wb, session="Tests")
    assert repr(again) in {"<Params>", "<Params of Fox, 1 changed>"}  # it is being read
    assert (again.values["steps"], again.values["seed"]) == (2, -1)  # a seed is never carried over
    assert again.session.id == params.session.id
    assert Params(wb, "Fox").values["steps"] == 4  # no session named: the workflow's own


def test_a_generation_gives_its_values_and_its_workflow_back(wb, own, params):
    params.values = {"seed": SEED_MAX, "steps": 2, "prompt": "an owl", "cfg_scale": 3.5}
    generation = params.generate().result(WAIT_S)
    other = Params(wb, "SDXL text to image")
    other.take(generation)
    assert repr(other) == "<Params of Fox, 4 changed>"
    assert {"seed": SEED_MAX, "steps": 2, "prompt": "an owl", "cfg_scale": 3.5}.items() <= other.values.items()


def test_unknown_workflow_and_session_are_named(wb, own):
    with pytest.raises(NotFound, match="Workflow Nope not found; there are: Fox"):
        _ = Params(wb, "Nope").values
    with pytest.raises(NotFound, match="Session 01a20704-399a-7221-81eb-5a6e9b7349cd not found"):
        Params(wb, session="01a20704-399a-7221-81eb-5a6e9b7349cd").generate().result(WAIT_S)


def test_the_loop_does_not_wait_for_itself(wb, params):
    assert params.values

    async def inside():
        return params.values

    with pytest.raises(BadRequest, match="would wait for itself"):
        wb.start(inside()).result(WAIT_S)


# -- what the page does ----------------------------------------------------------------------------------------------


def test_a_text_that_does_not_fit_stays_beside_its_error_and_nothing_is_sent(wb, sim, params, page):
    view, before = page(params), len(sim.submissions)
    view.call("set", values={"steps": "20000", "seed": "18446744073709551616"})
    values = until(view, lambda found: found["values"]["errors"])["values"]
    assert values["values"]["steps"] == "20000"
    assert values["errors"]["seed"].startswith("18446744073709551616 is too high")
    assert "VALIDATION_ERROR" in view.refused("generate")
    with pytest.raises(ValidationFailed, match="Steps: 20000 is too high"):
        params.generate().result(WAIT_S)
    assert len(sim.submissions) == before
    view.call("set", values={"steps": "3", "seed": str(SEED_MAX)}, mode="fixed")
    assert state(view)["values"]["values"]["seed"] == str(SEED_MAX)  # digits, not a number that JSON would round
    view.call("generate")
    last = until(view, lambda found: found["runs"]["last"])["runs"]["last"]
    assert (last["seed"], last["pictures"]) == (str(SEED_MAX), 1)


def test_what_comfyui_refuses_stands_at_its_field(wb, profile, page):
    params = Params(wb, "Image to image")
    params.values = {"image": "nowhere.png", "steps": 1}
    view = page(params)
    view.call("generate")
    errors = until(view, lambda found: found["values"]["errors"])["values"]["errors"]
    assert list(errors) == ["image"]
    assert errors["image"].startswith("ComfyUI refused it: ")
    with pytest.raises(ValidationFailed, match="Image: ComfyUI refused it"):
        params.generate().result(WAIT_S)  # until it changes, it is not tried again
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(picture, "PNG")
    view.call("image", key="image", upload=view.upload(picture.getvalue()), filename="mine.png")
    assert view.call("input", key="image") == picture.getvalue()
    assert state(view)["values"]["errors"] == {}
    assert params.generate().result(WAIT_S).status == "complete"


def test_reasons_are_told_apart():
    addresses = {"3.steps": "steps", "10.image": "image"}
    text = "KSampler (node 3), steps: 0 is not allowed; it takes 1 to 10; LoadImage (node 10): image: no file; and more"
    found, left = reasons(text, addresses)
    assert found == {"steps": "0 is not allowed; it takes 1 to 10", "image": "no file"}
    assert left == "and more"


def test_presets_are_kept_with_the_workflow_and_no_run_takes_them_by_itself(wb, own, params, page):
    view = page(params)
    view.call("set", values={"steps": "2", "prompt": "an owl"})
    view.call("preset", action="save", name=" Draft ")
    assert wb.workflows.get(own.id).result(WAIT_S).default_parameters["presets"]["Draft"]["steps"] == 2
    view.call("reset")
    found = state(view)
    assert (found["setup"]["presets"], found["values"]["preset"], params.values["steps"]) == (["Draft"], None, 4)
    assert params.generate().result(WAIT_S).warnings == []
    colleague = page(Params(wb, "Fox"))
    colleague.call("preset", action="apply", name="Draft")
    assert state(colleague)["values"]["preset"] == "Draft"
    assert colleague.pane.prompt == "an owl"
    colleague.call("preset", action="default")
    assert state(colleague)["values"]["changed"] == []
    fresh = wb.sessions.create(profile_id=own.profile_id).result(WAIT_S)
    assert wb.sessions.generate(fresh.id, prompt_text="", workflow_id=own.id).result(WAIT_S).steps == 2
    colleague.call("preset", action="delete", name="Draft")
    assert "presets" not in wb.workflows.get(own.id).result(WAIT_S).default_parameters
    assert "1 to 80 characters" in colleague.refused("preset", action="save", name=" ")


def test_the_first_run_offers_a_simulated_comfyui(wb, page):
    params = Params(wb)
    view = page(params)
    until(view, lambda found: found["setup"]["phase"] == "empty")
    with pytest.raises(BadRequest, match="There is no workflow yet"):
        params.generate().result(WAIT_S)
    view.call("connect", url="http://127.0.0.1:9")
    refused = until(view, lambda found: found["setup"]["refused"])["setup"]
    assert (refused["phase"], refused["busy"]) == ("empty", "")
    view.call("simulate")
    ready = until(view, lambda found: found["setup"]["phase"] == "ready" and not found["setup"]["busy"])["setup"]
    assert (ready["workflow"]["name"], ready["server"]["simulated"]) == ("SDXL text to image", True)
    assert ready["refused"] == ""


def test_a_comfyui_that_is_away_leaves_the_form(wb, profile, page):
    Params(wb, "SDXL text to image").reset()
    wb.profiles.update(profile.id, url="http://127.0.0.1:9").result(WAIT_S)
    params = Params(wb, "SDXL text to image")
    view = page(params)
    found = until(view, lambda found: found["setup"]["phase"] == "ready")
    assert found["setup"]["trouble"]
    params.values = {"steps": 3}
    with pytest.raises(ProviderConnectionError):
        params.generate().result(WAIT_S)
    assert params.values["steps"] == 3


def test_only_pictures_of_the_pane_are_handed_out(wb, own, params, page):
    generation = params.generate().result(WAIT_S)
    view = page(params)
    until(view, lambda found: found["runs"]["last"])
    assert Image.open(io.BytesIO(view.call("picture", id=generation.id))).size == (64, 64)
    assert view.call("picture", id=generation.id, size="thumbnail")[8:12] == b"WEBP"
    assert "is not of this pane" in view.refused("picture", id=own.id)
    assert "has no picture 5" in view.refused("picture", id=generation.id, index=5)


def test_stop_ends_every_run_of_the_pane(wb, own, params, page, tmp_path):
    slow = start_simulated(seconds_per_step=0.5)
    wb.profiles.update(own.profile_id, url=slow.url).result(WAIT_S)
    view = page(params)
    view.call("set", values={"steps": "40"})
    view.call("generate", count=3)
    until(view, lambda found: [run["status"] for run in found["runs"]["open"]].count("running") >= 1)
    view.call("stop")
    found = until(view, lambda found: not found["runs"]["open"])
    assert found["runs"]["last"]["error"] == "Cancelled"
    assert {one.status for one in wb.generations.list().result(WAIT_S)} == {"failed"}


def test_saved_copy_tells_what_was_changed_with_everything_escaped(wb, params):
    params.values = {"prompt": "<b>owl</b>", "seed": SEED_MAX}
    params.generate().result(WAIT_S)
    html, text = params.saved()
    assert "<td>Prompt</td><td>&lt;b&gt;owl&lt;/b&gt;</td>" in html
    assert f"Seed | {SEED_MAX} | random" in text
    assert NEGATIVE not in html


def test_the_python_of_a_pane_makes_the_same_picture(wb, own, params):
    params.values = {"steps": 2, "seed": 7, "prompt": "it's an owl"}
    expected = params.generate().result(WAIT_S)
    code = wb.start(params.op_python()).result(WAIT_S).replace("await run", "")
    scope = {"wb": wb}
    exec(code, scope)  # it is there to be run
    made = scope["run"].result(WAIT_S)
    assert (made.seed, made.steps, made.prompt_text, made.session_id) == (7, 2, "it's an owl", expected.session_id)


def test_defaults_may_be_named_in_several_ways():
    told = [
        WorkflowParameter(node_id="3", field="cfg", type="number", role="cfg_scale", value=7),
        WorkflowParameter(node_id="3", field="seed", type="seed", role="seed", value=1, max=str(SEED_MAX)),
    ]
    values = Values(fields_of(told), {"cfg": 4, "3.seed": str(SEED_MAX), "presets": {"a": {"cfg": 9}}})
    assert values.plain() == {"seed": SEED_MAX, "cfg_scale": 4}
    assert values.changed() == []
