"""Which keys of the reference nobody shows or refuses, and which scenarios are of keys that are gone.

The reference is written from the schema, so a key that is added is missed here at once.
"""
import re

from keys import limits, listener, node, queues, tls  # noqa: F401  each registers its scenarios
from keys.refusals import ANY_TEXT, REFUSALS
from keys.scenario import INHERITED, SCENARIOS


def keys_of(reference):
    """Every key with its full name, and whether its value is a text that the schema cannot judge."""
    found, table = {}, None
    for line in reference.splitlines():
        if heading := re.match(r"## \[+([\w.]+)\]+$", line):
            table = heading.group(1)
        elif row := re.match(r"\| `(\w+)` \| `.*?` \| (.*?) \|", line):
            found[f"{table}.{row.group(1)}"] = row.group(2) in ("a string", "an array of strings")
    return found


def inherited_names(key):
    table, name = key.rsplit(".", 1)
    return [key] + ([f"{INHERITED[table]}.{name}"] if table in INHERITED else [])


def complaints(reference, scenarios=None, refusals=None, any_text=None):
    """What is missing, superfluous, or shows nothing."""
    scenarios = SCENARIOS if scenarios is None else scenarios
    refusals = REFUSALS if refusals is None else refusals
    any_text = ANY_TEXT if any_text is None else any_text
    keys = keys_of(reference)
    shown = [key for scenario in scenarios for key in scenario.keys]
    refused = {key for key, *_ in refusals} | {name for key in any_text for name in inherited_names(key)}
    for key, is_text in keys.items():
        if key not in shown:
            yield f"{key} has no scenario that shows what it does (tests/e2e/keys)"
        if is_text and key not in refused:
            yield f"{key} has no value that a start refuses, and is not among those of any text (keys/refusals.py)"
    # A listener's own [limits] are documented once, at [limits].
    known = {name for key in keys for name in inherited_names(key)}
    for key in sorted({*shown, *refused} - known):
        yield f"{key} is tested and is no key"
    for key in sorted(key for key in set(shown) if shown.count(key) > 1):
        yield f"{key} has two scenarios"
    for scenario in scenarios:
        seen = list(map(repr, scenario.outcomes.values()))
        if len(set(seen)) < 2:
            yield f"{scenario.key}: what is seen does not depend on it"
        if scenario.key in scenario.beside:
            yield f"{scenario.key} is fixed beside its own values"
