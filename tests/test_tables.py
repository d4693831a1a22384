"""Tables of pictures whose rows must not get lost."""

import pytest
from odd_pictures import png, scene

import transfer
from transfer.checks.checking import quick_findings
from transfer.errors import DataError


@pytest.fixture
def table(tmp_path):
    """A function from rows to a table of them beside six pictures."""
    for i in range(6):
        (tmp_path / f"{i}.png").write_bytes(png(scene(8, 8)[..., 0], 8, 0) + bytes([i]))

    def written(*rows, header="file,label"):
        (tmp_path / "list.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return tmp_path / "list.csv"

    return written


GOOD = ("0.png,cat", "1.png,cat", "2.png,dog", "3.png,dog")


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ((*GOOD, "4.png,cat, tabby"), "file,label", ("line 6", "3 cells in 2 columns")),
        ((GOOD[0], '1.png,"cat', *GOOD[2:]), "file,label", ("line 3", "quote")),
        ((GOOD[0], '1.png,"cat', '2.png,dog"', *GOOD[3:]), "file,label", ("line 3", "label goes over several lines")),
        ((*GOOD, '4.png,"cat', '5.png,"dog"'), "file,label", ("line 6", "quote")),
        ((*GOOD, '4.png,cat,"a, b', '5.png,dog,"c'), "file,label,says", ("line 6", "quote")),
        (("0.png,cat,dog",), "file,label,label", ("line 1", "more than one column is called label")),
        ((*GOOD, "", "", "4.png,"), "file,label", ("line 8", "needs both")),
    ],
)
def test_a_row_that_would_get_lost_is_refused_with_its_line(table, rows, header, words):
    with pytest.raises(DataError) as error:
        transfer.load_images(table(*rows, header=header))
    for word in words:
        assert word in str(error.value)


def test_quotes_and_empty_cells_that_lose_nothing_are_taken(table):
    rows = ['"0.png","cat","two\nlines"', "1.png,cat", "2.png,cat,,,", '3.png,"the ""dog""",x,', '4.png,"the ""dog"""']
    images = transfer.load_images(table(*rows, header="file,label,says"))
    assert images.counts() == {"cat": 3, 'the "dog"': 2}


def test_labels_that_may_be_one_number_or_none_are_told(table):
    rows = ("0.png,1", "1.png,1.0", "2.png,01", "3.png,10", "4.png,nan", "5.png,1 ")
    images = transfer.load_images(table(*rows), lenient=True)
    said = {finding.kind: finding.message for finding in quick_findings(images)}
    assert said["alike names"] == "the classes '01' and '1' and '1 ' and '1.0' are the same number"
    assert said["missing labels"] == "1 class named like a missing label: 'nan' (1 picture)"
