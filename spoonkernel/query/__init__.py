"""Questions in SQL over the live store: a child process that copies what changed into DuckDB and runs one SELECT.

`catalog` says what is copied, `worker` is the child (`sync` reads the store, `guard` shuts it in, `answers` spells what
came out), `child` is the parent's side of it.
"""
