"""Places where runs are kept. One contract holds for all of them: tests/stores/contract.py."""
