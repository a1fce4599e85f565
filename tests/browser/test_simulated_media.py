"""The simulation's films and sounds play in a browser, to their end."""

import base64

import pytest

from spoonkernel.testing.comfy_sim import films, sounds
from spoonkernel.testing.comfy_sim.pictures import solid
from spoonkernel.testing.comfy_sim.values import Audio

SHOTS = [lambda level=level: solid(64, 48, (level * 20, 90, 40)) for level in range(10)]
PLAY = """async ([tag, url]) => {
    const media = Object.assign(document.createElement(tag), {muted: true, src: url})
    document.body.append(media)
    await new Promise((resolve, reject) => { media.onloadeddata = resolve; media.onerror = () => reject(media.error) })
    const near = media.duration * 0.95
    const drawn = new Promise(resolve => { // the picture of that moment may be drawn after the seek has ended
        const look = (_, {mediaTime}) => mediaTime > near - 0.11 ? resolve() : media.requestVideoFrameCallback(look)
        media.requestVideoFrameCallback?.(look)
    })
    const sought = new Promise(resolve => { media.onseeked = resolve })
    media.currentTime = near
    await sought
    if (tag === "audio") return [media.duration, null]
    await drawn
    const canvas = document.createElement("canvas"), paper = canvas.getContext("2d")
    paper.drawImage(media, 0, 0)
    return [media.duration, paper.getImageData(20, 20, 1, 1).data[0]]
}"""


@pytest.mark.parametrize(("kind", "write"), [("video/webm", films.webm), ("video/mp4", films.mp4)])
def test_a_film_shows_its_last_picture_at_its_end(context, kind, write):
    duration, red = played(context, "video", kind, write(SHOTS, 10.0, {"prompt": "{}"}))
    assert abs(duration - 1.0) < 0.05
    assert abs(red - 180) < 20


@pytest.mark.parametrize(
    ("kind", "write"), [("audio/flac", sounds.flac), ("audio/mpeg", sounds.mp3), ("audio/ogg", sounds.opus)]
)
def test_a_sound_lasts_as_long_as_it_should(context, kind, write):
    duration, _ = played(context, "audio", kind, write(Audio("x", 2.0, tone_hz=330), {"prompt": "{}"}))
    assert abs(duration - 2.0) < 0.05


def played(context, tag, kind, content):
    page = context.new_page()
    try:
        page.goto("about:blank")
        return page.evaluate(PLAY, [tag, f"data:{kind};base64,{base64.b64encode(content).decode()}"])
    finally:
        page.close()
