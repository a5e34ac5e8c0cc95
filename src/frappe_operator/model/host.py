"""The spelling of host names: one canonical form, wildcard hosts, and internationalised names."""

WILDCARD = "*."
"""Begins a wildcard host. It stands for one label, as in an Ingress and in a certificate."""
PUNYCODE = "xn--"
"""Begins a label that spells one of another alphabet in ASCII."""


def normalise(host: str) -> str:
    """The canonical spelling of a host name: lower case, without a trailing dot."""
    return host.lower().rstrip(".")


def is_wildcard(host: str) -> bool:
    """Whether `host` stands for every host that is one label below its domain."""
    return host.startswith(WILDCARD)


def wildcard_of(host: str) -> str:
    """The wildcard host that `host` is inside of. A wildcard host is inside of itself alone."""
    return WILDCARD + parent(host)


def parent(host: str) -> str:
    """The domain that `host` is one label below; empty for a single label."""
    return host.partition(".")[2]


def overlap(one: str, other: str) -> bool:
    """Whether there is a host that both stand for."""
    return one == other or wildcard_of(one) == other or wildcard_of(other) == one


def example(host: str) -> str:
    """A host to send a request to: the host itself, or one inside a wildcard host."""
    return f"any.{parent(host)}" if is_wildcard(host) else host


def in_unicode(host: str) -> str:
    """The spelling of an internationalised name that people read; empty for every other name, and for one with invalid
    punycode."""
    if PUNYCODE not in host:
        return ""
    try:
        return ".".join(_label_in_unicode(label) for label in host.split("."))
    except ValueError:
        return ""


def shown(host: str) -> str:
    """The name of a host in a message: an internationalised one in both spellings."""
    unicode = in_unicode(host)
    return f"{host} ({unicode})" if unicode else host


def in_punycode(text: str) -> str:
    """How a name that is written in another alphabet is spelled in ASCII; empty when there is no such name."""
    # Imported here because few names need it and it is slow to load.
    import idna

    mark, name = (WILDCARD, text.removeprefix(WILDCARD)) if is_wildcard(text) else ("", text)
    try:
        return mark + idna.encode(name, uts46=True).decode()
    except UnicodeError:
        return ""


def punycode_problem(host: str) -> str:
    """A message about a label that begins as punycode and is none; empty when there is no such label."""
    for label in host.split("."):
        try:
            _label_in_unicode(label)
        except ValueError:
            return (
                f"{label} in {host} is not the punycode of a name: correct it; the punycode of b\u00fccher.example is "
                "xn--bcher-kva.example"
            )
    return ""


def _label_in_unicode(label: str) -> str:
    """Raises ValueError when a label begins as punycode and is none. Browsers send the canonical form of a name alone:
    another one would never be visited."""
    if not label.startswith(PUNYCODE):
        return label
    import idna

    text = idna.ulabel(label)
    if idna.alabel(text).decode() != label:
        raise ValueError(label)
    return text
