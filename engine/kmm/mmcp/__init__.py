"""`kmm serve --mmcp`: the Motion Model Context Protocol over HTTP, in front of an engine.

The wire is MMCP's own SDK's (motionmcp-sdk, https://animatica.ai/mmcp); what is here maps its requests to ours and
our takes to its results. The gateway is a client of the engine like any other, so queue and limits hold for it too.
MMCP's world is metres, Y up, facing +Z; its quaternions are (x, y, z, w). Needs: pip install 'kmm[mmcp]'.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Iterator

try:
    import uvicorn
    from motionmcp import build_app
    from starlette.middleware.trustedhost import TrustedHostMiddleware
except ImportError as error:
    raise ValueError("MMCP needs its SDK; install it with: pip install 'kmm[mmcp]'") from error

from kmm.mmcp.gateway import Gateway

HOST = "127.0.0.1"
END_SECONDS = 5.0  #: for the HTTP server to end


@contextlib.contextmanager
def serving(connection_file: str | os.PathLike[str], port: int = 8000) -> Iterator[str]:
    """MMCP over HTTP while the context lasts, in a thread; gives the URL. port 0: any free one.

    Only on this machine's own address: MMCP knows no keys, so from elsewhere it is reached through ssh. Requests must
    name this address too, so that no page in a browser gets at it by a name of its own. OSError if the port is taken.
    """
    listener = socket.create_server((HOST, port))
    servers: list[uvicorn.Server] = []
    ready = threading.Event()

    def run() -> None:
        try:
            app = build_app(Gateway(connection_file), title="KMM")
            app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
            servers.append(
                uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
            )
        finally:
            ready.set()
        asyncio.run(servers[0].serve([listener]))

    thread = threading.Thread(target=run, name="mmcp", daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        if ready.wait(END_SECONDS) and servers:
            servers[0].should_exit = True
        thread.join(END_SECONDS)
        listener.close()
