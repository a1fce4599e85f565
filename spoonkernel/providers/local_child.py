"""The process that holds one model of the local engine: `python -m spoonkernel.providers.local_child`.

xllamacpp is llama.cpp's server in a wheel (github.com/xorbitsai/xllamacpp). It runs apart from us because a native
abort would take the notebook's kernel with it, and because ending a process is the one sure way to get the memory back.
It speaks OpenAI's API on 127.0.0.1, at a port of its own choice. Its settings, the key among them, come as one JSON
line on stdin, which then stays open: when it closes, the owner is gone and so are we. One JSON line on stdout says
where it answers, once it does.
"""

import json
import os
import signal
import sys
import threading
from typing import Any

PARENT_CHECK_S = 1.0
PROMPT_CACHE_MB = 64  # xllamacpp would keep up to 8 GB of old prompts
ERRORS_ONLY = 1  # llama.cpp's verbosity: 0 nothing, 1 errors, 3 everything about the model


def main() -> None:
    """Load the model and answer until the owner is gone."""
    owner = os.getppid()
    settings = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the owner, who then ends us
    threading.Thread(target=_leave_with_stdin, daemon=True).start()
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # llama.cpp prints; stdout is for our one line
    try:
        server = _serve(settings)
    except RuntimeError:  # llama.cpp has printed why, and the traceback says no more
        sys.exit(1)
    answer.write(json.dumps({"url": server.listening_address}) + "\n")
    answer.flush()
    never = threading.Event()
    while os.getppid() == owner:  # a process that our owner forked may hold stdin open after the owner's death
        never.wait(PARENT_CHECK_S)
    os._exit(0)


def _leave_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)  # not sys.exit: native threads may be in the middle of an answer


def _serve(settings: dict[str, Any]) -> Any:
    """llama.cpp's server on a free port.

    `settings`: `path`, `name`, `key`, `threads`, `context`, `slots`, `chat_template` (empty: the file's own).
    """
    import xllamacpp  # the [local] extra: our owner has looked for it

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["name"]}
    params.api_keys = [settings["key"]]
    params.port = 0  # the system picks one; 127.0.0.1 is the default host
    params.n_ctx = settings["context"]
    params.n_parallel = settings["slots"]
    params.kv_unified = True  # the slots share the context: one conversation alone may use all of it
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.chat_template = settings["chat_template"]
    params.cache_ram_mib = PROMPT_CACHE_MB
    params.warmup = False
    params.ui = False
    params.endpoint_slots = False
    params.offline = True
    params.verbosity = ERRORS_ONLY
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
