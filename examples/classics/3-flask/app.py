"""A Flask API that serves each client 5 times a minute."""

import os
from functools import cache
from ipaddress import IPv6Network, ip_address

import weir_client
from flask import Flask, Request, jsonify
from weir_client.flask import RateLimit
from werkzeug.middleware.proxy_fix import ProxyFix


def create_app(trusted_hops: int) -> Flask:
    """``trusted_hops``: how many proxies of our own stand in front. 0: the caller's own address counts."""
    app = Flask(__name__)
    if trusted_hops > 0:
        # Counts from the right end of X-Forwarded-For, which our proxies wrote. The left end is the caller's invention.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=trusted_hops, x_proto=0, x_host=0)
    app.before_request(RateLimit(weir, domain="api", descriptors=lambda request: [{"client": client_of(request)}]))

    @app.get("/")
    def hello():
        return jsonify(message="hello")

    return app


def client_of(request: Request) -> str:
    """The address; of IPv6 the /64, since that is the least that a single customer gets."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if address.version == 4:
        return str(address)
    return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))


@cache
def weir() -> weir_client.Weir:
    """Connects at the first request, and so once in each worker of gunicorn or uwsgi."""
    return weir_client.connect(
        os.environ["WEIR"],
        timeout=float(os.environ.get("WEIR_TIMEOUT", "0.5")),
        # allow: serve uncounted while nobody can count. deny: answer 503.
        on_failure=os.environ.get("ON_FAILURE", "allow"),
    )


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "5000"))
    print(f"try: for i in 1 2 3 4 5 6; do curl -i http://127.0.0.1:{port}/; done", flush=True)
    create_app(int(os.environ.get("TRUSTED_HOPS", "0"))).run(host="127.0.0.1", port=port)
