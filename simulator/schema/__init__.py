"""Rules as people write them (TOML, JSON): read strictly, every mistake reported at once."""

from __future__ import annotations

from simulator.schema.errors import Problem, RulesError
from simulator.schema.files import load_rules, parse_rules, parse_text

__all__ = ["Problem", "RulesError", "load_rules", "parse_rules", "parse_text"]
