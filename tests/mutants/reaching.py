"""Bugs of how the API server is reached: credentials that grow old, answers that never come or are misread."""

from tests.mutants.mutant import Mutant

HTTP = "runtime/client/test_http.py"

MUTANTS = [
    Mutant(
        "right-not-asked-for",
        "A new request needs a right that the manifests do not give: tests in memory pass, clusters stand still.",
        "site/controller.py",
        'SITE: "get patch",',
        'SITE: "patch",',
        ("world/test_sites.py::test_everything_that_is_asked_for_is_among_the_rights_of_the_operator",),
    ),
    Mutant(
        "token-read-once",
        "The token is read at the start: after an hour the API server knows us no more.",
        "runtime/client/http.py",
        "self._token = self._access.bearer()",
        "self._token = self._token or self._access.bearer()",
        (f"{HTTP}::test_a_new_token_is_used_without_a_restart",),
    ),
    Mutant(
        "authority-read-once",
        "The authority is read at the start: when the cluster's is replaced, nothing is believed any more.",
        "runtime/client/http.py",
        "if stamps != self._stamps:",
        "if self._stamps is None:",
        (f"{HTTP}::test_a_new_authority_is_believed_without_a_restart",),
    ),
    Mutant(
        "requests-without-a-time-out",
        "A request whose answer never comes is waited for, for ever.",
        "runtime/client/http.py",
        "aiohttp.ClientTimeout(total=timeout)",
        "aiohttp.ClientTimeout(total=None)",
        (f"{HTTP}::test_an_answer_that_does_not_come_is_trouble",),
        hangs=True,
    ),
    Mutant(
        "unreadable-token-ends-the-process",
        "A token that cannot be read for a moment ends the process.",
        "runtime/client/http.py",
        "_TROUBLE = (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError, ValueError)",
        "_TROUBLE = (aiohttp.ClientError, TimeoutError, ValueError)",
        (f"{HTTP}::test_a_token_that_cannot_be_read_is_trouble_not_an_end",),
    ),
    Mutant(
        "compressed-answers-asked-for",
        "Answers are asked for compressed: the API server's time and ours, for a network that is not the bottleneck.",
        "runtime/client/http.py",
        '"Accept-Encoding": "identity"',
        '"Accept-Encoding": "gzip"',
        (f"{HTTP}::test_compression_is_not_asked_for",),
    ),
    Mutant(
        "retry-after-not-read",
        "What a busy API server says about when to come back is not read.",
        "runtime/client/errors.py",
        "float(after) if after.isdigit() else None",
        "None",
        (
            f"{HTTP}::test_the_wish_to_be_left_alone_reaches_whoever_asked",
            "runtime/queue/test_reconcile.py::test_the_server_says_how_long_to_wait",
        ),
    ),
    Mutant(
        "another-uid-is-a-broken-rule",
        "That another object has the name is taken for a broken rule: nobody tries again for ten minutes.",
        "runtime/client/errors.py",
        "if made is Invalid and said.about_uid:",
        "if False:",
        ("runtime/apply/test_ownership.py::test_what_takes_the_name_while_we_compare_is_not_written",),
    ),
    Mutant(
        "token-file-read-once",
        "A kubeconfig's tokenFile is read when the kubeconfig is.",
        "runtime/client/kubeconfig.py",
        'if not token_file else "",\n        token_file=user_folder / token_file if token_file else None,',
        "if not token_file else (user_folder / token_file).read_text().strip(),\n        token_file=None,",
        ("runtime/client/test_kubeconfig.py::test_a_token_file_is_read_each_time",),
    ),
    Mutant(
        "redirects-followed",
        "Where a site redirects to is asked too: a tenant has the operator ask any address in the cluster.",
        "runtime/client/fetch.py",
        "allow_redirects=False",
        "allow_redirects=True",
        ("runtime/client/test_fetch.py::test_a_redirect_is_an_answer_and_is_not_followed",),
    ),
]
