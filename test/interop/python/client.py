"""The cases of cases.ts on grpcio, whose HTTP/2 is gRPC's C core: ADDRESS CA CASE..."""

import json
import queue
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

# By its folder: below `grpc.testing` it would hide a package of grpcio.
sys.path.insert(0, str(Path(__file__).parent.parent / "proto/grpc/testing"))
pb, services = grpc.protos_and_services("test.proto")

MEGABYTE = 1_048_576
SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


class Service:
    """Calls in words of the cases."""

    def __init__(self, channel):
        self.channel = channel
        self.stub = services.TestServiceStub(channel)

    def unary(self, size=10, response=32, **options):
        request = pb.SimpleRequest(payload=pb.Payload(body=bytes(size)), response_size=response)
        return self.stub.UnaryCall.future(request, **options)

    def empty(self, *metadata):
        return self.stub.EmptyCall.future(pb.Empty(), metadata=metadata)


def sized(call):
    return {"bytes": len(call.result().payload.body)}


def many(service):
    with ThreadPoolExecutor(64) as pool:
        answers = pool.map(lambda _: service.stub.EmptyCall(pb.Empty()), range(10_000))
        return {"ok": sum(1 for _ in answers)}


def concurrent(service):
    calls = [service.unary(metadata=[("x-weir-hold", "200")]) for _ in range(200)]
    return {"ok": sum(len(call.result().payload.body) == 32 for call in calls)}


def deadline(service):
    metadata = [("x-weir-call", "deadline"), ("x-weir-hold", "gone")]
    return {"code": service.unary(metadata=metadata, timeout=0.5).code().value[0]}


def cancel(service):
    call = service.unary(metadata=[("x-weir-call", "cancel"), ("x-weir-hold", "gone")])
    service.empty(("x-weir-await", "cancel")).result()
    call.cancel()
    return {"code": call.code().value[0]}


def empty(service):
    service.empty().result()
    return {"ok": 2, "bytes": len(service.stub.UnaryCall(pb.SimpleRequest()).payload.body)}


def metadata(service):
    trailing = [(ECHO_TRAILING, b"\xab\xab\xab"), (ECHO_TRAILING, b"\x00\xff")]
    call = service.unary(metadata=[(ECHO_INITIAL, "test_initial_metadata_value"), *trailing])
    call.result()
    return {
        "initial": [value for name, value in call.initial_metadata() if name == ECHO_INITIAL],
        "trailing": [value.hex() for name, value in call.trailing_metadata() if name == ECHO_TRAILING],
    }


def error(service):
    wanted = pb.EchoStatus(code=9, message=SPECIAL_MESSAGE)
    call = service.stub.UnaryCall.future(pb.SimpleRequest(response_status=wanted))
    return {"code": call.code().value[0], "message": call.details(), "details": list(details(call))}


def details(call):
    for any_ in rpc_status.from_call(call).details:
        status = pb.EchoStatus()
        any_.Unpack(status)
        yield {"type": any_.type_url, "code": status.code, "message": status.message}


def health(service):
    stub = health_pb2_grpc.HealthStub(service.channel)
    name = health_pb2.HealthCheckResponse.ServingStatus.Name
    check = name(stub.Check(health_pb2.HealthCheckRequest()).status)
    watch = stub.Watch(health_pb2.HealthCheckRequest())
    states = []
    for serving in ["false", "true", None]:
        states.append(name(next(watch).status))
        if serving:
            service.empty(("x-weir-serving", serving)).result()
    watch.cancel()
    return {"check": check, "watch": states}


def reflection(service):
    database = ProtoReflectionDescriptorDatabase(service.channel)
    file = database.FindFileContainingSymbol("grpc.health.v1.Health")
    return {"services": sorted(database.get_services()), "package": file.package}


def goaway(service):
    ok, failed = 0, []
    for _ in range(5):
        ended = queue.SimpleQueue()
        for _ in range(50):
            service.unary(metadata=[("x-weir-hold", "drain")]).add_done_callback(ended.put)
        service.empty(("x-weir-drain", "50")).add_done_callback(ended.put)
        with ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(one_after_the_other, service, ended)
        for _ in range(50 + 1 + 4 * 50):
            call = ended.get()
            if call.code() is grpc.StatusCode.OK:
                ok += 1
            else:
                failed.append(f"{call.code()}: {call.details()}")
    return {"ok": ok, "failed": failed}


def one_after_the_other(service, ended):
    for _ in range(50):
        call = service.empty()
        call.exception()
        ended.put(call)


CASES = {
    "unary": lambda service: sized(service.unary()),
    "many": many,
    "concurrent": concurrent,
    "deadline": deadline,
    "cancel": cancel,
    "large": lambda service: sized(service.unary(MEGABYTE, MEGABYTE)),
    "empty": empty,
    "gzip": lambda service: sized(service.unary(100_000, compression=grpc.Compression.Gzip)),
    "metadata": metadata,
    "error": error,
    "health": health,
    "reflection": reflection,
    "goaway": goaway,
}


def opened(address, ca):
    if ca == "-":
        return grpc.insecure_channel(address, OPTIONS)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(Path(ca).read_bytes()), OPTIONS)


def main():
    address, ca, *cases = sys.argv[1:]
    for case in cases:
        with opened(address, ca) as channel:
            print(json.dumps({"case": case, **CASES[case](Service(channel))}), flush=True)


if __name__ == "__main__":
    main()
