"""A client of HTTP that says exactly the Host and headers it is told to."""

import http.client
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import urlencode


@dataclass
class Answer:
    status: int
    headers: Message
    cookies: list[str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def text(self) -> str:
        return self.body.decode()


@dataclass
class Client:
    """Asks one port on this machine, and keeps the session it is given."""

    port: int
    host: str
    sid: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, body: bytes, **headers: str) -> Answer:
        return self._ask("POST", path, body, headers)

    def form(self, path: str, **values: str) -> Answer:
        body = urlencode(values).encode()
        return self._ask("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})

    def upload(self, name: str, content: bytes, private: bool) -> Answer:
        mark = uuid.uuid4().hex
        body = (
            (
                f'--{mark}\r\nContent-Disposition: form-data; name="is_private"\r\n\r\n{int(private)}\r\n'
                f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
            ).encode()
            + content
            + f"\r\n--{mark}--\r\n".encode()
        )
        return self._ask(
            "POST", "/api/method/upload_file", body, {"Content-Type": f"multipart/form-data; boundary={mark}"}
        )

    def log_in(self, password: str = "open") -> Answer:  # noqa: S107
        answer = self.form("/api/method/login", usr="Administrator", pwd=password)
        for cookie in answer.cookies:
            if cookie.startswith("sid="):
                self.sid = cookie.split(";")[0].removeprefix("sid=")
        return answer

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        cookie = {"Cookie": f"sid={self.sid}"} if self.sid else {}
        try:
            connection.request(method, path, body, {"Host": self.host, **cookie, **self.headers, **headers})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.headers.get_all("Set-Cookie") or [], answer.read())
        finally:
            connection.close()
