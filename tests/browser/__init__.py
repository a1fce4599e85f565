"""Tests in a real browser. A package, so that one browser serves all of them: see conftest.py."""
