"""The web application: one site a request, chosen by `X-Frappe-Site-Name`, else by Host."""

import json
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from werkzeug.exceptions import HTTPException
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Request, Response

from frappe import __version__, auth, installer, pages, realtime, schema, standin
from frappe.conf import Conf, site_conf, sites_path
from frappe.database import Database, connected
from frappe.exceptions import (
    AuthenticationError,
    DoesNotExistError,
    FrappeError,
    IncorrectSitePath,
    PermissionError,  # noqa: A004
    RequestTooLarge,
    SessionStopped,
)
from frappe.utils.background_jobs import enqueue

MAX_FILE_SIZE = 25 * 1024 * 1024
SESSION_SECONDS = 7 * 24 * 3600


@dataclass
class Call:
    """One request to one site, by one user."""

    request: Request
    site: str
    conf: Conf
    database: Database
    user: str = auth.GUEST

    def argument(self, name: str, default: str = "") -> str:
        """A value of the form, of the query, or of a JSON body."""
        if self.request.is_json:
            return str((self.request.get_json() or {}).get(name, default))
        return str(self.request.values.get(name, default))

    @property
    def sid(self) -> str | None:
        return self.request.args.get("sid") or self.request.cookies.get("sid")

    @property
    def address(self) -> str:
        """Where the request says it comes from: Frappe believes the first of the list."""
        listed = self.request.headers.get("X-Forwarded-For", "").split(",")[0].strip()
        return listed or str(self.request.remote_addr)

    def logged_in(self) -> None:
        """Raises PermissionError for a guest."""
        if self.user == auth.GUEST:
            raise PermissionError("Login to access")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI: the answer of the site that is asked for."""
    request = Request(environ)
    try:
        response = _answer(request)
    except FrappeError as error:
        response = _refusal(request, error)
    except HTTPException as error:
        response = Response(error.get_body(), error.code, content_type="text/html; charset=utf-8")
    except Exception as error:
        traceback.print_exc()
        body = {"exc_type": type(error).__name__, "exception": str(error)}
        response = _json(body, 500)
    return response(environ, start_response)


def _answer(request: Request) -> Response:
    site = request.headers.get("X-Frappe-Site-Name") or request.host.split(":")[0]
    conf = site_conf(site)
    with connected(conf, site) as database:
        if conf.get("maintenance_mode") and not (
            conf.get("allow_reads_during_maintenance") and request.method == "GET"
        ):
            raise SessionStopped("Session Stopped")
        # Of the whole request, not only of the file in it.
        request.max_content_length = int(conf.get("max_file_size") or MAX_FILE_SIZE)
        call = Call(request, site, conf, database)
        call.user = auth.user_of(database, call.sid)
        path = request.path
        for prefix in ("/api/method/", "/api/v1/method/", "/api/v2/method/"):
            if path.startswith(prefix):
                return _method(call, path.removeprefix(prefix), "data" if "/v2/" in prefix else "message")
        if path.startswith("/private/files/"):
            return _private_file(call)
        return _page(call)


def _method(call: Call, name: str, key: str) -> Response:
    if name in ("login", "logout"):
        return _login(call) if name == "login" else _logout(call)
    function = METHODS.get(name) or _of_an_app(call, name)
    if function is None:
        raise DoesNotExistError(f"Failed to get method for command {name}")
    return _json({key: function(call)})


def _of_an_app(call: Call, name: str) -> Callable[[Call], Any] | None:
    """The function with this dotted name, if an app that the site has installed lists it in its hooks.py."""
    app = name.partition(".")[0]
    if app not in installer.installed_apps(call.database) or name not in schema.hooks(app, "methods"):
        return None
    module, _, function = name.rpartition(".")
    found: Callable[[Call], Any] = getattr(schema.import_module(module), function)
    return found


def _login(call: Call) -> Response:
    schema.read_notes(call.database)
    sid = auth.log_in(call.database, call.argument("usr"), call.argument("pwd"), call.address)
    user = auth.user_of(call.database, sid)
    response = _json({"message": "Logged In", "home_page": "/app", "full_name": user})
    secure = call.request.headers.get("X-Forwarded-Proto") == "https"
    for name, value in (("sid", sid), ("user_id", quote(user)), ("full_name", quote(user)), ("system_user", "yes")):
        response.set_cookie(name, value, max_age=SESSION_SECONDS, httponly=name == "sid", secure=secure, samesite="Lax")
    return response


def _logout(call: Call) -> Response:
    auth.log_out(call.database, call.sid or "")
    response = _json({})
    response.delete_cookie("sid")
    return response


def _logged_user(call: Call) -> str:
    call.logged_in()
    return call.user


def _upload(call: Call) -> dict[str, Any]:
    call.logged_in()
    upload = call.request.files["file"]
    content = upload.read()
    if len(content) > int(call.conf.get("max_file_size") or MAX_FILE_SIZE):
        raise RequestTooLarge("File size exceeded the maximum allowed size")
    private = call.argument("is_private", "0") == "1"
    name = secure_filename(upload.filename or "file")
    (sites_path() / call.site / ("private" if private else "public") / "files" / name).write_bytes(content)
    url = f"/private/files/{name}" if private else f"/files/{name}"
    schema.add_file(call.database, name, url, private, call.user)
    return {"file_name": name, "file_url": url, "is_private": int(private), "file_size": len(content)}


def _private_file(call: Call) -> Response:
    if call.user == auth.GUEST:
        raise PermissionError("You don't have permission to access this file")
    url = call.request.path
    if not call.database.value("SELECT name FROM `tabFile` WHERE file_url = %s", url):
        raise PermissionError("You don't have permission to access this file")
    name = url.removeprefix("/private/files/")
    if call.request.headers.get("X-Use-X-Accel-Redirect"):
        response = Response()
        response.headers["X-Accel-Redirect"] = quote(f"/protected/private/files/{name}")
    else:
        response = Response((sites_path() / call.site / "private/files" / name).read_bytes())
    response.headers["Content-Disposition"] = f"inline; filename={quote(name)}"
    return response


def _page(call: Call) -> Response:
    path = call.request.path.rstrip("/") or "/"
    guest = call.user == auth.GUEST
    if path == "/":
        return _redirect("/login" if guest else "/app")
    if path == "/login":
        return _html(pages.login(call.site))
    if path == "/app" or path.startswith("/app/"):
        if guest:
            return _redirect(f"/login?redirect-to={quote(call.request.path, safe='')}")
        schema.read_notes(call.database)
        return _html(pages.desk(call.site, installer.installed_apps(call.database)))
    raise DoesNotExistError("The page you were looking for has gone missing.")


def _refusal(request: Request, error: FrappeError) -> Response:
    status = error.http_status_code
    if isinstance(error, IncorrectSitePath):
        return _html(pages.message("Not Found", str(error)), status)
    if request.path.startswith("/api/"):
        body = {"exc_type": type(error).__name__, "_server_messages": json.dumps([str(error)])}
        if isinstance(error, AuthenticationError):
            body["message"] = str(error)
        return _json(body, status)
    title = "Updating" if isinstance(error, SessionStopped) else "Message"
    return _html(pages.message(title, str(error)), status)


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def _html(body: str, status: int = 200) -> Response:
    return Response(body, status, content_type="text/html; charset=utf-8")


def _redirect(path: str) -> Response:
    # Relative, as Frappe sends it: whoever is in front knows the host better.
    return Response(status=302, headers={"Location": path})


METHODS: dict[str, Callable[[Call], Any]] = {
    "ping": lambda call: "pong",
    "frappe.ping": lambda call: "pong",
    "frappe.auth.get_logged_in_user": _logged_user,
    "frappe.auth.get_logged_user": _logged_user,
    "frappe.realtime.get_user_info": lambda call: {
        "user": call.user,
        "user_type": "Website User" if call.user == auth.GUEST else "System User",
    },
    "upload_file": _upload,
    "standin.enqueue": lambda call: enqueue(
        call.site,
        "frappe.standin.trace",
        call.argument("queue", "default"),
        marker=call.argument("marker"),
        source=call.argument("queue", "default"),
        seconds=float(call.argument("seconds", "0")),
    ),
    "standin.jobs": lambda call: standin.traces(call.site, call.argument("marker")),
    "standin.publish": lambda call: realtime.publish(
        call.conf, call.site, call.argument("event", "standin"), call.argument("message"), call.argument("room", "all")
    ),
    "standin.link": lambda call: standin.link(call.conf, call.site, call.argument("path", "/")),
    "standin.release": lambda call: {"version": __version__, "columns": schema.columns("Note")},
    "standin.whoami": lambda call: {"site": call.site, "db_name": call.conf["db_name"], "address": call.address},
}
"""What can be called; the `standin.` ones exist for tests, and let a guest call them."""
