import socket

import pytest

from spoonkernel.errors import BadRequest
from spoonkernel.providers.address import GuardedResolver, clean_url, is_forbidden


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        (" http://localhost:11434 ", "http://localhost:11434"),
        ("http://192.168.1.20:8000/v1//", "http://192.168.1.20:8000/v1"),
        ("HTTP://[::1]:1234", "http://[::1]:1234"),
    ],
)
def test_url_is_kept_without_its_trailing_slash(url, clean):
    assert clean_url(url, "OpenAI") == clean


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:11434", "ftp://host/", "file:///etc/passwd", "http://", "http://h:port/"),
        *("http://user:secret@host", "http://host/?key=1", "http://host/#x"),
        *("http://169.254.169.254/latest", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/"),
        *("http://[::ffff:a9fe:a9fe]", "http://[fd00:ec2::254]", "http://100.100.100.200"),
    ],
)
def test_url_that_may_not_be_called_is_a_bad_request_without_its_login(url):
    with pytest.raises(BadRequest) as caught:
        clean_url(url, "OpenAI")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.0.0.7", "::1", "api.openai.com", "169.253.1.1"])
def test_own_machine_and_network_may_be_called(host):
    assert not is_forbidden(host)


async def test_name_that_resolves_to_a_metadata_address_is_refused():
    resolver = GuardedResolver()
    with pytest.raises(OSError, match="metadata address"):
        await resolver.resolve("2852039166", 80, socket.AF_INET)  # 169.254.169.254 as one number
    assert (await resolver.resolve("localhost", 80, socket.AF_INET))[0]["host"] == "127.0.0.1"
    await resolver.close()
