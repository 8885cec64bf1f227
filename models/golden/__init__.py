"""The parts of golden.py, which makes tests/fixtures/golden.json."""
