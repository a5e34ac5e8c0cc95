"""Database engines: one file per engine, with the functions of `DatabaseEngine`.

Another engine is a value of `EngineName` (model/database.py), a file here and a row in `ENGINES`.
"""

from collections.abc import Mapping

from frappe_operator.components.database import built_in, dedicated, external
from frappe_operator.components.database.interface import DatabaseEngine, Remains
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.database import EngineName

ENGINES: Mapping[EngineName, DatabaseEngine] = {"built-in": built_in, "dedicated": dedicated, "external": external}


def drop(remains: Remains) -> list[Manifest]:
    """The Jobs that remove the database of a deleted site. Each engine recognises its own databases, because the spec,
    which declares the engine, may be invalid by then."""
    return [job for engine in ENGINES.values() for job in engine.drop(remains)]
