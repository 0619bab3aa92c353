"""What people are shown at the end of a verification."""

import pytest

from regproxy.cli.showing import show_report
from regproxy.upkeep.report import Finding, Report, Trouble

WRONG, REPAIRED = Finding(trouble=Trouble.DAMAGED), Finding(trouble=Trouble.SIZE, repaired=True)
GARBAGE = Finding(trouble=Trouble.ORPHAN, repaired=True)


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ((), "nothing is wrong"),
        ((GARBAGE,), "nothing is wrong"),
        ((WRONG,), "1 thing is wrong"),
        ((WRONG, WRONG, GARBAGE), "2 things are wrong"),
        ((REPAIRED,), "1 thing was wrong, and is repaired"),
        ((REPAIRED,) * 3, "3 things were wrong, and are repaired"),
        ((WRONG, REPAIRED), "1 thing is wrong, and 1 thing was wrong, and is repaired"),
    ],
)
def test_the_verdict(capsys: pytest.CaptureFixture[str], findings: tuple[Finding, ...], verdict: str) -> None:
    """What is still wrong is told from what no longer is."""
    show_report(Report(blobs=4, bytes=0, seconds=0.0, strict=False, findings=findings))
    assert capsys.readouterr().out.splitlines()[-1].partition(" s: ")[2] == verdict
