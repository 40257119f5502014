"""Benchmark suite; ``python -m benchmarks`` compares skautoenc with its baselines."""
