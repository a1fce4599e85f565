from typing import get_args

import pytest

from spoonkernel.config import PROVIDER_KEYS
from spoonkernel.errors import BadRequest
from spoonkernel.providers.base import ImageProvider, ModelHost, SpeechProvider
from spoonkernel.providers.registry import PROVIDERS, build
from spoonkernel.types.base import ChatProviderName, ProviderName


def test_table_has_every_provider_of_the_contract():
    assert set(PROVIDERS) == set(get_args(ProviderName))
    assert {name for name, entry in PROVIDERS.items() if "text" in entry.makes} == set(get_args(ChatProviderName))
    assert {name for name, entry in PROVIDERS.items() if entry.needs_key} == set(PROVIDER_KEYS)


@pytest.mark.parametrize(
    ("name", "kind", "offers"),
    [
        ("openai", "image", ImageProvider),
        ("openai", "audio", SpeechProvider),
        ("gemini", "image", ImageProvider),
        ("ollama", "text", ModelHost),
    ],
)
def test_adapters_offer_what_the_table_says(pool, name, kind, offers):
    assert kind in PROVIDERS[name].makes
    assert isinstance(build(name, pool, key="k"), offers)


@pytest.mark.parametrize("name", ["claude", "ollama"])
def test_adapters_offer_no_more(pool, name):
    adapter = build(name, pool, key="k")
    assert not isinstance(adapter, ImageProvider | SpeechProvider)


@pytest.mark.parametrize("name", sorted(PROVIDER_KEYS))
def test_missing_key_says_where_to_put_one(pool, name):
    with pytest.raises(BadRequest, match=f"set {PROVIDER_KEYS[name]}"):
        build(name, pool)
    assert build(name, pool, url="http://localhost:8000/v1")


@pytest.mark.parametrize("key", ["sk-1\nX-Evil: 1", "sk 1", "ключ-ключ"])
def test_key_that_is_none_is_refused_without_being_shown(pool, key):
    with pytest.raises(BadRequest, match="The API key for OpenAI") as caught:
        build("openai", pool, key=key)
    assert key not in caught.value.message


@pytest.mark.parametrize("name", ["local", "comfyui", "sora"])
def test_what_is_built_elsewhere_is_not_built_here(pool, name):
    with pytest.raises(BadRequest):
        build(name, pool)
