"""Receives spans by OTLP over gRPC and over HTTP in protobuf, and prints one JSON line for its ports and for each span."""

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services

PRINTING = threading.Lock()


def tell(line: dict) -> None:
    with PRINTING:
        print(json.dumps(line), flush=True)


def value(any_value) -> object:
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value(each) for each in any_value.array_value.values]
    return getattr(any_value, kind) if kind else None


def attributes(pairs) -> dict:
    return {pair.key: value(pair.value) for pair in pairs}


def tell_spans(request, by: str, headers: dict) -> None:
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                tell(
                    {
                        "by": by,
                        "token": headers.get("x-token"),
                        "name": span.name,
                        "traceId": span.trace_id.hex(),
                        "spanId": span.span_id.hex(),
                        "parentId": span.parent_span_id.hex(),
                        "state": span.trace_state,
                        "kind": span.kind,
                        "status": span.status.code,
                        "lasted": span.end_time_unix_nano - span.start_time_unix_nano,
                        "attributes": attributes(span.attributes),
                        "resource": attributes(resource_spans.resource.attributes),
                    }
                )


class Service(services.TraceServiceServicer):
    def Export(self, request, context):
        tell_spans(request, "grpc", dict(context.invocation_metadata()))
        return messages.ExportTraceServiceResponse()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["content-encoding"] == "gzip":
            body = gzip.decompress(body)
        known = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
        if known:
            tell_spans(messages.ExportTraceServiceRequest.FromString(body), "http", dict(self.headers))
        answer = messages.ExportTraceServiceResponse().SerializeToString()
        self.send_response(200 if known else 404)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def main() -> None:
    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    services.add_TraceServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    tell({"http": web.server_port, "grpc": port})
    web.serve_forever()


if __name__ == "__main__":
    main()
