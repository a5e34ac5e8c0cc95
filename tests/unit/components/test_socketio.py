"""The filter of the log of the realtime server."""

import subprocess

import pytest

from frappe_operator.components.socketio import FILTER

SECRET = "5a7cfe0bd1"


@pytest.mark.parametrize(
    "line",
    [
        f"      _header: 'GET /api/method/frappe.realtime.can_subscribe_doc?doctype=ToDo&sid={SECRET} HTTP/1.1\\r\\n'",
        f"    url: 'http://shop-gunicorn:8080/api/method/x?sid={SECRET}&doctype=ToDo',",
        f"    qs: {{ sid: '{SECRET}', doctype: 'ToDo' }},",
        f'    "sid": "{SECRET}",',
        f"    cookie: 'full_name=Ada; sid={SECRET}; user_id=ada%40example.com',",
        f"    authorization: [ 'Authorization', 'token {SECRET}:{SECRET}' ],",
        f"    'Authorization': 'token {SECRET}',",
        f"      'token {SECRET}:{SECRET}'",
        f"Authorization: token {SECRET}",
        f"?next=%2Fx%3Fsid%3D{SECRET}",
    ],
)
def test_no_session_and_no_token_is_logged(line: str):
    assert SECRET not in filtered(line)


def test_the_rest_is_logged_as_it_is():
    line = "ERROR (can_subscribe_doctype):  Error: Forbidden for residents and outside users"
    assert filtered(line) == line


def filtered(line: str) -> str:
    argv = ["sed", "-u", "-E", FILTER]
    return subprocess.run(argv, input=line, capture_output=True, text=True, check=True).stdout
