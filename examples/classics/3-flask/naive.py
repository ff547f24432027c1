"""What most tutorials show. Don't copy it: see README.md."""

import os

from flask import Flask, jsonify, request
from redis import Redis

app = Flask(__name__)
redis = Redis.from_url(os.environ["REDIS_URL"])
LIMIT, WINDOW = 5, 60


@app.before_request
def limit():
    # Behind a proxy this is the proxy, so that all clients share one counter.
    ip = request.remote_addr
    if os.environ.get("BELIEVE"):
        # And this is whatever the client writes there, so that each request can be a new client.
        ip = request.headers.get("X-Forwarded-For", ip).split(",")[0]
    count = redis.incr(f"limit:{ip}")
    if count == 1:
        redis.expire(f"limit:{ip}", WINDOW)
    if count > LIMIT:
        return jsonify(error="too many requests"), 429


@app.get("/")
def hello():
    return jsonify(message="hello")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "5000")))
