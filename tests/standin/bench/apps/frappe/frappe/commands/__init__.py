"""The commands of `bench_helper frappe …`, each as much of Frappe's as can be told from outside."""

from collections.abc import Iterator
from dataclasses import dataclass

import click

from frappe.conf import Conf, site_conf
from frappe.exceptions import SiteNotSpecifiedError
from frappe.logs import open_log


@dataclass(frozen=True)
class Asked:
    """What stood before the command's name."""

    sites: list[str]
    force: bool

    def one(self) -> tuple[str, Conf]:
        """The site, and its configuration. Raises SiteNotSpecifiedError or IncorrectSitePath."""
        return next(self.each())

    def each(self) -> Iterator[tuple[str, Conf]]:
        """Each site in turn; the first one that fails ends it all."""
        if not self.sites:
            raise SiteNotSpecifiedError("Please specify --site sitename")
        for site in self.sites:
            conf = site_conf(site)
            open_log(site)
            yield site, conf


asked = click.make_pass_decorator(Asked)
