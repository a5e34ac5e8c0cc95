"""What the search begins with, and how far it goes: small scenarios take minutes, large ones are the whole proof."""

from typing import NamedTuple

from tests.modelcheck.model import Model
from tests.modelcheck.state import Environment, Limits


class Scenario(NamedTuple):
    """One search."""

    name: str
    may: Environment
    """How often people edit, delete, create again and meddle, and how many requests are lost."""
    limits: Limits
    strangers: str = ""
    """What people do to children."""
    settled: bool = False
    """Whether everything is in place in the beginning."""

    def model(self) -> Model:
        return Model(self.may, self.limits, self.strangers, settled=self.settled)


ONE, TWO = Limits(lagging=1), Limits(lagging=2)
WORSE = Limits(lagging=2, job_fails=True, overtaken=True)
FAR = Limits(behind=2, lagging=2)
OLD = Limits(lagging=1, old_lists=True)

SMALL = (
    Scenario("made, and a request is lost", Environment(losses=1), ONE),
    Scenario("made, and edited at any moment", Environment(edits=1), ONE),
    Scenario("made, deleted at any moment, and made again", Environment(deletions=1, comebacks=1), ONE),
    Scenario("edited and deleted when all was in place", Environment(edits=1, deletions=1), TWO, settled=True),
    Scenario("children edited, deleted and replaced", Environment(meddling=1), ONE, "edit delete replace"),
)
LARGE = (
    Scenario("made, with every trouble of the network", Environment(losses=1), WORSE),
    Scenario("made, edited, deleted, and made again", Environment(edits=1, deletions=1, comebacks=1), ONE),
    Scenario("made and edited, and a request is lost", Environment(edits=1, losses=1), ONE),
    Scenario("the cache is far behind", Environment(edits=1, deletions=1), FAR, settled=True),
    Scenario(
        "made again, and a new process is shown old lists", Environment(deletions=1, comebacks=1), OLD, settled=True
    ),
    Scenario("edited, and others edit and delete children", Environment(edits=1, meddling=1), ONE, "edit delete"),
    Scenario(
        "deleted, and a stranger takes a name", Environment(deletions=1, meddling=2), ONE, "replace", settled=True
    ),
)
