"""Records FastAPI's responses to the apps of its tutorial "Handling Errors" in tutorial.json.

    pip install fastapi==0.165.0 starlette==1.10.0 uvicorn==0.54.0
    python tests/parity/record.py

An "ours" and its "why" in the file stay as they are. The README's section "From FastAPI" has the
same Python code, and a test compares both.
"""

import http.client
import json
import pathlib
import threading
import time
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

FILE = pathlib.Path(__file__).with_name("tutorial.json")
PACKAGES = ["fastapi", "pydantic", "starlette", "uvicorn"]
# Headers that the server sets, not the app.
NOT_COMPARED = ["connection", "date", "server"]
items = {"foo": "The Foo Wrestlers"}


def tutorial001(app):
    @app.get("/items/{item_id}")
    async def read_item(item_id: str):
        if item_id not in items:
            raise HTTPException(status_code=404, detail="Item not found")
        return {"item": items[item_id]}


def tutorial002(app):
    @app.get("/items-header/{item_id}")
    async def read_item_header(item_id: str):
        if item_id not in items:
            raise HTTPException(
                status_code=404,
                detail="Item not found",
                headers={"X-Error": "There goes my error"},
            )
        return {"item": items[item_id]}


def tutorial003(app):
    class UnicornException(Exception):
        def __init__(self, name: str):
            self.name = name

    @app.exception_handler(UnicornException)
    async def unicorn_exception_handler(request: Request, exc: UnicornException):
        return JSONResponse(
            status_code=418,
            content={"message": f"Oops! {exc.name} did something. There goes a rainbow..."},
        )

    @app.get("/unicorns/{name}")
    async def read_unicorn(name: str):
        if name == "yolo":
            raise UnicornException(name=name)
        return {"unicorn_name": name}


def tutorial004(app):
    @app.exception_handler(StarletteHTTPException)
    async def http_exception_handler(request, exc):
        return PlainTextResponse(str(exc.detail), status_code=exc.status_code)

    @app.exception_handler(RequestValidationError)
    async def validation_exception_handler(request, exc):
        message = "Validation errors:"
        for error in exc.errors():
            message += f"\nField: {error['loc']}, Error: {error['msg']}"
        return PlainTextResponse(message, status_code=400)

    read_number(app)


def tutorial005(app):
    class Item(BaseModel):
        title: str
        size: int

    @app.exception_handler(RequestValidationError)
    async def validation_exception_handler(request, exc):
        content = {"detail": exc.errors(), "body": exc.body}
        return JSONResponse(status_code=422, content=jsonable_encoder(content))

    @app.post("/items/")
    async def create_item(item: Item):
        return item


def tutorial006(app):
    @app.exception_handler(StarletteHTTPException)
    async def custom_http_exception_handler(request, exc):
        print(f"OMG! An HTTP error!: {repr(exc)}")
        return await http_exception_handler(request, exc)

    read_number(app)


def read_number(app):
    @app.get("/items/{item_id}")
    async def read_item(item_id: int):
        if item_id == 3:
            raise HTTPException(status_code=418, detail="Nope! I don't like 3.")
        return {"item_id": item_id}


REQUESTS = [
    (tutorial001, "GET", "/items/foo", None),
    (tutorial001, "GET", "/items/bar", None),
    (tutorial001, "GET", "/nowhere", None),
    (tutorial001, "POST", "/items/foo", None),
    (tutorial002, "GET", "/items-header/foo", None),
    (tutorial002, "GET", "/items-header/bar", None),
    (tutorial003, "GET", "/unicorns/rainbow", None),
    (tutorial003, "GET", "/unicorns/yolo", None),
    (tutorial004, "GET", "/items/1", None),
    (tutorial004, "GET", "/items/3", None),
    (tutorial004, "GET", "/items/foo", None),
    (tutorial004, "GET", "/nowhere", None),
    (tutorial004, "DELETE", "/items/1", None),
    (tutorial005, "POST", "/items/", {"title": "towel", "size": 3}),
    (tutorial005, "POST", "/items/", {"title": "towel", "size": "XL"}),
    (tutorial005, "POST", "/items/", {"size": 3}),
    (tutorial006, "GET", "/items/1", None),
    (tutorial006, "GET", "/items/3", None),
    (tutorial006, "GET", "/items/foo", None),
    (tutorial006, "GET", "/nowhere", None),
]


def serve(define):
    """Serves the app on a free port, and returns the server and the port."""
    app = FastAPI()
    define(app)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return server, server.servers[0].sockets[0].getsockname()[1]


def ask(port, method, path, body):
    """Sends a request, and returns the response in the form of the file."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {} if body is None else {"content-type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    fields = [[name.lower(), value] for name, value in response.getheaders()]
    return {
        "status": response.status,
        "headers": sorted(field for field in fields if field[0] not in NOT_COMPARED),
        "body": response.read().decode(),
    }


def main():
    known = json.loads(FILE.read_text())["cases"] if FILE.exists() else []
    known = {case["name"]: case for case in known}
    cases = []
    servers = {}
    for app, method, path, body in REQUESTS:
        request = {"method": method, "path": path}
        if body is not None:
            request["json"] = body
        name = " ".join([app.__name__, method, path] + ([json.dumps(body)] if body else []))
        if app not in servers:
            servers[app] = serve(app)
        case = {"name": name, "kind": "http", "app": app.__name__, "request": request}
        case["fastapi"] = ask(servers[app][1], method, path, body)
        for key in ["ours", "why"]:
            if key in known.get(name, {}):
                case[key] = known[name][key]
        cases.append(case)
    for server, _ in servers.values():
        server.should_exit = True
    recorded = {"versions": {name: version(name) for name in PACKAGES}, "cases": cases}
    FILE.write_text(json.dumps(recorded, indent=1) + "\n")


main()
