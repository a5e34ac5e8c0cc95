"""The pages that nginx answers with in place of a site."""

RETRY_AFTER_SECONDS = 15
"""When a page that says to come back is reloaded."""
NO_ANSWER = "no-answer"
"""A word in the page of a site whose web pods do not respond, for programs."""


def _page(title: str, text: str, more: str = "") -> str:
    # Within a quoted string of nginx's configuration: no single quote, no `$`.
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f'<meta name=viewport content="width=device-width">{more}'
        "<style>body{font:1.1em/1.5 system-ui,sans-serif;max-width:32em;margin:20vh auto;padding:0 1em}</style>"
        f"<h1>{title}</h1><p>{text}</p></html>"
    )


RELOAD = f"<meta http-equiv=refresh content={RETRY_AFTER_SECONDS}>"
UPDATING = _page(
    "Update in progress",
    "This site is being updated and will be back in a few minutes. The page reloads by itself.",
    RELOAD,
)
"""The page of a site whose web pods are stopped for an upgrade."""
DOWN = _page(
    "Temporarily unavailable",
    "This site does not respond at the moment. The page reloads by itself.",
    f"<meta name={NO_ANSWER}>{RELOAD}",
)
"""The page of a site none of whose web pods responds."""
LATE = _page("No answer in time", "The site took too long to answer. Please try again.")
"""The page of a site that takes too long to answer a request."""
TOO_LARGE = _page("Too large", "The request is larger than this site accepts.")
"""The page of a request that is larger than every site of a bench accepts."""
UNKNOWN = _page("Not found", "There is nothing at this address.")
"""The page of a host that no site has."""


def larger_than(size_bytes: int) -> str:
    """The page of a request that is larger than a site accepts."""
    return _page("Too large", f"The request is larger than the {size_bytes / 2**20:g} MiB that this site accepts.")


AS_HTML = "types { } default_type text/html;"
"""Configuration of a location that answers with a page, whatever the end of the path that was asked for."""
COME_BACK = f"{AS_HTML} add_header Retry-After {RETRY_AFTER_SECONDS} always; add_header Cache-Control no-store always;"
"""Configuration of a location that answers with a page to come back for."""
