"""A burst that empties a bucket, and what happens when nobody can be asked."""

import os

import weir_client
from token_bucket import LocalBuckets, TokenBucket


def main() -> None:
    fallback = LocalBuckets(capacity=5, refill_per_second=5 / 60)
    with weir_client.connect(os.environ["WEIR"], timeout=1) as weir:
        weir.ready()
        bucket = TokenBucket(weir, fallback)
        for tokens in (1, 4, 4, 4, 1):
            print(f"take {tokens}:", bucket.take("ann", tokens))

    # Nobody listens there.
    with weir_client.connect("127.0.0.1:1", timeout=1) as nobody:
        print("take 1:", TokenBucket(nobody, fallback).take("ann"))


if __name__ == "__main__":
    main()
