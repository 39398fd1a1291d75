"""Names are listed by index, as many as an index of one byte can tell apart."""

import polars as pl
import pytest

from scoring.columns.name_lists import list_names, sort_names


def names(count: int) -> list[str]:
    return [f"name_{number}" for number in range(count)]


def read_names(expression: pl.Expr) -> list[str]:
    return pl.select(expression).item().to_list()


def test_255_names_are_listed_and_not_one_more():
    indexes = [pl.lit(0, pl.UInt8), pl.lit(None, pl.UInt8), pl.lit(254, pl.UInt8)]
    assert read_names(list_names(indexes, names(255))) == ["name_0", "name_254"]
    with pytest.raises(ValueError, match="over 255 names"):
        list_names(indexes, names(256))


@pytest.mark.parametrize("kind", [pl.Int32, pl.Int64])
def test_the_smallest_key_is_first_and_a_key_modulo_the_names_is_its_name(kind):
    keys = [pl.lit(key, kind) for key in (5, None, -6, -1)]
    assert read_names(sort_names(keys, names(4), kind)) == ["name_2", "name_3", "name_1"]
