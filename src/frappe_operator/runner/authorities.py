"""The certificate authorities that the programs of a pod trust: those that Python knows, and one more."""

import importlib.util
import ssl
from pathlib import Path

from . import durable
from .log import say

FILE = "certificates.pem"


def trust(authority: Path, folder: Path) -> None:
    """Writes the certificates that Python trusts anyway, followed by those in `authority`, into one file of `folder`.

    What is missing or not readable is left out with a message: a program that trusts too little reports it, and one
    that has no file of certificates at all reaches nobody.
    """
    added = authority.read_text(encoding="utf-8", errors="replace") if authority.is_file() else ""
    try:
        # Text that is no certificate is passed over, but not what only looks like one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=added)
    except (ssl.SSLError, ValueError) as error:
        say(f"ca.crt in the Secret of the certificate contains no certificate that can be trusted: {error}")
        added = ""
    durable.write(folder / FILE, f"{_known()}\n{added}", 0o640)


def _known() -> str:
    """The certificates that Python's requests trusts, otherwise those of the system."""
    found = importlib.util.find_spec("certifi")
    places = [Path(found.origin).parent / "cacert.pem"] if found and found.origin else []
    places += [Path(ssl.get_default_verify_paths().openssl_cafile), Path("/etc/ssl/certs/ca-certificates.crt")]
    return next((each.read_text(encoding="utf-8") for each in places if each.is_file()), "")
