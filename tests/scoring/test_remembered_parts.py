"""The memory of parts: bounded, by type and value, of the facts that a part reads."""

from scoring.remembered_parts import REMEMBERED_PARTS, remember_part


class Recorder:
    """A part that counts how often it is built."""

    def __init__(self):
        self.built = []

    def build(self, facts, *further):
        self.built.append((facts, *further))
        return object()


def test_equal_facts_are_built_once():
    recorder = Recorder()
    part = remember_part(["pain"], recorder.build)
    assert part({"pain": 3}) is part({"pain": 3, "age": 40})
    assert recorder.built == [({"pain": 3},)]


def test_a_part_gets_only_the_facts_that_it_names():
    recorder = Recorder()
    remember_part(["pain", "age", "pain"], recorder.build)({"pain": 3, "name": "x"}, "further")
    assert recorder.built == [({"pain": 3, "age": None}, "further")]


def test_a_yes_is_not_a_one():
    part = remember_part(["pain"], Recorder().build)
    assert len({part({"pain": answer}) for answer in (1, True, 1.0, 1)}) == 3


def test_a_part_is_built_anew_for_other_values_beside_the_facts():
    part = remember_part(["pain"], Recorder().build)
    assert part({"pain": 1}, 1) is not part({"pain": 1}, 2)


def test_only_the_latest_variants_are_remembered():
    recorder = Recorder()
    part = remember_part(["age"], recorder.build)
    for age in range(REMEMBERED_PARTS + 1):
        part({"age": age})
    assert len(recorder.built) == REMEMBERED_PARTS + 1
    part({"age": REMEMBERED_PARTS})
    assert len(recorder.built) == REMEMBERED_PARTS + 1
    part({"age": 0})
    assert len(recorder.built) == REMEMBERED_PARTS + 2
