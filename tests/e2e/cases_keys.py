"""Every key of the configuration: what it does, and what a start says about a wrong value. The scenarios are in keys/."""
import re

from harness import BINARY, case, expect, expect_equal
from keys import ledger, refusals, scenario


def show(each):
    def run(of_case):
        scenario.run(each, of_case)
    return run


for each in scenario.SCENARIOS:
    case(f"keys/{each.key}")(show(each))


def refuse(key, value, words, beside, prepare, without):
    def run(of_case):
        if prepare:
            prepare(of_case)
        said, place = scenario.wrong_value(of_case, key, value, beside, without)
        expect(place in said, f"the place {place}: {said}")
        for word in words:
            expect(word in said, f'it says "{word}": {said}')
        expect_equal(len(said.splitlines()), 1, f"lines of {said}")
    return run


for number, (key, *how) in enumerate(refusals.REFUSALS, 1):
    case(f"keys/refused-{number}-{key}")(refuse(key, *how))


@case("keys/all-of-this-broker")
def every_key_of_this_broker_is_shown_and_refused(of_case):
    reference = "\n".join(of_case.run([BINARY, "serve", "--print-config-reference", "--language", "en"], "reference"))
    expect_equal(list(ledger.complaints(reference)), [], "what the ledger of keys complains about")


@case("keys/reference-in-chinese")
def the_reference_and_explanations_follow_the_language(of_case):
    def lines(*words, **env):
        return "\n".join(of_case.run([BINARY, "serve", *words], "nightjar serve", env={"LC_ALL": "", "LC_MESSAGES": "",
                                                                                     "LANG": "C.UTF-8", **env}))
    english, chinese = (lines("--print-config-reference", "--language", name) for name in ("en", "zh"))
    rows = [re.findall(r"^\| `(\w+)` \| (`.*?`) \|", text, re.MULTILINE) for text in (english, chinese)]
    expect(len(rows[0]) > 100, "every key has a row")
    expect_equal(rows[1], rows[0], "keys and defaults of the Chinese reference")
    expect_equal(lines("--print-config-reference"), english, "the reference in a terminal that is not Chinese")
    expect_equal(lines("--print-config-reference", LANG="zh_CN.UTF-8"), chinese, "in one that is")
    expect_equal(lines("--print-config-reference", LC_ALL="C", LANG="zh_CN.UTF-8"), english, "LC_ALL comes first")
    expect("默认值" in lines("--explain", "max_age", "--language", "zh"), "an explanation in Chinese")
