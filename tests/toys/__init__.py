"""One toy of every kind: what ``CONTRIBUTING.md`` shows as worked examples, and ``tests/test_toys.py`` registers."""
